"""One value for each thing that can be asked of the NAS. An interface parses a request into one of these and no more.

Its docstring says when it is legal; `Nas.perform` carries it out and returns what the type parameter says. Each may
raise InvalidError (a value is wrong) and ServiceError (it cannot be done).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, Literal, TypeVar

from lunaport.model.block import Block
from lunaport.model.document import ApplyReport, ConfigDocument
from lunaport.model.image import Image
from lunaport.model.iscsi_service import IscsiService, ServiceChange
from lunaport.model.lun import LunChange
from lunaport.model.portal import Portal
from lunaport.model.target import Target, TargetChange
from lunaport.model.user import Role, Token, User
from lunaport.model.volume import LOW_SPACE_PERCENT_DEFAULT, OVERCOMMIT_FACTOR_DEFAULT, Volume

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True, kw_only=True)
class NewToken:
    """A token and its text, which is told once."""

    token: Token
    text: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class LunFinding:
    """How the file of a LUN in a backup is. `advice`: what to do; empty: nothing."""

    target: str
    lun: int
    path: str
    state: Literal["present", "grown", "in_trash", "created", "missing", "cut", "no_key"]
    advice: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportReport:
    """What an import did, or would do. `replaces`: what is configured now and would be gone, or another."""

    applied: bool
    program: str
    created_at: float
    targets: int
    volumes: int
    users: int
    replaces: tuple[str, ...]
    luns: tuple[LunFinding, ...]
    volume_problems: tuple[str, ...] = ()
    left: tuple[str, ...] = ()
    """Files that no target uses any more; they stay where they are."""


class Action(Generic[Result]):
    """Base of all actions."""

    __slots__ = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateTarget(Action[Target]):
    """Make a target with its LUNs, each on a new thin file.

    Legal when the name is free, and the volumes known and not promised too often.
    """

    change: TargetChange


@dataclass(frozen=True, slots=True, kw_only=True)
class UpdateTarget(Action[Target]):
    """Change a target, live. Sizes may only grow; volumes do not change, and of the kinds of LUN `lun.CHANGEABLE` only.

    With `change.whole`, LUNs that the target has not are added.
    """

    target_id: int
    change: TargetChange
    revisions: frozenset[int] | None = None
    """Legal only when the target's revision is one of these; None: whatever it is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeleteTarget(Action[Target]):
    """End a target's sessions and move its file to the trash. Always legal while the target exists."""

    target_id: int
    revisions: frozenset[int] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetLun:
    """A target, and the number of the LUN of it that an action was about."""

    target: Target
    lun: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateLun(Action[TargetLun]):
    """Add a LUN to a target that is in use. Legal when the number is free; none: the lowest free one."""

    target_id: int
    change: LunChange
    revisions: frozenset[int] | None = None
    """As in UpdateTarget; so for the others."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UpdateLun(Action[TargetLun]):
    """Change a LUN, live: a larger size, read-only, write-through."""

    target_id: int
    lun: int
    change: LunChange
    revisions: frozenset[int] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DeleteLun(Action[TargetLun]):
    """Take a LUN off a target and move its file to the trash. Not legal for the last one."""

    target_id: int
    lun: int
    revisions: frozenset[int] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class InsertMedium(Action[TargetLun]):
    """Put an image into a CD-ROM drive, in place of one that lies there; or the medium of a removable disk back in.

    Legal when no initiator keeps the present medium in, or with `force`.
    """

    target_id: int
    lun: int
    image: str = ""
    """For drives only: its name."""
    force: bool = False
    revisions: frozenset[int] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EjectMedium(Action[TargetLun]):
    """Take the medium out of a drive or a removable disk. Legal when no initiator keeps it in, or with `force`."""

    target_id: int
    lun: int
    force: bool = False
    revisions: frozenset[int] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class UploadImage(Action[Image]):
    """Take an image in. Legal when the name is free and there is room. Runs beside other actions."""

    volume: str
    name: str
    size_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DeleteImage(Action[Image]):
    """Remove an image for good. Legal when it lies in no drive."""

    volume: str
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RestoreTarget(Action[Target]):
    """Take a deleted target out of the trash, under its name or another. Legal when that is free."""

    target_id: int
    name: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateVolume(Action[Volume]):
    """Take a directory as a volume, making it when it is not there. Legal beside all other volumes."""

    name: str
    path: str
    overcommit_factor: float = OVERCOMMIT_FACTOR_DEFAULT
    low_space_percent: int = LOW_SPACE_PERCENT_DEFAULT


@dataclass(frozen=True, slots=True, kw_only=True)
class UpdateVolume(Action[Volume]):
    """Set how far a volume may be overpromised (what is promised already stays), and when its initiators are told that
    its space gets scarce. None: as it is."""

    name: str
    overcommit_factor: float | None = None
    low_space_percent: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DeleteVolume(Action[Volume]):
    """Forget a volume; its files stay. Legal when no target has a LUN there, and never for `default`."""

    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class UpdateService(Action[IscsiService]):
    """Switch the service on or off, move its port, set its iSNS servers. Legal when every portal can be opened."""

    change: ServiceChange
    revisions: frozenset[int] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PutPortal(Action[Portal]):
    """Listen on an address too, or put the portal there into another group. Legal when the address is not in use.

    An address that this machine does not have (yet) is listened on as soon as it does.
    """

    portal: str
    group: int | None = None
    """None: as it is; a new portal comes into the default one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RemovePortal(Action[Portal]):
    """Listen on an address no more; sessions that came by it stay. Legal while there is another portal."""

    portal: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SetPortals(Action[IscsiService]):
    """Have these portals and no others. Legal as for PutPortal."""

    portals: tuple[Portal, ...]
    revisions: frozenset[int] | None = None
    """Of the service."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ResetPortals(Action[IscsiService]):
    """Have the portals of the command line again. Legal as for PutPortal."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateUser(Action[User]):
    """Add a user. Legal when the name is free."""

    name: str
    password: str = field(repr=False)
    role: Role


