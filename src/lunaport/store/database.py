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
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DatabaseError, IntegrityError

from lunaport.store.errors import DatabaseUnusableError
from lunaport.store.opening import connect as connect
from lunaport.store.opening import open_engine

LOG = logging.getLogger(__name__)

Result = TypeVar("Result")


def _check(connection: Connection) -> None:
    faults = connection.exec_driver_sql("PRAGMA quick_check(1)").scalars().all()
    if faults != ["ok"]:
        raise DatabaseError("quick_check", None, sqlite3.DatabaseError(f"database is damaged: {faults[0]}"))


def _in_words(failure: str) -> str:
    helps = {
        "full": "make room on its disk",
        "readonly": "make the file and its folder writable",
        "locked": "another process holds it; try again when it lets go",
        "malformed": "put it back from a backup",
        "damaged": "put it back from a backup",
        "not a database": "put it back from a backup",
    }
    help_ = next((text for word, text in helps.items() if word in failure), "look at its disk")
    return f"the configuration database cannot be used ({failure}); {help_}. Disks go on being served"


class Database:
    """The open database. Use `open_database`."""

    def __init__(self, engine: Engine, thread: ThreadPoolExecutor) -> None:
        self._engine = engine
        self._thread = thread
        self._is_open = True
        self._failure = ""

    @property
    def failure(self) -> str:
        """Why the last transaction failed; empty when it did not."""
        return self._failure

    async def run(self, work: Callable[[Connection], Result]) -> Result:
        """Run `work` in a transaction of its own: committed and durable when this returns, undone when it raises.

        Raises DatabaseUnusableError when the database is at fault.
        """
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._run, work)

    def _run(self, work: Callable[[Connection], Any]) -> Any:
        try:
            with self._engine.begin() as connection:
                result = work(connection)
        except IntegrityError:
            raise
        except DatabaseError as error:
            if self._failure != str(error.orig):
                LOG.error("the configuration database cannot be used: %s", error.orig)
            self._failure = str(error.orig)
            raise DatabaseUnusableError(_in_words(self._failure)) from error
        if self._failure:
            LOG.info("the configuration database can be used again")
        self._failure = ""
        return result

    async def check(self) -> None:
        """See whether a transaction can begin, and whether the file is whole. Raises DatabaseUnusableError."""
        await self.run(_check)

    async def close(self) -> None:
        """Close the file; the thread ends. May be repeated."""
        if not self._is_open:
            return
        self._is_open = False
        await asyncio.get_running_loop().run_in_executor(self._thread, self._engine.dispose)
        self._thread.shutdown(wait=False)


async def open_database(path: Path) -> Database:
    """Open, check and migrate. Raises StoreError with a message for the administrator."""
    thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="store")
    try:
        engine = await asyncio.get_running_loop().run_in_executor(thread, open_engine, path)
    except BaseException:
        thread.shutdown(wait=False)
        raise
    return Database(engine, thread)
