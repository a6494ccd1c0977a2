"""What the use cases ask of the configuration database. The store implements it without knowing it.

Every method that changes something is one durable transaction: when it returns, the change survives a crash; when it
raises, nothing has changed. Each raises the counter of the configuration (`revision`) by one and stamps it on what it
changed. Callers change one thing at a time.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import Protocol

from lunaport.model.audit import AuditEntry, AuditFilter, Outcome
from lunaport.model.backup import BackupContent, Configuration
from lunaport.model.batch import Batch
from lunaport.model.block import Block
from lunaport.model.iscsi_service import IscsiService
from lunaport.model.lun import Lun
from lunaport.model.target import Target
from lunaport.model.trash import TrashedTarget
from lunaport.model.user import Token, User
from lunaport.model.volume import Volume


class TargetStore(Protocol):
    """Targets, from their creation to their end in the trash."""

    async def targets(
        self, *, after_id: int = 0, count_max: int | None = None, name: str | None = None
    ) -> Sequence[Target]:
        """Active targets with a larger id, in the order of their ids."""

    async def isns_targets(self) -> Sequence[tuple[str, tuple[int, ...]]]:
        """Name and portal groups of every active target that iSNS servers are told of, in the order of their ids."""

    async def target(self, target_id: int) -> Target | None:
        """The active target with this id."""

    async def name_holder(self, name: str) -> int | None:
        """The id of the target that holds the name, be it active or in creation."""

    async def reserve_target(self, target: Target) -> Target:
        """Add a target in creation: its name is taken, it is not listed. Its id is new, whatever it said."""

    async def activate_target(self, target_id: int) -> Target:
        """End the creation: from now on the target is listed."""

    async def replace_target(self, target: Target, *, unfinished: Collection[str] = ()) -> Target:
        """Store new values for an active target; LUNs in creation that it has become active.

        `unfinished`: LUNs, by uuid, that became active so a moment ago and are in creation again.
        """

    async def reserve_luns(self, target_id: int, luns: Sequence[Lun]) -> None:
        """Add LUNs in creation to an active target: their numbers are taken, the target does not have them yet."""

    async def unfinished_luns(self) -> Sequence[tuple[int, Lun]]:
        """LUNs in creation of active targets, with the ids of these."""

    async def forget_lun(self, uuid: str) -> None:
        """Drop a LUN in creation."""

    async def trash_lun(self, target_id: int, uuid: str, file: str, now: float) -> Target:
        """Take a LUN from an active target; `file` is where it shall be moved to. Returns the target without it.

        In the trash it is a target of the same name, with this LUN only.
        """

    async def restore_lun(self, target_id: int, uuid: str) -> Target:
        """Undo `trash_lun` while no file has been moved."""

    async def trash_target(self, target_id: int, files: Mapping[str, str], now: float) -> None:
        """Take an active target off the list; `files`: LUN uuid to the file it shall be moved to."""

    async def begin_restore(self, target_id: int, files: Mapping[str, str], name: str, like: Target | None) -> None:
        """Put a trashed target down as one whose files, which lie at `files`, are still to be moved to the trash.

        It is called `name`; `like`: what it gets its settings from, but for the LUNs.
        """

    async def restore_target(self, target_id: int) -> Target:
        """Undo `trash_target` while no file has been moved."""

    async def finish_trash(self, target_id: int) -> None:
        """The files of a trashed target have been moved."""

    async def forget_target(self, target_id: int) -> None:
        """Drop a target in creation or in the trash."""

    async def in_creation(self) -> Sequence[Target]:
        """Targets whose creation has not ended."""

    async def shift_trash(self, by_s: float, latest: float) -> None:
        """Date all that is in the trash later by so many seconds, but not later than `latest`."""

    async def trashed(self) -> Sequence[TrashedTarget]:
        """Everything in the trash."""


class VolumeStore(Protocol):
    """Volumes."""

    async def volumes(self) -> Sequence[Volume]:
        """All volumes by name. The path of `default` is empty: it is a setting."""

    async def add_volume(self, volume: Volume) -> Volume:
        """Add a volume."""

    async def replace_volume(self, volume: Volume) -> Volume:
        """Store new values for a volume."""

    async def remove_volume(self, name: str) -> None:
        """Forget a volume and what lies in its trash."""

    async def volume_targets(self, name: str) -> Sequence[str]:
        """Names of the targets with a LUN there: active, in creation, or with a file on its way to the trash."""

    async def committed_bytes(self) -> Mapping[str, int]:
        """Volume name to the sum of the sizes of its LUNs; the trash does not count."""


class ServiceStore(Protocol):
    """The service object and blocked initiators."""

    async def service(self) -> IscsiService:
        """The service object."""

    async def put_service(self, service: IscsiService) -> IscsiService:
        """Store it."""

    async def nas_uuid(self) -> str:
        """32 hexadecimal digits that tell this NAS from others, the same for ever."""

    async def blocks(self) -> Sequence[Block]:
        """Every blocked initiator by name, those whose time is over too."""

    async def put_block(self, block: Block) -> None:
        """Block an initiator, in place of an earlier block of it."""

    async def remove_block(self, initiator: str) -> None:
        """Let an initiator in again."""


class UserStore(Protocol):
    """Users and their tokens."""

    @property
    def users_version(self) -> int:
        """Another number after each change to users or tokens."""

    async def users(self) -> Sequence[User]:
        """All users by name."""

    async def user(self, name: str) -> User | None:
        """A user by name."""

    async def has_users(self) -> bool:
        """Whether there is any user yet."""

    async def add_user(self, user: User) -> None:
        """Add a user."""

    async def replace_user(self, user: User) -> None:
        """Store new values for a user."""

    async def remove_user(self, name: str) -> None:
        """Remove a user and his tokens."""

    async def tokens(self) -> Sequence[Token]:
        """All tokens in the order of their ids."""

    async def token_by_digest(self, digest: bytes) -> Token | None:
        """A token, with no more than the role that its user has now."""

    async def add_token(self, token: Token) -> Token:
        """Add a token under a new id."""

    async def remove_token(self, token_id: int) -> None:
        """Remove a token."""


class AuditStore(Protocol):
    """The audit log. Entries are not part of the configuration: they do not count in its revision."""

    async def begin_audit(self, entry: AuditEntry) -> int:
        """Add an entry; returns its id, which is larger than all before it."""

    async def end_audit(
        self, entry_id: int, outcome: Outcome, *, subject: str, changes: Mapping[str, object], error: str
    ) -> None:
        """Say what became of it."""

    async def audit(self, *, before_id: int | None = None, count_max: int, wanted: AuditFilter) -> Sequence[AuditEntry]:
        """Entries, the newest first: those with a smaller id that are wanted."""

    async def forget_audit(self, before: float) -> int:
        """Drop the entries of before a time; returns how many."""


class Usable(Protocol):
    """Whether the database works. Where it does not, every other method raises `model.errors.DatabaseFailedError`."""

    async def failure(self) -> str:
        """Why a transaction failed since the last check; empty when none did."""

    async def check(self) -> None:
        """See whether a transaction can begin, and whether what is stored is whole. Raises DatabaseFailedError."""


class BackupStore(Protocol):
    """The configuration as a whole."""

    async def configuration(self) -> Configuration:
        """All that is configured."""

    async def dump(self) -> BackupContent:
        """All that is configured, as a backup holds it; without what is being created."""

    async def renewed(self, content: BackupContent) -> tuple[BackupContent, Configuration]:
        """A backup in the form of this program, and what it means; nothing changes. Raises InvalidError."""

    async def commit(self, batch: Batch) -> None:
        """Carry out all of a batch in one transaction."""

    async def load(self, content: BackupContent, *, stamp: bool) -> None:
        """Put a backup of today's form in place of all that is configured, in one transaction.

        `stamp`: all of it counts as changed; else it has the revisions that it says.
        """


class Store(TargetStore, VolumeStore, ServiceStore, UserStore, AuditStore, BackupStore, Usable, Protocol):
    """The whole configuration database."""
