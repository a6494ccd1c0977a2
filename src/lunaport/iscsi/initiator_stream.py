"""A stream of bytes taken apart into PDUs, for initiators (RFC 7143 section 11.2).

Digests are checked and taken off. Nothing here looks into a PDU. Invariant: a PDU whose header promises more than the
bounds that hold is refused before its data is waited for.
"""

from lunaport.iscsi.digest import check_data_digest, check_header_digest
from lunaport.iscsi.errors import RemoteProtocolError
from lunaport.iscsi.limits import AHS_BYTES_MAX, BHS_BYTES, DIGEST_BYTES
from lunaport.iscsi.pdu import pad4


class PduReader:
    """What has been received and not been looked at. The digests in force and the bound may change between PDUs."""

    def __init__(self, data_segment_bytes_max: int) -> None:
        self.data_segment_bytes_max = data_segment_bytes_max
        self.header_digest = False
        self.data_digest = False
        self._buffer = bytearray()

    def feed(self, data: bytes) -> None:
        """Add what was received."""
        self._buffer += data

    def next_pdu(self) -> tuple[bytes, bytes] | None:
        """Header and data (no padding) of the next whole PDU. Raises RemoteProtocolError; DigestError among them."""
        buffer = self._buffer
        if len(buffer) < BHS_BYTES:
            return None
        ahs_bytes = buffer[4] * 4
        data_bytes = int.from_bytes(buffer[5:8], "big")
        if ahs_bytes > AHS_BYTES_MAX:
            raise RemoteProtocolError(f"additional header segments of {ahs_bytes} bytes")
        if data_bytes > self.data_segment_bytes_max:
            reason = f"a data segment of {data_bytes} bytes, longer than the {self.data_segment_bytes_max} declared"
            raise RemoteProtocolError(reason)
        header_end = BHS_BYTES + ahs_bytes
        data_start = header_end + DIGEST_BYTES * self.header_digest
        data_end = data_start + pad4(data_bytes)
        end = data_end + DIGEST_BYTES * (self.data_digest and data_bytes > 0)
        if len(buffer) >= data_start and self.header_digest:
            check_header_digest(buffer[:header_end], buffer[header_end:data_start])
        if len(buffer) < end:
            return None
        if self.data_digest and data_bytes:
            check_data_digest(buffer[data_start:data_end], buffer[data_end:end])
        header, data = bytes(buffer[:BHS_BYTES]), bytes(buffer[data_start : data_start + data_bytes])
        del buffer[:end]
        return header, data
