"""The configuration database behind the use cases' port (`service.ports.Store`, implemented without importing it).

`open_store` makes the key first, then the database: a crash between the two leaves a key that the next start uses, and
a database without its key can only mean that the key was lost.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, TypeVar

from sqlalchemy import Connection, delete, insert, select, update

from lunaport.model.audit import AuditEntry, AuditFilter, Outcome
from lunaport.model.backup import BackupContent, Configuration
from lunaport.model.batch import Batch
from lunaport.model.block import Block
from lunaport.model.iscsi_service import SERVICE_ID, IscsiService
from lunaport.model.lun import Lun
from lunaport.model.target import Target
from lunaport.model.trash import TrashedTarget
from lunaport.model.user import Token, User
from lunaport.model.volume import DEFAULT_VOLUME, Volume
from lunaport.store import audit, backup, batch, blocks, rows, targets, users
from lunaport.store.database import Database, open_database
from lunaport.store.errors import DatabaseBrokenError, KeyWrongError, StoreError
from lunaport.store.key import RandomBytes, SecretBox, load_key
from lunaport.store.opening import parts, set_aside
from lunaport.store.tables import DISCOVERY_CHAP, IDENTITY, REVISION, SERVICE, VOLUME

LOG = logging.getLogger(__name__)

DATABASE_FILE: Final = "lunaport.db"
KEY_FILE: Final = "secret.key"
_KEY_CHECK: Final = "the key fits"

Result = TypeVar("Result")


class SqlStore:
    """The configuration database. Use `open_store`."""

    def __init__(self, database: Database, box: SecretBox) -> None:
        self._database = database
        self._box = box
        self._users_version = 0

    async def close(self) -> None:
        """Close the database."""
        await self._database.close()

    async def failure(self) -> str:
        """Why a transaction failed since the last check; empty when none did."""
        return self._database.failure

    async def check(self) -> None:
        """See whether the database can be used. Raises DatabaseUnusableError."""
        await self._database.check()

    async def targets(
        self, *, after_id: int = 0, count_max: int | None = None, name: str | None = None
    ) -> Sequence[Target]:
        """Active targets with a larger id, in the order of their ids."""
        return await self._database.run(
            lambda c: targets.read(c, self._box, after_id=after_id, count_max=count_max, name=name)
        )

    async def isns_targets(self) -> Sequence[tuple[str, tuple[int, ...]]]:
        """Name and portal groups of every active target that iSNS servers are told of, in the order of their ids."""
        return await self._database.run(targets.isns_targets)

    async def target(self, target_id: int) -> Target | None:
        """The active target with this id."""
        found = await self._database.run(lambda c: targets.read(c, self._box, target_id=target_id))
        return found[0] if found else None

    async def name_holder(self, name: str) -> int | None:
        """The id of the target that holds the name."""
        return await self._database.run(lambda c: targets.name_holder(c, name))

    async def reserve_target(self, target: Target) -> Target:
        """Add a target in creation under a new id."""
        return await self._database.run(lambda c: targets.add(c, self._box, target))

    async def activate_target(self, target_id: int) -> Target:
        """End the creation."""
        return await self._database.run(lambda c: targets.activate(c, self._box, target_id))

    async def replace_target(self, target: Target, *, unfinished: Collection[str] = ()) -> Target:
        """Store new values for an active target."""
        return await self._database.run(lambda c: targets.replace(c, self._box, target, unfinished))

    async def reserve_luns(self, target_id: int, luns: Sequence[Lun]) -> None:
        """Add LUNs in creation to an active target."""
        await self._database.run(lambda c: targets.reserve_luns(c, self._box, target_id, luns))

    async def unfinished_luns(self) -> Sequence[tuple[int, Lun]]:
        """LUNs in creation of active targets."""
        return await self._database.run(lambda c: targets.unfinished_luns(c, self._box))

    async def forget_lun(self, uuid: str) -> None:
        """Drop a LUN in creation."""
        await self._database.run(lambda c: targets.forget_lun(c, uuid))

    async def trash_lun(self, target_id: int, uuid: str, file: str, now: float) -> Target:
        """Take a LUN from an active target."""
        return await self._database.run(lambda c: targets.trash_lun(c, self._box, target_id, uuid, file, now))

    async def restore_lun(self, target_id: int, uuid: str) -> Target:
        """Undo `trash_lun`."""
        return await self._database.run(lambda c: targets.restore_lun(c, self._box, target_id, uuid))

    async def trash_target(self, target_id: int, files: Mapping[str, str], now: float) -> None:
        """Take an active target off the list."""
        await self._database.run(lambda c: targets.trash(c, target_id, files, now))

    async def begin_restore(self, target_id: int, files: Mapping[str, str], name: str, like: Target | None) -> None:
        """Trashed, but for files that are still to be moved there."""
        await self._database.run(lambda c: targets.begin_restore(c, self._box, target_id, files, name, like))

    def derived_key(self, purpose: str) -> bytes:
        """A key of 32 bytes for something else; it tells nothing about the NAS's own."""
        return self._box.derive(purpose)

    async def restore_target(self, target_id: int) -> Target:
        """Undo `trash_target`."""
        return await self._database.run(lambda c: targets.restore(c, self._box, target_id))

    async def finish_trash(self, target_id: int) -> None:
        """The files of a trashed target have been moved."""
        await self._database.run(lambda c: targets.finish_trash(c, target_id))

    async def forget_target(self, target_id: int) -> None:
        """Drop a target in creation or in the trash."""
        await self._database.run(lambda c: targets.forget(c, target_id))

    async def in_creation(self) -> Sequence[Target]:
        """Targets whose creation has not ended."""
        return await self._database.run(lambda c: targets.read(c, self._box, state=targets.CREATING))

    async def shift_trash(self, by_s: float, latest: float) -> None:
        """See `Store.shift_trash`."""
        await self._database.run(lambda c: targets.shift_trash(c, by_s, latest))

    async def trashed(self) -> Sequence[TrashedTarget]:
        """Everything in the trash."""
        return await self._database.run(targets.trashed)

    async def volumes(self) -> Sequence[Volume]:
        """All volumes by name."""
        return await self._database.run(_volumes)

    async def add_volume(self, volume: Volume) -> Volume:
        """Add a volume."""
        return await self._database.run(lambda c: _add_volume(c, volume))

    async def replace_volume(self, volume: Volume) -> Volume:
        """Store new values for a volume."""
        return await self._database.run(lambda c: _replace_volume(c, volume))

    async def remove_volume(self, name: str) -> None:
        """Forget a volume and what lies in its trash."""
        await self._database.run(lambda c: _remove_volume(c, name))

    async def volume_targets(self, name: str) -> Sequence[str]:
        """Names of the targets with a LUN there."""
        return await self._database.run(lambda c: targets.on_volume(c, name))

    async def committed_bytes(self) -> Mapping[str, int]:
        """Volume name to the sum of the sizes of its LUNs."""
        return await self._database.run(targets.committed_bytes)

    async def service(self) -> IscsiService:
        """The service object."""
        return await self._database.run(lambda c: _service(c, self._box))

    async def put_service(self, service: IscsiService) -> IscsiService:
        """Store the service object."""
        return await self._database.run(lambda c: _put_service(c, self._box, service))

    async def nas_uuid(self) -> str:
        """The identifier of this NAS."""
        return await self._database.run(lambda c: c.execute(select(IDENTITY.c.uuid)).scalar_one())

    async def blocks(self) -> Sequence[Block]:
        """Every blocked initiator."""
        return await self._database.run(blocks.read)

    async def put_block(self, block: Block) -> None:
        """Block an initiator."""
        await self._database.run(lambda c: blocks.put(c, block))

    async def remove_block(self, initiator: str) -> None:
        """Let an initiator in again."""
        await self._database.run(lambda c: blocks.remove(c, initiator))

    @property
    def users_version(self) -> int:
        """Another number after each change to users or tokens."""
        return self._users_version

    async def users(self) -> Sequence[User]:
        """All users by name."""
        return await self._database.run(users.read_all)

    async def user(self, name: str) -> User | None:
        """A user by name."""
        return await self._database.run(lambda c: users.read(c, name))

    async def has_users(self) -> bool:
        """Whether there is any user yet."""
        return await self._database.run(users.exist)

    async def add_user(self, user: User) -> None:
        """Add a user."""
        await self._change_users(lambda c: users.add(c, user))

    async def replace_user(self, user: User) -> None:
        """Store new values for a user."""
        await self._change_users(lambda c: users.replace_user(c, user))

    async def remove_user(self, name: str) -> None:
        """Remove a user and his tokens."""
        await self._change_users(lambda c: users.remove(c, name))

    async def tokens(self) -> Sequence[Token]:
        """All tokens in the order of their ids."""
        return await self._database.run(users.tokens)

    async def token_by_digest(self, digest: bytes) -> Token | None:
        """A token, with no more than the role that its user has now."""
        return await self._database.run(lambda c: users.token_by_digest(c, digest))

    async def add_token(self, token: Token) -> Token:
        """Add a token under a new id."""
        return await self._change_users(lambda c: users.add_token(c, token))

    async def remove_token(self, token_id: int) -> None:
        """Remove a token."""
        await self._change_users(lambda c: users.remove_token(c, token_id))

    async def _change_users(self, work: Callable[[Connection], Result]) -> Result:
        # Before and after: nobody may remember what he read while the change was on its way.
        self._users_version += 1
        try:
            return await self._database.run(work)
        finally:
            self._users_version += 1

    async def configuration(self) -> Configuration:
        """All that is configured."""
        return await self._database.run(lambda c: _configuration(c, self._box))

    async def dump(self) -> BackupContent:
        """All that is configured, as a backup holds it."""
        return await self._database.run(lambda c: backup.dump(c, self._box))

    async def renewed(self, content: BackupContent) -> tuple[BackupContent, Configuration]:
        """A backup in the form of this program, and what it means. Changes nothing."""
        return await asyncio.to_thread(backup.renewed, content, _configuration)

    async def commit(self, changes: Batch) -> None:
        """Carry out all of a batch."""
        await self._change_users(
            lambda c: batch.commit(
                c,
                self._box,
                changes,
                add_volume=_add_volume,
                replace_volume=_replace_volume,
                put_service=lambda connection, service: _put_service(connection, self._box, service),
            )
        )

    async def load(self, content: BackupContent, *, stamp: bool) -> None:
        """Put a backup of today's form in place of what there is."""
        await self._change_users(lambda c: backup.load(c, self._box, content, stamp=stamp))

    async def begin_audit(self, entry: AuditEntry) -> int:
        """Add an entry to the audit log; returns its id."""
        return await self._database.run(lambda c: audit.begin(c, entry))

    async def end_audit(
        self, entry_id: int, outcome: Outcome, *, subject: str, changes: Mapping[str, object], error: str
    ) -> None:
        """Say what became of it."""
        await self._database.run(lambda c: audit.end(c, entry_id, outcome, subject, changes, error))

    async def audit(self, *, before_id: int | None = None, count_max: int, wanted: AuditFilter) -> Sequence[AuditEntry]:
        """Entries, the newest first."""
        return await self._database.run(
            lambda c: audit.read(c, before_id=before_id, count_max=count_max, wanted=wanted)
        )

    async def forget_audit(self, before: float) -> int:
        """Drop the entries of before a time; returns how many."""
        return await self._database.run(lambda c: audit.forget(c, before))


