"""INQUIRY and its vital product data (SPC-4 6.6 and 7.8, SBC-3 6.5): who the unit is and what it can do.

The NAA designator is a locally assigned one (SPC-4 7.8.6.6.5): any other needs a company id from the IEEE, which the
project has not got. Its 60 bits come from the unit's UUID, which a designator of its own carries whole.
"""

import struct

from lunaport.scsi.enums import DeviceType, VpdPage
from lunaport.scsi.limits import (
    ATOMIC_BYTES_MAX,
    COMPARE_BLOCKS_MAX,
    RESOURCE_UNIT_SHIFT,
    TRANSFER_BYTES_MAX,
    UNMAP_BLOCKS_MAX,
    UNMAP_DESCRIPTORS_MAX,
    WRITE_SAME_BYTES_MAX,
)
from lunaport.scsi.logical_unit import LogicalUnit
from lunaport.scsi.nexus import Nexus
from lunaport.scsi.reply import send
from lunaport.scsi.sense import ScsiError, invalid_field_in_cdb
from lunaport.scsi.task import Task
from lunaport.scsi.vpd_copy import third_party_copy_page

_STANDARD = struct.Struct(">BBBBBBBB8s16s4s22xHHHH30x")
_PAGE_HEADER = struct.Struct(">BBH")
_BLOCK_LIMITS = struct.Struct(">BBHIIIIIIIQIIIII")

_WELL_KNOWN = 0x1E
_NO_UNIT = 0x7F
"""Peripheral qualifier 3 and device type 1Fh: the target cannot have a unit at this LUN."""
_SPC_4 = 0x06
_HISUP_FORMAT_2 = 0x12
_THIRD_PARTY_COPY = 0x08
_CMDQUE = 0x02
_VERSIONS = (0x00A0, 0x0961, 0x0460, 0x04C0)
"""SAM-5, iSCSI, SPC-4, SBC-3 (SPC-4 table 145): no version claimed, but RFC 7143 of iSCSI (RFC 7144 section 4.2)."""
_OPTICAL_VERSIONS = (0x00A0, 0x0961, 0x0460, 0x04E0)
"""SAM-5, iSCSI, SPC-4, MMC-6."""
_OPTICAL_PAGES = (
    VpdPage.SUPPORTED_PAGES,
    VpdPage.UNIT_SERIAL_NUMBER,
    VpdPage.DEVICE_IDENTIFICATION,
    VpdPage.EXTENDED_INQUIRY_DATA,
    VpdPage.MODE_PAGE_POLICY,
    VpdPage.SCSI_PORTS,
)
"""What an optical drive has of the pages of disks."""

_EVPD = 0x01
_ALLOCATION = slice(3, 5)

_LOCALLY_ASSIGNED = "3"
_UUID_DIGITS = 15
_RANDOM_UUID = 0x10
_ASCII, _BINARY, _UTF8 = 0x2, 0x1, 0x3
_ISCSI = 0x50
_PIV = 0x80
"""Protocol identifier iSCSI, and the bit that makes it valid: designators of port and device carry both."""
_OF_UNIT, _OF_PORT, _OF_DEVICE = 0x00, 0x10, 0x20
_VENDOR, _NAA, _RELATIVE_PORT, _PORT_GROUP, _NAME, _UUID = 0x1, 0x3, 0x4, 0x5, 0x8, 0xA
PORT_GROUP = 1

_RMB = 0x80
_TPGS_IMPLICIT = 0x10
_HEADSUP, _ORDSUP, _SIMPSUP = 0x04, 0x02, 0x01
_V_SUP, _LUICLR = 0x01, 0x01
_WSNZ = 0x01
_ALL_PAGES, _SHARED_POLICY = 0x3F, 0x00
_UGAVALID = 0x80000000
_NON_ROTATING = 1
_WABEREQ, _WACEREQ = 0x40, 0x10
"""After SANITIZE, blocks can be read without being written first (SBC-3 6.6.2)."""
_LBPU, _LBPWS, _LBPWS10, _LBPRZ, _ANC_SUP = 0x80, 0x40, 0x20, 0x04, 0x02
_THIN = 2


