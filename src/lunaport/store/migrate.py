"""Bringing a database to the form this program knows.

All revisions run in one transaction: a crash leaves the old form. Alembic is imported only when there is something to
do, for it is the larger part of the memory of an idle process. A database that a later version wrote, or that is not
ours, is left alone.
"""

from pathlib import Path
from typing import Final

from sqlalchemy import Connection, inspect

from lunaport.store.errors import DatabaseBrokenError, DatabaseNewerError

REVISIONS: Final = (
    "0001",
    "discovery_open",
    "users_and_audit",
    "lun_encryption",
    "nas_identity",
    "steering",
    "access",
    "lun_kind",
    "portal_groups",
    "low_space",
    "lun_medium",
)
"""Every revision in order; the last is what `store.tables` describes."""

SCRIPTS: Final = Path(__file__).with_name("migrations")


def current_revision(connection: Connection) -> str | None:
    """The revision that is recorded in the database; None for an empty one. Raises DatabaseBrokenError."""
    names = inspect(connection).get_table_names()
    if not names:
        return None
    if "alembic_version" not in names:
        raise DatabaseBrokenError("it holds tables, but is no Lunaport database")
    rows = connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalars().all()
    if len(rows) != 1:
        raise DatabaseBrokenError("it does not record its revision")
    return str(rows[0])


def known_revision(connection: Connection) -> str | None:
    """As `current_revision`, and one that this program knows. Raises DatabaseBrokenError, DatabaseNewerError."""
    current = current_revision(connection)
    if current is not None and current not in REVISIONS:
        raise DatabaseNewerError(
            f"its revision is {current}, this program knows {REVISIONS[-1]} at most; "
            "run the version of Lunaport that wrote it, or a later one"
        )
    return current


def migrate(connection: Connection) -> None:
    """Carry out what is missing, in the connection's transaction. Raises DatabaseBrokenError, DatabaseNewerError."""
    if known_revision(connection) == REVISIONS[-1]:
        return
    upgrade(connection, REVISIONS[-1])


def upgrade(connection: Connection, revision: str) -> None:
    """Run Alembic up to `revision`."""
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(SCRIPTS).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    command.upgrade(config, revision)
