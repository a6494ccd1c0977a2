"""Backup and restore with real logins: on another machine initiators see the same disks, by every name they have."""

import json
import shutil
import struct
from pathlib import Path
from typing import Any

import pytest

from tests.system.conftest import StartNas
from tests.system.initiator import Chap, Initiator
from tests.system.nas import PASSWORD, Nas, wait_until
from tests.system.test_cli import answer, printed, run
from tests.system.wire import GOOD

PASSPHRASE = "quite another horse"
SECRET = "alice-secret-1"
PAGES = (0x00, 0x80, 0x83, 0x86, 0xB0, 0xB1, 0xB2)


def carried_out(initiator: Initiator, lun: int, cdb: bytes, **data: Any) -> bytes:
    """The data of a command that has to succeed, past the unit attentions of a new session."""
    for _ in range(3):
        result = initiator.command(cdb, lun=lun, **data)
        if result.status == GOOD:
            return result.data
    raise AssertionError(f"{cdb.hex()} on LUN {lun}: {result}")


def inquiry(initiator: Initiator, lun: int, page: int | None = None) -> bytes:
    """What the disk says of itself."""
    return carried_out(initiator, lun, struct.pack(">BBBHB", 0x12, page is not None, page or 0, 255, 0), data_in=255)


def read(initiator: Initiator, lun: int) -> bytes:
    """The first eight blocks."""
    return carried_out(initiator, lun, struct.pack(">BBIBHB", 0x28, 0, 0, 0, 8, 0), data_in=4096)


def seen(nas: Nas, name: str, luns: tuple[int, ...]) -> dict[str, bytes]:
    """All that an initiator learns of the target's disks, and the first blocks of each."""
    found = {}
    with Initiator(nas.hosts[0], nas.port, target=name, chap=Chap(user="alice", secret=SECRET)) as initiator:
        for lun in luns:
            found[f"{lun} block"] = read(initiator, lun)
            found[f"{lun} standard"] = inquiry(initiator, lun)
            for page in PAGES:
                found[f"{lun} page {page:02x}"] = inquiry(initiator, lun, page)
    return found


def fill(nas: Nas) -> str:
    """A target with a plain and an encrypted disk, something written on each; returns its name."""
    nas.secrets_given.add(SECRET)
    chap = {"one_way": {"enabled": True, "username": "alice", "secret": SECRET}}
    luns = [
        {"lun": 0, "size_bytes": 8 << 20},
        {"lun": 5, "size_bytes": 4 << 20, "encrypted": True, "serial": "SERIAL-5", "vendor": "ACME"},
    ]
    made = nas.client.post("/api/v1/targets", json={"name": "kept", "luns": luns, "chap": chap})
    assert made.status_code == 201, made.text
    name: str = made.json()["name"]
    with Initiator(nas.hosts[0], nas.port, target=name, chap=Chap(user="alice", secret=SECRET)) as initiator:
        for lun in (0, 5):
            read(initiator, lun)
            carried_out(initiator, lun, struct.pack(">BBIBHB", 0x2A, 8, 0, 0, 8, 0), data_out=bytes([lun + 1]) * 4096)
    return name


def test_another_machine_serves_the_same_disks(start_nas: StartNas, tmp_path: Path) -> None:
    nas = start_nas()
    name = fill(nas)
    before = seen(nas, name, (0, 5))
    ids = [each["id"] for each in nas.shares()]
    file = tmp_path / "nas.backup"
    printed(run(nas, "config", "export", str(file), folder=tmp_path, LUNAPORT_BACKUP_PASSPHRASE=PASSPHRASE))
    assert file.stat().st_mode & 0o777 == 0o600
    assert SECRET not in file.read_text()
    files = nas.files()
    nas.stop()

    other = start_nas()
    other.secrets_given |= {SECRET, PASSPHRASE}

    def restore(*words: str) -> object:
        done = run(other, "config", "import", str(file), "--json", *words, folder=tmp_path, **phrase)
        return [each["state"] for each in answer(done)["luns"]]

    phrase = {"LUNAPORT_BACKUP_PASSPHRASE": PASSPHRASE}
    assert restore("--plan") == ["missing", "missing"]
    assert other.shares() == []
    told = printed(run(other, "config", "import", str(file), folder=tmp_path, **phrase))
    assert "Restored: 1 target(s), 1 volume(s), 1 user(s)" in told
    for path in files:
        if path.suffix == ".img":
            assert str(other.data_dir / path.relative_to(nas.data_dir)) in told
    assert not [path for path in other.files() if path.suffix == ".img"], "nothing is made empty by itself"
    assert [each["id"] for each in other.shares()] == ids
    # The files come: without a restart, the disks are there.
    for path in files:
        shutil.copy(path, other.data_dir / path.relative_to(nas.data_dir))
    after: dict[str, bytes] = {}

    def there() -> bool:
        try:
            after.update(seen(other, name, (0, 5)))
        except AssertionError:
            return False
        return True

    wait_until(there, timeout_s=15, what="the disks")
    assert after == before
    assert restore("--replace") == ["present", "present"]
    assert seen(other, name, (0, 5)) == before


