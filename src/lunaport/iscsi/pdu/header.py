"""The header that every PDU starts with (RFC 7143 section 11.2), and the bits and bounds that all of them share.

What the fields mean is told by the modules beside this one. Sequence numbers, tags and lengths are unsigned 32-bit; a
LUN is the 8-byte field as one big-endian integer.
"""

import struct
from typing import Final, TypeAlias

from lunaport.iscsi.enums import Opcode
from lunaport.iscsi.errors import LocalProtocolError
from lunaport.iscsi.limits import BHS_BYTES

ReadableBuffer: TypeAlias = bytes | bytearray | memoryview

BHS: Final = struct.Struct(">BBHIQIIII16s")
"""opcode | I, flags, two specific bytes, AHS length << 24 | data length, LUN, initiator task tag, then three dwords
(tag or length; CmdSN or StatSN; ExpStatSN or ExpCmdSN) and the last 16 bytes (section 11.2.1)."""

TAIL: Final = struct.Struct(">IIII")
"""The last 16 bytes where they are dwords; in what a target sends the first is MaxCmdSN."""

RESERVED_TAG: Final = 0xFFFFFFFF
"""No task (section 11.2.1.8)."""
IMMEDIATE: Final = 0x40
OPCODE_MASK: Final = 0x3F
FINAL: Final = 0x80
"""F bit; T bit of a login."""
CONTINUE: Final = 0x40
"""C bit of text and login."""
ACKNOWLEDGE: Final = 0x40
"""A bit of Data-In."""
STATUS: Final = 0x01
"""S bit of Data-In."""
DATA_LENGTH_MASK: Final = 0xFFFFFF


def pad4(length: int) -> int:
    """Return `length` rounded up to whole words (section 11.2.3)."""
    return (length + 3) & ~3


def opcode_of(bhs: ReadableBuffer) -> int:
    """Return the opcode of a header, known or not."""
    return bhs[0] & OPCODE_MASK


def serialize_pdu(
    opcode: Opcode,
    *,
    immediate: bool = False,
    flags: int = FINAL,
    specific: int = 0,
    lun: int = 0,
    itt: int = RESERVED_TAG,
    words: tuple[int, int, int] = (0, 0, 0),
    tail: bytes = bytes(16),
    ahs: bytes = b"",
    data: bytes = b"",
) -> bytes:
    """Return a PDU: header, AHS, data and its padding. `words` are dwords 5 to 7; what is left out is reserved."""
    if len(data) > DATA_LENGTH_MASK or len(ahs) > 255 * 4 or len(ahs) % 4:
        raise LocalProtocolError(f"no room in the header for {len(ahs)} bytes of AHS and {len(data)} of data")
    first = opcode | IMMEDIATE if immediate else int(opcode)
    lengths = len(ahs) // 4 << 24 | len(data)
    bhs = BHS.pack(first, flags, specific, lengths, lun, itt, *words, tail)
    return b"".join((bhs, ahs, data, bytes(-len(data) % 4)))


def unpack_bhs(bhs: ReadableBuffer, opcode: Opcode) -> tuple[int, int, int, int, int, int, int, int, int, bytes]:
    """Return the fields of `BHS`. The caller has looked at the opcode: another one is its mistake."""
    if len(bhs) != BHS_BYTES or opcode_of(bhs) != opcode:
        raise LocalProtocolError(f"not the header of a PDU of type {opcode.name}")
    fields: tuple[int, int, int, int, int, int, int, int, int, bytes] = BHS.unpack(bhs)
    return fields
