"""CHAP as a user sets it (RFC 7143 sections 12.1.3 and 9.2.1): who proves himself to whom, with which name and secret.

One-way: the target authenticates initiators. Mutual: the target proves itself too. Beside the one-way
name and secret that all initiators may use there can be others, each for some initiators or for all. A new secret can
leave the old one valid until a set time. Invariants of what is valid: what is enabled has a name and a secret; mutual
is enabled only where initiators authenticate; no secret serves both directions (RFC 7143 section 9.2.1).
Secrets never appear in messages or reprs.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from lunaport.model.access import parse_initiators
from lunaport.model.errors import Collector, Fault, InvalidError, invalid

SECRET_BYTES_MIN: Final = 12
SECRET_BYTES_MAX: Final = 16
"""12 to 16 bytes is the range that every initiator accepts."""
USERNAME_BYTES_MAX: Final = 255
OVERLAP_S_MAX: Final = 366 * 86400.0
"""How long an old secret may stay valid beside a new one."""
CREDENTIALS_MAX: Final = 64
"""Names and secrets of a target, beside the one-way one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OldSecret:
    """A name and secret that were replaced and are taken until `valid_until`, in seconds since 1970."""

    username: str
    secret: str = field(repr=False)
    valid_until: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Chap:
    """One direction of CHAP. No secret, no name: never set."""

    enabled: bool = False
    username: str = ""
    secret: str = field(default="", repr=False)
    secret_changed_at: float = 0.0
    """Seconds since 1970; 0.0 while no secret is set."""
    old: OldSecret | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ChapChange:
    """What a request says about one direction; None: as it is.

    `old_secret_valid_until`: how long the secret that this request replaces stays valid, or the one that an earlier
    request replaced; a time that is over ends it. A new secret without it is the only one at once.
    """

    enabled: bool | None = None
    username: str | None = None
    secret: str | None = field(default=None, repr=False)
    old_secret_valid_until: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Credential:
    """A name and secret beside the one-way one. No `initiators`: for all; else full names, or patterns."""

    username: str
    secret: str = field(repr=False)
    secret_changed_at: float
    initiators: tuple[str, ...] = ()
    old: OldSecret | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CredentialChange:
    """A credential as a request wants it. No secret: that of the name as it is; the rest as in `ChapChange`."""

    username: str
    secret: str | None = field(default=None, repr=False)
    initiators: tuple[str, ...] = ()
    old_secret_valid_until: float | None = None


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
    secret, changed_at, old = _replace_secret(current, change, now, problems)
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
    return Chap(enabled=enabled, username=username, secret=secret, secret_changed_at=changed_at, old=old)


def _replace_secret(
    current: Chap | Credential, change: ChapChange | CredentialChange, now: float, problems: Collector
) -> tuple[str, float, OldSecret | None]:
    """The secret, when it came, and the one before it, if that is still valid."""
    secret, changed_at, until = current.secret, current.secret_changed_at, change.old_secret_valid_until
    old = current.old if current.old is not None and current.old.valid_until > now else None
    replaces = change.secret is not None and change.secret != current.secret
    if change.secret is not None and replaces:
        try:
            check_secret(change.secret)
        except InvalidError as error:
            problems.take(error)
        old = None
        if until is not None and current.secret:
            old = OldSecret(username=current.username, secret=current.secret, valid_until=until)
        secret, changed_at = change.secret, now
    if until is not None:
        if until <= now:
            old = None
        elif until > now + OVERLAP_S_MAX:
            problems.add(
                Fault.CHAP_OVERLAP_INVALID,
                "is more than a year away; right would be the time by which all initiators have the new secret",
                "old_secret_valid_until",
            )
        elif old is not None:
            old = replace(old, valid_until=until)
        else:
            problems.add(
                Fault.CHAP_OVERLAP_INVALID,
                "is given, but there is no old secret that could stay valid; give it together with a new secret",
                "old_secret_valid_until",
            )
    return secret, changed_at, old


def merge_credentials(
    current: tuple[Credential, ...], changes: Sequence[CredentialChange] | None, now: float
) -> tuple[Credential, ...]:
    """The credentials that `changes` lists, each merged into that of its name. Raises InvalidError."""
    if changes is None:
        return current
    if len(changes) > CREDENTIALS_MAX:
        raise invalid(Fault.CHAP_CREDENTIALS_INVALID, f"has more than {CREDENTIALS_MAX} entries")
    problems = Collector()
    known = {each.username: each for each in current}
    merged: dict[str, Credential] = {}
    seen: set[str] = set()
    for number, change in enumerate(changes):
        if change.username in seen:
            problems.add(Fault.CHAP_CREDENTIALS_INVALID, "is there twice; right would be once", number, "username")
            continue
        seen.add(change.username)
        try:
            merged[change.username] = _merge_credential(known.get(change.username), change, now)
        except InvalidError as error:
            problems.take(error, number)
    problems.raise_any()
    return tuple(merged.values())


def _merge_credential(known: Credential | None, change: CredentialChange, now: float) -> Credential:
    problems = Collector()
    current = known or Credential(username=change.username, secret="", secret_changed_at=0.0)
    try:
        check_username(change.username)
    except InvalidError as error:
        problems.take(error)
    secret, changed_at, old = _replace_secret(current, change, now, problems)
    if not secret and change.secret is None:
        problems.add(
            Fault.CHAP_INCOMPLETE,
            f"is not set; right would be one of {SECRET_BYTES_MIN} to {SECRET_BYTES_MAX} bytes",
            "secret",
        )
    initiators = parse_initiators(change.initiators, problems, "initiators")
    problems.raise_any()
    return Credential(
        username=change.username, secret=secret, secret_changed_at=changed_at, initiators=initiators, old=old
    )


def check_pair(one_way: Chap, mutual: Chap, credentials: Sequence[Credential] = ()) -> None:
    """Raise InvalidError unless the two directions go together."""
    problems = Collector()
    if mutual.enabled and not one_way.enabled and not credentials:
        problems.add(
            Fault.CHAP_MUTUAL_ALONE,
            "is true, but mutual CHAP works only together with one-way CHAP; enable one-way CHAP as well",
            "mutual",
            "enabled",
        )
    theirs: list[Chap | Credential] = [one_way, *credentials]
    secrets = {each.secret for each in theirs} | {each.old.secret for each in theirs if each.old is not None}
    if mutual.secret and mutual.secret in secrets:
        problems.add(
            Fault.CHAP_SECRETS_EQUAL,
            "is the same as one of the initiators; the two directions need different ones (RFC 7143 section 9.2.1)",
            "mutual",
            "secret",
        )
    problems.raise_any()
