"""The configuration as a whole: out of the database, and in place of what is there.

Built over the tables, so that a column that is added is in the backup without a word here: a test compares. Secrets are
decrypted on the way out and encrypted with the key of this machine on the way in; in between they are in clear.

A backup of an earlier form becomes one of today in a database in memory, by the same migrations as a database on disk;
there its constraints are checked, too, whatever its form.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

from sqlalchemy import Connection, LargeBinary, Table, create_engine, delete, event, insert, select, update
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.pool import StaticPool

from lunaport.model.backup import BackupContent, Configuration, Row
from lunaport.model.errors import Fault, InvalidError, invalid
from lunaport.store import rows, targets
from lunaport.store.errors import StoreError
from lunaport.store.key import SecretBox
from lunaport.store.migrate import REVISIONS, upgrade
from lunaport.store.opening import check_whole
from lunaport.store.tables import AUDIT, CHAP, CREDENTIAL, DISCOVERY_CHAP, LUN, METADATA, REVISION, TARGET

Context = Callable[[Mapping[str, Any]], str]

LEFT_OUT: Final = frozenset({AUDIT.name})
"""What was done is no configuration, and stays with the machine it was done to."""
LEFT_OUT_COLUMNS: Final[Mapping[str, frozenset[str]]] = {REVISION.name: frozenset({"key_check"})}
"""Belongs to the key of the machine."""
PLAIN: Final[Mapping[str, frozenset[str]]] = {"token": frozenset({"digest"})}
"""Bytes that are no secret of the key's."""
SEALED: Final[Mapping[str, Mapping[str, Context]]] = {
    CHAP.name: {
        "secret": lambda row: f"chap:{row['target_id']}:{row['direction']}",
        "old_secret": lambda row: f"chap:{row['target_id']}:{row['direction']}:old",
    },
    DISCOVERY_CHAP.name: {
        "secret": lambda row: f"chap:{rows.DISCOVERY}:{row['direction']}",
        "old_secret": lambda row: f"chap:{rows.DISCOVERY}:{row['direction']}:old",
    },
    CREDENTIAL.name: {
        "secret": lambda row: f"credential:{row['target_id']}:{row['username']}",
        "old_secret": lambda row: f"credential:{row['target_id']}:{row['username']}:old",
    },
    LUN.name: {"key": lambda row: f"lun:{row['uuid']}:key"},
}
"""Every encrypted column, and what binds it to its place."""


class ClearBox(SecretBox):
    """Stands for the encryption where secrets are in clear: in a backup on its way in."""

    def __init__(self) -> None:
        pass

    def encrypt(self, text: str, context: str) -> bytes:
        """The text itself."""
        return text.encode()

    def decrypt(self, sealed: bytes, context: str) -> str:
        """The text itself."""
        return sealed.decode()


def _kept() -> list[Table]:
    """The tables of the configuration, each behind those that it refers to."""
    return [table for table in METADATA.sorted_tables if table.name not in LEFT_OUT]


def _columns(table: Table) -> list[str]:
    return [each.name for each in table.columns if each.name not in LEFT_OUT_COLUMNS.get(table.name, ())]


def _recoded(table: Table, row: Mapping[Any, Any], recode: Callable[[bytes, str], bytes]) -> Row:
    found = {name: row[name] for name in _columns(table)}
    for name, context in SEALED.get(table.name, {}).items():
        if found[name] is not None:
            found[name] = recode(found[name], context(found))
    return found


def dump(connection: Connection, box: SecretBox) -> BackupContent:
    """Everything that is configured, secrets in clear; what is being created is not there yet."""
    unfinished = set(connection.execute(select(TARGET.c.id).where(TARGET.c.state == targets.CREATING)).scalars())
    found: dict[str, list[Row]] = {}
    for table in _kept():
        owner = "id" if table is TARGET else "target_id"
        found[table.name] = [
            _recoded(table, row, lambda sealed, context: box.decrypt(sealed, context).encode())
            for row in connection.execute(select(table).order_by(*table.primary_key.columns)).mappings()
            if row.get("state") != targets.CREATING
            and (table.columns.get(owner) is None or row[owner] not in unfinished)
        ]
    return BackupContent(revision=REVISIONS[-1], tables=found, sequences=_sequences(connection))


def _sequences(connection: Connection) -> dict[str, int]:
    found = connection.exec_driver_sql("SELECT name, seq FROM sqlite_sequence").all()
    return {str(name): int(last) for name, last in found if name not in LEFT_OUT}


