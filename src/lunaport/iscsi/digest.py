"""CRC32C header and data digests (RFC 7143 sections 7.8, 11.2.2 and 13.1).

A header digest covers the basic and additional header segments, a data digest the data segment with its padding; a PDU
without data has no data digest. On the wire the least significant byte comes first. Nothing here splits a stream into
PDUs.
"""

import struct
from typing import Final

from crc32c import crc32c

from lunaport.iscsi.errors import DigestError, LocalProtocolError
from lunaport.iscsi.limits import BHS_BYTES, DIGEST_BYTES
from lunaport.iscsi.pdu import ReadableBuffer

WIRE: Final = struct.Struct("<I")


def digest_of(covered: ReadableBuffer) -> bytes:
    """Return the four bytes that follow `covered` on the wire."""
    return WIRE.pack(crc32c(covered))


def check_header_digest(header: ReadableBuffer, digest: ReadableBuffer) -> None:
    """Raise DigestError unless `digest` belongs to `header`, its AHS included."""
    if digest_of(header) != digest:
        raise DigestError("header digest error")


def check_data_digest(padded_data: ReadableBuffer, digest: ReadableBuffer) -> None:
    """Raise DigestError unless `digest` belongs to the data segment with its padding."""
    if digest_of(padded_data) != digest:
        raise DigestError("data digest error")


def add_digests(pdu: bytes, header: bool, data: bool) -> bytes:
    """Return a serialized PDU with the digests in force put where they belong."""
    header_end = BHS_BYTES + pdu[4] * 4 if len(pdu) >= BHS_BYTES else 0
    if not BHS_BYTES <= header_end <= len(pdu):
        raise LocalProtocolError("not a whole PDU")
    parts = [pdu[:header_end]]
    if header:
        parts.append(digest_of(parts[0]))
    padded_data = pdu[header_end:]
    if padded_data:
        parts.append(padded_data)
        if data:
            parts.append(digest_of(padded_data))
    return b"".join(parts)


def remove_digests(pdu: bytes, header: bool, data: bool) -> bytes:
    """Check the digests of a whole PDU and return it without them: the inverse of `add_digests`. Raises DigestError."""
    header_end = BHS_BYTES + pdu[4] * 4 if len(pdu) >= BHS_BYTES else 0
    data_start = header_end + DIGEST_BYTES * header
    if not BHS_BYTES <= header_end <= data_start <= len(pdu):
        raise LocalProtocolError("not a whole PDU")
    if header:
        check_header_digest(pdu[:header_end], pdu[header_end:data_start])
    padded_data = pdu[data_start:]
    if data and padded_data:
        padded_data, digest = padded_data[:-DIGEST_BYTES], padded_data[-DIGEST_BYTES:]
        check_data_digest(padded_data, digest)
    return pdu[:header_end] + padded_data
