"""Opening the database file and running transactions in it, one at a time.

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

from sqlalchemy import URL, Connection, Engine, create_engine, event
from sqlalchemy.exc import DatabaseError, IntegrityError, OperationalError

from lunaport.store.errors import (
    DatabaseBrokenError,
    DatabaseBusyError,
    DatabaseNewerError,
    DatabaseUnusableError,
    StoreError,
)
from lunaport.store.migrate import migrate

LOG = logging.getLogger(__name__)

BUSY_TIMEOUT_S: Final = 5.0

Result = TypeVar("Result")


def _prepare(connection: sqlite3.Connection, _record: object) -> None:
    connection.isolation_level = None
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
        connection.execute(f"PRAGMA {pragma}")


def _begin(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN IMMEDIATE")


def connect(path: Path) -> Engine:
    """An SQLAlchemy engine on the file; nothing is opened yet."""
    engine = create_engine(
        URL.create("sqlite", database=str(path)),
        pool_size=1,
        max_overflow=0,
        connect_args={"timeout": BUSY_TIMEOUT_S, "check_same_thread": False},
    )
    event.listen(engine, "connect", _prepare)
    event.listen(engine, "begin", _begin)
    return engine


def _open(path: Path) -> Engine:
    engine = connect(path)
    try:
        with engine.begin() as connection:
            faults = connection.exec_driver_sql("PRAGMA quick_check(3)").scalars().all()
            if faults != ["ok"]:
                raise DatabaseBrokenError(f"it is damaged ({'; '.join(map(str, faults))})")
            migrate(connection)
    except (DatabaseBrokenError, DatabaseNewerError) as error:
        engine.dispose()
        raise type(error)(f"cannot use the database {path}: {error}; nothing was changed") from error
    except OperationalError as error:
        engine.dispose()
        if "locked" in str(error.orig) or "busy" in str(error.orig):
            raise DatabaseBusyError(f"the database {path} is held by another process") from error
        raise StoreError(f"cannot open the database {path}: {error.orig}") from error
    except DatabaseError as error:
        engine.dispose()
        raise DatabaseBrokenError(
            f"cannot use the database {path}: {error.orig}; nothing was changed, put it back from a backup"
        ) from error
    return engine


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
        engine = await asyncio.get_running_loop().run_in_executor(thread, _open, path)
    except BaseException:
        thread.shutdown(wait=False)
        raise
    return Database(engine, thread)
