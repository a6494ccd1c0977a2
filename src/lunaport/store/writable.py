"""Whether the database's file system takes writes, asked before SQLite tries.

SQLite shares memory with others through a file beside the database. Where a file system has turned read-only, the
kernel answers a write to such memory with SIGBUS, which would end the process instead of failing a transaction.
"""

import errno
import os
import sqlite3
from pathlib import Path
from typing import Final

READ_ONLY: Final = "attempt to write a readonly database"
"""SQLite's own words (SQLITE_READONLY)."""


def check_writable(database: Path, witness: Path | None) -> None:
    """Raise sqlite3.OperationalError when the database may not be written. `witness`: another file beside it.

    The database itself must not be opened here: closing it again would end SQLite's locks on it. Nothing is written.
    """
    if database.exists() and not os.access(database, os.W_OK):
        raise sqlite3.OperationalError(READ_ONLY)
    if witness is None:
        return
    try:
        # An ext4 that gave up on an error says so here only: it is mounted for writing as before.
        os.close(os.open(witness, os.O_RDWR | os.O_CLOEXEC))
    except OSError as error:
        if error.errno == errno.EROFS:
            raise sqlite3.OperationalError(READ_ONLY) from error
