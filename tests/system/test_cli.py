"""The command line against a real NAS, as people and scripts use it; and every example of docs/cli.md."""

import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.system.conftest import StartNas
from tests.system.initiator import Initiator
from tests.system.nas import PASSWORD, Nas, Share, free_port
from tests.system.wire import LoginError

PAGE = Path(__file__).parents[2] / "docs" / "cli.md"
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
    return subprocess.run(
        [str(Path(sys.executable).with_name("lunaport")), *words],
        env=environment | defaults | variables,
        input=stdin,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        cwd=folder,
    )


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


def test_the_examples_of_the_page(start_nas: StartNas, tmp_path: Path) -> None:
    """Every line that starts with `$ lunaport` does what it says: it succeeds, in the order of the page."""
    nas = start_nas()
    (tmp_path / "secret.txt").write_text("alice-secret-1\n")
    (tmp_path / "passphrase.txt").write_text("correct horse battery\n")
    examples = re.findall(r"^\$ (lunaport .+)$", PAGE.read_text(), re.MULTILINE)
    assert len(examples) > 10
    for example in examples:
        done = run(nas, *shlex.split(example)[1:], folder=tmp_path)
        assert done.returncode == 0, f"{example}\n{done.stderr}"


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
    script = printed(lunaport("--show-completion", _TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION="1", SHELL="/bin/bash"))
    assert "lunaport" in script
