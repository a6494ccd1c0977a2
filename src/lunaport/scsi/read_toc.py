"""READ TOC/PMA/ATIP (MMC-6 6.25): an image is one session with one data track."""

import struct

from lunaport.scsi.logical_unit import LogicalUnit
from lunaport.scsi.nexus import Nexus
from lunaport.scsi.optical_drive import CONTROL, msf
from lunaport.scsi.optical_enums import TocFormat
from lunaport.scsi.reply import send
from lunaport.scsi.sense import ScsiError, invalid_field_in_cdb
from lunaport.scsi.task import Task

_TIME = 0x02
_FORMAT = 0x0F
_FORMAT_BIT = 3
_OLD_FORMAT_SHIFT = 6
"""Where SFF-8020 had the format: in the control byte. Linux still asks for sessions in this way."""
_HEADER = struct.Struct(">HBB")
_TRACK = struct.Struct(">xBBx4s")
_RAW = struct.Struct(">BBBB3sx3s")
_ONLY = 1
"""The number of the only track and the only session."""
_LEAD_OUT = 0xAA
_FIRST_TRACK_POINT, _LAST_TRACK_POINT, _LEAD_OUT_POINT = 0xA0, 0xA1, 0xA2
_NOWHEN = bytes(3)


def read_toc(nexus: Nexus, unit: LogicalUnit, task: Task) -> None:
    cdb = task.cdb
    first = cdb[6]
    in_time = bool(cdb[1] & _TIME)
    match cdb[2] & _FORMAT or cdb[9] >> _OLD_FORMAT_SHIFT:
        case TocFormat.TOC:
            descriptors = _toc(unit, first, in_time=in_time)
        case TocFormat.SESSIONS:
            descriptors = _TRACK.pack(CONTROL, _ONLY, _address(0, in_time=in_time))
        case TocFormat.FULL_TOC:
            descriptors = _full_toc(unit, first)
        case _:  # nothing is recorded: there is no PMA, no ATIP; there is no CD-TEXT
            raise ScsiError(invalid_field_in_cdb(2, _FORMAT_BIT))
    data = _HEADER.pack(_HEADER.size - 2 + len(descriptors), _ONLY, _ONLY) + descriptors
    send(task, data, int.from_bytes(cdb[7:9]))


def _toc(unit: LogicalUnit, first: int, *, in_time: bool) -> bytes:
    """The track and the lead-out, from the track `first` on."""
    if first > _ONLY and first != _LEAD_OUT:
        raise ScsiError(invalid_field_in_cdb(6))
    track = b"" if first == _LEAD_OUT else _TRACK.pack(CONTROL, _ONLY, _address(0, in_time=in_time))
    return track + _TRACK.pack(CONTROL, _LEAD_OUT, _address(unit.block_count, in_time=in_time))


def _full_toc(unit: LogicalUnit, first: int) -> bytes:
    """What the lead-in says, from the session `first` on; always in time."""
    if first > _ONLY:
        raise ScsiError(invalid_field_in_cdb(6))
    points = (
        (_FIRST_TRACK_POINT, bytes((_ONLY, 0, 0))),
        (_LAST_TRACK_POINT, bytes((_ONLY, 0, 0))),
        (_LEAD_OUT_POINT, msf(unit.block_count)),
        (_ONLY, msf(0)),
    )
    return b"".join(_RAW.pack(_ONLY, CONTROL, 0, point, _NOWHEN, where) for point, where in points)


def _address(lba: int, *, in_time: bool) -> bytes:
    return b"\0" + msf(lba) if in_time else min(lba, 0xFFFFFFFF).to_bytes(4)
