"""Who may use the interfaces: users, what their roles allow, and tokens that stand for them."""

import re
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from lunaport.model.errors import Fault, invalid

ADMIN: Final = "admin"
"""The user of the first start."""
PASSWORD_BYTES_MAX: Final = 256
PASSWORD_BYTES_MIN: Final = 8
TOKEN_PREFIX: Final = "lunaport_"  # noqa: S105 - what every token begins with, so that scanners find lost ones
TOKEN_DAYS_MAX: Final = 3650.0

_NAME = re.compile(r"[a-z0-9](?:[a-z0-9._-]{0,61}[a-z0-9])?")


class Role(StrEnum):
    """What a user may do; each may do all that the ones before it may."""

    VIEWER = "viewer"
    """Look at everything but users, tokens of others and the audit log."""
    OPERATOR = "operator"
    """Work with shares and sessions."""
    ADMIN = "admin"
    """Everything."""

    def allows(self, needed: "Role") -> bool:
        """Whether this role may do what `needed` may."""
        order = list(Role)
        return order.index(self) >= order.index(needed)


@dataclass(frozen=True, slots=True, kw_only=True)
class User:
    """A user; the hash tells nothing about the password, yet stays out of reprs."""

    name: str
    password_hash: str = field(repr=False)
    created_at: float
    role: Role = Role.ADMIN


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """A token: stands for its user, with no more than its own role, until it expires. `digest`: SHA-256 of its text."""

    id: int
    name: str
    user: str
    role: Role
    digest: bytes = field(repr=False)
    created_at: float
    expires_at: float | None
    """None: never."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Actor:
    """Who asks for something: a user, how he was recognised, and the address he came from."""

    user: str
    role: Role
    way: str
    """`password`, `token NAME`, or `lunaport` for what the NAS does by itself."""
    address: str = ""


NAS_ITSELF: Final = Actor(user="", role=Role.ADMIN, way="lunaport")


def check_name(name: str) -> str:
    """The name of a user or token. Raises InvalidError at `name`."""
    if _NAME.fullmatch(name) is None:
        raise invalid(
            Fault.USER_NAME_INVALID,
            "is not usable; right would be 1 to 63 of a-z, 0-9, dot, dash, underscore, "
            "with a letter or digit at both ends",
            "name",
        )
    return name


def check_password(password: str) -> None:
    """Raise InvalidError unless this can be a password: 8 to 256 bytes, no control characters."""
    length = len(password.encode())
    if not PASSWORD_BYTES_MIN <= length <= PASSWORD_BYTES_MAX or any(char < " " or char == "\x7f" for char in password):
        raise invalid(
            Fault.PARAMETER_INVALID,
            f"is not usable; right would be {PASSWORD_BYTES_MIN} to {PASSWORD_BYTES_MAX} bytes "
            "of UTF-8 without control characters",
            "password",
        )
