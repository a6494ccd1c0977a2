"""WRITE (6), (10), (12), (16) (SBC-3 5.43 to 5.48). The hot path of writes.

Data that came whole with the command goes to the device at once, straight from the receive buffer; everything else is
streamed (`data_out`). FUA flushes after the write. DPO changes nothing.
"""

from lunaport.scsi.data_out import stream
from lunaport.scsi.extent import BLOCKS_6, FIELDS_10, FIELDS_12, FIELDS_16, check_extent
from lunaport.scsi.logical_unit import LogicalUnit
from lunaport.scsi.nexus import Nexus
from lunaport.scsi.task import Task

_FUA = 0x08


def write_6(nexus: Nexus, unit: LogicalUnit, task: Task) -> None:
    cdb = task.cdb
    _write(nexus, unit, task, 0, int.from_bytes(cdb[1:4]), cdb[4] or BLOCKS_6)


def write_10(nexus: Nexus, unit: LogicalUnit, task: Task) -> None:
    flags, lba, blocks = FIELDS_10(task.cdb)
    _write(nexus, unit, task, flags, lba, blocks)


def write_12(nexus: Nexus, unit: LogicalUnit, task: Task) -> None:
    flags, lba, blocks = FIELDS_12(task.cdb)
    _write(nexus, unit, task, flags, lba, blocks)


def write_16(nexus: Nexus, unit: LogicalUnit, task: Task) -> None:
    flags, lba, blocks = FIELDS_16(task.cdb)
    _write(nexus, unit, task, flags, lba, blocks)


def _write(nexus: Nexus, unit: LogicalUnit, task: Task, flags: int, lba: int, blocks: int) -> None:
    if lba + (blocks or 1) > unit.block_count or blocks > unit.transfer_blocks_max:
        check_extent(unit, task.cdb[0], lba, blocks, unit.transfer_blocks_max)
    length = blocks << unit.shift
    offset = lba << unit.shift
    if not flags & _FUA:
        data = task.take_immediate(length)
        if data is not None and unit.device.write_now(offset, [data]) == length:
            task.good()
            return
    stream(nexus, unit, task, offset, length, after=unit.device.flush if flags & _FUA else None)
