"""The command line against a real NAS, as people and scripts use it."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.system.conftest import StartNas
from tests.system.initiator import Chap, Initiator
from tests.system.nas import PASSWORD, Nas, Share, free_port
from tests.system.secret_search import remember, search, typed
from tests.system.test_portals import loopback
from tests.system.wire import LoginError

Lunaport = Callable[..., subprocess.CompletedProcess[str]]


def run(nas: Nas, *words: str, folder: Path, stdin: str = "", **variables: str) -> subprocess.CompletedProcess[str]:
    """Run `lunaport` with an environment of its own."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith("LUNAPORT_")}
    defaults = {
        "LUNAPORT_URL": str(nas.client.base_url),
        "LUNAPORT_PASSWORD": PASSWORD,
        "HOME": str(folder),
        "XDG_CONFIG_HOME": "",
    }
    nas.secrets_given |= remember(typed(words, stdin, variables))
    done = subprocess.run(
        [str(Path(sys.executable).with_name("lunaport")), *words],
        env=environment | defaults | variables,
        input=stdin,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        cwd=folder,
    )
    search(done.stdout + done.stderr, nas.secrets_given | {PASSWORD}, f"what `lunaport {' '.join(words[:2])}` prints")
    return done


@pytest.fixture
def lunaport(nas: Nas, tmp_path: Path) -> Lunaport:
    """The command, for the shared NAS."""

    def call(*words: str, **options: str) -> subprocess.CompletedProcess[str]:
        return run(nas, *words, folder=tmp_path, **options)

    return call


def printed(done: subprocess.CompletedProcess[str]) -> str:
    """What a command prints that must succeed."""
    assert done.returncode == 0, done.stderr
    return done.stdout


def answer(done: subprocess.CompletedProcess[str]) -> Any:
    """The JSON of a command that must succeed."""
    return json.loads(printed(done))


def test_the_life_of_a_target(nas: Nas, lunaport: Lunaport) -> None:
    made = answer(lunaport("target", "create", "cli-life", "--size", "64M", "--data-digest", "--json"))
    assert made["data_digest"] is True
    share = Share(id=made["id"], iqn=made["name"], size_bytes=64 << 20, host=nas.hosts[0], port=nas.port)
    with Initiator(share.host, share.port, target=share.iqn) as initiator:
        assert "66060288" not in printed(lunaport("target", "list"))
        assert re.search(
            rf"^{share.id} +{share.iqn} +64 MiB +default +1 +no +no *$",
            printed(lunaport("target", "list")),
            re.MULTILINE,
        )
        assert "96 MiB" in printed(lunaport("target", "grow", "cli-life", "+32M"))
        initiator.ready()
        assert initiator.capacity_bytes() == 96 << 20
        listed = printed(lunaport("session", "list", "--target", "cli-life"))
        session = answer(lunaport("session", "list", "--target", "cli-life", "--json"))[0]
        assert session["id"] in listed
        assert "HeaderDigest" in printed(lunaport("session", "show", session["id"]))
        printed(lunaport("session", "close", session["id"]))
    edited = printed(
        lunaport(
            "target", "edit", "cli-life", "--chap-user", "alice", "--chap-secret-file", "-", stdin="alice-secret-1\n"
        )
    )
    assert re.search(r"^CHAP +alice$", edited, re.MULTILINE)
    with pytest.raises(LoginError), Initiator(share.host, share.port, target=share.iqn, name="iqn.2026-11.test:cli"):
        pass
    failures = printed(lunaport("login", "failures", "--initiator", "iqn.2026-11.test:cli"))
    assert "no_authentication" in failures
    assert "no limit" not in printed(
        lunaport("target", "edit", "cli-life", "--iops", "50", "--bytes-per-second", "10M")
    )
    assert re.search(r"^CHAP +no$", printed(lunaport("target", "edit", "cli-life", "--no-chap")), re.MULTILINE)
    assert "sessions: 0" in printed(lunaport("target", "drain", "cli-life", "--wait", "5"))
    printed(lunaport("target", "drain", "cli-life", "--undo"))
    refused = lunaport("target", "delete", "cli-life")
    assert (refused.returncode, "--yes" in refused.stderr) == (2, True)
    printed(lunaport("target", "delete", "cli-life", "--yes"))
    assert lunaport("target", "show", "cli-life").returncode == 5


