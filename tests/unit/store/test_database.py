"""The connection: durable, checked, and one transaction at a time."""

import asyncio
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import Connection

from lunaport.model.errors import Fault
from lunaport.store.database import open_database
from lunaport.store.errors import DatabaseUnusableError, StoreError

pytestmark = pytest.mark.anyio


async def test_pragmas(tmp_path: Path) -> None:
    database = await open_database(tmp_path / "a.db")

    def read(connection: Connection) -> list[object]:
        names = ("journal_mode", "synchronous", "foreign_keys")
        return [connection.exec_driver_sql(f"PRAGMA {name}").scalar_one() for name in names]

    assert await database.run(read) == ["wal", 2, 1]
    await database.close()


async def test_an_exception_undoes_everything(tmp_path: Path) -> None:
    database = await open_database(tmp_path / "a.db")

    def fail(connection: Connection) -> None:
        connection.exec_driver_sql("UPDATE revision SET value = 99")
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await database.run(fail)
    assert await database.run(lambda c: c.exec_driver_sql("SELECT value FROM revision").scalar_one()) == 1
    await database.close()


async def test_many_at_once_lose_nothing(tmp_path: Path) -> None:
    database = await open_database(tmp_path / "a.db")

    def count(connection: Connection) -> None:
        value = connection.exec_driver_sql("SELECT value FROM revision").scalar_one()
        connection.exec_driver_sql("UPDATE revision SET value = ?", (int(value) + 1,))

    await asyncio.gather(*(database.run(count) for _ in range(50)))
    assert await database.run(lambda c: c.exec_driver_sql("SELECT value FROM revision").scalar_one()) == 51
    await database.close()


async def test_a_directory_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="cannot open the database"):
        await open_database(tmp_path / "missing" / "a.db")


async def test_a_database_that_is_held_by_somebody_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lunaport.store.opening.BUSY_TIMEOUT_S", 0.05)
    path = tmp_path / "a.db"
    database = await open_database(path)
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(DatabaseUnusableError, match="another process holds it") as raised:
        await database.check()
    assert raised.value.problems[0].fault is Fault.DATABASE_FAILED
    assert "locked" in database.failure
    other.execute("ROLLBACK")
    await database.check()
    assert database.failure == ""
    other.close()
    await database.close()


async def test_a_database_that_was_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    database = await open_database(path)
    with closing(sqlite3.connect(path)) as other:
        other.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    held = path.read_bytes()
    path.write_bytes(b"garbage" * 1000)
    for _ in range(2):
        with pytest.raises(DatabaseUnusableError, match="put it back from a backup"):
            await database.check()
    path.unlink()
    for name in ("a.db-wal", "a.db-shm"):
        (tmp_path / name).unlink(missing_ok=True)
    with pytest.raises(DatabaseUnusableError, match="the file is missing"):
        await database.check()
    assert not path.exists(), "no empty one takes its place"
    path.write_bytes(held)
    await database.check()
    assert database.failure == ""
    await database.close()
