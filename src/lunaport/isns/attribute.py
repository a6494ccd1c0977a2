"""Attributes: tag, length, value, padded to four bytes (RFC 4171 section 5.3, values in section 6).

An attribute is kept as it came; the `as_` functions read its value when it is needed. Texts end in NUL on the wire.
"""

import ipaddress
import struct
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from lunaport.isns.enums import Tag
from lunaport.isns.errors import FormatError
from lunaport.isns.limits import ATTRIBUTE_COUNT_MAX, TEXT_BYTES_MAX

_HEAD: Final = struct.Struct(">II")
_V4_MAPPED: Final = bytes(10) + b"\xff\xff"


@dataclass(frozen=True, slots=True, kw_only=True)
class Attribute:
    """One attribute. `value` has a length that is a multiple of four; an empty one asks, or says nothing."""

    tag: int
    value: bytes = b""


DELIMITER: Final = Attribute(tag=Tag.DELIMITER)


def empty(tag: int) -> Attribute:
    """An attribute without a value."""
    return Attribute(tag=tag)


def number(tag: int, value: int) -> Attribute:
    """An unsigned number of four bytes."""
    return Attribute(tag=tag, value=value.to_bytes(4, "big"))


def text(tag: int, value: str) -> Attribute:
    """A text: UTF-8, NUL, padding."""
    raw = value.encode() + b"\0"
    assert len(raw) <= TEXT_BYTES_MAX
    return Attribute(tag=tag, value=raw + bytes(-len(raw) % 4))


def address(tag: int, value: str) -> Attribute:
    """An IP address: 16 bytes, IPv4 mapped into IPv6 (RFC 4291 section 2.5.5.2)."""
    packed = ipaddress.ip_address(value).packed
    return Attribute(tag=tag, value=packed if len(packed) == 16 else _V4_MAPPED + packed)


def as_number(attribute: Attribute) -> int:
    """The number. Raises FormatError."""
    if len(attribute.value) != 4:
        raise FormatError(f"attribute {attribute.tag} has {len(attribute.value)} bytes instead of 4")
    return int.from_bytes(attribute.value, "big")


def as_text(attribute: Attribute) -> str:
    """The text up to its NUL. Raises FormatError."""
    raw, nul, _ = attribute.value.partition(b"\0")
    if not nul or len(raw) >= TEXT_BYTES_MAX:
        raise FormatError(f"attribute {attribute.tag} is no text that ends in NUL")
    try:
        return raw.decode()
    except UnicodeDecodeError:
        raise FormatError(f"attribute {attribute.tag} is not UTF-8") from None


def as_address(attribute: Attribute) -> str:
    """The IP address. Raises FormatError."""
    if len(attribute.value) != 16:
        raise FormatError(f"attribute {attribute.tag} has {len(attribute.value)} bytes instead of 16")
    if attribute.value.startswith(_V4_MAPPED):
        return str(ipaddress.IPv4Address(attribute.value[12:]))
    return str(ipaddress.IPv6Address(attribute.value))


def serialize_attributes(attributes: Iterable[Attribute]) -> bytes:
    """Attributes as they stand in a payload."""
    pieces: list[bytes] = []
    for each in attributes:
        assert len(each.value) % 4 == 0
        pieces += (_HEAD.pack(each.tag, len(each.value)), each.value)
    return b"".join(pieces)


def parse_attributes(payload: bytes) -> tuple[Attribute, ...]:
    """The attributes of a payload. Raises FormatError."""
    found: list[Attribute] = []
    at, end = 0, len(payload)
    while at < end:
        if end - at < _HEAD.size:
            raise FormatError("it ends within the head of an attribute")
        tag, length = _HEAD.unpack_from(payload, at)
        at += _HEAD.size
        if length % 4 or length > end - at:
            raise FormatError(f"attribute {tag} says it has {length} bytes, {end - at} are left")
        if len(found) == ATTRIBUTE_COUNT_MAX:
            raise FormatError(f"it has more than {ATTRIBUTE_COUNT_MAX} attributes")
        found.append(Attribute(tag=tag, value=payload[at : at + length]))
        at += length
    return tuple(found)