def test_a_drive_and_its_images(lunaport: Lunaport, tmp_path: Path) -> None:
    for name in ("cli-a.iso", "cli-b.iso"):
        (tmp_path / name).write_bytes(bytes(4096))
        printed(lunaport("image", "upload", str(tmp_path / name)))
    assert "cli-a.iso" in printed(lunaport("image", "list"))
    assert lunaport("image", "upload", str(tmp_path / "cli-a.iso")).returncode == 6
    assert lunaport("image", "upload", str(tmp_path / "none.iso")).returncode == 2
    printed(lunaport("target", "create", "cli-drive", "--size", "1M"))
    added = printed(lunaport("target", "lun", "add", "cli-drive", "--cdrom", "--image", "cli-a.iso"))
    assert "CD-ROM drive, cli-a.iso" in added
    assert lunaport("target", "lun", "add", "cli-drive", "--cdrom", "--read-only", "--no-unmap").returncode == 0
    assert lunaport("target", "lun", "add", "cli-drive").returncode == 2
    assert "cli-b.iso" in printed(lunaport("target", "lun", "insert", "cli-drive", "1", "cli-b.iso"))
    used = lunaport("image", "delete", "cli-b.iso", "--yes")
    assert (used.returncode, "lies in a drive" in used.stderr) == (6, True)
    unknown = lunaport("target", "lun", "insert", "cli-drive", "1", "none.iso")
    assert (unknown.returncode, "IMAGE: " in unknown.stderr) == (2, True)
    assert re.search(r"^loaded +no$", printed(lunaport("target", "lun", "eject", "cli-drive", "1")), re.MULTILINE)
    assert lunaport("target", "lun", "eject", "cli-drive", "0").returncode == 6
    for name in ("cli-a.iso", "cli-b.iso"):
        printed(lunaport("image", "delete", name, "--yes"))
    assert lunaport("image", "delete", "cli-a.iso", "--yes").returncode == 5


def test_luns_of_a_target(nas: Nas, lunaport: Lunaport) -> None:
    kind = ("--block-size", "4096", "--write-through", "--vendor", "ACME", "--serial", "S1", "--lun", "3")
    made = answer(lunaport("target", "create", "cli-luns", "--size", "1M", *kind, "--json"))
    (lun,) = made["luns"]
    assert (lun["lun"], lun["block_size_bytes"], lun["write_cache"], lun["vendor"]) == (3, 4096, False, "ACME")
    added = printed(lunaport("target", "lun", "add", "cli-luns", "2M", "--removable", "--no-unmap"))
    assert re.search(r"^LUN +0$", added, re.MULTILINE)
    assert "removable, fully provisioned" in printed(lunaport("target", "lun", "list", "cli-luns"))
    edited = answer(lunaport("target", "lun", "edit", "cli-luns", "0", "--size", "+1M", "--read-only", "--json"))
    assert (edited["size_bytes"], edited["read_only"]) == (3 << 20, True)
    assert "write-through" in printed(lunaport("target", "show", "cli-luns"))
    assert "1 MiB" in printed(lunaport("target", "lun", "edit", "cli-luns", "3", "--write-back"))
    assert lunaport("target", "lun", "edit", "cli-luns", "0").returncode == 2
    wrong = lunaport("target", "lun", "add", "cli-luns", "1M", "--block-size", "7")
    assert (wrong.returncode, "--block-size: " in wrong.stderr) == (2, True)
    assert lunaport("target", "lun", "add", "cli-luns", "1M", "--lun", "3").returncode == 6
    assert lunaport("target", "lun", "remove", "cli-luns", "0").returncode == 2, "nobody said yes"
    printed(lunaport("target", "lun", "remove", "cli-luns", "0", "--yes"))
    assert lunaport("target", "lun", "remove", "cli-luns", "0", "--yes").returncode == 5
    assert [each["lun"] for each in answer(lunaport("target", "lun", "list", "cli-luns", "--json"))["items"]] == [3]


