"""Portals while the NAS runs: several ports and groups, wildcards, restarts, and addresses that come and go."""

import secrets
import subprocess
import sys
from pathlib import Path

import pytest

from tests.system.conftest import StartNas
from tests.system.initiator import Initiator
from tests.system.nas import Json, Nas, Share, free_port
from tests.system.peers import ROOT, require

PORTALS = "/api/v1/portals"
ANY4 = "0.0.0.0"  # noqa: S104 - it is what the test is about


def loopback() -> str:
    """An address of the loopback interface that no other test uses."""
    return f"127.{1 + secrets.randbelow(254)}.{secrets.randbelow(256)}.{1 + secrets.randbelow(254)}"


def put(nas: Nas, portal: str, group: int | None = None, *, status: int = 200) -> Json:
    response = nas.call("PUT", {"group": group}, path=f"{PORTALS}/{portal}")
    assert response.status_code == status, response.text
    answer: Json = response.json()
    return answer


def listed(nas: Nas) -> list[tuple[str, int, bool]]:
    return [(each["portal"], each["group"], each["listening"]) for each in nas.answer("GET", path=PORTALS)["items"]]


def told(host: str, port: int, share: Share) -> set[str]:
    """The addresses of a share that discovery tells of at a portal."""
    with Initiator(host, port) as discovery:
        pairs = discovery.text({"SendTargets": share.iqn})
    return {value for key, value in pairs if key == "TargetAddress"}


def test_both_ports_of_iscsi_and_groups_live(start_nas: StartNas) -> None:
    nas = start_nas()
    share, host, own = nas.create("both-ports"), loopback(), f"127.0.0.1:{nas.port}"
    with Initiator("127.0.0.1", nas.port, target=share.iqn) as initiator:
        for port in (860, 3260):
            made = put(nas, f"{host}:{port}", 2)
            assert (made["listening"], made["error"]) == (True, "")
            with Initiator(host, port, target=share.iqn) as other:
                assert other.negotiated.get("TargetPortalGroupTag", "2") == "2"
                assert other.ready().status == 0
        assert listed(nas) == [(own, 1, True), (f"{host}:860", 2, True), (f"{host}:3260", 2, True)]
        assert told(host, 860, share) == {f"{own},1", f"{host}:860,2", f"{host}:3260,2"}
        with Initiator(host, 860, target=share.iqn) as staying:
            put(nas, f"{host}:860", 7)
            assert nas.call("DELETE", path=f"{PORTALS}/{host}:3260").status_code == 204
            assert told(host, 860, share) == {f"{own},1", f"{host}:860,7"}
            assert nas.call("DELETE", path=f"{PORTALS}/{host}:860").status_code == 204
            with pytest.raises(ConnectionRefusedError):
                Initiator(host, 860).connect()
            assert staying.ready().status == 0, "it came by a portal that is gone"
        assert initiator.ready().status == 0
        assert initiator.asyncs == []


def test_what_was_set_outlives_restarts_and_the_command_line(start_nas: StartNas) -> None:
    nas = start_nas()
    share, host = nas.create("kept-portals"), loopback()
    put(nas, f"{host}:3260", 2)
    assert nas.call("PATCH", {"portal_groups": [2]}, path=f"/api/v1/targets/{share.id}").status_code == 200
    for role in ("control", "data"):
        nas.kill(role)
        nas.wait_healthy(timeout_s=20)
        assert told("127.0.0.1", nas.port, share) == {f"{host}:3260,2"}
    nas.stop()
    nas.hosts = ("127.0.0.3",)
    nas.start()
    assert nas.answer("GET", path=PORTALS)["source"] == "stored"
    assert listed(nas) == [(f"127.0.0.1:{nas.port}", 1, True), (f"{host}:3260", 2, True)]
    assert "--portal does not count" in nas.log_tail()
    reset = nas.call("DELETE", path=PORTALS)
    assert (reset.status_code, reset.json()["source"]) == (200, "command_line")
    assert listed(nas) == [(f"127.0.0.3:{nas.port}", 1, True)]


def test_a_wildcard_instead_of_an_address_and_what_is_in_the_way(start_nas: StartNas) -> None:
    nas = start_nas()
    share, port = nas.create("wild"), nas.port
    with Initiator("127.0.0.1", port, target=share.iqn) as initiator:
        every = {"items": [{"portal": f"{ANY4}:{port}"}, {"portal": f"[::]:{port}", "group": 6}]}
        assert nas.call("PUT", every, path=PORTALS).status_code == 200
        assert told("127.9.9.9", port, share) == {f"127.9.9.9:{port},1"}
        assert told("::1", port, share) == {f"[::1]:{port},6"}
        assert put(nas, f"127.0.0.1:{port}", status=422)["errors"][0]["field"] == "portal"
        other = free_port()
        with subprocess.Popen([sys.executable, "-c", HOLD, str(other)], stdout=subprocess.PIPE) as holder:
            try:
                assert holder.stdout is not None
                holder.stdout.readline()
                assert "another program" in put(nas, f"127.0.0.1:{other}", status=409)["errors"][0]["message"]
            finally:
                holder.kill()
        assert nas.edit_service(port=str(other)).status_code == 200
        assert told("::1", other, share) == {f"[::1]:{other},6"}
        assert initiator.ready().status == 0


HOLD = """import socket, sys, time
held = socket.create_server(("127.0.0.1", int(sys.argv[1])))
print(flush=True)
time.sleep(60)"""


@pytest.mark.peer
def test_addresses_come_and_go(tmp_path: Path) -> None:
    """In a network namespace of its own, where addresses can be given and taken."""
    require("ip")
    if subprocess.run(["unshare", "-n", "true"], capture_output=True, check=False).returncode:
        pytest.skip("this system lets nobody make a network namespace: run as root, outside restricted containers")
    done = subprocess.run(
        ["unshare", "-n", sys.executable, "-m", "tests.system.addresses_come_and_go", str(tmp_path)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
