"""What the manual tells people to type is typed, page by page, and prints what the manual shows."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from manual.blocks import RUN, Block, blocks, fits, pages, steps

from tests.system.conftest import StartNas
from tests.system.initiator import Initiator
from tests.system.nas import PASSWORD, Nas, free_port, wait_until
from tests.system.peers import ROOT, require
from tests.system.wire import LoginError

VM_DISK = "lunaport target create vm-disk --size 10G --chap-user alice --chap-secret-file secret.txt"
WANTED = """
version: 1
targets:
- name: vm-disk
  luns: [{lun: 0, size: 20G}]
  chap: {one_way: {enabled: true, username: alice, secret: {file: new-secret.txt}}}
- name: scratch
  luns: [{lun: 0, size: 1G}]
"""
PREPARED = {
    "access": VM_DISK,
    "apply": f"{VM_DISK}; lunaport target create old --size 1G",
    "backup": VM_DISK,
    "luns": "lunaport target create vm-disk --size 10G",
    "portals": VM_DISK,
}
"""What there is before the commands of a page are typed."""
REPLACED = {"isns": {"192.0.2.7": "127.0.0.1"}, "cli": {"/srv/fast": "$HOME/fast"}}
RUN_PAGES = [page for page in pages() if any(block.kind in RUN and not block.marker for block in blocks(page))]


class Shell:
    """A shell of somebody who reads the manual in front of his NAS, in a folder with some files."""

    def __init__(self, nas: Nas, folder: Path) -> None:
        self.nas = nas
        self.folder = folder
        for name, text in {
            "secret.txt": "alice-secret-1\n",
            "new-secret.txt": "alice-secret-2\n",
            "passphrase.txt": "correct horse battery\n",
            "password.txt": f"{PASSWORD}\n",
            "wanted.yaml": WANTED,
            ".curlrc": "silent\nshow-error\nfail-with-body\n",
        }.items():
            (folder / name).write_text(text)
        for name in ("debian.iso", "drivers.iso", "rescue.iso"):
            (folder / name).write_bytes(bytes(64 * 2048))
        kept = {key: value for key, value in os.environ.items() if not key.startswith("LUNAPORT_")}
        self.environment = kept | {
            "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)]),
            "LUNAPORT_URL": str(nas.client.base_url),
            "LUNAPORT_PASSWORD": PASSWORD,
            "LUNAPORT_BACKUP_PASSPHRASE": "correct horse battery",
            "LUNAPORT_NEW_PASSWORD": "carols-password",
            "HOME": str(folder),
            "CURL_HOME": str(folder),
            "XDG_CONFIG_HOME": "",
        }

    def words(self, text: str, page: str = "") -> str:
        """A text of the manual with the values of this NAS."""
        text = text.replace("admin:PASSWORD", f"admin:{PASSWORD}").replace("=PASSWORD", f"={PASSWORD}")
        text = text.replace("127.0.0.1:8080", f"127.0.0.1:{self.nas.http_port}")
        text = text.replace("127.0.0.1:3260", f"127.0.0.1:{self.nas.port}")
        for shown, here in REPLACED.get(page, {}).items():
            text = text.replace(shown, here)
        return text

    def run(self, script: str) -> subprocess.CompletedProcess[str]:
        """Run a script to its end; what fails in it ends it."""
        return subprocess.run(
            ["bash", "-e", "-o", "pipefail", "-c", script], cwd=self.folder, env=self.environment,
            stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120, check=False,
        )  # fmt: skip

    @contextmanager
    def running(self, script: str, *, out: Path) -> Iterator[subprocess.Popen[bytes]]:
        """A script that does not end by itself; it is ended with all that it started."""
        with out.open("wb") as log:
            process = subprocess.Popen(
                ["bash", "-e", "-c", script], cwd=self.folder, env=self.environment, start_new_session=True,
                stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            )  # fmt: skip
        try:
            yield process
        finally:
            os.killpg(process.pid, signal.SIGTERM)
            process.wait(20)


def the_block(page: str, beginning: str) -> Block:
    """The block of a page that begins like this."""
    (found,) = [each for each in blocks(ROOT / "docs" / page) if each.text.startswith(beginning)]
    return found


@pytest.mark.parametrize("page", RUN_PAGES, ids=lambda page: page.stem)
def test_what_a_page_tells_to_type(page: Path, start_nas: StartNas, tmp_path: Path) -> None:
    for program in ("curl", "jq"):
        require(program)
    nas = start_nas()
    shell = Shell(nas, tmp_path)
    nas.secrets_given |= {"alice-secret-1", "alice-secret-2"}
    prepared = shell.run(PREPARED.get(page.stem, "true"))
    assert prepared.returncode == 0, prepared.stderr
    for block in blocks(page):
        if block.marker or block.kind not in RUN:
            continue
        for step in steps(block):
            done = shell.run(shell.words(step.command, page.stem))
            refused = step.printed is not None and step.printed.startswith('{"errors"')
            told = f"{block.here}\n{step.command}\n{done.stdout}{done.stderr}"
            assert done.returncode == (22 if refused else 0), told
            assert step.printed is None or fits(step.printed, done.stdout), told


def test_https_as_the_page_says(start_nas: StartNas, tmp_path: Path) -> None:
    shell = Shell(start_nas(), tmp_path)
    port = free_port()
    command = the_block("https.md", "lunaport serve").text.strip().replace("192.0.2.7:8443", f"127.0.0.1:{port}")
    command += f" --data-dir {tmp_path}/DATA-DIR --http 127.0.0.1:{free_port()} --portal 127.0.0.1:{free_port()}"
    with shell.running(command, out=tmp_path / "log"):
        curl = f"curl --cacert DATA-DIR/https/certificate.pem https://127.0.0.1:{port}/api/v1/health"
        assert "`curl --cacert DATA-DIR/https/certificate.pem`" in (ROOT / "docs" / "https.md").read_text()
        wait_until(lambda: shell.run(curl).returncode == 0, timeout_s=60, what="HTTPS")
        assert json.loads(shell.run(curl).stdout)["status"] == "ok"


def test_a_broken_database_is_set_aside_as_upgrade_md_says(start_nas: StartNas, tmp_path: Path) -> None:
    nas = start_nas()
    shell = Shell(nas, tmp_path)
    nas.stop()
    folder, port = tmp_path / "DIR", free_port()
    nas.data_dir.rename(folder)
    (folder / "lunaport.db").write_bytes(b"no database")
    command = the_block("upgrade.md", "lunaport serve --data-dir DIR").text.strip()
    command += f" --http 127.0.0.1:{port} --portal 127.0.0.1:{free_port()}"

    def answers() -> bool:
        try:
            return httpx.get(f"http://127.0.0.1:{port}/api/v1/health", trust_env=False).status_code == 200
        except httpx.TransportError:
            return False

    with shell.running(command, out=tmp_path / "log"):
        wait_until(answers, timeout_s=60, what="a NAS with an empty configuration")
    assert len(list(folder.glob("lunaport.db.broken-*"))) == 1


def test_events_as_sessions_md_shows_them(start_nas: StartNas, tmp_path: Path) -> None:
    nas = start_nas()
    shell = Shell(nas, tmp_path)
    assert shell.run(VM_DISK).returncode == 0
    (share,) = [nas.share(each) for each in nas.shares()]
    (step,) = steps(the_block("sessions.md", "$ curl -N"))
    out = tmp_path / "events"
    with shell.running(f"exec {shell.words(step.command)}", out=out):

        def refused() -> bool:
            with pytest.raises(LoginError), Initiator(share.host, share.port, target=share.iqn):
                pass
            return "login_refused" in out.read_text()

        wait_until(refused, timeout_s=20, what="the event")
        wait_until(lambda: out.read_text().rstrip(" ").endswith("\n\n"), timeout_s=10, what="the whole event")
    event = next(each for each in out.read_text().split("\n\n") if "login_refused" in each)
    shown, told = (
        dict(line.split(": ", 1) for line in text.strip().split("\n") if ": " in line)
        for text in (str(step.printed), event)
    )
    assert shown.keys() == told.keys()
    assert json.loads(shown["data"]).keys() == json.loads(told["data"]).keys()


@pytest.mark.peer
@pytest.mark.parametrize(("page", "beginning"), [("cdrom.md", "qemu-system"), ("connect.md", "qemu-system")])
def test_qemu_starts_as_shown(page: str, beginning: str, start_nas: StartNas, tmp_path: Path) -> None:
    require("qemu-system-x86_64")
    nas = start_nas()
    shell = Shell(nas, tmp_path)
    words = (
        "lunaport image upload debian.iso; lunaport target create vm --size 8M;"
        "lunaport target lun add vm --cdrom --image debian.iso;"
        "qemu-img create -q -f qcow2 disk.qcow2 8M;"
        "lunaport target create vm-disk --size 8M --chap-user alice --chap-secret-file secret.txt"
    )
    assert shell.run(words).returncode == 0
    text = the_block(page, beginning).text.replace("\\\n", " ").replace("CHAP-SECRET", "alice-secret-1")
    text = text.replace("192.0.2.1/", f"127.0.0.1:{nas.port}/").replace("192.0.2.10:3260", f"127.0.0.1:{nas.port}")
    starts, *others = text.strip().splitlines()
    quiet = "-display none -serial none -monitor none -accel tcg -S -m 64M"
    with shell.running(f"exec {starts.replace('-m 2G', '')} {quiet}", out=tmp_path / "log") as process:
        there = "vm/1" if page == "cdrom.md" else "vm-disk"
        name = f"iqn.2026-11.io.lunaport:{there.partition('/')[0]}"

        def logged_in() -> bool:
            assert process.poll() is None, (tmp_path / "log").read_text()
            items = nas.answer("GET", path="/api/v1/sessions")["items"]
            return any(each["target"] == name for each in items)

        wait_until(logged_in, timeout_s=60, what="QEMU's session")
    for other in others:
        done = shell.run(other)
        assert done.returncode == 0, done.stderr
