"""The connection: durable, checked, and one transaction at a time."""

import asyncio
from pathlib import Path

import pytest
from sqlalchemy import Connection

from lunaport.store.database import open_database
from lunaport.store.errors import StoreError

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
