"""Opening the database file: made whole the first time, checked every time, and never overwritten.

The first start makes the database under another name and gives it its own when it is complete. So a file of that name
without tables was cut by somebody, and is no first start. What is damaged, cut, foreign or of a later version is
refused and left as it is; `set_aside` keeps it under another name for whoever asks for a new one.
"""

import os
import sqlite3
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from sqlalchemy import URL, Connection, Engine, create_engine, event, func, inspect, select, update
from sqlalchemy.exc import DatabaseError, OperationalError

from lunaport.model.volume import DEFAULT_VOLUME
from lunaport.store.errors import DatabaseBrokenError, DatabaseBusyError, DatabaseNewerError, StoreError
from lunaport.store.migrate import known_revision, migrate
from lunaport.store.tables import IDENTITY, METADATA, REVISION, SERVICE, VOLUME
from lunaport.store.writable import check_writable

BUSY_TIMEOUT_S: Final = 5.0
SET_ASIDE_OPTION: Final = "--set-aside-database"
_BESIDE: Final = ("-wal", "-shm", "-journal")
"""What SQLite lays beside the file; `-wal` can hold what was committed last."""
_DRAFT: Final = ".new"
_MAY_NOT_WRITE: Final = "; this user has to be able to write to it and to its directory"


def _prepare(connection: sqlite3.Connection, _record: object) -> None:
    connection.isolation_level = None
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
        connection.execute(f"PRAGMA {pragma}")


def _prepare_look(connection: sqlite3.Connection, _record: object) -> None:
    connection.isolation_level = None


def _begin(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN IMMEDIATE")


def connect(path: Path, *, look: bool = False) -> Engine:
    """An SQLAlchemy engine on the file; nothing is opened yet. `look`: the file's journal mode stays as it is."""
    engine = create_engine(
        URL.create("sqlite", database=str(path)),
        pool_size=1,
        max_overflow=0,
        connect_args={"timeout": BUSY_TIMEOUT_S, "check_same_thread": False},
    )
    event.listen(engine, "connect", _prepare_look if look else _prepare)
    event.listen(engine, "begin", _begin)
    return engine


def open_engine(path: Path, witness: Path | None = None) -> Engine:
    """Make the database where there is none, else check and migrate it. Raises StoreError for the administrator."""
    try:
        check_writable(path, witness)
    except sqlite3.OperationalError as error:
        raise StoreError(f"cannot open the database {path}: {error}{_MAY_NOT_WRITE}") from error
    try:
        if not path.exists():
            _make(path)
        elif path.stat().st_size == 0:
            # Looking into it would make SQLite write to it.
            raise DatabaseBrokenError("it is empty, it was cut")
        return _open(path)
    except (DatabaseBrokenError, DatabaseNewerError) as error:
        raise type(error)(f"cannot use the database {path}: {error}; nothing was changed{_advice(error)}") from error
    except OperationalError as error:
        reason = str(error.orig)
        if "locked" in reason or "busy" in reason:
            raise DatabaseBusyError(
                f"the database {path} is held by another process (fuser {path} tells which); end that, and start again"
            ) from error
        hint = _MAY_NOT_WRITE if "readonly" in reason else ""
        raise StoreError(f"cannot open the database {path}: {reason}{hint}") from error
    except DatabaseError as error:
        broken = DatabaseBrokenError(f"cannot use the database {path}: {error.orig}; nothing was changed")
        raise DatabaseBrokenError(f"{broken}{_advice(broken)}") from error
    except OSError as error:
        raise StoreError(f"cannot make the database {path}: {error.strerror}") from error


def _advice(error: StoreError) -> str:
    if isinstance(error, DatabaseNewerError):
        return ""
    return (
        f". Put it back from a copy; or start once with {SET_ASIDE_OPTION}, which keeps it under another name and "
        "begins with an empty configuration, and restore a backup with `lunaport config import`. "
        "Disks stay where they are"
    )


def _look(path: Path) -> None:
    """Refuse what is not ours to change, before anything is changed."""
    engine = connect(path, look=True)
    try:
        with engine.begin() as connection:
            faults = connection.exec_driver_sql("PRAGMA quick_check(3)").scalars().all()
            if faults != ["ok"]:
                raise DatabaseBrokenError(f"it is damaged ({'; '.join(map(str, faults))})")
            if known_revision(connection) is None:
                raise DatabaseBrokenError("it is empty, it was cut")
    finally:
        engine.dispose()


def _open(path: Path) -> Engine:
    _look(path)
    engine = connect(path)
    try:
        with engine.begin() as connection:
            migrate(connection)
            check_whole(connection)
            # SQLite notices that it may not write when it does, and not before.
            connection.execute(update(REVISION).values(value=REVISION.c.value))
    except BaseException:
        engine.dispose()
        raise
    return engine


def check_whole(connection: Connection) -> None:
    """Raise DatabaseBrokenError unless every table is there with its columns, and the rows that always are."""
    inspector = inspect(connection)
    there = set(inspector.get_table_names())
    for table in METADATA.tables.values():
        columns = {each["name"] for each in inspector.get_columns(table.name)} if table.name in there else set()
        missing = [column.name for column in table.columns if column.name not in columns]
        if missing:
            raise DatabaseBrokenError(f"its table {table.name} lacks {', '.join(missing)}")
    for table in (REVISION, SERVICE, IDENTITY):
        if connection.execute(select(func.count()).select_from(table)).scalar_one() != 1:
            raise DatabaseBrokenError(f"its table {table.name} does not hold its one row")
    if connection.execute(select(VOLUME.c.name).where(VOLUME.c.name == DEFAULT_VOLUME)).first() is None:
        raise DatabaseBrokenError(f"it does not know the volume {DEFAULT_VOLUME}")


def _make(path: Path) -> None:
    """A new database, in its place when it is whole."""
    left = [each.name for each in parts(path)[1:] if each.exists()]
    if left:
        raise DatabaseBrokenError(f"it is missing, but {', '.join(left)} that belongs to it is there")
    draft = path.with_name(path.name + _DRAFT)
    for part in parts(draft):
        part.unlink(missing_ok=True)
    engine = connect(draft)
    try:
        with engine.begin() as connection:
            migrate(connection)
    finally:
        engine.dispose()
    _sync(draft)
    draft.rename(path)
    _sync(path.parent)


def set_aside(path: Path, now: float) -> Path:
    """Keep the database, and what lies beside it, under another name, durably; returns that of the database."""
    stamp = datetime.fromtimestamp(now, UTC).strftime("%Y%m%dT%H%M%SZ")
    kept = path.with_name(f"{path.name}.broken-{stamp}")
    number = 1
    while any(part.exists() for part in parts(kept)):
        number += 1
        kept = path.with_name(f"{path.name}.broken-{stamp}-{number}")
    for part, destination in zip(parts(path), parts(kept), strict=True):
        if part.exists():
            part.rename(destination)
    _sync(path.parent)
    return kept


def parts(path: Path) -> tuple[Path, ...]:
    """The file of a database, and all that can lie beside it."""
    return (path, *(path.with_name(path.name + suffix) for suffix in _BESIDE))


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
