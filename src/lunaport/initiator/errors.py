"""What can go wrong for the user of an initiator.

InitiatorError
├── LoginError            the target refused the login, or broke its rules
│   └── TargetMovedError  it is somewhere else
├── ConnectionEndedError  the connection is gone, and the requests under way with it
├── CommandError          a command ended with another status than GOOD
├── RejectedError         the target rejected a request
└── AbortedError          a command was ended by task management
"""

from lunaport.iscsi.enums import LoginStatus
from lunaport.iscsi.initiator_events import CommandResult
from lunaport.iscsi.initiator_login import LoginFailure
from lunaport.iscsi.pdu import Reject


class InitiatorError(Exception):
    """Base of every error of this package."""


class LoginError(InitiatorError):
    """No session came about; `failure` has the status and where the target has moved to."""

    def __init__(self, failure: LoginFailure) -> None:
        super().__init__(failure.reason)
        self.failure = failure


class TargetMovedError(LoginError):
    """The target is at `host` and `port` now; not `permanently`: ask here again the next time."""

    def __init__(self, failure: LoginFailure, host: str, port: int) -> None:
        super().__init__(failure)
        self.host = host
        self.port = port
        self.permanently = failure.status == LoginStatus.TARGET_MOVED_PERMANENTLY


class ConnectionEndedError(InitiatorError):
    """The connection has ended, for `reason`."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class CommandError(InitiatorError):
    """A command that did not end with GOOD; `result` has its status and sense data."""

    def __init__(self, result: CommandResult) -> None:
        super().__init__(result)
        self.result = result

    def __str__(self) -> str:
        result = self.result
        sense = f", sense {result.sense.hex()}" if result.sense else ""
        return f"response {result.response}, status 0x{result.status:02x}{sense}"


class RejectedError(InitiatorError):
    """The target answered a request with a Reject, which `message` is."""

    def __init__(self, message: Reject) -> None:
        super().__init__(message)
        self.message = message

    def __str__(self) -> str:
        return f"rejected, reason 0x{self.message.reason:02x}"


class AbortedError(InitiatorError):
    """The command under this tag was aborted and has no status."""

    def __init__(self, initiator_task_tag: int) -> None:
        super().__init__(initiator_task_tag)
        self.initiator_task_tag = initiator_task_tag

    def __str__(self) -> str:
        return f"command {self.initiator_task_tag} was aborted"