def _volumes(connection: Connection) -> list[Volume]:
    return [rows.volume_of(row) for row in connection.execute(select(VOLUME).order_by(VOLUME.c.name)).mappings()]


def _volume(connection: Connection, name: str) -> Volume:
    return rows.volume_of(connection.execute(select(VOLUME).where(VOLUME.c.name == name)).mappings().one())


def _volume_values(connection: Connection, volume: Volume) -> dict[str, Any]:
    return {
        "name": volume.name,
        "path": "" if volume.name == DEFAULT_VOLUME else volume.path,
        "overcommit_factor": volume.overcommit_factor,
        "low_space_percent": volume.low_space_percent,
        "revision": targets.next_revision(connection),
    }


def _add_volume(connection: Connection, volume: Volume) -> Volume:
    connection.execute(insert(VOLUME).values(_volume_values(connection, volume)))
    return _volume(connection, volume.name)


def _replace_volume(connection: Connection, volume: Volume) -> Volume:
    connection.execute(update(VOLUME).where(VOLUME.c.name == volume.name).values(_volume_values(connection, volume)))
    return _volume(connection, volume.name)


def _remove_volume(connection: Connection, name: str) -> None:
    targets.next_revision(connection)
    targets.forget_trash_of(connection, name)
    connection.execute(delete(VOLUME).where(VOLUME.c.name == name))


