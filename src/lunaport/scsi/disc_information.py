"""READ DISC INFORMATION, READ TRACK INFORMATION and READ DISC STRUCTURE (MMC-6 6.21, 6.26 and 6.22)."""

import struct
from enum import IntEnum

from lunaport.scsi.logical_unit import LogicalUnit
from lunaport.scsi.nexus import Nexus
from lunaport.scsi.optical_drive import profile_of
from lunaport.scsi.optical_enums import DiscStructure, Profile
from lunaport.scsi.reply import send
from lunaport.scsi.sense import ScsiError, incompatible_medium, invalid_field_in_cdb, lba_out_of_range
from lunaport.scsi.task import Task

_DATA_TYPE = 0x07
_DATA_TYPE_BIT = 2
_COMPLETE = 0x0E
"""A finalized disc whose last session is complete; nothing can be erased."""
_UNRESTRICTED_USE = 0x20
_ONLY = 1
_NOWHERE = 0xFFFFFFFF
_DISC = struct.Struct(">HBBBBBBBBBB4xII10x")

_ADDRESS_TYPE = 0x03
_ADDRESS_TYPE_BIT = 1
_DATA_TRACK, _MODE_1 = 0x04, 0x01
_TRACK = struct.Struct(">HBBxBBxIIIIII4x")

_DVD = 0
_MEDIA_TYPE = 0x0F
_MEDIA_TYPE_BIT = 3
_STRUCTURE_HEADER = struct.Struct(">H2x")
_LAYER_BYTES = 2048
_FIRST_SECTOR = 0x030000
"""Where the data area of a DVD begins (ECMA-267)."""
_PART_VERSION_1, _NOT_SPECIFIED, _EMBOSSED = 0x01, 0x0F, 0x01
_READABLE = 0x40


class _AddressType(IntEnum):
    """ADDRESS/NUMBER TYPE of READ TRACK INFORMATION (MMC-6 table 495)."""

    LBA = 0
    TRACK = 1
    SESSION = 2


def read_disc_information(nexus: Nexus, unit: LogicalUnit, task: Task) -> None:
    cdb = task.cdb
    if cdb[1] & _DATA_TYPE:
        raise ScsiError(invalid_field_in_cdb(1, _DATA_TYPE_BIT))
    data = _DISC.pack(
        _DISC.size - 2, _COMPLETE, _ONLY, _ONLY, _ONLY, _ONLY, _UNRESTRICTED_USE, 0, 0, 0, 0, _NOWHERE, _NOWHERE
    )
    send(task, data, int.from_bytes(cdb[7:9]))


def read_track_information(nexus: Nexus, unit: LogicalUnit, task: Task) -> None:
    """The only track, however it is asked for."""
    cdb = task.cdb
    address = int.from_bytes(cdb[2:6])
    match cdb[1] & _ADDRESS_TYPE:
        case _AddressType.LBA:
            if address >= unit.block_count:
                raise ScsiError(lba_out_of_range())
        case _AddressType.TRACK | _AddressType.SESSION:
            if address != _ONLY:
                raise ScsiError(invalid_field_in_cdb(2))
        case _:
            raise ScsiError(invalid_field_in_cdb(1, _ADDRESS_TYPE_BIT))
    data = _TRACK.pack(
        _TRACK.size - 2, _ONLY, _ONLY, _DATA_TRACK, _MODE_1, 0, 0, 0, 0, min(unit.block_count, 0xFFFFFFFF), 0
    )
    send(task, data, int.from_bytes(cdb[7:9]))


def read_disc_structure(nexus: Nexus, unit: LogicalUnit, task: Task) -> None:
    """What the lead-in of a DVD says; a CD has none of that."""
    cdb = task.cdb
    if cdb[1] & _MEDIA_TYPE != _DVD:
        raise ScsiError(invalid_field_in_cdb(1, _MEDIA_TYPE_BIT))
    if profile_of(unit) is not Profile.DVD_ROM:
        raise ScsiError(incompatible_medium())
    if cdb[6]:  # there is one layer
        raise ScsiError(invalid_field_in_cdb(6))
    structures = {
        DiscStructure.PHYSICAL: _physical(unit),
        DiscStructure.COPYRIGHT: bytes(4),  # no protection, every region
        DiscStructure.MANUFACTURER: bytes(_LAYER_BYTES),
    }
    code = cdb[7]
    if code == DiscStructure.LIST:
        data = b"".join(
            struct.pack(">BBH", each, _READABLE, _STRUCTURE_HEADER.size + len(content))
            for each, content in structures.items()
        )
    elif code in structures:
        data = structures[DiscStructure(code)]
    else:
        raise ScsiError(invalid_field_in_cdb(7))
    send(task, _STRUCTURE_HEADER.pack(len(data) + 2) + data, int.from_bytes(cdb[8:10]))


def _physical(unit: LogicalUnit) -> bytes:
    """A DVD-ROM of 120 mm with one layer."""
    last = min(_FIRST_SECTOR + unit.block_count - 1, 0xFFFFFF)
    layer = struct.pack(">BBBBIII", _PART_VERSION_1, _NOT_SPECIFIED, _EMBOSSED, 0, _FIRST_SECTOR, last, 0)
    return layer.ljust(_LAYER_BYTES, b"\0")