def load(connection: Connection, box: SecretBox, content: BackupContent, *, stamp: bool) -> None:
    """Put `content`, of today's form, in place of what there is.

    The counter of revisions never goes back, so that no entity tag means two things. `stamp`: all of it has changed;
    else it is what was there before, under the revisions it had.
    """
    counters = [connection.execute(select(REVISION.c.value)).scalar_one(), *_counters(content)]
    counter = max(int(each) for each in counters) + 1
    for table in reversed(_kept()):
        if table is not REVISION:
            connection.execute(delete(table))
    for table in _kept():
        if table is REVISION:
            continue
        for row in content.tables[table.name]:
            values = _recoded(table, row, lambda clear, context: box.encrypt(clear.decode(), context))
            if stamp and "revision" in values:
                values["revision"] = counter
            connection.execute(insert(table).values(values))
    connection.execute(update(REVISION).values(value=counter))
    _raise_sequences(connection, content.sequences)


def _counters(content: BackupContent) -> list[int]:
    return [row["value"] for row in content.tables[REVISION.name]]


def _raise_sequences(connection: Connection, sequences: Mapping[str, int]) -> None:
    """Numbers are never given twice, neither here nor where the backup comes from."""
    there = _sequences(connection)
    for name, last in sequences.items():
        if name not in there:
            connection.exec_driver_sql("INSERT INTO sqlite_sequence (name, seq) VALUES (?, ?)", (name, last))
        elif last > there[name]:
            connection.exec_driver_sql("UPDATE sqlite_sequence SET seq = ? WHERE name = ?", (last, name))


def renewed(
    content: BackupContent, read: Callable[[Connection, SecretBox], Configuration]
) -> tuple[BackupContent, Configuration]:
    """`content` in today's form, and what it means to `read`. Raises InvalidError when it cannot be a configuration."""
    if content.revision not in REVISIONS:
        raise invalid(
            Fault.BACKUP_NEWER,
            f"is of a later version of Lunaport (its form is {content.revision[:64]!r}, this one knows "
            f"{REVISIONS[-1]} at most); use that version, or a later one",
            "backup",
        )
    try:
        with _in_memory() as connection:
            _fill(connection, content)
            if content.revision != REVISIONS[-1]:
                upgrade(connection, REVISIONS[-1])
            check_whole(connection)
            new = BackupContent(
                revision=REVISIONS[-1],
                tables={
                    table.name: [
                        {name: row[name] for name in _columns(table)}
                        for row in connection.execute(select(table)).mappings()
                    ]
                    for table in _kept()
                },
                sequences=_sequences(connection),
            )
            return new, read(connection, ClearBox())
    except InvalidError:
        raise
    except (SQLAlchemyError, StoreError, LookupError, ValueError, TypeError, ArithmeticError) as error:
        # Its words could hold values, and values can be secrets.
        reason = type(getattr(error, "orig", None) or error).__name__
        raise invalid(Fault.BACKUP_INVALID, f"does not hold a configuration ({reason})", "backup") from None


@contextmanager
def _in_memory() -> Iterator[Connection]:
    engine = create_engine("sqlite://", poolclass=StaticPool)

    @event.listens_for(engine, "connect")
    def prepare(raw: Any, _record: object) -> None:
        raw.isolation_level = None
        raw.execute("PRAGMA foreign_keys=ON")

    event.listen(engine, "begin", lambda connection: connection.exec_driver_sql("BEGIN"))
    try:
        with engine.begin() as connection:
            yield connection
    finally:
        engine.dispose()


def _fill(connection: Connection, content: BackupContent) -> None:
    """Tables of the content's own form, with its rows in them."""
    if content.revision == REVISIONS[-1]:
        # Without Alembic, which is large and stays in memory.
        METADATA.create_all(connection)
        connection.execute(insert(REVISION).values(id=1, value=1))
    else:
        upgrade(connection, content.revision)
    order = [table.name for table in METADATA.sorted_tables if table.name in content.tables]
    if len(order) != len(content.tables):
        raise ValueError("a table that is not known")
    for name in reversed(order):
        if name != REVISION.name:
            connection.exec_driver_sql(f'DELETE FROM "{name}"')  # noqa: S608 - a name of ours
    for name in order:
        known = {row[1] for row in connection.exec_driver_sql(f"PRAGMA table_info('{name}')")}
        for row in content.tables[name]:
            if not known.issuperset(row):
                raise ValueError("a column that is not known")
            names = list(row)
            if name == REVISION.name:
                connection.exec_driver_sql("UPDATE revision SET value = ?", (row["value"],))
                continue
            columns = ", ".join(f'"{each}"' for each in names)
            marks = ", ".join("?" * len(names))
            connection.exec_driver_sql(
                f'INSERT INTO "{name}" ({columns}) VALUES ({marks})',  # noqa: S608 - names that were compared above
                tuple(row[each] for each in names),
            )
    _raise_sequences(connection, content.sequences)


def large_columns() -> dict[str, set[str]]:
    """Every column of bytes, by table."""
    return {
        table.name: {each.name for each in table.columns if isinstance(each.type, LargeBinary)} for table in _kept()
    }
