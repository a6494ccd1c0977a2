"""What `lunaport doctor` finds: each with what was looked at, how it is, and what to do."""

from dataclasses import dataclass
from enum import StrEnum


class State(StrEnum):
    """How it is."""

    OK = "ok"
    WARNING = "warning"
    """It works, and should be seen to."""
    ERROR = "error"
    """The NAS does not start, or does not serve what it should."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that was looked at. `help` says what to do; empty where all is well."""

    check: str
    state: State
    text: str
    help: str = ""


def ok(check: str, text: str) -> Finding:
    """All is well."""
    return Finding(check=check, state=State.OK, text=text)


def warning(check: str, text: str, help_: str) -> Finding:
    """It should be seen to."""
    return Finding(check=check, state=State.WARNING, text=text, help=help_)


def error(check: str, text: str, help_: str) -> Finding:
    """It has to be seen to."""
    return Finding(check=check, state=State.ERROR, text=text, help=help_)
