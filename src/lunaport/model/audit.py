"""What was done to the NAS: one entry for each change that somebody asked for.

`masked` turns any value of the model into plain JSON values, for the record: a field that its class hides from reprs is
a secret, and is shown as set, not set or changed only.
"""

from dataclasses import dataclass, fields, is_dataclass
from enum import Enum, StrEnum
from typing import Any, Final

SECRET: Final = "(secret)"  # noqa: S105 - what stands in place of one
CHANGED_SECRET: Final = "(changed)"  # noqa: S105 - what stands in place of one


class Outcome(StrEnum):
    """What became of it."""

    BEGUN = "begun"
    """It was cut off by a crash of the control process; the next start finished or undid it."""
    DONE = "done"
    REFUSED = "refused"
    """A value was wrong, or something was in the way; nothing changed."""
    FAILED = "failed"
    """An internal error; the log tells more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditEntry:
    """One change. `changes`: path of a field to its value before and after, as JSON values."""

    id: int
    at: float
    user: str
    way: str
    address: str
    action: str
    subject: str
    request: dict[str, Any]
    outcome: Outcome
    changes: dict[str, tuple[Any, Any]]
    error: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditFilter:
    """Which entries are looked for; None: whatever it is. Times are seconds since 1970."""

    user: str | None = None
    subject: str | None = None
    action: str | None = None
    since: float | None = None
    """Not before this."""
    until: float | None = None
    """Before this."""


class _Secret:
    """A secret that is set; two of them differ when the secrets do."""

    def __init__(self, value: object) -> None:
        self._value = value

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Secret) and self._value == other._value

    __hash__ = None  # type: ignore[assignment] # it is compared, never kept in a set


def _plain(value: object) -> Any:
    """JSON values, with secrets still told apart."""
    if is_dataclass(value) and not isinstance(value, type):
        plain = {}
        for each in fields(value):
            content = getattr(value, each.name)
            plain[each.name] = _Secret(content) if content and not each.repr else _plain(content)
        return plain
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, dict):
        return {str(key): _plain(each) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(each) for each in value]
    if isinstance(value, (set, frozenset)):
        return sorted(map(str, value))
    return value if value is None or isinstance(value, (str, int, float, bool)) else str(value)


def _shown(plain: Any) -> Any:
    if isinstance(plain, _Secret):
        return SECRET
    if isinstance(plain, dict):
        return {key: _shown(each) for key, each in plain.items()}
    return [_shown(each) for each in plain] if isinstance(plain, list) else plain


def masked(value: object) -> Any:
    """A value of the model as JSON values, secrets masked."""
    return _shown(_plain(value))


def without_nothing(plain: Any) -> Any:
    """A masked value without what was left out of a request (null)."""
    if isinstance(plain, dict):
        kept = {key: without_nothing(each) for key, each in plain.items()}
        return {key: each for key, each in kept.items() if each is not None and each != {}}
    return plain


def differences(before: object, after: object) -> dict[str, tuple[Any, Any]]:
    """Each field that differs, by its path, with both values masked. None: there was, or is, nothing."""
    found: dict[str, tuple[Any, Any]] = {}
    _compare(_plain(before), _plain(after), "", found)
    return found


def _compare(before: Any, after: Any, path: str, found: dict[str, tuple[Any, Any]]) -> None:
    if isinstance(before, dict) and isinstance(after, dict):
        for key in [*before, *(key for key in after if key not in before)]:
            _compare(before.get(key), after.get(key), f"{path}.{key}" if path else key, found)
    elif isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        for number, (left, right) in enumerate(zip(before, after, strict=True)):
            _compare(left, right, f"{path}[{number}]", found)
    elif before != after:
        both = isinstance(before, _Secret) and isinstance(after, _Secret)
        found[path] = (_shown(before), CHANGED_SECRET if both else _shown(after))
