"""What the use cases ask of an engine: desired state down, observed state up.

Values are plain, frozen and complete: an engine never asks back. Paths are absolute. `apply` returns once the wire
serves the change, so an answer sent after it is true.
"""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal, Protocol

from lunaport.engine.unit_state import ReservationReport, WorkReport

TROUBLES_MAX: Final = 256
"""Troubles that are told of one by one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Credential:
    """A CHAP name and its secret (RFC 7143 section 12.1.3). `initiators`: names or patterns of whom it is for."""

    username: str
    secret: str = field(repr=False)
    initiators: tuple[str, ...] = ()
    """None: for all."""
    valid_until: float | None = None
    """Seconds since 1970."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessRule:
    """Fits when one of the names or patterns does, one of the networks and one of the portal groups; none: all do."""

    initiators: tuple[str, ...] = ()
    networks: tuple[str, ...] = ()
    portal_groups: tuple[int, ...] = ()
    read_only: bool = False
    luns: tuple[int, ...] | None = None
    """What may be seen; None: all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LunSpec:
    """A logical unit on a file that exists."""

    lun: int
    uuid: str
    """32 hexadecimal digits, given once: the NAA identifier derives from it."""
    path: str
    size_bytes: int
    block_size_bytes: int = 512
    key: str = field(default="", repr=False)
    """Of encryption at rest: 64 hexadecimal digits. Empty: none."""
    physical_block_size_bytes: int = 4096
    read_only: bool = False
    removable: bool = False
    write_cache: bool = True
    """False: every write is durable before it is answered."""
    unmap: bool = True
    """Initiators may give space back; False: the LUN looks fully provisioned."""
    vendor: str = "LUNAPORT"
    product: str = "DISK"
    serial: str = ""
    """Empty: the uuid."""
    low_space_percent: int = 0
    """Initiators are told when no more than this of the file system is free; 0: never. Not where it cannot `unmap`."""
    device_type: str = "disk"
    """Or `cdrom`: a drive. Its own file holds nothing but what is kept beside it."""
    image: str = ""
    """The path of the image in a drive; empty: none."""
    medium_out: bool = False
    """The medium of a removable disk is taken out."""
    insertion: int = 0
    """Another number: the medium is put in or taken out anew, whatever initiators have done with it since."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MediumReport:
    """The medium of a LUN as it is now."""

    loaded: bool
    tray_open: bool = False
    locked_by: tuple[str, ...] = ()
    """Names of the initiators that keep it in."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageInfo:
    """An image in a volume. `modified_at`: seconds since 1970."""

    name: str
    size_bytes: int
    modified_at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitsSpec:
    """What all sessions of a target together may do in a second. 0: as much as they can."""

    iops: int = 0
    bytes_per_second: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetSpec:
    """A target as it shall be. No credentials: no CHAP is asked for. No rules: everybody may use it.

    The first rule that fits counts. `single_initiator`: one at a time, unless it holds a reservation.
    """

    name: str
    header_digest: bool = False
    data_digest: bool = False
    credentials: tuple[Credential, ...] = ()
    mutual: Credential | None = None
    rules: tuple[AccessRule, ...] = ()
    single_initiator: bool = False
    portal_groups: tuple[int, ...] = ()
    """Through which it is served; none: all."""
    luns: tuple[LunSpec, ...] = ()
    limits: LimitsSpec = LimitsSpec()
    draining: bool = False
    """Its initiators are asked to log out, and nobody is let in."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BlockSpec:
    """An initiator that is not let in, by its name in lower case. `until`: seconds since 1970; None: for good."""

    initiator: str
    until: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PortalSpec:
    """An address to listen on: IPv4 or IPv6 without brackets, or a host name. `group`: portal group tag."""

    host: str
    port: int
    group: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class DiscoverySpec:
    """Who is told of which targets. Unless `open`, everybody of those that he may use, and nobody of more.

    With `credentials`, discovery asks for CHAP; who proves one of these is told of targets that ask for other secrets.
    """

    open: bool = False
    credentials: tuple[Credential, ...] = ()
    mutual: Credential | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DesiredState:
    """Everything an engine shall serve. No portals: the service is off, and sessions end."""

    portals: tuple[PortalSpec, ...] = ()
    targets: tuple[TargetSpec, ...] = ()
    discovery: DiscoverySpec = field(default_factory=DiscoverySpec)
    draining: bool = False
    """As in a target, for all of them."""
    blocks: tuple[BlockSpec, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A step from one desired state to the next. `removed` is carried out before `put`; None: as it is.

    A portal change never touches sessions unless it is to no portals at all, which ends them all. A portal whose
    address is not there is no error: it is opened when the address comes.
    """

    put: tuple[TargetSpec, ...] = ()
    removed: tuple[str, ...] = ()
    portals: tuple[PortalSpec, ...] | None = None
    discovery: DiscoverySpec | None = None
    draining: bool | None = None
    blocks: tuple[BlockSpec, ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Rates:
    """What a session did a second, over the last few seconds."""

    commands: float = 0.0
    bytes_read: float = 0.0
    bytes_written: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionReport:
    """A session as it is now. Counters run from the login on."""

    id: str
    target: str
    """Empty for a discovery session."""
    initiator: str
    initiator_alias: str
    address: str
    """Peer as host:port, IPv6 in brackets."""
    portal: str
    """The address it came to, in the same form."""
    portal_group: int = 1
    since: float
    """Seconds since 1970."""
    isid: str
    tsih: int
    chap_user: str
    """Empty where no CHAP was asked for."""
    read_only: bool = False
    luns: tuple[int, ...] = ()
    """The LUNs it sees."""
    negotiated: dict[str, str]
    """RFC 7143 key to the value in force."""
    commands: int
    outstanding: int
    bytes_read: int
    bytes_written: int
    rates: Rates = Rates()
    latency: tuple[int, ...] = ()
    """A sample of commands by the time between their arrival and their status: number n counts those that took less
    than 2**(n + 4) microseconds and not less than half of that; the last one counts all that took longer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RefusedLogin:
    """A login that was refused."""

    at: float
    """Seconds since 1970."""
    reason: str
    """In one word, `lunaport.iscsi.errors.Refusal`."""
    detail: str
    initiator: str
    """As it called itself; empty where it did not come to that."""
    target: str
    """What it asked for; empty for discovery."""
    address: str
    portal: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Counters:
    """What was done since the engine started, and what is under way. Every dictionary counts by a word."""

    reads: int = 0
    writes: int = 0
    others: int = 0
    """Commands that move no data."""
    bytes_read: int = 0
    bytes_written: int = 0
    latency: tuple[int, ...] = ()
    """As in `SessionReport`."""
    latency_s: float = 0.0
    """Of all commands of that sample together."""
    failures: dict[str, int] = field(default_factory=dict)
    """Commands that did not end with GOOD, by SCSI status."""
    digest_errors: int = 0
    task_management: dict[str, int] = field(default_factory=dict)
    """By function."""
    ping_timeouts: int = 0
    logins: int = 0
    refused_logins: dict[str, int] = field(default_factory=dict)
    """By reason."""
    sessions: int = 0
    outstanding: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class MemoryUse:
    """What a process holds of data under way: now, at most so far, and at most whatever comes (docs/limits.md)."""

    held_bytes: int = 0
    peak_bytes: int = 0
    limit_bytes: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineCounters:
    """`total` holds discovery, unknown targets, and targets that are gone too. Targets that never were used are left
    out."""

    total: Counters = field(default_factory=Counters)
    targets: dict[str, Counters] = field(default_factory=dict)
    pids: dict[str, int] = field(default_factory=dict)
    """Its processes by name."""
    memory: dict[str, MemoryUse] = field(default_factory=dict)
    """Of those of them that serve initiators."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EventMark:
    """Up to where events have been read. An engine that starts anew has another `run` and counts from 0."""

    run: str = ""
    number: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineEvent:
    """Something that happened in the engine."""

    kind: str
    at: float
    facts: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class EventBatch:
    """What happened since a mark; `mark` is where to go on, `lost` how many were forgotten in between."""

    mark: EventMark
    events: tuple[EngineEvent, ...] = ()
    lost: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class PortalReport:
    """A portal that shall be, and whether it is: since when it listens, or since when it cannot. It is tried again."""

    host: str
    port: int
    listening: bool
    error: str = ""
    group: int = 1
    since: float = 0.0
    """Seconds since 1970."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trouble:
    """Something that does not work now. It ends by itself, or somebody has to see to it."""

    kind: str
    """`disk`: it cannot be opened, or takes no writes any more; `disk_errors`: commands failed in the last minute;
    `reservations`: a disk's cannot be read, so it lets nobody in; `portal`: it does not listen; `storage`: its file
    system does not answer."""
    subject: str
    """The target and LUN, or the address."""
    reason: str
    since: float
    """Seconds since 1970."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineStatus:
    """Whether the engine serves, and what."""

    available: bool
    pid: int = 0
    since: float = 0.0
    targets: int = 0
    sessions: int = 0
    portals: tuple[PortalReport, ...] = ()
    troubles: tuple[Trouble, ...] = ()
    troubles_count: int = 0
    """Of too many only some are told of, but all are counted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VolumeUsage:
    """A volume's file system. `used_bytes`: what the files of the volume really occupy, its trash included."""

    total_bytes: int
    free_bytes: int
    used_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class FileReport:
    """A file of a LUN. `size_bytes` None: there is none. `has_key`: the key of its encryption lies beside it."""

    size_bytes: int | None
    has_key: bool = False


class EngineError(Exception):
    """The engine could not do what it was asked; nothing has changed."""


class EngineUnavailableError(EngineError):
    """The engine does not answer (it is restarting, or hung)."""


class PortalError(EngineError):
    """A portal cannot be opened; the ones before keep working."""

    def __init__(self, portal: PortalSpec, reason: str) -> None:
        super().__init__(portal, reason)
        self.portal = portal
        self.reason = reason

    def __str__(self) -> str:
        host = f"[{self.portal.host}]" if ":" in self.portal.host else self.portal.host
        return f"{host}:{self.portal.port}: {self.reason}"


StorageFault = Literal["no space", "too large", "exists", "missing", "read only", "not a directory", "in use", "i/o"]


class StorageError(EngineError):
    """A file or directory could not be made, grown or moved."""

    def __init__(self, fault: StorageFault, path: str, reason: str) -> None:
        super().__init__(fault, path, reason)
        self.fault = fault
        self.path = path
        self.reason = reason

    def __str__(self) -> str:
        return f"{self.path}: {self.reason}"


class Engine(Protocol):
    """An engine, as the use cases see it. Every method may raise EngineError."""

    async def start(self, desired: DesiredState) -> None:
        """Take `desired` as what shall be served and bring it to the wire.

        What cannot be served yet (a portal in use, a file that is missing) is tried again until it can.
        """

    async def apply(self, change: Change) -> None:
        """Carry a change out; returns when the wire serves it, raises when it cannot be and leaves all as it was.

        Raising a `LunSpec.size_bytes` grows the disk and tells logged-in initiators; its file was grown before.
        """

    async def sessions(self) -> Sequence[SessionReport]:
        """Every session now."""

    async def close_session(self, session_id: str) -> bool:
        """Ask the initiator of a session to log out, then close it; False where there is no such session."""

    async def refused_logins(self) -> Sequence[RefusedLogin]:
        """The last logins that were refused, the newest first."""

    async def reservations(self, target: str) -> Sequence[ReservationReport]:
        """The LUNs of a target that are reserved or have registrations; none where it is not served."""

    async def work(self) -> Sequence[WorkReport]:
        """What is under way that takes long."""

    async def counters(self) -> EngineCounters:
        """What was done since the engine started."""

    async def events(self, after: EventMark) -> EventBatch:
        """What happened after a mark, as soon as something did; nothing after some seconds in which nothing did."""

    async def status(self) -> EngineStatus:
        """The engine now; never raises."""

    async def make_volume(self, path: str) -> None:
        """Make a volume's directory (and the folders in it) unless it is there."""

    async def volume_usage(self, path: str, *, counted: bool = True) -> VolumeUsage:
        """The volume's file system now. Not `counted`: no file is looked at, of thousands; `used_bytes` is 0."""

    async def file_usage(self, paths: Sequence[str]) -> Sequence[int]:
        """Bytes that each file really occupies; -1 where that cannot be said."""

    async def create_file(self, path: str, size_bytes: int, *, key: str = "") -> None:
        """Make a thin file, durably, for encryption under `key` where there is one.

        Raises StorageError `exists`, `too large`, `no space`.
        """

    async def find_file(self, path: str) -> FileReport:
        """How a file is now, be it served or not."""

    async def grow_file(self, path: str, size_bytes: int) -> None:
        """Make a file at least this long, durably. A target that serves it is not touched: `apply` follows.

        Raises StorageError `too large`, `no space`.
        """

    async def move_file(self, path: str, destination: str) -> None:
        """Move a file within its volume, durably; a file already moved counts as moved."""

    async def remove_file(self, path: str) -> None:
        """Remove a file that no target uses; a missing one counts as removed."""

    async def medium(self, target: str, lun: int, *, request_eject: bool = False) -> MediumReport | None:
        """The medium of a LUN now; None where there is none to take out.

        `request_eject`: initiators that keep the medium in are asked to let it go.
        """

    async def images(self, volume: str) -> Sequence[ImageInfo]:
        """The images in a volume's directory, by name."""

    async def receive_image(self, volume: str, name: str, pieces: AsyncIterator[bytes]) -> None:
        """Put an image into a volume, durably. What `pieces` raises goes through; then nothing is left.

        Raises StorageError `exists`, `no space`.
        """

    async def remove_image(self, path: str) -> None:
        """Remove an image for good. Raises StorageError `missing`, `in use`."""

    async def close(self) -> None:
        """Let go of the engine; what it serves it goes on serving."""
