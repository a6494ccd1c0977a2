"""TransportIDs of iSCSI (SPC-4 7.6.4.6): initiator ports as PERSISTENT RESERVE OUT and IN name them.

Format code 01b is a port, `<name>,i,0x<ISID>`; 00b is the name alone and means every port under it. Other protocols
have nothing to do here. Names are compared in lower case (RFC 7143 4.2.7).
"""

import struct
from dataclasses import dataclass

from lunaport.scsi.sense import ScsiError, invalid_field_in_parameter_list

SEPARATOR = ",i,0x"
"""Between name and ISID, in a TransportID as in a SCSI port name."""

_HEADER = struct.Struct(">BxH")
_ISCSI = 0x05
_OF_DEVICE, _OF_PORT = 0x00, 0x40
_FORMAT_AND_PROTOCOL = 0xCF
_ADDITIONAL_BYTES_MIN = 20
_ADDITIONAL_BYTES_MAX = 244
"""A name of 223 bytes, the separator, 12 digits, a zero, padding."""
_NAME_BYTES_MAX = 223
_ISID_DIGITS = 12
_HEX = frozenset("0123456789abcdef")


@dataclass(frozen=True, slots=True, kw_only=True)
class TransportId:
    """An initiator port, or all the ports of an initiator."""

    initiator_name: str
    isid: str = ""
    """12 hexadecimal digits; empty: every port of that name."""

    @property
    def initiator_port(self) -> str:
        """The SCSI port name, where a port is named."""
        return f"{self.initiator_name}{SEPARATOR}{self.isid}"


def parse_transport_id(data: bytes, offset: int) -> tuple[TransportId, int]:
    """The TransportID at `offset` of a parameter list, and where the next begins. Raises ScsiError."""
    if len(data) - offset < _HEADER.size:
        raise ScsiError(invalid_field_in_parameter_list(offset))
    first, length = _HEADER.unpack_from(data, offset)
    form = first & _FORMAT_AND_PROTOCOL
    start = offset + _HEADER.size
    if form not in (_OF_DEVICE | _ISCSI, _OF_PORT | _ISCSI):
        raise ScsiError(invalid_field_in_parameter_list(offset))
    if length % 4 or not _ADDITIONAL_BYTES_MIN <= length <= _ADDITIONAL_BYTES_MAX or length > len(data) - start:
        raise ScsiError(invalid_field_in_parameter_list(offset + 2))
    text, zero, _ = data[start : start + length].partition(b"\0")
    try:
        name = text.decode("utf-8").lower()
    except UnicodeDecodeError as error:
        raise ScsiError(invalid_field_in_parameter_list(start + error.start)) from error
    isid = ""
    if form & _OF_PORT:
        name, separator, isid = name.rpartition(SEPARATOR)
        if not separator or not 1 <= len(isid) <= _ISID_DIGITS or not _HEX.issuperset(isid):
            raise ScsiError(invalid_field_in_parameter_list(start))
        isid = isid.zfill(_ISID_DIGITS)
    if not zero or not name.isprintable() or "," in name or not 1 <= len(name.encode()) <= _NAME_BYTES_MAX:
        raise ScsiError(invalid_field_in_parameter_list(start))
    return TransportId(initiator_name=name, isid=isid), start + length


def serialize_transport_id(initiator_port: str) -> bytes:
    """The TransportID of a SCSI port name; of a name without ISID, the form that names the initiator."""
    form = _OF_PORT if SEPARATOR in initiator_port else _OF_DEVICE
    text = initiator_port.encode("utf-8") + b"\0"
    length = max(_ADDITIONAL_BYTES_MIN, len(text) + -len(text) % 4)
    return _HEADER.pack(form | _ISCSI, length) + text.ljust(length, b"\0")
