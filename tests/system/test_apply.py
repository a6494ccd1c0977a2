"""`lunaport apply` with a real NAS: files as people write them, the second time, sessions that go on, and failures."""

import re
import socket
import time
from pathlib import Path
from typing import Any

from tests.system.conftest import StartNas
from tests.system.initiator import Chap, Initiator
from tests.system.nas import Nas, free_port
from tests.system.test_cli import answer, printed, run

SECRET, OTHER_SECRET = "alice-secret-1", "bobs-secret-12"
PREFIX = "iqn.2026-11.io.lunaport"

FIRST = """
version: 1
volumes:
- {name: fast, path: %(fast)s}
targets:
- name: one
  luns:
  - {lun: 0, size: 8MiB}
  chap:
    one_way: {enabled: true, username: alice, secret: {env: ALICE}}
- name: two
  luns:
  - {lun: 0, size: 8MiB, volume: fast}
users:
- {name: admin, role: admin}
- {name: carol, role: operator, password: {file: carol.txt}}
"""


def login(nas: Nas, name: str, secret: str = "") -> Initiator:
    """A session with a target."""
    chap = Chap(user="alice", secret=secret) if secret else None
    return Initiator(nas.hosts[0], nas.port, target=f"{PREFIX}:{name}", chap=chap)


def test_a_file_as_people_write_it(start_nas: StartNas, tmp_path: Path) -> None:
    nas = start_nas()
    nas.secrets_given |= {SECRET, OTHER_SECRET, "carols-own-words"}
    (tmp_path / "carol.txt").write_text("carols-own-words\n")
    file = tmp_path / "nas.yaml"

    def apply(*words: str, **variables: str) -> Any:
        return answer(run(nas, "apply", "-f", str(file), "--json", *words, folder=tmp_path, **variables))

    file.write_text(FIRST % {"fast": tmp_path / "fast"})
    told = printed(run(nas, "apply", "-f", str(file), "--plan", folder=tmp_path, ALICE=SECRET))
    assert f"+ target {PREFIX}:one" in told
    assert "Would be done: 4 created, 0 changed, 0 deleted." in told
    assert SECRET not in told
    assert nas.shares() == []
    assert len(apply(ALICE=SECRET)["steps"]) == 4
    assert apply(ALICE=SECRET)["steps"] == [], "the second time there is nothing to do"
    assert nas.client.get("/api/v1/me", auth=("carol", "carols-own-words")).status_code == 200

    with login(nas, "one", SECRET) as one, login(nas, "two") as two:
        for initiator in (one, two):
            initiator.ready()
        # Another secret, a larger disk and a new target: both sessions go on, and see it.
        changed = file.read_text().replace("{lun: 0, size: 8MiB, volume", "{lun: 0, size: 16MiB, volume")
        file.write_text(changed + "blocks: []\n")
        plan = apply("--plan", ALICE=OTHER_SECRET)
        fields = {f"{step['name'][-3:]} {each['field']}" for step in plan["steps"] for each in step["changes"]}
        assert fields == {"one chap.one_way.secret", "two luns.0.size_bytes"}
        assert apply(ALICE=OTHER_SECRET)["steps"] == plan["steps"]
        one.ready()
        two.ready()
        assert two.capacity_bytes() == 16 << 20
        one.write(0, b"x" * 512)
    with login(nas, "one", OTHER_SECRET):
        pass

    # What is shown is what there is, and keeps the secrets.
    shown = printed(run(nas, "config", "show", folder=tmp_path))
    assert "size: 16MiB" in shown
    assert OTHER_SECRET not in shown
    file.write_text(shown)
    assert apply("--prune")["steps"] == []
    with login(nas, "one", OTHER_SECRET):
        pass

    # One target, as a file of its own.
    single = tmp_path / "two.yaml"
    printed(run(nas, "target", "export", "two", str(single), folder=tmp_path))
    printed(run(nas, "target", "delete", "two", "--yes", folder=tmp_path))
    printed(run(nas, "target", "import", str(single), folder=tmp_path))
    with login(nas, "two") as two:
        two.ready()
        assert two.capacity_bytes() == 16 << 20
    refused = run(nas, "target", "import", str(file), folder=tmp_path)
    assert (refused.returncode, "lunaport apply takes it" in refused.stderr) == (2, True)

    file.write_text("version: 1\ntargets: []\n")
    kept = printed(run(nas, "apply", "-f", str(file), folder=tmp_path))
    assert f"kept (--prune takes it away):\n    target {PREFIX}:one\n    target {PREFIX}:two\n" in kept
    printed(run(nas, "apply", "-f", str(file), "--prune", folder=tmp_path))
    assert nas.shares() == []
    assert len([path for path in nas.trash() if path.suffix == ".img"]) == 1
    assert len(list((tmp_path / "fast" / "trash").glob("*.img"))) == 2


