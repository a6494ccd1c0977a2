"""`lunaport serve` on databases of other versions, and on those that cannot be used."""

import os
import sqlite3
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.system.conftest import StartNas
from tests.system.nas import PASSWORD, Nas, kill_session
from tests.unit.store.dumps import KEY_TEXT, load

FIRST, LAST_KNOWN = "0001", "lun_kind"


@pytest.fixture
def nas(tmp_path: Path) -> Iterator[Nas]:
    """A NAS that is not started, its database of an earlier version."""
    nas = Nas(tmp_path / "data")
    nas.data_dir.mkdir()
    load(LAST_KNOWN, nas.data_dir / "lunaport.db")
    (nas.data_dir / "secret.key").write_text(KEY_TEXT)
    yield nas
    nas.destroy()
    nas.client.close()


def refused(nas: Nas, *before: str) -> str:
    """What it says when it does not start."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith("LUNAPORT_")}
    process = subprocess.Popen(
        [*before, *nas.command()],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env=environment | {"LUNAPORT_ADMIN_PASSWORD": PASSWORD},
        start_new_session=True,
        text=True,
    )
    try:
        said, _ = process.communicate(timeout=30)
    finally:
        kill_session(process.pid)
    assert process.returncode in (78, 1), said
    assert "Traceback" not in said
    assert "Lunaport is ready" not in said
    return said


def test_the_first_form_there_ever_was(start_nas: StartNas) -> None:
    """Its target, trash and service are there; what was half made is undone."""
    nas = start_nas()
    nas.stop()
    (nas.data_dir / "lunaport.db").unlink()
    load(FIRST, nas.data_dir / "lunaport.db")
    volume = nas.data_dir / "fast"
    volume.mkdir()
    connection = sqlite3.connect(nas.data_dir / "lunaport.db")
    with connection:
        # The dump's password and port are not ours to use; its disk shall be found.
        connection.execute("UPDATE user SET password_hash = (SELECT 'none')")
        connection.execute("DELETE FROM user")
        connection.execute("UPDATE service SET port = ?, isns = 0", (nas.port,))
        connection.execute("UPDATE volume SET path = ? WHERE name = 'fast'", (str(volume),))
    connection.close()
    (nas.data_dir / "secret.key").write_text(KEY_TEXT)
    nas.start()
    (share,) = nas.shares()
    assert (share["target"], share["id"], share["size"]) == ("iqn.2026-11.test:disk", 3, "1048576")
    assert share["one-way-chap"]["username"] == "alice"
    assert nas.answer("GET", path="/api/v1/volumes")["items"][1]["overcommit_factor"] == 2
    assert nas.create("after").id == 6


@pytest.mark.parametrize("how", ["garbage", "half", "empty", "not ours"])
def test_a_broken_one_is_refused_until_somebody_says_so(nas: Nas, how: str) -> None:
    path = nas.data_dir / "lunaport.db"
    content = path.read_bytes()
    if how == "not ours":
        path.unlink()
        connection = sqlite3.connect(path)
        connection.execute("CREATE TABLE theirs (x)")
        connection.close()
    else:
        path.write_bytes({"garbage": os.urandom(len(content)), "half": content[: len(content) // 2], "empty": b""}[how])
    broken = path.read_bytes()
    said = refused(nas)
    assert "cannot use the database" in said
    assert "--set-aside-database" in said
    assert path.read_bytes() == broken
    if how != "garbage":
        return
    nas.options = ("--set-aside-database",)
    nas.start()
    (kept,) = nas.data_dir.glob("lunaport.db.broken-*")
    assert kept.read_bytes() == broken
    assert nas.shares() == []
    assert "EMPTY configuration" in nas.log_tail()
    nas.stop()


def test_a_newer_one_is_refused(nas: Nas) -> None:
    path = nas.data_dir / "lunaport.db"
    connection = sqlite3.connect(path)
    with connection:
        connection.execute("UPDATE alembic_version SET version_num = 'of_tomorrow'")
    connection.close()
    before = path.read_bytes()
    nas.options = ("--set-aside-database",)
    said = refused(nas)
    assert "its revision is of_tomorrow" in said
    assert "run the version of Lunaport that wrote it, or a later one" in said
    assert path.read_bytes() == before


def test_one_that_somebody_holds(nas: Nas) -> None:
    connection = sqlite3.connect(nas.data_dir / "lunaport.db", isolation_level=None)
    connection.execute("BEGIN EXCLUSIVE")
    try:
        assert "is held by another process" in refused(nas)
    finally:
        connection.close()


@pytest.mark.skipif(os.getuid() != 0, reason="only root can give files to another user")
@pytest.mark.parametrize("what", ["database", "directory"])
def test_one_that_may_not_be_written(nas: Nas, what: str) -> None:
    path = nas.data_dir / "lunaport.db"
    locked = nas.data_dir if what == "directory" else path
    locked.chmod(0o755)
    os.chown(locked, 65534, 65534)
    # Root that has to obey the permissions, as an ordinary user does.
    said = refused(nas, "setpriv", "--bounding-set=-dac_override,-dac_read_search,-fowner")
    if what == "directory":
        assert f"the data directory {nas.data_dir} cannot be used: Permission denied" in said
    else:
        assert f"cannot open the database {path}" in said
