"""The database as far as a look at it goes: whether it is whole, what it says of volumes and the service."""

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from lunaport.model.volume import DEFAULT_VOLUME
from lunaport.runtime.control import VOLUMES_FOLDER
from lunaport.runtime.doctor.findings import Finding, error, ok
from lunaport.store.migrate import REVISIONS
from lunaport.store.store import DATABASE_FILE, KEY_FILE

BACKUP: Final = "put it back from a copy, or start once with --set-aside-database and import a backup"


@dataclass(slots=True)
class Configuration:
    """What other checks want to know. Where there is no database yet: what a first start would make."""

    volumes: dict[str, Path] = field(default_factory=dict)
    disks: frozenset[str] | None = None
    """Names of the files of all LUNs, those in creation too; None: not known."""
    enabled: bool = True
    port: int | None = None
    """Of all portals; None: each has its own."""
    newest_entry: float = 0.0
    """When the audit log was last written to."""


def read_configuration(data_dir: Path) -> tuple[Configuration, Sequence[Finding]]:
    """Read it without a lock, whether the NAS runs or not."""
    configuration = Configuration(volumes={DEFAULT_VOLUME: data_dir.absolute() / VOLUMES_FOLDER / DEFAULT_VOLUME})
    path = data_dir / DATABASE_FILE
    if not path.exists():
        return configuration, [ok("database", "there is none yet; the first start makes it")]
    if not (data_dir / KEY_FILE).exists():
        missing = f"{data_dir / KEY_FILE}, the key of its secrets, is missing"
        return configuration, [error("database", missing, "put it back from a copy")]
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=2)) as connection:
            return configuration, [_read(connection, configuration, path)]
    except sqlite3.Error as failure:
        if "locked" in str(failure):
            return configuration, [
                error("database", f"{path} is held by another process", f"`fuser {path}` tells by which")
            ]
        return configuration, [error("database", f"{path} cannot be used: {failure}", BACKUP)]


def _read(connection: sqlite3.Connection, configuration: Configuration, path: Path) -> Finding:
    faults = [row[0] for row in connection.execute("PRAGMA quick_check(3)")]
    if faults != ["ok"]:
        return error("database", f"{path} is damaged: {'; '.join(faults)}", BACKUP)
    (revision,) = connection.execute("SELECT version_num FROM alembic_version").fetchone() or ("",)
    if revision not in REVISIONS:
        return error(
            "database",
            f"{path} was written by another version of Lunaport (its revision is {revision})",
            "run that version, or a later one",
        )
    for name, folder in connection.execute("SELECT name, path FROM volume"):
        if name != DEFAULT_VOLUME:
            configuration.volumes[name] = Path(folder)
    enabled, configuration.port = connection.execute("SELECT enabled, port FROM service").fetchone()
    configuration.enabled = bool(enabled)
    if REVISIONS.index(revision) >= REVISIONS.index("users_and_audit"):
        (newest,) = connection.execute("SELECT max(at) FROM audit").fetchone()
        configuration.newest_entry = newest or 0.0
    if revision == REVISIONS[-1]:
        configuration.disks = frozenset(Path(row[0]).name for row in connection.execute("SELECT file FROM lun"))
    behind = "" if revision == REVISIONS[-1] else "; the next start brings it to this version's form"
    return ok("database", f"{path} is whole{behind}")
