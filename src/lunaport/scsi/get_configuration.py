"""GET CONFIGURATION (MMC-6 6.5 and 5.3): what the drive can do, and what of that the medium in it allows.

A drive is what an image can be: a CD-ROM and a DVD-ROM drive. It claims no feature whose commands it has not got.
"""

import struct
from typing import NamedTuple

from lunaport.scsi.logical_unit import LogicalUnit
from lunaport.scsi.nexus import Nexus
from lunaport.scsi.optical_drive import profile_of
from lunaport.scsi.optical_enums import Feature, Profile, RequestedFeatures
from lunaport.scsi.reply import send
from lunaport.scsi.sense import ScsiError, invalid_field_in_cdb
from lunaport.scsi.task import Task

_HEADER = struct.Struct(">I2xH")
_FEATURE = struct.Struct(">HBB")
_PROFILE = struct.Struct(">HBx")
_RT = 0x03
_RT_BIT = 1
_CURRENT, _PERSISTENT = 0x01, 0x02
_VERSION_SHIFT = 2
_SCSI_FAMILY = 1
_INQ2_DBE = 0x03
"""INQUIRY has pages and long allocation lengths; being busy is an event."""
_OP_CHANGE_EVENT = 0x02
_TRAY, _LOAD, _EJECT, _LOCK = 0x20, 0x10, 0x08, 0x01
_ERROR_PAGE_PRESENT = 0x01
_BLOCKS_PER_ECC = {Profile.DVD_ROM: 16}
_SERIAL_UNIT = 4


class _Row(NamedTuple):
    """A feature: its version, whether it is always current, the data behind its header."""

    version: int
    always: bool
    current: bool
    data: bytes


def get_configuration(nexus: Nexus, unit: LogicalUnit, task: Task) -> None:
    cdb = task.cdb
    requested = cdb[1] & _RT
    first = int.from_bytes(cdb[2:4])
    if requested not in set(RequestedFeatures):
        raise ScsiError(invalid_field_in_cdb(1, _RT_BIT))
    found = b"".join(
        _serialize(code, row)
        for code, row in features(unit).items()
        if (code == first if requested == RequestedFeatures.ONE else code >= first)
        and (row.current or requested != RequestedFeatures.CURRENT)
    )
    header = _HEADER.pack(_HEADER.size - 4 + len(found), profile_of(unit))
    send(task, header + found, int.from_bytes(cdb[7:9]))


def features(unit: LogicalUnit) -> dict[Feature, _Row]:
    """Every feature of a drive, in order."""
    profile = profile_of(unit)
    is_cd, is_dvd = profile is Profile.CD_ROM, profile is Profile.DVD_ROM
    serial = unit.serial.encode("ascii")
    profiles = b"".join(
        _PROFILE.pack(each, _CURRENT if each is profile else 0) for each in (Profile.DVD_ROM, Profile.CD_ROM)
    )
    readable = struct.pack(">IHBx", unit.block_size_bytes, _BLOCKS_PER_ECC.get(profile, 1), _ERROR_PAGE_PRESENT)
    return {
        Feature.PROFILE_LIST: _Row(0, True, True, profiles),
        Feature.CORE: _Row(2, True, True, struct.pack(">IB3x", _SCSI_FAMILY, _INQ2_DBE)),
        Feature.MORPHING: _Row(1, True, True, bytes((_OP_CHANGE_EVENT, 0, 0, 0))),
        Feature.REMOVABLE_MEDIUM: _Row(1, True, True, bytes((_TRAY | _LOAD | _EJECT | _LOCK, 0, 0, 0))),
        Feature.RANDOM_READABLE: _Row(0, False, is_cd or is_dvd, readable),
        Feature.MULTI_READ: _Row(0, False, is_cd, b""),
        Feature.CD_READ: _Row(2, False, is_cd, bytes(4)),
        Feature.DVD_READ: _Row(1, False, is_dvd, bytes(4)),
        Feature.POWER_MANAGEMENT: _Row(0, True, True, b""),
        Feature.TIMEOUT: _Row(1, True, True, bytes(4)),
        Feature.SERIAL_NUMBER: _Row(0, True, True, serial + b" " * (-len(serial) % _SERIAL_UNIT)),
    }


def _serialize(code: Feature, row: _Row) -> bytes:
    flags = row.version << _VERSION_SHIFT | (_PERSISTENT if row.always else 0) | (_CURRENT if row.current else 0)
    return _FEATURE.pack(code, flags, len(row.data)) + row.data
