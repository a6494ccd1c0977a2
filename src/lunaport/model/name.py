"""iSCSI names (RFC 7143 sections 4.2.7.1 to 4.2.7.5), normalised by the stringprep profile of RFC 3722.

`parse_name` takes what a user typed: a full name in one of the three formats, or a short name, which becomes the part
after the colon of an `iqn.` name. Invariants: what it returns is at most 223 bytes of UTF-8, and parsing it again
returns it unchanged.
"""

import re
import stringprep
import unicodedata
from typing import Final

from lunaport.model.errors import Fault, InvalidError, invalid

NAME_BYTES_MAX: Final = 223
"""RFC 7143 section 4.2.7.1."""

TYPED_CHARS_MAX: Final = 1024
"""More than this is not looked at."""

DEFAULT_IQN_PREFIX: Final = "iqn.2026-11.io.lunaport"

_LABEL = r"[a-z0-9](?:[a-z0-9-]*[a-z0-9])?"
_IQN_PREFIX = re.compile(rf"iqn\.[0-9]{{4}}-(?:0[1-9]|1[0-2])\.{_LABEL}(?:\.{_LABEL})*")
_WILDCARD = re.compile(r"([*?])")
_EUI = re.compile(r"eui\.[0-9a-f]{16}")
_NAA = re.compile(r"naa\.(?:[0-9a-f]{16}|[0-9a-f]{32})")

_ASCII_ALLOWED = frozenset("abcdefghijklmnopqrstuvwxyz0123456789-.:")
"""What RFC 3722 section 6 leaves of ASCII, after case folding."""

_PROHIBITED_TABLES = (
    stringprep.in_table_c11_c12,
    stringprep.in_table_c21_c22,
    stringprep.in_table_c3,
    stringprep.in_table_c4,
    stringprep.in_table_c5,
    stringprep.in_table_c6,
    stringprep.in_table_c7,
    stringprep.in_table_c8,
    stringprep.in_table_c9,
    stringprep.in_table_a1,
)


def _prohibited(char: str) -> bool:
    """RFC 3722 section 6, and its section 3: unassigned code points are not for stored strings."""
    if char <= "\x7f":
        return char not in _ASCII_ALLOWED
    return char == "\u3002" or any(table(char) for table in _PROHIBITED_TABLES)


def _refuse(reason: str, prefix: str) -> InvalidError:
    return invalid(
        Fault.NAME_INVALID,
        f"{reason}; right would be {prefix}:disk1, eui.02004567a425678d, naa.52004567ba64678d, "
        f"or a short name such as disk1, which becomes {prefix}:disk1",
        "name",
    )


def _prepare(text: str, prefix: str) -> str:
    """Map, normalise and check as RFC 3722 says."""
    mapped = "".join(stringprep.map_table_b2(char) for char in text if not stringprep.in_table_b1(char))
    prepared = unicodedata.ucd_3_2_0.normalize("NFKC", mapped)
    for char in prepared:
        if _prohibited(char):
            shown = repr(char) if char.isprintable() else f"U+{ord(char):04X}"
            raise _refuse(f"the character {shown} is not allowed in an iSCSI name", prefix)
    return prepared


def _check_direction(name: str, prefix: str) -> None:
    """RFC 3454 section 6: a name with right-to-left letters holds no others, and starts and ends with them."""
    if any(stringprep.in_table_d1(char) for char in name) and (
        any(stringprep.in_table_d2(char) for char in name)
        or not (stringprep.in_table_d1(name[0]) and stringprep.in_table_d1(name[-1]))
    ):
        raise _refuse("right-to-left letters cannot be mixed with others in an iSCSI name", prefix)


def is_iqn_prefix(text: str) -> bool:
    """Whether `text` can stand before the colon of an `iqn.` name: `iqn.<yyyy-mm>.<reversed domain>`."""
    return len(text) <= NAME_BYTES_MAX // 2 and _IQN_PREFIX.fullmatch(text) is not None


def parse_name(text: str, prefix: str = DEFAULT_IQN_PREFIX) -> str:
    """The full, normalised name for what a user typed. Raises InvalidError at `name`."""
    if not text:
        raise _refuse("is empty", prefix)
    if len(text) > TYPED_CHARS_MAX:
        raise _refuse(f"has {len(text)} characters; an iSCSI name has at most {NAME_BYTES_MAX} bytes", prefix)
    name = _prepare(text, prefix)
    if not name:
        raise _refuse("holds no visible character", prefix)
    if not name.startswith(("iqn.", "eui.", "naa.")):
        name = f"{prefix}:{name}"
    _check_direction(name, prefix)
    length = len(name.encode())
    if length > NAME_BYTES_MAX:
        raise _refuse(f"is {length} bytes long as a full name; at most {NAME_BYTES_MAX} are allowed", prefix)
    _check_format(name, prefix)
    return name


def parse_initiator(text: str) -> str:
    """An initiator's full name, normalised, or a pattern for such: `*` is any text, `?` any character.

    Raises InvalidError.
    """
    if not 0 < len(text) <= NAME_BYTES_MAX:
        raise _refuse_initiator(f"is {len(text)} characters long")
    if "*" not in text and "?" not in text:
        if not text.lower().startswith(("iqn.", "eui.", "naa.")):
            raise _refuse_initiator("is not a full iSCSI name")
        try:
            return parse_name(text)
        except InvalidError:
            raise _refuse_initiator("is not an iSCSI name") from None
    try:
        parts = [part if part in {"*", "?"} else _prepare(part, "") for part in _WILDCARD.split(text)]
    except InvalidError:
        raise _refuse_initiator("holds what is not allowed in iSCSI names") from None
    return "".join(parts)


def _refuse_initiator(reason: str) -> InvalidError:
    return invalid(
        Fault.NAME_INVALID,
        f"{reason}; right would be an initiator's name such as iqn.1993-08.org.debian:01:abc, "
        "or a pattern such as iqn.1993-08.org.debian:*",
    )


def _check_format(name: str, prefix: str) -> None:
    if name.startswith("iqn."):
        authority, colon, rest = name.partition(":")
        if _IQN_PREFIX.fullmatch(authority) is None:
            raise _refuse(
                f"{name!r} is not an iSCSI qualified name: after iqn. comes yyyy-mm. and a reversed domain name", prefix
            )
        if colon and not rest:
            raise _refuse(f"{name!r} ends at its colon", prefix)
    elif name.startswith("eui."):
        if _EUI.fullmatch(name) is None:
            raise _refuse(f"{name!r} is not an EUI-64 name: eui. is followed by 16 hexadecimal digits", prefix)
    elif _NAA.fullmatch(name) is None:
        raise _refuse(f"{name!r} is not an NAA name: naa. is followed by 16 or 32 hexadecimal digits", prefix)
