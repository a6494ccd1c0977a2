"""Mode pages of an optical drive (MMC-6 7): none of them can be changed but for the format of sense data."""

import struct

from lunaport.scsi.enums import ModePage
from lunaport.scsi.logical_unit import LogicalUnit
from lunaport.scsi.mode_pages import Modes, pages_of

_RECOVERY = struct.Struct(">BB10x")
_POWER = struct.Struct(">BB10x")
_TIMEOUTS = struct.Struct(">BB10x")
_CAPABILITIES = struct.Struct(">BBBBBBBBHHHH2xHH")

_DVD_ROM_READ = 0x08
_READS = _DVD_ROM_READ
_WRITES = 0x00
_MULTI_SESSION = 0x40
_TRAY, _EJECT, _LOCKED, _LOCK = 0x20, 0x08, 0x02, 0x01
_SPEED = 0xFFFF
"""In kB a second: as fast as it can be said."""
_BUFFER_KIB = 2048


def pages_for(unit: LogicalUnit, modes: Modes) -> dict[int, bytes]:
    """Every mode page of a unit by its code, as `modes` make it."""
    return pages_of(modes) if unit.drive is None else optical_pages_of(modes, locked=bool(unit.preventing))


def optical_pages_of(modes: Modes, *, locked: bool = False) -> dict[int, bytes]:
    """Every page by its code, in order. The PS bit is not set. `locked`: the medium cannot be taken out now."""
    return {
        ModePage.READ_WRITE_ERROR_RECOVERY: _RECOVERY.pack(ModePage.READ_WRITE_ERROR_RECOVERY, _RECOVERY.size - 2),
        ModePage.CONTROL: pages_of(modes)[ModePage.CONTROL],
        ModePage.POWER_CONDITION: _POWER.pack(ModePage.POWER_CONDITION, _POWER.size - 2),
        ModePage.TIMEOUT_AND_PROTECT: _TIMEOUTS.pack(ModePage.TIMEOUT_AND_PROTECT, _TIMEOUTS.size - 2),
        ModePage.CD_CAPABILITIES: _CAPABILITIES.pack(
            ModePage.CD_CAPABILITIES,
            _CAPABILITIES.size - 2,
            _READS,
            _WRITES,
            _MULTI_SESSION,
            0,
            _TRAY | _EJECT | _LOCK | (_LOCKED if locked else 0),
            0,
            _SPEED,  # the fastest
            0,  # volume levels
            _BUFFER_KIB,
            _SPEED,  # the present one
            0,
            0,
        ),
    }