def test_rules_and_chap_users_of_a_target(nas: Nas, lunaport: Lunaport, tmp_path: Path) -> None:
    made = answer(lunaport("target", "create", "cli-rules", "--size", "8M", "--json"))
    share = Share(id=made["id"], iqn=made["name"], size_bytes=8 << 20, host=nas.hosts[0], port=nas.port)
    me = "iqn.2026-11.test:cli-rules"
    shown = printed(lunaport("target", "show", "cli-rules"))
    assert re.search(r"^access +everybody$", shown, re.MULTILINE)
    assert re.search(r"^warning +there are no access rules and no CHAP", shown, re.MULTILINE)
    added = printed(
        lunaport(
            "target", "rule", "add", "cli-rules",
            "--initiator", me, "--initiator", "iqn.2026-11.test:other*", "--network", "127.0.0.0/8", "--read-only",
        )
    )  # fmt: skip
    assert re.search(rf"^1 +{me}, iqn.2026-11.test:other\* +127.0.0.0/8 +any +all +read *$", added, re.MULTILINE)
    printed(lunaport("target", "rule", "add", "cli-rules", "--lun", "0", "--portal-group", "7", "--at", "1"))
    with Initiator(share.host, share.port, target=share.iqn, name=me) as initiator:
        assert initiator.ready().status == 0
    with pytest.raises(LoginError), Initiator(share.host, share.port, target=share.iqn, name="iqn.2026-11.test:no"):
        pass
    rules = answer(lunaport("target", "rule", "list", "cli-rules", "--json"))
    assert [(rule["luns"], rule["portal_groups"]) for rule in rules] == [([0], [7]), (None, [])]
    printed(lunaport("target", "rule", "remove", "cli-rules", "1"))
    refused = lunaport("target", "rule", "remove", "cli-rules", "1")
    assert (refused.returncode, "--yes" in refused.stderr) == (2, True)
    assert "everybody" in printed(lunaport("target", "rule", "remove", "cli-rules", "1", "--yes"))
    assert lunaport("target", "rule", "remove", "cli-rules", "1", "--yes").returncode == 5

    def proved(user: str, secret: str) -> bool:
        chap = Chap(user=user, secret=secret)
        try:
            with Initiator(share.host, share.port, target=share.iqn, name=me, chap=chap) as initiator:
                return initiator.ready().status == 0
        except LoginError:
            return False

    words = ("target", "chap-user", "set", "cli-rules")
    printed(lunaport(*words, "carol", "--secret-file", "-", "--initiator", me, stdin="carol-secret-1\n"))
    assert proved("carol", "carol-secret-1")
    printed(lunaport(*words, "carol", "--secret-file", "-", "--keep-old", "1h", stdin="carol-secret-2\n"))
    assert proved("carol", "carol-secret-1")
    assert proved("carol", "carol-secret-2")
    listed = printed(lunaport("target", "chap-user", "list", "cli-rules"))
    assert re.search(rf"^carol +{me} +20\S+ +20\S+ *$", listed, re.MULTILINE)
    printed(
        lunaport(
            "target", "edit", "cli-rules", "--chap-user", "main", "--chap-secret-file", "-", stdin="main-secret-12\n"
        )
    )
    printed(lunaport(*words, "main", "--secret-file", "-", "--keep-old", "30m", stdin="main-secret-34\n"))
    assert proved("main", "main-secret-12")
    assert proved("main", "main-secret-34")
    assert "carol" not in printed(lunaport("target", "chap-user", "remove", "cli-rules", "carol"))
    assert not proved("carol", "carol-secret-2")
    nas.secrets_given |= {"carol-secret-1", "carol-secret-2", "main-secret-12", "main-secret-34"}


