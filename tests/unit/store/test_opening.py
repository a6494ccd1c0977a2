"""What is wrong with a database is told and left as it is; what is asked for is set aside, and never overwritten."""

import os
import sqlite3
from pathlib import Path

import pytest

from lunaport.store.errors import DatabaseBrokenError, DatabaseNewerError, KeyMissingError, StoreError
from lunaport.store.opening import open_engine, parts, set_aside
from lunaport.store.store import DATABASE_FILE, open_store
from tests.unit.store.dumps import KEY_TEXT, load
from tests.unit.store.values import new_target

pytestmark = pytest.mark.anyio


@pytest.fixture
def database(tmp_path: Path) -> Path:
    """A database with something in it."""
    path = tmp_path / DATABASE_FILE
    load("lun_kind", path)
    open_engine(path).dispose()
    (tmp_path / "secret.key").write_text(KEY_TEXT)
    return path


def contents(folder: Path) -> dict[str, bytes]:
    """All files."""
    return {each.name: each.read_bytes() for each in folder.iterdir()}


def spoil(path: Path, how: str) -> None:
    """Damage the file."""
    content = path.read_bytes()
    if how == "empty":
        path.write_bytes(b"")
    elif how == "header":
        path.write_bytes(content[:100])
    elif how == "half":
        path.write_bytes(content[: len(content) // 2])
    elif how == "last page":
        path.write_bytes(content[:-4096])
    elif how == "garbage":
        path.write_bytes(os.urandom(len(content)))
    elif how == "zeros":
        path.write_bytes(bytes(len(content)))
    else:
        connection = sqlite3.connect(path)
        connection.executescript(how)
        connection.close()


WAYS = [
    "empty",
    "header",
    "half",
    "last page",
    "garbage",
    "zeros",
    "DROP TABLE credential",
    "DROP TABLE alembic_version",
    "ALTER TABLE lun DROP COLUMN kind",
    "DELETE FROM service",
    "DELETE FROM identity",
    "DELETE FROM revision",
    "PRAGMA foreign_keys=OFF; DELETE FROM volume WHERE name = 'default'",
]


@pytest.mark.parametrize("how", WAYS)
async def test_a_broken_database_is_refused_and_left_alone(database: Path, how: str) -> None:
    spoil(database, how)
    before = contents(database.parent)
    with pytest.raises(DatabaseBrokenError, match=r"cannot use the database.*nothing was changed.*--set-aside"):
        await open_store(database.parent, random_bytes=os.urandom)
    after = contents(database.parent)
    assert after[DATABASE_FILE] == before[DATABASE_FILE]
    assert {"secret.key", DATABASE_FILE} <= set(after)


@pytest.mark.parametrize("how", WAYS)
async def test_it_is_set_aside_when_somebody_asks(database: Path, how: str, caplog: pytest.LogCaptureFixture) -> None:
    spoil(database, how)
    before = database.read_bytes()
    store = await open_store(
        database.parent, random_bytes=os.urandom, replace_broken=True, clock=lambda: 1_700_000_000.0
    )
    kept = database.with_name("lunaport.db.broken-20231114T221320Z")
    assert kept.read_bytes() == before
    assert await store.targets() == []
    await store.close()
    assert "EMPTY configuration" in caplog.text
    assert str(kept) in caplog.text
    assert (database.parent / "secret.key").read_text() == KEY_TEXT


async def test_what_works_or_is_newer_is_never_set_aside(database: Path) -> None:
    store = await open_store(database.parent, random_bytes=os.urandom, replace_broken=True)
    assert len(await store.targets()) == 1
    await store.close()
    spoil(database, "UPDATE alembic_version SET version_num = 'of_tomorrow'")
    with pytest.raises(DatabaseNewerError) as caught:
        await open_store(database.parent, random_bytes=os.urandom, replace_broken=True)
    assert "--set-aside" not in str(caught.value)
    assert not list(database.parent.glob("*broken*"))


def test_what_lies_beside_it_goes_with_it_and_nothing_is_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    found = []
    for number in range(3):
        for part in parts(path)[:2]:
            part.write_text(f"{part.name} {number}")
        found.append(set_aside(path, 0.0))
        assert not path.exists()
    assert [each.name for each in found] == [
        "a.db.broken-19700101T000000Z",
        "a.db.broken-19700101T000000Z-2",
        "a.db.broken-19700101T000000Z-3",
    ]
    for number, kept in enumerate(found):
        assert [part.read_text() for part in parts(kept)[:2]] == [f"a.db {number}", f"a.db-wal {number}"]


async def test_a_log_without_its_database_is_no_first_start(tmp_path: Path) -> None:
    (tmp_path / f"{DATABASE_FILE}-wal").write_bytes(b"x" * 4096)
    with pytest.raises(KeyMissingError):
        await open_store(tmp_path, random_bytes=os.urandom)
    (tmp_path / "secret.key").write_text(KEY_TEXT)
    with pytest.raises(DatabaseBrokenError, match=r"it is missing, but lunaport.db-wal"):
        await open_store(tmp_path, random_bytes=os.urandom)
    with pytest.raises(DatabaseBrokenError):
        await open_store(tmp_path, random_bytes=os.urandom)


async def test_a_first_start_that_was_cut_off_is_begun_again(tmp_path: Path) -> None:
    (tmp_path / f"{DATABASE_FILE}.new").write_bytes(b"half of it")
    (tmp_path / f"{DATABASE_FILE}.new-wal").write_bytes(b"and of its log")
    store = await open_store(tmp_path, random_bytes=os.urandom)
    await store.reserve_target(new_target())
    await store.close()
    assert sorted(each.name for each in tmp_path.iterdir()) == [DATABASE_FILE, "secret.key"]


async def test_a_file_that_may_not_be_written(database: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = sqlite3.connect
    monkeypatch.setattr(sqlite3.dbapi2, "connect", lambda path, **more: real(f"file:{path}?mode=ro", uri=True, **more))
    with pytest.raises(StoreError, match="this user has to be able to write"):
        open_engine(database)
