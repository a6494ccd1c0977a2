"""READ CD, READ CD MSF, SEEK (10), SET CD SPEED and SET STREAMING (MMC-6 6.19, 6.20, 6.36, 6.37 and 6.39).

An image holds the user data of mode 1 sectors; what surrounds it on a real CD is not there, so nothing but the user
data can be asked for. How fast the drive turns is taken and not used.
"""

from lunaport.scsi.data_out import collect
from lunaport.scsi.logical_unit import LogicalUnit
from lunaport.scsi.nexus import Nexus
from lunaport.scsi.optical_drive import profile_of
from lunaport.scsi.optical_enums import Profile
from lunaport.scsi.read import read_blocks
from lunaport.scsi.sense import (
    ScsiError,
    illegal_mode_for_this_track,
    invalid_field_in_cdb,
    lba_out_of_range,
)
from lunaport.scsi.task import Task

_SECTOR_TYPE = 0x1C
_ANY_TYPE, _MODE_1 = 0x00, 0x08
_USER_DATA = 0x10
_MAIN_CHANNEL = 0xF8
_ERROR_FIELD = 0x06
_FRAMES_PER_SECOND, _SECONDS_PER_MINUTE = 75, 60
_LEAD_IN_FRAMES = 150
_STREAMING_BYTES_MAX = 28


def read_cd(nexus: Nexus, unit: LogicalUnit, task: Task) -> None:
    cdb = task.cdb
    _read(nexus, unit, task, int.from_bytes(cdb[2:6]), int.from_bytes(cdb[6:9]))


def read_cd_msf(nexus: Nexus, unit: LogicalUnit, task: Task) -> None:
    """From one time up to, not including, another."""
    cdb = task.cdb
    start, end = _lba(cdb, 3), _lba(cdb, 6)
    if end < start:
        raise ScsiError(invalid_field_in_cdb(6))
    if start < 0:
        raise ScsiError(lba_out_of_range())
    _read(nexus, unit, task, start, end - start)


def _lba(cdb: bytes, position: int) -> int:
    minute, second, frame = cdb[position : position + 3]
    if second >= _SECONDS_PER_MINUTE:
        raise ScsiError(invalid_field_in_cdb(position + 1))
    if frame >= _FRAMES_PER_SECOND:
        raise ScsiError(invalid_field_in_cdb(position + 2))
    return (minute * _SECONDS_PER_MINUTE + second) * _FRAMES_PER_SECOND + frame - _LEAD_IN_FRAMES


def _read(nexus: Nexus, unit: LogicalUnit, task: Task, lba: int, blocks: int) -> None:
    cdb = task.cdb
    if profile_of(unit) is not Profile.CD_ROM or cdb[1] & _SECTOR_TYPE not in (_ANY_TYPE, _MODE_1):
        raise ScsiError(illegal_mode_for_this_track())
    channels = cdb[9] & _MAIN_CHANNEL
    if channels not in (0, _USER_DATA) or cdb[9] & _ERROR_FIELD:
        raise ScsiError(invalid_field_in_cdb(9))
    if cdb[10]:
        raise ScsiError(invalid_field_in_cdb(10, 2))
    if blocks == 0 or not channels:  # nothing to move: whether it is there is all that can be said
        if lba + (blocks or 1) > unit.block_count:
            raise ScsiError(lba_out_of_range())
        task.good()
        return
    read_blocks(nexus, unit, task, 0, lba, blocks)


def seek_10(nexus: Nexus, unit: LogicalUnit, task: Task) -> None:
    if int.from_bytes(task.cdb[2:6]) >= unit.block_count:
        raise ScsiError(lba_out_of_range())
    task.good()


def set_cd_speed(nexus: Nexus, unit: LogicalUnit, task: Task) -> None:
    task.good()


def set_streaming(nexus: Nexus, unit: LogicalUnit, task: Task) -> None:
    length = int.from_bytes(task.cdb[9:11])
    if length > _STREAMING_BYTES_MAX:
        raise ScsiError(invalid_field_in_cdb(9))
    if length:
        collect(nexus, unit, task, length, lambda _: task.good())
    else:
        task.good()