def test_what_fails_changes_nothing(start_nas: StartNas, tmp_path: Path) -> None:
    nas = start_nas()
    file = tmp_path / "nas.yaml"
    file.write_text("version: 1\ntargets:\n- {name: kept, luns: [{lun: 0, size: 8MiB}]}\n")
    printed(run(nas, "apply", "-f", str(file), folder=tmp_path))
    before = printed(run(nas, "config", "show", folder=tmp_path))
    files = nas.files()

    def refused(text: str) -> str:
        file.write_text(text)
        done = run(nas, "apply", "-f", str(file), "--prune", folder=tmp_path)
        assert done.returncode in (2, 6), (done.stdout, done.stderr)
        assert "Traceback" not in done.stderr
        assert printed(run(nas, "config", "show", folder=tmp_path)) == before
        assert nas.files() == files
        return done.stderr

    with login(nas, "kept") as session:
        session.ready()
        wrong = "version: 1\ntargets:\n- {name: new, luns: [{lun: 0, size: 8MiB}]}\n- {name: a b, luns: [{size: 1}]}\n"
        assert re.search(r"^lunaport: targets\[1\]\.name: ", refused(wrong), re.MULTILINE)
        assert "FILE: is not YAML in line 2" in refused("version: 1\n}")
        # The port is taken: the engine finds that out when all else is done already.
        with socket.create_server(("127.0.0.1", free_port())) as taken:
            port = taken.getsockname()[1]
            service = f"service: {{enabled: true, port: {port}}}\n"
            text = f"version: 1\n{service}targets:\n- {{name: new, luns: [{{size: 8MiB}}]}}\n"
            assert "cannot listen on" in refused(text)
        session.ready()
        session.write(0, b"y" * 512)


def test_killed_halfway_it_is_all_there_or_nothing(start_nas: StartNas, tmp_path: Path) -> None:
    """SIGKILL of control at several moments of an `apply` with many targets."""
    nas = start_nas()
    outcomes = set()
    for number, wait_s in enumerate((0.02, 0.1, 0.25, 0.5)):
        names = [f"k{number}-{each}" for each in range(20)]
        targets = [{"name": name, "luns": [{"lun": 0, "size_bytes": 1 << 20}]} for name in names]
        before = {share["target"] for share in nas.shares()}
        with socket.create_connection(("127.0.0.1", nas.http_port)) as sock:
            request = nas.client.build_request("PUT", "/api/v1/config", json={"version": 1, "targets": targets})
            head = f"PUT /api/v1/config HTTP/1.1\r\nHost: x\r\nContent-Length: {len(request.content)}\r\n"
            auth = next(nas.client.auth.auth_flow(request)).headers["Authorization"]  # type: ignore[union-attr]
            sock.sendall(f"{head}Content-Type: application/json\r\nAuthorization: {auth}\r\n\r\n".encode())
            sock.sendall(request.content)
            time.sleep(wait_s)
            nas.kill("control")
        nas.wait_healthy(timeout_s=30)
        after = {share["target"] for share in nas.shares()}
        assert after - before in (set(), {f"{PREFIX}:{name}" for name in names})
        outcomes.add(len(after - before))
        assert len([path for path in nas.files() if path.suffix == ".img"]) == len(after), "no file is left over"
    assert outcomes <= {0, 20}