@dataclass(frozen=True, slots=True, kw_only=True)
class UpdateUser(Action[User]):
    """Change a user's password, role or both; his tokens stay. Legal while an administrator is left."""

    name: str
    password: str | None = field(default=None, repr=False)
    role: Role | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeOwnPassword(Action[User]):
    """Give oneself another password. Legal with the present one; not with a token."""

    present: str = field(repr=False)
    password: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class DeleteUser(Action[User]):
    """Remove a user and his tokens. Legal while an administrator is left."""

    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateToken(Action[NewToken]):
    """Make a token for oneself. Legal with a role that is no higher than one's own, and a name not used yet."""

    name: str
    role: Role
    days: float | None
    """Until it expires; None: never."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeleteToken(Action[Token]):
    """Remove a token: one's own, or as administrator anybody's."""

    token_id: int


@dataclass(frozen=True, slots=True, kw_only=True)
class BlockInitiator(Action[Block]):
    """Keep an initiator out, and end its sessions. Legal for any name, and again with another end."""

    initiator: str
    until: float | None = None
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class UnblockInitiator(Action[Block]):
    """Let an initiator in again. Legal while it is blocked."""

    initiator: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CloseSession(Action[None]):
    """Ask the initiator of a session to log out, then close it. Legal while there is such a session."""

    session_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportBackup(Action[dict[str, Any]]):
    """Everything that is configured, as the document of an encrypted file. Always legal."""

    passphrase: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanImport(Action[ImportReport]):
    """What ImportBackup would do; nothing changes."""

    document: Mapping[str, Any] = field(repr=False)
    passphrase: str = field(repr=False)
    create_missing: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportBackup(Action[ImportReport]):
    """Put a backup in place of all that is configured, and serve it.

    Legal where nothing is configured yet, or with `replace`. `create_missing`: disks whose file is not there are made
    anew, empty; else they are not served until their file is there.
    """

    document: Mapping[str, Any] = field(repr=False)
    passphrase: str = field(repr=False)
    replace: bool = False
    create_missing: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanDocument(Action[ApplyReport]):
    """What ApplyDocument would do; nothing changes."""

    document: ConfigDocument
    prune: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ApplyDocument(Action[ApplyReport]):
    """Make what a document says, all of it or nothing. `prune`: what its sections do not name goes.

    Legal when all of it is: each thing in it as if it were asked for alone.
    """

    document: ConfigDocument
    prune: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class TidyUp(Action[int]):
    """Undo unfinished creations, finish unfinished deletions, empty old trash, forget old audit entries.

    Returns how many files were removed.
    """
