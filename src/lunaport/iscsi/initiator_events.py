"""What an initiator hears from its target, as values."""

from dataclasses import dataclass
from typing import TypeAlias

from lunaport.iscsi.enums import AsyncEvent
from lunaport.iscsi.initiator_login import LoginFailure, LoginSuccess
from lunaport.iscsi.pdu import AsyncMessage, LogoutResponse, Reject

ASKS = (AsyncEvent.LOGOUT_REQUEST, AsyncEvent.NEGOTIATION_REQUEST)
DROPS = (AsyncEvent.CONNECTION_DROP, AsyncEvent.SESSION_DROP)


@dataclass(frozen=True, slots=True, kw_only=True)
class LoggedIn:
    """Full feature phase has begun."""

    outcome: LoginSuccess


@dataclass(frozen=True, slots=True, kw_only=True)
class LoginFailed:
    """The login has ended, and with it the connection."""

    failure: LoginFailure


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandResult:
    """A command has ended."""

    initiator_task_tag: int
    status: int
    """SCSI status; with a `response` other than 0 it says nothing."""
    response: int = 0
    """See `enums.ScsiServiceResponse`."""
    data: bytes = b""
    """Data-in, as far as it came."""
    sense: bytes = b""
    residual: int = 0
    """Bytes: above 0 what the command would have moved beyond what was expected, below 0 what it moved less."""
    read_residual: int = 0
    """The same for the data-in of a command that moves data both ways."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ManagementResult:
    """A task management function has been answered; see `enums.TaskResponse`."""

    initiator_task_tag: int
    response: int
    aborted: tuple[int, ...] = ()
    """Commands of ours that have ended by it, without a status."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TextResult:
    """A text exchange has ended; `data` is the whole answer."""

    initiator_task_tag: int
    data: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class PingResult:
    """A ping of ours has been answered."""

    initiator_task_tag: int
    data: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class PingReceived:
    """The target asks for a sign of life."""

    target_transfer_tag: int
    data: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class LogoutResult:
    """A logout has been answered."""

    message: LogoutResponse


@dataclass(frozen=True, slots=True, kw_only=True)
class Announced:
    """The target sent an asynchronous message: `event` is one of `enums.AsyncEvent`, or another number."""

    message: AsyncMessage

    @property
    def event(self) -> int:
        """What it announces."""
        return self.message.event

    @property
    def within_s(self) -> int:
        """How long we may take to log out, or to negotiate."""
        return self.message.parameters[2] if self.event in ASKS else 0

    @property
    def cid(self) -> int | None:
        """The connection that is dropped."""
        return self.message.parameters[0] if self.event == AsyncEvent.CONNECTION_DROP else None

    @property
    def time2wait_s(self) -> int:
        """How long to wait before coming back."""
        return self.message.parameters[1] if self.event in DROPS else 0

    @property
    def time2retain_s(self) -> int:
        """How long after that tasks can still be taken over; 0: they have ended."""
        return self.message.parameters[2] if self.event in DROPS else 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Rejected:
    """The target rejected a PDU. `initiator_task_tag` names the request of ours that has ended by it, if one has."""

    message: Reject
    initiator_task_tag: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionEnded:
    """The connection has to be closed: after a logout, or because the target broke a rule, which `reason` tells."""

    reason: str


Event: TypeAlias = (
    LoggedIn
    | LoginFailed
    | CommandResult
    | ManagementResult
    | TextResult
    | PingResult
    | PingReceived
    | LogoutResult
    | Announced
    | Rejected
    | ConnectionEnded
)
