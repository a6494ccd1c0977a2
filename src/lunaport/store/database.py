"""Running transactions in the database file, one at a time.

A commit waits for the disk (`synchronous=FULL`), and on a disk that initiators keep busy that can take seconds. So all
work runs in one thread of its own: the event loop goes on serving, transactions stay in order, and SQLite sees a
single connection. Every transaction takes the write lock at once (BEGIN IMMEDIATE), tables made by migrations included.
"""

import asyncio
import logging
import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final, TypeVar

from sqlalchemy import Connection, Engine, update
from sqlalchemy.exc import DatabaseError, IntegrityError

from lunaport.store.errors import DatabaseUnusableError
from lunaport.store.opening import connect as connect
from lunaport.store.opening import open_engine
from lunaport.store.tables import REVISION
from lunaport.store.writable import READ_ONLY, check_writable

LOG = logging.getLogger(__name__)

Result = TypeVar("Result")


def _check(connection: Connection) -> None:
    faults = connection.exec_driver_sql("PRAGMA quick_check(1)").scalars().all()
    if faults != ["ok"]:
        raise DatabaseError("quick_check", None, sqlite3.DatabaseError(f"database is damaged: {faults[0]}"))


def _check_written(connection: Connection) -> None:
    _check(connection)
    connection.execute(update(REVISION).values(value=REVISION.c.value))


def _in_words(failure: str) -> str:
    helps = {
        "full": "make room on its disk",
        "readonly": "make the file and its folder writable",
        "locked": "another process holds it; try again when it lets go",
        "malformed": "put it back from a backup",
        "damaged": "put it back from a backup",
        "not a database": "put it back from a backup",
        "missing": "put it back from a backup",
    }
    help_ = next((text for word, text in helps.items() if word in failure), "look at its disk")
    return f"the configuration database cannot be used ({failure}); {help_}. Disks go on being served"


_PASSING: Final = ("locked", "busy", "full", READ_ONLY)
"""In failures that are over as soon as somebody else lets go, makes room, or makes it writable."""


class Database:
    """The open database. Use `open_database`."""

    def __init__(self, engine: Engine, thread: ThreadPoolExecutor, witness: Path | None = None) -> None:
        self._engine = engine
        self._witness = witness
        self._thread = thread
        self._is_open = True
        self._failure = ""

    @property
    def failure(self) -> str:
        """Why a transaction failed since the last check; empty when none did."""
        return self._failure

    async def run(self, work: Callable[[Connection], Result]) -> Result:
        """Run `work` in a transaction of its own: committed and durable when this returns, undone when it raises.

        Raises DatabaseUnusableError when the database is at fault.
        """
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._run, work)

    def _run(self, work: Callable[[Connection], Any]) -> Any:
        try:
            self._check_there()
            with self._engine.begin() as connection:
                result = work(connection)
        except IntegrityError:
            raise
        except (DatabaseError, sqlite3.Error) as error:  # the latter from settings of a new connection
            failure = str(error.orig if isinstance(error, DatabaseError) else error)
            if self._failure != failure:
                LOG.error("the configuration database cannot be used: %s", failure)
            self._failure = failure
            if not any(word in failure for word in _PASSING):
                # What SQLite remembers of the file may be what is wrong by now: the next transaction reads it anew.
                self._engine.dispose()
            raise DatabaseUnusableError(_in_words(failure)) from error
        return result

    def _check_there(self) -> None:
        """A file that is gone must not become a new, empty one; one that cannot be written is not touched."""
        path = self._engine.url.database
        if path and self._failure and not Path(path).exists():
            raise sqlite3.OperationalError("the file is missing")
        if path:
            check_writable(Path(path), self._witness)

    async def check(self) -> None:
        """See whether the file is whole, and after a failure whether it can be written: that alone ends a failure.

        Raises DatabaseUnusableError.
        """
        await self.run(_check_written if self._failure else _check)
        if self._failure:
            LOG.info("the configuration database can be used again")
        self._failure = ""

    async def close(self) -> None:
        """Close the file; the thread ends. May be repeated."""
        if not self._is_open:
            return
        self._is_open = False
        await asyncio.get_running_loop().run_in_executor(self._thread, self._engine.dispose)
        self._thread.shutdown(wait=False)


async def open_database(path: Path, witness: Path | None = None) -> Database:
    """Open, check and migrate. Raises StoreError with a message for the administrator.

    `witness`: another file in the same place, which tells whether its file system takes writes.
    """
    thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="store")
    try:
        engine = await asyncio.get_running_loop().run_in_executor(thread, open_engine, path, witness)
    except BaseException:
        thread.shutdown(wait=False)
        raise
    return Database(engine, thread, witness)
