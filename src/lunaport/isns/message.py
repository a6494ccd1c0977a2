"""Messages and the PDUs they travel in (RFC 4171 sections 5.1 to 5.6).

A message longer than a PDU goes into several with one transaction id, numbered from 0; the first and the last are
marked. Attributes may be cut anywhere. Authentication blocks (section 5.5) are not taken: a message with one is
refused.
"""

import struct
from dataclasses import dataclass
from typing import Final

from lunaport.isns.attribute import Attribute, parse_attributes, serialize_attributes
from lunaport.isns.enums import RESPONSE, VERSION, Flag
from lunaport.isns.errors import FormatError
from lunaport.isns.limits import MESSAGE_BYTES_MAX, PDU_PAYLOAD_BYTES_MAX

_HEADER: Final = struct.Struct(">HHHHHH")
"""Version, function, payload length, flags, transaction id, sequence id."""
_STATUS_BYTES: Final = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """A request, or a response, which has a status. `replace` means something in DevAttrReg only."""

    function: int
    transaction_id: int
    attributes: tuple[Attribute, ...] = ()
    status: int | None = None
    from_server: bool = False
    replace: bool = False

    @property
    def is_response(self) -> bool:
        """Whether it answers something."""
        return self.function & RESPONSE != 0


def serialize_message(message: Message, payload_bytes_max: int = PDU_PAYLOAD_BYTES_MAX) -> bytes:
    """The PDUs of a message, one behind the other."""
    payload = serialize_attributes(message.attributes)
    if message.is_response:
        payload = (message.status or 0).to_bytes(_STATUS_BYTES, "big") + payload
    flags = (Flag.SERVER if message.from_server else Flag.CLIENT) | (Flag.REPLACE if message.replace else Flag(0))
    pdus: list[bytes] = []
    for sequence_id, start in enumerate(range(0, max(1, len(payload)), payload_bytes_max)):
        piece = payload[start : start + payload_bytes_max]
        first = Flag.FIRST if start == 0 else Flag(0)
        last = Flag.LAST if start + len(piece) == len(payload) else Flag(0)
        head = (VERSION, message.function, len(piece), flags | first | last, message.transaction_id, sequence_id)
        pdus += (_HEADER.pack(*head), piece)
    return b"".join(pdus)


class MessageReader:
    """Takes a stream of bytes and gives the messages in it. After a FormatError the stream is of no more use."""

    def __init__(self, message_bytes_max: int = MESSAGE_BYTES_MAX) -> None:
        self._message_bytes_max = message_bytes_max
        self._unread = bytearray()
        self._payload = bytearray()
        self._begun: tuple[int, int, int] | None = None
        """Function, transaction id and next sequence id of the message that has begun."""

    def receive(self, data: bytes) -> list[Message]:
        """The messages that are whole now. Raises FormatError."""
        self._unread += data
        messages: list[Message] = []
        at = 0
        while len(self._unread) - at >= _HEADER.size:
            version, function, length, flags, transaction_id, sequence_id = _HEADER.unpack_from(self._unread, at)
            self._check(version, length, flags)
            end = at + _HEADER.size + length
            if len(self._unread) < end:
                break
            self._order(function, flags, transaction_id, sequence_id)
            self._payload += self._unread[at + _HEADER.size : end]
            at = end
            if flags & Flag.LAST:
                messages.append(self._message(function, flags, transaction_id))
        del self._unread[:at]
        return messages

    def _check(self, version: int, length: int, flags: int) -> None:
        if version != VERSION:
            raise FormatError(f"its version is {version} instead of {VERSION}")
        if length % 4:
            raise FormatError(f"its length of {length} is no multiple of 4")
        if flags & Flag.AUTHENTICATION:
            raise FormatError("it has an authentication block, which is not supported")
        if len(self._payload) + length > self._message_bytes_max:
            raise FormatError(f"it is longer than {self._message_bytes_max} bytes")

    def _order(self, function: int, flags: int, transaction_id: int, sequence_id: int) -> None:
        if bool(flags & Flag.FIRST) != (self._begun is None):
            raise FormatError("its PDUs are not in order")
        if self._begun is not None and self._begun != (function, transaction_id, sequence_id):
            raise FormatError("its PDUs do not belong together")
        if sequence_id == 0xFFFF:
            raise FormatError("it has too many PDUs")
        self._begun = (function, transaction_id, sequence_id + 1)

    def _message(self, function: int, flags: int, transaction_id: int) -> Message:
        payload = bytes(self._payload)
        self._payload.clear()
        self._begun = None
        status = None
        if function & RESPONSE:
            if len(payload) < _STATUS_BYTES:
                raise FormatError("it has no status")
            status = int.from_bytes(payload[:_STATUS_BYTES], "big")
            payload = payload[_STATUS_BYTES:]
        return Message(
            function=function,
            transaction_id=transaction_id,
            attributes=parse_attributes(payload),
            status=status,
            from_server=flags & Flag.SERVER != 0,
            replace=flags & Flag.REPLACE != 0,
        )
