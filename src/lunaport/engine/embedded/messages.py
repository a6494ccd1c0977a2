"""What control and data say to each other: one JSON document a message behind a 4-byte length.

Each request is answered by one reply with its number. The types are the engine interface's own; msgspec checks them on
arrival. The socket is private to the NAS's user: secrets cross it in clear, and it is never logged.
"""

from struct import Struct as Layout
from typing import Final, Literal

import msgspec

from lunaport.engine.embedded.neighbour import Neighbour
from lunaport.engine.interface import (
    Change,
    DesiredState,
    EngineCounters,
    EngineError,
    EngineStatus,
    EventBatch,
    EventMark,
    FileReport,
    MediumReport,
    PortalError,
    PortalSpec,
    RefusedLogin,
    SessionReport,
    StorageError,
    StorageFault,
    VolumeUsage,
)
from lunaport.engine.unit_state import ReservationReport, WorkReport

LENGTH: Final = Layout(">I")
MESSAGE_BYTES_MAX: Final = 1 << 28


class Start(msgspec.Struct, tag=True):
    """What this process shall serve; `elsewhere`: what the others serve, for process 0."""

    desired: DesiredState
    elsewhere: list[Neighbour] = []


class Apply(msgspec.Struct, tag=True):
    """A change of that."""

    change: Change
    elsewhere: list[Neighbour] = []
    elsewhere_removed: list[str] = []


class ListTargets(msgspec.Struct, tag=True):
    pass


class ListSessions(msgspec.Struct, tag=True):
    pass


class CloseSession(msgspec.Struct, tag=True):
    session_id: str


class ListRefusedLogins(msgspec.Struct, tag=True):
    pass


class GetCounters(msgspec.Struct, tag=True):
    pass


class AwaitEvents(msgspec.Struct, tag=True):
    """Answered when there are events after the mark, or after some seconds. One at a time: a new one ends the old."""

    after: EventMark


class GetStatus(msgspec.Struct, tag=True):
    pass


class MakeVolume(msgspec.Struct, tag=True):
    path: str


class GetVolumeUsage(msgspec.Struct, tag=True):
    path: str
    counted: bool = True


class GetFileUsage(msgspec.Struct, tag=True):
    paths: list[str]


class CreateFile(msgspec.Struct, tag=True):
    path: str
    size_bytes: int
    key: str = ""


class GetMedium(msgspec.Struct, tag=True):
    target: str
    lun: int
    request_eject: bool = False


class GetReservations(msgspec.Struct, tag=True):
    target: str


class GetWork(msgspec.Struct, tag=True):
    pass


class FindFile(msgspec.Struct, tag=True):
    path: str


class GrowFile(msgspec.Struct, tag=True):
    path: str
    size_bytes: int


class MoveFile(msgspec.Struct, tag=True):
    path: str
    destination: str


class RemoveFile(msgspec.Struct, tag=True):
    path: str


class Failure(msgspec.Struct, tag=True):
    """An EngineError on its way."""

    kind: Literal["engine", "portal", "storage"]
    reason: str
    path: str = ""
    fault: StorageFault = "i/o"
    portal: PortalSpec | None = None

    def to_error(self) -> EngineError:
        """The error as the interface names it."""
        if self.kind == "portal" and self.portal is not None:
            return PortalError(self.portal, self.reason)
        if self.kind == "storage":
            return StorageError(self.fault, self.path, self.reason)
        return EngineError(self.reason)


def failure_of(error: EngineError) -> Failure:
    """The message that carries an error."""
    if isinstance(error, PortalError):
        return Failure(kind="portal", reason=error.reason, portal=error.portal)
    if isinstance(error, StorageError):
        return Failure(kind="storage", reason=error.reason, path=error.path, fault=error.fault)
    return Failure(kind="engine", reason=str(error))


class Done(msgspec.Struct, tag=True):
    pass


class Targets(msgspec.Struct, tag=True):
    names: list[str]


class Sessions(msgspec.Struct, tag=True):
    sessions: list[SessionReport]


class Closed(msgspec.Struct, tag=True):
    found: bool


class RefusedLogins(msgspec.Struct, tag=True):
    refused: list[RefusedLogin]


class CountersReply(msgspec.Struct, tag=True):
    counters: EngineCounters


class Events(msgspec.Struct, tag=True):
    batch: EventBatch


class Status(msgspec.Struct, tag=True):
    status: EngineStatus


class MediumIs(msgspec.Struct, tag=True):
    medium: MediumReport | None


class Reservations(msgspec.Struct, tag=True):
    reservations: list[ReservationReport]


class Work(msgspec.Struct, tag=True):
    work: list[WorkReport]


class FileUsage(msgspec.Struct, tag=True):
    used_bytes: list[int]


class Usage(msgspec.Struct, tag=True):
    usage: VolumeUsage


class Found(msgspec.Struct, tag=True):
    report: FileReport


RequestBody = (
    Start
    | Apply
    | ListTargets
    | ListSessions
    | CloseSession
    | ListRefusedLogins
    | GetCounters
    | AwaitEvents
    | GetStatus
    | MakeVolume
    | GetVolumeUsage
    | GetFileUsage
    | CreateFile
    | FindFile
    | GrowFile
    | MoveFile
    | RemoveFile
    | GetMedium
    | GetReservations
    | GetWork
)
ReplyBody = (
    Done
    | Failure
    | Targets
    | Sessions
    | Closed
    | RefusedLogins
    | CountersReply
    | Events
    | Status
    | Usage
    | MediumIs
    | Reservations
    | Work
    | FileUsage
    | Found
)


class Request(msgspec.Struct):
    number: int
    body: RequestBody


class Reply(msgspec.Struct):
    number: int
    body: ReplyBody


def encode(message: Request | Reply) -> bytes:
    """A message with its length in front."""
    document = msgspec.json.encode(message)
    return LENGTH.pack(len(document)) + document


request_decoder: Final = msgspec.json.Decoder(Request)
reply_decoder: Final = msgspec.json.Decoder(Reply)
