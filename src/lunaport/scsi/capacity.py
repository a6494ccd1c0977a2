"""READ CAPACITY (10), (16) (SBC-3 5.16, 5.17)."""

import struct

from lunaport.scsi.logical_unit import LogicalUnit
from lunaport.scsi.nexus import Nexus
from lunaport.scsi.reply import send
from lunaport.scsi.task import Task

_CAPACITY_10 = struct.Struct(">II")
_CAPACITY_16 = struct.Struct(">QIxBH16x")

_LBA_10_MAX = 0xFFFFFFFF
"""Says: ask READ CAPACITY (16)."""
_LBPME = 0x8000
_LBPRZ = 0x4000


def read_capacity_10(nexus: Nexus, unit: LogicalUnit, task: Task) -> None:
    task.send(_CAPACITY_10.pack(min(unit.block_count - 1, _LBA_10_MAX), unit.block_size_bytes))


def read_capacity_16(nexus: Nexus, unit: LogicalUnit, task: Task) -> None:
    exponent = (unit.physical_block_size_bytes // unit.block_size_bytes).bit_length() - 1
    data = _CAPACITY_16.pack(
        unit.block_count - 1,
        unit.block_size_bytes,
        exponent,
        # The lowest aligned LBA, below these two bits, is 0.
        _LBPME | _LBPRZ if unit.thin else 0,
    )
    send(task, data, int.from_bytes(task.cdb[10:14]))
