"""Who may use the interfaces."""

from dataclasses import dataclass, field
from typing import Final

from lunaport.model.errors import Fault, invalid

ADMIN: Final = "admin"
PASSWORD_BYTES_MAX: Final = 256
PASSWORD_BYTES_MIN: Final = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class User:
    """A user; the hash tells nothing about the password, yet stays out of reprs."""

    name: str
    password_hash: str = field(repr=False)
    created_at: float


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