def test_what_is_refused_changes_nothing(start_nas: StartNas, tmp_path: Path) -> None:
    nas = start_nas()
    name = fill(nas)
    file = tmp_path / "nas.backup"
    phrase = {"LUNAPORT_BACKUP_PASSPHRASE": PASSPHRASE}
    printed(run(nas, "config", "export", str(file), folder=tmp_path, **phrase))
    text = file.read_text()

    def refused(content: str, *words: str, **more: str) -> str:
        file.write_text(content)
        done = run(nas, "config", "import", str(file), *words, folder=tmp_path, **{**phrase, **more})
        assert done.returncode in (2, 6), (done.stdout, done.stderr)
        assert "Traceback" not in done.stderr
        return done.stderr

    with Initiator(nas.hosts[0], nas.port, target=name, chap=Chap(user="alice", secret=SECRET)) as initiator:
        read(initiator, 0)
        assert "--replace: is needed: the backup would take the place of target" in refused(text)
        wrong = {"LUNAPORT_BACKUP_PASSPHRASE": "an other passphrase"}
        assert "--passphrase-file: is not that of this backup" in refused(text, "--replace", **wrong)
        assert f"FILE: {file} is damaged" in refused(text[: len(text) // 2], "--replace")
        assert f"FILE: {file} is no backup" in refused("nothing", "--replace")
        document = json.loads(text)
        document["content"] = document["content"].translate(str.maketrans("AB", "BA"))
        assert "FILE: is damaged" in refused(json.dumps(document), "--replace")
        assert "FILE: is of version 2" in refused(json.dumps({**json.loads(text), "version": 2}), "--replace")
        # What is the same is not touched: the session goes on over a restore.
        file.write_text(text)
        printed(run(nas, "config", "import", str(file), "--replace", folder=tmp_path, **phrase))
        assert read(initiator, 0) == b"\x01" * 4096


def test_missing_disks_become_empty_when_asked(start_nas: StartNas, tmp_path: Path) -> None:
    nas = start_nas()
    name = fill(nas)
    file = tmp_path / "nas.backup"
    phrase = {"LUNAPORT_BACKUP_PASSPHRASE": PASSPHRASE}
    printed(run(nas, "config", "export", str(file), folder=tmp_path, **phrase))
    before = seen(nas, name, (0, 5))
    nas.stop()
    other = start_nas()
    other.secrets_given |= {SECRET}
    printed(run(other, "config", "import", str(file), "--create-missing", folder=tmp_path, **phrase))
    after = seen(other, name, (0, 5))
    assert {key for key in before if before[key] != after[key]} == {"0 block", "5 block"}
    assert after["0 block"] == after["5 block"] == bytes(4096)
    assert other.client.get("/api/v1/me", auth=("admin", PASSWORD)).status_code == 200


@pytest.mark.parametrize("words", [("config", "import", "nowhere"), ("config", "export", "nowhere/x")])
def test_files_that_are_not_there(nas: Nas, tmp_path: Path, words: tuple[str, ...]) -> None:
    done = run(nas, *words, folder=tmp_path, LUNAPORT_BACKUP_PASSPHRASE=PASSPHRASE)
    assert (done.returncode, done.stderr.startswith("lunaport: FILE: ")) == (2, True)
    done = run(nas, "config", "export", "x", folder=tmp_path)
    assert (done.returncode, "--passphrase-file: a passphrase is needed" in done.stderr) == (2, True)