def test_portals_and_the_service(start_nas: StartNas, tmp_path: Path) -> None:
    nas = start_nas()

    def lunaport(*words: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
        return run(nas, *words, folder=tmp_path, stdin=stdin)

    other = f"{loopback()}:3260"
    assert "serve --portal" in printed(lunaport("portal", "list"))
    assert printed(lunaport("portal", "add", other, "--group", "2")) == f"{other} in group 2 listens.\n"
    assert "in group 3 listens" in printed(lunaport("portal", "edit", other, "--group", "3"))
    assert "no such address" in printed(lunaport("portal", "add", "192.0.2.99"))
    assert re.search(rf"^{other} +3 +listens", printed(lunaport("portal", "list")), re.MULTILINE)
    assert lunaport("portal", "edit", "192.0.2.98", "--group", "3").returncode == 5
    for portal in (other, "192.0.2.99"):
        printed(lunaport("portal", "remove", portal))
    last = lunaport("portal", "remove", f"127.0.0.1:{nas.port}")
    assert (last.returncode, "PORTAL: " in last.stderr) == (6, True)
    printed(lunaport("portal", "reset"))
    words = ("--discovery-user", "finder", "--discovery-secret-file", "-")
    shown = printed(lunaport("service", "edit", *words, stdin="finder-secret-1\n"))
    assert re.search(r"^discovery CHAP +finder$", shown, re.MULTILINE)
    nas.secrets_given.add("finder-secret-1")
    with pytest.raises(LoginError), Initiator(nas.hosts[0], nas.port):
        pass
    with Initiator(nas.hosts[0], nas.port, chap=Chap(user="finder", secret="finder-secret-1")) as discovery:
        assert discovery.text({"SendTargets": "All"}) == []
    shown = printed(lunaport("service", "edit", "--no-discovery-chap", "--isns", "--isns-address", "127.0.0.1:1"))
    assert re.search(r"^iSNS +127.0.0.1:1$", shown, re.MULTILINE)
    assert re.search(r"^iSNS +no$", printed(lunaport("service", "edit", "--no-isns")), re.MULTILINE)
    assert "everything" in printed(lunaport("service", "edit", "--discovery-open"))


def test_users_and_tokens(lunaport: Lunaport) -> None:
    words = ("user", "create", "cli-carol", "--role", "operator", "--new-password-file", "-")
    assert "operator" in printed(lunaport(*words, stdin="carols-first-one\n"))
    carol = {"LUNAPORT_USER": "cli-carol", "LUNAPORT_PASSWORD": "carols-first-one"}
    assert re.search(r"^name +cli-carol$", printed(lunaport("user", "me", **carol)), re.MULTILINE)
    token = printed(lunaport("token", "create", "cli-script", "--role", "viewer", "--days", "1", **carol)).strip()
    script = {"LUNAPORT_PASSWORD": "", "LUNAPORT_TOKEN": token}
    assert re.search(r"^by +token cli-script$", printed(lunaport("user", "me", **script)), re.MULTILINE)
    assert lunaport("user", "list", **script).returncode == 4
    assert lunaport("user", "password", "--new-password-file", "-", stdin="another-one\n", **script).returncode == 2
    assert "cli-script" in printed(lunaport("token", "list", **carol))
    printed(lunaport("token", "delete", "cli-script", **carol))
    assert lunaport("user", "me", **script).returncode == 4
    assert lunaport("token", "delete", "cli-script", **carol).returncode == 5
    printed(lunaport("user", "password", "--new-password-file", "-", stdin="carols-second-one\n", **carol))
    assert lunaport("user", "me", **carol).returncode == 4
    printed(lunaport("user", "edit", "cli-carol", "--role", "viewer", LUNAPORT_NEW_PASSWORD="carols-third-one"))
    assert "viewer" in printed(lunaport("user", "me", **carol | {"LUNAPORT_PASSWORD": "carols-third-one"}))
    assert "cli-carol" in printed(lunaport("user", "list"))
    assert lunaport("user", "delete", "cli-carol").returncode == 2
    printed(lunaport("user", "delete", "cli-carol", "--yes"))
    assert lunaport("user", "delete", "cli-carol", "--yes").returncode == 5


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (("target", "create", "cli_bad name", "--size", "1G"), 2, "NAME: "),
        (("target", "create", "cli-bad", "--size", "1Q"), 2, "--size: "),
        (("target", "create", "cli-bad", "--size", "1M", "--iops", "3"), 2, "--iops: is 3"),
        (("target", "create", "cli-bad", "--size", "1M", "--volume", "none"), 2, "--volume: "),
        (("target", "create", "cli-bad", "--size", "1M", "--chap-user", "a"), 2, "CHAP"),
        (("target", "show", "nothing-like-that"), 5, "there is no target"),
        (("target", "show", "999999"), 5, "there is no target"),
        (("target", "edit", "x"), 2, "--help"),
        (("session", "show", "nothing"), 5, "there is no session"),
        (("service", "edit", "--port", "99999"), 2, "--port: "),
        (("service", "edit", "--keep-old", "soon"), 2, "--keep-old: "),
        (("portal", "add", "no address"), 2, "PORTAL: "),
        (("portal", "add", "127.0.0.9", "--group", "0"), 2, "--group: "),
        (("portal", "remove", "192.0.2.97"), 5, "PORTAL: "),
        (("user", "create", "Not Good", "--role", "viewer"), 2, "--new-password-file: is missing"),
        (("user", "edit", "nobody-like-that", "--role", "viewer"), 5, "NAME: "),
        (("token", "create", "cli-bad", "--role", "king"), 2, "--role: "),
        (("token", "delete", "999999"), 5, "TOKEN: "),
        (("initiator", "block", "short"), 2, "NAME: "),
        (("initiator", "block", "iqn.2026-11.test:a", "--until", "soon"), 2, "--until: "),
        (("initiator", "unblock", "iqn.2026-11.test:a"), 5, "NAME: "),
        (("login", "failures", "--limit", "0"), 2, "--limit: "),
        (("--url", "nowhere", "target", "list"), 2, "--url: "),
        (("--profile", "nowhere", "target", "list"), 2, "--profile: "),
        (("--password-file", "nowhere", "target", "list"), 2, "--password-file: "),
        (("--ca", "nowhere", "target", "list"), 2, "--ca: "),
    ],
)
def test_what_is_wrong_is_told_at_the_option(lunaport: Lunaport, words: tuple[str, ...], code: int, told: str) -> None:
    done = lunaport(*words)
    assert done.returncode == code, done.stderr
    assert told in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stderr.startswith("lunaport: ")


