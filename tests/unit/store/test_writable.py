"""A database that cannot be written is not touched; the kernel's answers are played."""

import errno
import os
import sqlite3
from pathlib import Path

import pytest

from lunaport.store.database import open_database
from lunaport.store.errors import DatabaseUnusableError, StoreError
from lunaport.store.writable import check_writable

pytestmark = pytest.mark.anyio


def refuse_to_open(monkeypatch: pytest.MonkeyPatch, witness: Path, number: int) -> None:
    opened = os.open

    def fail(path: str | Path, flags: int, *rest: int) -> int:
        if Path(path) == witness:
            raise OSError(number, os.strerror(number))
        return opened(path, flags, *rest)

    monkeypatch.setattr(os, "open", fail)


def test_what_is_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    database, witness = tmp_path / "a.db", tmp_path / "key"
    check_writable(database, witness)  # nothing is there yet: others say so
    database.touch()
    witness.touch()
    check_writable(database, witness)
    check_writable(database, None)
    monkeypatch.setattr(os, "access", lambda path, mode: path != database)
    with pytest.raises(sqlite3.OperationalError, match="readonly"):
        check_writable(database, witness)


@pytest.mark.parametrize(("number", "is_told"), [(errno.EROFS, True), (errno.EACCES, False), (errno.ENOENT, False)])
def test_what_the_witness_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, is_told: bool) -> None:
    refuse_to_open(monkeypatch, tmp_path / "key", number)
    if is_told:
        with pytest.raises(sqlite3.OperationalError, match="readonly"):
            check_writable(tmp_path / "a.db", tmp_path / "key")
    else:
        check_writable(tmp_path / "a.db", tmp_path / "key")


async def test_it_fails_and_works_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    database = await open_database(tmp_path / "a.db", tmp_path / "key")
    with monkeypatch.context() as patch:
        refuse_to_open(patch, tmp_path / "key", errno.EROFS)
        for _ in range(2):
            with pytest.raises(DatabaseUnusableError, match="make the file and its folder writable"):
                await database.check()
    assert "readonly" in database.failure
    await database.check()
    assert database.failure == ""
    await database.close()


async def test_it_is_not_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    await (await open_database(tmp_path / "a.db")).close()
    before = sorted(tmp_path.iterdir())
    refuse_to_open(monkeypatch, tmp_path / "key", errno.EROFS)
    with pytest.raises(StoreError, match=r"readonly database; this user has to be able to write to it"):
        await open_database(tmp_path / "a.db", tmp_path / "key")
    assert sorted(tmp_path.iterdir()) == before
