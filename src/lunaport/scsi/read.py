"""READ (6), (10), (12), (16) (SBC-3 5.10 to 5.15). The hot path of reads: flat on purpose.

What the page cache has is answered at once into the transport's buffers; the rest is read whole in the background. DPO
changes nothing. FUA first flushes what may be newer in the cache than on the medium (SBC-3 4.17.3).
"""

from lunaport.scsi.extent import BLOCKS_6, FIELDS_10, FIELDS_12, FIELDS_16, check_extent
from lunaport.scsi.logical_unit import LogicalUnit
from lunaport.scsi.nexus import Nexus
from lunaport.scsi.ranges import Span
from lunaport.scsi.reply import run
from lunaport.scsi.task import Task

_FUA = 0x08


def read_6(nexus: Nexus, unit: LogicalUnit, task: Task) -> None:
    cdb = task.cdb
    _read(nexus, unit, task, 0, int.from_bytes(cdb[1:4]), cdb[4] or BLOCKS_6)


def read_10(nexus: Nexus, unit: LogicalUnit, task: Task) -> None:
    flags, lba, blocks = FIELDS_10(task.cdb)
    _read(nexus, unit, task, flags, lba, blocks)


def read_12(nexus: Nexus, unit: LogicalUnit, task: Task) -> None:
    flags, lba, blocks = FIELDS_12(task.cdb)
    _read(nexus, unit, task, flags, lba, blocks)


def read_16(nexus: Nexus, unit: LogicalUnit, task: Task) -> None:
    flags, lba, blocks = FIELDS_16(task.cdb)
    _read(nexus, unit, task, flags, lba, blocks)


def _read(nexus: Nexus, unit: LogicalUnit, task: Task, flags: int, lba: int, blocks: int) -> None:
    if lba + (blocks or 1) > unit.block_count or blocks > unit.transfer_blocks_max:
        check_extent(unit, task.cdb[0], lba, blocks, unit.transfer_blocks_max)
    buffers = task.reserve_data_in(blocks << unit.shift)
    if flags & _FUA:
        _read_in_background(nexus, unit, task, lba << unit.shift, flush=True)
    elif unit.device.read_now(lba << unit.shift, buffers) == task.data_in_length:
        task.good()
    else:
        _read_in_background(nexus, unit, task, lba << unit.shift, flush=False)


def _read_in_background(nexus: Nexus, unit: LogicalUnit, task: Task, offset: int, *, flush: bool) -> None:
    buffers = task.detach_data_in()
    device = unit.device

    def work() -> None:
        if flush:
            device.flush()
        device.read(offset, buffers)

    run(nexus, unit, task, work, over=Span(offset, task.data_in_length, writes=False))
