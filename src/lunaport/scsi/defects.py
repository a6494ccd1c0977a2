"""READ DEFECT DATA (10), (12) (SBC-3 5.18, 5.19): the lists are there and empty. Bad sectors are the disk's below."""

import struct

from lunaport.scsi.logical_unit import LogicalUnit
from lunaport.scsi.nexus import Nexus
from lunaport.scsi.reply import send
from lunaport.scsi.task import Task

_HEADER_10 = struct.Struct(">xBH")
_HEADER_12 = struct.Struct(">xBHI")
_LISTS_AND_FORMAT = 0x1F
"""The lists asked for (then they are valid in the answer) and the format of what they do not hold."""


def read_defect_data_10(nexus: Nexus, unit: LogicalUnit, task: Task) -> None:
    cdb = task.cdb
    send(task, _HEADER_10.pack(cdb[2] & _LISTS_AND_FORMAT, 0), int.from_bytes(cdb[7:9]))


def read_defect_data_12(nexus: Nexus, unit: LogicalUnit, task: Task) -> None:
    cdb = task.cdb
    send(task, _HEADER_12.pack(cdb[1] & _LISTS_AND_FORMAT, 0, 0), int.from_bytes(cdb[6:10]))
