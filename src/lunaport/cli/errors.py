"""How commands end. The exit codes are stable: scripts decide by them (docs/cli.md)."""

from enum import IntEnum


class Exit(IntEnum):
    """Exit codes."""

    OK = 0
    FAILED = 1
    """The NAS could not do it, or answered what cannot be understood."""
    USAGE = 2
    """A value or an option is wrong; nothing has changed."""
    UNREACHABLE = 3
    REFUSED = 4
    """User name or password are wrong, or the request is not allowed."""
    NOT_FOUND = 5
    CONFLICT = 6
    """Something is in the way, or changed in the meantime."""
    TIMEOUT = 7
    """It did not come to that within the time given."""


class CliError(Exception):
    """A command ends with this code; each line says what was wrong and what would be right."""

    def __init__(self, code: Exit, *lines: str) -> None:
        super().__init__(code, *lines)
        self.code = code
        self.lines = lines

    def __str__(self) -> str:
        return "; ".join(self.lines)
