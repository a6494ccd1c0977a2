"""Secrets that Lunaport makes up: for CHAP, and as the first password."""

import secrets
from typing import Final

RANDOM_BYTES: Final = 12
"""96 random bits, as RFC 7143 section 9.2.1 wants of a CHAP secret; 16 characters, which every initiator takes."""


def new_secret() -> str:
    """A secret nobody can guess; it begins with a letter or a digit, so that no program takes it for an option."""
    while not (made := secrets.token_urlsafe(RANDOM_BYTES))[0].isalnum():
        pass
    return made
