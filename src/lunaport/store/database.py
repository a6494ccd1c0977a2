"""Running transactions in the database file, one at a time.

A commit waits for the disk (`synchronous=FULL`), and on a disk that initiators keep busy that can take seconds. So all
work runs in one thread of its own: the event loop goes on serving, transactions stay in order, and SQLite sees a
single connection. Every transaction takes the write lock at once (BEGIN IMMEDIATE), tables made by migrations included.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine

from lunaport.store.opening import connect as connect
from lunaport.store.opening import open_engine

Result = TypeVar("Result")


class Database:
    """The open database. Use `open_database`."""

    def __init__(self, engine: Engine, thread: ThreadPoolExecutor) -> None:
        self._engine = engine
        self._thread = thread
        self._is_open = True

    async def run(self, work: Callable[[Connection], Result]) -> Result:
        """Run `work` in a transaction of its own: committed and durable when this returns, undone when it raises."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._run, work)

    def _run(self, work: Callable[[Connection], Any]) -> Any:
        with self._engine.begin() as connection:
            return work(connection)

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
