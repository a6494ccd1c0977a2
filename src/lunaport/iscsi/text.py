"""Text of login and text PDUs: key=value pairs and the forms of a value (RFC 7143 section 6.1).

What a key means is told by `keys`. Here is only form: every bound on keys, values and their number is kept before
anything is built from them, a key comes once in a request, and text is UTF-8 without control characters.
"""

import binascii
import re
from collections.abc import Iterable
from typing import Final

from lunaport.iscsi.errors import LocalProtocolError, TextError, quoted
from lunaport.iscsi.limits import (
    LIST_ITEMS_MAX,
    NAME_BYTES_MAX,
    TEXT_KEY_BYTES_MAX,
    TEXT_KEYS_MAX,
    TEXT_NUMBER_CHARACTERS_MAX,
    TEXT_REQUEST_BYTES_MAX,
    TEXT_SIMPLE_VALUE_BYTES_MAX,
    TEXT_VALUE_BYTES_MAX,
)

NOT_UNDERSTOOD: Final = "NotUnderstood"
IRRELEVANT: Final = "Irrelevant"
REJECT: Final = "Reject"
VERDICTS: Final = frozenset((NOT_UNDERSTOOD, IRRELEVANT, REJECT))
"""Values with which a peer answers a key instead of agreeing on it (section 6.2)."""

# "#" stands in the names of registered extensions only, such as X#NodeArchitecture (section 13.26).
KEY: Final = re.compile(r"[A-Za-z][A-Za-z0-9.\-+@_#]*")
DECIMAL: Final = re.compile(r"[0-9]+")
HEXADECIMAL: Final = re.compile(r"0[xX][0-9A-Fa-f]+")
LONG_VALUES: Final = frozenset(("CHAP_C", "CHAP_R"))
"""Keys whose values may be longer than text usually is (section 12.1.3)."""


def parse_text(data: bytes) -> dict[str, str]:
    """Return the pairs of a request in their order. Raises TextError.

    Pairs end in NUL; several NULs in a row count as one, and the last pair may lack it, as it does with some
    initiators.
    """
    if len(data) > TEXT_REQUEST_BYTES_MAX:
        raise TextError(f"text of more than {TEXT_REQUEST_BYTES_MAX} bytes")
    pairs: dict[str, str] = {}
    for piece in data.split(b"\0"):
        if not piece:
            continue
        if len(pairs) == TEXT_KEYS_MAX:
            raise TextError(f"more than {TEXT_KEYS_MAX} keys in one request")
        key, value = _parse_pair(piece)
        if key in pairs:
            raise TextError(f"key {key} comes twice")
        pairs[key] = value
    return pairs


def _parse_pair(piece: bytes) -> tuple[str, str]:
    key_bytes, equals, value_bytes = piece.partition(b"=")
    if not equals:
        raise TextError("text without '=' in it")
    if len(key_bytes) > TEXT_KEY_BYTES_MAX:
        raise TextError(f"a key of more than {TEXT_KEY_BYTES_MAX} bytes")
    try:
        key = key_bytes.decode("ascii")
        value = value_bytes.decode("utf-8")
    except UnicodeDecodeError as error:
        raise TextError("text that is not UTF-8") from error
    if not KEY.fullmatch(key):
        raise TextError(f"{quoted(key)} cannot be a key")
    value_bytes_max = TEXT_VALUE_BYTES_MAX if key in LONG_VALUES else TEXT_SIMPLE_VALUE_BYTES_MAX
    if len(value_bytes) > value_bytes_max:
        raise TextError(f"{key} of more than {value_bytes_max} bytes")
    if not value.isprintable():
        raise TextError(f"{key} holds control characters")
    return key, value


def serialize_text(pairs: Iterable[tuple[str, str]]) -> bytes:
    """Return pairs in wire form. A key may repeat: TargetName and TargetAddress do (appendix C)."""
    parts = []
    for key, value in pairs:
        if not KEY.fullmatch(key) or "\0" in value:
            raise LocalProtocolError(f"{quoted(key)} cannot be sent as a pair")
        parts.append(f"{key}={value}\0")
    return "".join(parts).encode()


def parse_number(value: str) -> int:
    """Return a decimal or hexadecimal constant. Raises TextError."""
    if len(value) <= TEXT_NUMBER_CHARACTERS_MAX:
        if DECIMAL.fullmatch(value):
            return int(value)
        if HEXADECIMAL.fullmatch(value):
            return int(value, 16)
    raise TextError(f"{quoted(value)} is not a number")


def parse_boolean(value: str) -> bool:
    """Return Yes or No as a truth value. Raises TextError."""
    if value not in ("Yes", "No"):
        raise TextError(f"{quoted(value)} is neither Yes nor No")
    return value == "Yes"


def parse_list(value: str) -> list[str]:
    """Return the items of a list of values in their order. Raises TextError."""
    items = value.split(",")
    if len(items) > LIST_ITEMS_MAX or not all(items):
        raise TextError(f"{quoted(value)} is not a list of at most {LIST_ITEMS_MAX} values")
    return items


def parse_binary(value: str, bytes_max: int) -> bytes:
    """Return a large binary value, written in hexadecimal (0x) or base64 (0b). Raises TextError, without the value."""
    if len(value) > 2 + 2 * bytes_max:
        raise TextError(f"a binary value of more than {bytes_max} bytes")
    try:
        if value.startswith(("0x", "0X")):
            binary = binascii.a2b_hex(value[2:])
        elif value.startswith(("0b", "0B")):
            binary = binascii.a2b_base64(value[2:], strict_mode=True)
        else:
            raise TextError("a binary value that starts with neither 0x nor 0b")
    except ValueError as error:
        raise TextError("a binary value that is neither hexadecimal nor base64") from error
    if not 0 < len(binary) <= bytes_max:
        raise TextError(f"a binary value of {len(binary)} bytes where 1 to {bytes_max} are allowed")
    return binary


def serialize_binary(binary: bytes) -> str:
    """Return a large binary value in hexadecimal, which every initiator reads."""
    return "0x" + binary.hex()


def parse_name(value: str) -> str:
    """Return an iSCSI name as it is compared: in lower case (section 4.2.7.1). Raises TextError.

    Only what would make a name ambiguous is refused: initiators are seen that name themselves freely.
    """
    if not value or len(value.encode()) > NAME_BYTES_MAX or " " in value or "," in value:
        raise TextError(f"{quoted(value)} is not an iSCSI name of at most {NAME_BYTES_MAX} bytes")
    return value.lower()