def inquiry(nexus: Nexus, unit: LogicalUnit, task: Task) -> None:
    cdb = task.cdb
    if cdb[1] & _EVPD:
        data = _vpd_page(nexus, unit, cdb[2])
    elif cdb[2]:
        raise ScsiError(invalid_field_in_cdb(2))
    else:
        removable = _RMB if unit.removable else 0
        is_disk = unit.drive is None
        data = _standard(
            device_type_of(unit),
            unit.vendor,
            unit.product,
            unit.revision,
            removable=removable,
            features=_TPGS_IMPLICIT | _THIRD_PARTY_COPY if is_disk else 0,
            versions=_VERSIONS if is_disk else _OPTICAL_VERSIONS,
        )
    send(task, data, int.from_bytes(cdb[_ALLOCATION]))


def device_type_of(unit: LogicalUnit) -> DeviceType:
    """What kind of device a unit is."""
    return DeviceType.DISK if unit.drive is None else DeviceType.CDROM


def inquiry_absent(nexus: Nexus, task: Task) -> None:
    """INQUIRY of a LUN without a unit."""
    cdb = task.cdb
    if cdb[1] & _EVPD or cdb[2]:
        raise ScsiError(invalid_field_in_cdb(2))
    send(task, _standard(_NO_UNIT, "", "", ""), int.from_bytes(cdb[_ALLOCATION]))


def inquiry_well_known(nexus: Nexus, task: Task) -> None:
    """INQUIRY of the well known logical unit: it is known by its target."""
    cdb = task.cdb
    if cdb[1] & _EVPD:
        data = _well_known_page(nexus, cdb[2])
    elif cdb[2]:
        raise ScsiError(invalid_field_in_cdb(2))
    else:
        data = _standard(_WELL_KNOWN, "LUNAPORT", "REPORT LUNS", "0001")
    send(task, data, int.from_bytes(cdb[_ALLOCATION]))


def _well_known_page(nexus: Nexus, page: int) -> bytes:
    match page:
        case VpdPage.SUPPORTED_PAGES:
            data = bytes((VpdPage.SUPPORTED_PAGES, VpdPage.DEVICE_IDENTIFICATION))
        case VpdPage.DEVICE_IDENTIFICATION:
            data = _of_target(nexus.target.name, nexus.id.target_port)
        case _:
            raise ScsiError(invalid_field_in_cdb(2))
    return _PAGE_HEADER.pack(_WELL_KNOWN, page, len(data)) + data


def naa_designator(uuid: str) -> bytes:
    """NAA Locally Assigned (SPC-4 7.8.6.6.5), 8 bytes, from a UUID of 32 hexadecimal digits.

    The digit that tells the UUID's version is the same in all of them, so it is left out.
    """
    return bytes.fromhex(_LOCALLY_ASSIGNED + (uuid[:12] + uuid[13:])[:_UUID_DIGITS])


def _standard(
    peripheral: int,
    vendor: str,
    product: str,
    revision: str,
    *,
    removable: int = 0,
    features: int = 0,
    versions: tuple[int, ...] = _VERSIONS,
) -> bytes:
    return _STANDARD.pack(
        peripheral,
        removable,
        _SPC_4,
        _HISUP_FORMAT_2,
        _STANDARD.size - 5,
        features,
        0,
        _CMDQUE,
        _text(vendor, 8),
        _text(product, 16),
        _text(revision, 4),
        *versions,
    )


def _vpd_page(nexus: Nexus, unit: LogicalUnit, page: int) -> bytes:
    pages = tuple(VpdPage) if unit.drive is None else _OPTICAL_PAGES
    if page not in pages:
        raise ScsiError(invalid_field_in_cdb(2))
    match page:
        case VpdPage.SUPPORTED_PAGES:
            data = bytes(pages)
        case VpdPage.UNIT_SERIAL_NUMBER:
            data = unit.serial.encode("ascii")
        case VpdPage.DEVICE_IDENTIFICATION:
            data = _identification(nexus.target.name, nexus.id.target_port, unit)
        case VpdPage.EXTENDED_INQUIRY_DATA:
            # A volatile cache, unit attentions that go with their nexus.
            data = bytes((0, _HEADSUP | _ORDSUP | _SIMPSUP, _V_SUP, _LUICLR)) + bytes(56)
        case VpdPage.MODE_PAGE_POLICY:
            data = bytes((_ALL_PAGES, 0xFF, _SHARED_POLICY, 0))
        case VpdPage.SCSI_PORTS:
            data = b"".join(_port(nexus.target.name, port) for port in nexus.target.ports)
        case VpdPage.THIRD_PARTY_COPY:
            data = third_party_copy_page(unit.shift)
        case VpdPage.BLOCK_LIMITS:
            data = _block_limits(unit)
        case VpdPage.BLOCK_DEVICE_CHARACTERISTICS:
            after_erasure = (_WABEREQ if unit.thin else 0) | (_WACEREQ if unit.erase_key else 0)
            data = struct.pack(">HxB56x", _NON_ROTATING, after_erasure)
        case VpdPage.LOGICAL_BLOCK_PROVISIONING:
            ways = _LBPU | _LBPWS | _LBPWS10 | _LBPRZ | (_ANC_SUP if unit.can_anchor else 0)
            data = bytes((RESOURCE_UNIT_SHIFT - unit.shift, ways, _THIN, 0)) if unit.thin else bytes(4)
        case _:
            raise ScsiError(invalid_field_in_cdb(2))
    return _PAGE_HEADER.pack(device_type_of(unit), page, len(data)) + data