def _service(connection: Connection, box: SecretBox) -> IscsiService:
    chap = {
        row["direction"]: rows.chap_of(row, box, rows.DISCOVERY)
        for row in connection.execute(select(DISCOVERY_CHAP)).mappings()
    }
    return rows.service_of(connection.execute(select(SERVICE)).mappings().one(), chap)


def _put_service(connection: Connection, box: SecretBox, service: IscsiService) -> IscsiService:
    connection.execute(
        update(SERVICE)
        .where(SERVICE.c.id == SERVICE_ID)
        .values(
            enabled=service.enabled,
            port=service.port,
            portals=rows.portals_column(service.portals),
            isns=service.isns,
            isns_address=service.isns_address,
            discovery_open=service.discovery_open,
            draining=service.draining,
            revision=targets.next_revision(connection),
        )
    )
    connection.execute(delete(DISCOVERY_CHAP))
    for row in rows.chap_rows(service.discovery_one_way, service.discovery_mutual, box, rows.DISCOVERY):
        connection.execute(insert(DISCOVERY_CHAP).values(row))
    return _service(connection, box)


def _configuration(connection: Connection, box: SecretBox) -> Configuration:
    return Configuration(
        nas_uuid=connection.execute(select(IDENTITY.c.uuid)).scalar_one(),
        service=_service(connection, box),
        volumes=tuple(_volumes(connection)),
        targets=tuple(targets.read(connection, box)),
        trashed=tuple(targets.trashed(connection)),
        blocks=tuple(blocks.read(connection)),
        users=tuple(users.read_all(connection)),
        tokens=tuple(users.tokens(connection)),
    )