def test_a_name_that_is_taken(lunaport: Lunaport) -> None:
    printed(lunaport("target", "create", "cli-twice", "--size", "1M"))
    done = lunaport("target", "create", "cli-twice", "--size", "1M")
    assert (done.returncode, "NAME: " in done.stderr) == (6, True)


def test_nobody_is_there(lunaport: Lunaport) -> None:
    done = lunaport("target", "list", LUNAPORT_URL=f"http://127.0.0.1:{free_port()}")
    assert done.returncode == 3
    assert "does not answer" in done.stderr
    assert "--url" in done.stderr


@pytest.mark.parametrize(("password", "told"), [("wrong", "are wrong"), ("", "is needed")])
def test_the_password_is_wrong(lunaport: Lunaport, password: str, told: str) -> None:
    done = lunaport("target", "list", LUNAPORT_PASSWORD=password)
    assert (done.returncode, told in done.stderr) == (4, True)


def test_a_profile_says_which_nas_and_who(nas: Nas, lunaport: Lunaport, tmp_path: Path) -> None:
    folder = tmp_path / ".config" / "lunaport"
    folder.mkdir(parents=True)
    file = folder / "profiles.toml"
    file.write_text(
        f'[default]\nurl = "{nas.client.base_url}"\npassword = "{PASSWORD}"\n[other]\nurl = "http://127.0.0.1:1"\n'
    )
    own = {"LUNAPORT_URL": "", "LUNAPORT_PASSWORD": ""}
    done = lunaport("target", "list", **own)
    assert (done.returncode, "chmod 600" in done.stderr) == (2, True)
    file.chmod(0o600)
    printed(lunaport("target", "list", **own))
    assert lunaport("--profile", "other", "target", "list", **own).returncode == 3
    assert lunaport("target", "list", LUNAPORT_PROFILE="other", LUNAPORT_URL="", LUNAPORT_PASSWORD="").returncode == 3


