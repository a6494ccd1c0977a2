"""CHAP as a user sets it (RFC 7143 sections 12.1.3 and 9.2.1): who proves himself to whom, with which name and secret.

One-way: the target authenticates initiators. Mutual: the target proves itself too. Invariants of a valid pair: what is
enabled has a name and a secret; mutual is enabled only with one-way; the two secrets differ (RFC 7143 section 9.2.1).
Secrets never appear in messages or reprs.
"""

from dataclasses import dataclass, field
from typing import Final

from lunaport.model.errors import Collector, Fault, InvalidError, invalid

SECRET_BYTES_MIN: Final = 12
SECRET_BYTES_MAX: Final = 16
"""12 to 16 bytes is the range that every initiator accepts."""
USERNAME_BYTES_MAX: Final = 255


@dataclass(frozen=True, slots=True, kw_only=True)
class Chap:
    """One direction of CHAP. No secret, no name: never set."""

    enabled: bool = False
    username: str = ""
    secret: str = field(default="", repr=False)
    secret_changed_at: float = 0.0
    """Seconds since 1970; 0.0 while no secret is set."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChapChange:
    """What a request says about one direction; None: as it is."""

    enabled: bool | None = None
    username: str | None = None
    secret: str | None = field(default=None, repr=False)


def _has_control(text: str) -> bool:
    return any(char < " " or char == "\x7f" for char in text)


def check_username(username: str) -> None:
    """Raise InvalidError unless this is a CHAP name of 1 to 255 bytes without control characters."""
    length = len(username.encode())
    if not 1 <= length <= USERNAME_BYTES_MAX or _has_control(username):
        reason = "holds a control character" if 1 <= length <= USERNAME_BYTES_MAX else f"is {length} bytes long"
        raise invalid(
            Fault.CHAP_USERNAME_INVALID,
            f"{reason}; right would be 1 to {USERNAME_BYTES_MAX} bytes of UTF-8 without control characters",
            "username",
        )


def check_secret(secret: str) -> None:
    """Raise InvalidError unless this is a secret of 12 to 16 bytes without control characters."""
    length = len(secret.encode())
    if not SECRET_BYTES_MIN <= length <= SECRET_BYTES_MAX or _has_control(secret):
        in_range = SECRET_BYTES_MIN <= length <= SECRET_BYTES_MAX
        reason = "holds a control character" if in_range else f"is {length} bytes long"
        raise invalid(
            Fault.CHAP_SECRET_INVALID,
            f"{reason}; right would be {SECRET_BYTES_MIN} to {SECRET_BYTES_MAX} bytes of UTF-8, "
            "which all initiators accept",
            "secret",
        )


def merge_chap(current: Chap, change: ChapChange, now: float) -> Chap:
    """`current` as `change` makes it. Raises InvalidError with every problem of this direction."""
    problems = Collector()
    enabled = current.enabled if change.enabled is None else change.enabled
    username = current.username if change.username is None else change.username
    secret, changed_at = current.secret, current.secret_changed_at
    if change.secret is not None:
        try:
            check_secret(change.secret)
        except InvalidError as error:
            problems.take(error)
        if change.secret != current.secret:
            secret, changed_at = change.secret, now
    if username:
        try:
            check_username(username)
        except InvalidError as error:
            problems.take(error)
    elif enabled:
        problems.add(Fault.CHAP_INCOMPLETE, "is empty, but enabled CHAP needs a user name", "username")
    if enabled and not secret:
        problems.add(
            Fault.CHAP_INCOMPLETE,
            f"is not set, but enabled CHAP needs one of {SECRET_BYTES_MIN} to {SECRET_BYTES_MAX} bytes",
            "secret",
        )
    problems.raise_any()
    return Chap(enabled=enabled, username=username, secret=secret, secret_changed_at=changed_at)


def check_pair(one_way: Chap, mutual: Chap) -> None:
    """Raise InvalidError unless the two directions go together."""
    problems = Collector()
    if mutual.enabled and not one_way.enabled:
        problems.add(
            Fault.CHAP_MUTUAL_ALONE,
            "is true, but mutual CHAP works only together with one-way CHAP; enable one-way CHAP as well",
            "mutual",
            "enabled",
        )
    if one_way.secret and one_way.secret == mutual.secret:
        problems.add(
            Fault.CHAP_SECRETS_EQUAL,
            "is the same as that of one-way CHAP; the two directions need different ones (RFC 7143 section 9.2.1)",
            "mutual",
            "secret",
        )
    problems.raise_any()