def _check_key(connection: Connection, box: SecretBox) -> None:
    sealed = connection.execute(select(REVISION.c.key_check)).scalar_one()
    if sealed is None:
        connection.execute(update(REVISION).values(key_check=box.encrypt(_KEY_CHECK, "key")))
    else:
        box.decrypt(sealed, "key")


async def open_store(
    data_dir: Path,
    *,
    random_bytes: RandomBytes,
    replace_broken: bool = False,
    clock: Callable[[], float] = time.time,
) -> SqlStore:
    """Open the store in an existing directory, making it when there is none. Raises StoreError.

    `replace_broken`: a database that is damaged is kept under another name, and a new one made.
    """
    database_path, key_path = data_dir / DATABASE_FILE, data_dir / KEY_FILE
    try:
        key = load_key(
            key_path, may_create=not any(part.exists() for part in parts(database_path)), random_bytes=random_bytes
        )
    except OSError as error:
        raise StoreError(f"cannot read or make {key_path}: {error.strerror}") from error
    box = SecretBox(key, random_bytes)
    try:
        database = await open_database(database_path, key_path)
    except DatabaseBrokenError as error:
        if not replace_broken:
            raise
        kept = set_aside(database_path, clock())
        LOG.warning("%s", error)
        LOG.warning("the broken database is kept as %s; the NAS starts with an EMPTY configuration", kept)
        database = await open_database(database_path, key_path)
    try:
        await database.run(lambda c: _check_key(c, box))
    except KeyWrongError:
        await database.close()
        raise KeyWrongError(
            f"{key_path} is not the key of {database_path}; put the right one back from a backup"
        ) from None
    return SqlStore(database, box)
