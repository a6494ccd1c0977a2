"""What this package raises.

IsnsError
 ├─ FormatError        bytes that are no iSNSP message, or one we do not take
 ├─ AnswerError        a message that is no answer to what was asked
 ├─ RefusedError       the server answered with another status than "successful"
 └─ UnreachableError   no connection, no answer in time, or the connection ended
"""

from lunaport.isns.enums import status_text


class IsnsError(Exception):
    """Base of what this package raises. The text is for the administrator."""


class FormatError(IsnsError):
    """The peer's bytes break the format, or a bound."""

    def __str__(self) -> str:
        return f"the server's answer is no iSNS message: {self.args[0]}"


class AnswerError(IsnsError):
    """The server answered something else."""

    def __str__(self) -> str:
        return f"the server answered something else than was asked: {self.args[0]}"


class RefusedError(IsnsError):
    """The server refused a request."""

    def __init__(self, what: str, status: int) -> None:
        super().__init__(what, status)
        self.what = what
        self.status = status

    def __str__(self) -> str:
        return f"the server refused {self.what}: {status_text(self.status)}"


class UnreachableError(IsnsError):
    """The server cannot be reached."""