def test_https_with_the_certificate_of_the_nas(start_nas: StartNas, tmp_path: Path) -> None:
    port = free_port()
    nas = start_nas(options=("--https", f"127.0.0.1:{port}"))
    url = {"LUNAPORT_URL": f"https://127.0.0.1:{port}"}
    stranger = run(nas, "target", "list", folder=tmp_path, **url)
    assert (stranger.returncode, "--ca" in stranger.stderr) == (3, True)
    certificate = next(nas.data_dir.glob("https/*.pem"))
    certificate = nas.data_dir / "https" / "certificate.pem"
    assert "no targets" in printed(run(nas, "--ca", str(certificate), "target", "list", folder=tmp_path, **url))


def test_volumes_from_taken_to_forgotten(lunaport: Lunaport, tmp_path: Path) -> None:
    folder = tmp_path / "volume"
    assert "name" in printed(lunaport("volume", "create", "cli-volume", str(folder), "--overcommit", "5"))
    found = json.loads(printed(lunaport("volume", "list", "--json")))
    assert "cli-volume" in [each["name"] for each in found]
    assert "cli-volume" in printed(lunaport("volume", "list"))
    assert "7 times" in printed(lunaport("volume", "edit", "cli-volume", "--overcommit", "7"))
    assert json.loads(printed(lunaport("volume", "show", "cli-volume", "--json")))["overcommit_factor"] == 7
    wrong = lunaport("volume", "create", "cli-wrong", "not/absolute")
    assert (wrong.returncode, wrong.stderr.startswith("lunaport: PATH: ")) == (2, True)
    assert lunaport("volume", "delete", "cli-volume", "--yes").returncode == 0
    assert lunaport("volume", "show", "cli-volume").returncode == 5


def test_the_way_to_a_share_and_back_from_the_trash(nas: Nas, lunaport: Lunaport) -> None:
    share = nas.create("cli-way", size="1M")
    lines = printed(lunaport("connect", "cli-way"))
    assert lines.splitlines()[-1] == f"iscsiadm -m node -T {share.iqn} -p {share.host}:{share.port} --login"
    assert "kind: PersistentVolume" in printed(lunaport("connect", "cli-way", "--for", "kubernetes"))
    assert [each["key"] for each in json.loads(printed(lunaport("connect", "cli-way", "--json")))] == ["linux"]
    assert lunaport("connect", "cli-way", "--for", "amiga").returncode == 2
    with Initiator(share.host, share.port, target=share.iqn) as initiator:
        assert initiator.ready().status == 0
        assert share.iqn in printed(lunaport("top", "--once"))
        rows = json.loads(printed(lunaport("top", "--json")))
        assert [row["sessions"] for row in rows if row["target"] == share.iqn] == [1]
    assert lunaport("target", "delete", "cli-way", "--yes").returncode == 0
    assert share.iqn in printed(lunaport("target", "trash"))
    assert share.iqn in printed(lunaport("target", "restore", "cli-way"))
    assert share.iqn not in printed(lunaport("target", "trash"))
    assert lunaport("target", "restore", "cli-way").returncode == 5
    script = printed(lunaport("--show-completion", "bash", _TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION="1"))
    assert "lunaport" in script