def _identification(target_name: str, port: int, unit: LogicalUnit) -> bytes:
    """Of the unit, and of the target port that was asked through."""
    naa = naa_designator(unit.uuid)
    vendor = _text(unit.vendor, 8) + unit.serial.encode("ascii")
    designators = (
        _designator(_BINARY, _OF_UNIT | _NAA, naa)
        + _designator(_ASCII, _OF_UNIT | _VENDOR, vendor)
        + _designator(_UTF8, _OF_UNIT | _NAME, _name("naa." + naa.hex().upper()))
        + _designator(_BINARY, _OF_UNIT | _UUID, bytes((_RANDOM_UUID, 0)) + bytes.fromhex(unit.uuid))
    )
    return designators + _of_target(target_name, port)


def _of_target(target_name: str, port: int) -> bytes:
    """What identifies the target and the port that was asked through."""
    designators = _designator(_ISCSI | _BINARY, _PIV | _OF_PORT | _RELATIVE_PORT, struct.pack(">I", port))
    designators += _designator(_ISCSI | _BINARY, _PIV | _OF_PORT | _PORT_GROUP, struct.pack(">2xH", PORT_GROUP))
    if target_name:
        designators += _port_name(target_name, port)
        designators += _designator(_ISCSI | _UTF8, _PIV | _OF_DEVICE | _NAME, _name(target_name))
    return designators


def _port_name(target_name: str, port: int) -> bytes:
    return _designator(_ISCSI | _UTF8, _PIV | _OF_PORT | _NAME, _name(f"{target_name},t,0x{port:04x}"))


def _port(target_name: str, port: int) -> bytes:
    """A target port; its initiator ports are not told."""
    name = _port_name(target_name, port) if target_name else b""
    return struct.pack(">2xH2xH2xH", port, 0, len(name)) + name


def _designator(code_set: int, kind: int, value: bytes) -> bytes:
    return bytes((code_set, kind, 0, len(value))) + value


def _name(name: str) -> bytes:
    """A SCSI name string: ends with a zero and fills whole words (SPC-4 7.8.6.11)."""
    encoded = name.encode("utf-8") + b"\0"
    return encoded + bytes(-len(encoded) % 4)


def _block_limits(unit: LogicalUnit) -> bytes:
    granularity = unit.physical_block_size_bytes >> unit.shift
    return _BLOCK_LIMITS.pack(
        _WSNZ if unit.thin else 0,
        COMPARE_BLOCKS_MAX,
        granularity,  # optimal transfer length granularity
        TRANSFER_BYTES_MAX >> unit.shift,
        0,  # optimal transfer length: none is better than another
        0,  # PRE-FETCH: no limit
        UNMAP_BLOCKS_MAX if unit.thin else 0,
        UNMAP_DESCRIPTORS_MAX if unit.thin else 0,
        granularity if unit.thin else 0,  # optimal unmap granularity
        _UGAVALID if unit.thin else 0,  # its alignment is 0
        WRITE_SAME_BYTES_MAX >> unit.shift,
        ATOMIC_BYTES_MAX >> unit.shift,
        0,  # its alignment and granularity: any
        0,
        0,  # no atomic boundaries
        0,
    )


def _text(text: str, length: int) -> bytes:
    return text.encode("ascii").ljust(length)[:length]
