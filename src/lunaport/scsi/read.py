"""READ (6), (10), (12), (16) (SBC-3 5.10 to 5.15). The hot path of reads: flat on purpose.

What the page cache has is answered at once into the transport's buffers; the rest is read whole in the background, and
so is what is long: it would keep all others waiting, and take more memory than the next event gives back. DPO changes
nothing. FUA first flushes what may be newer in the cache than on the medium (SBC-3 4.17.3).
"""

from lunaport.scsi.enums import Status
from lunaport.scsi.extent import BLOCKS_6, FIELDS_10, FIELDS_12, FIELDS_16, check_extent
from lunaport.scsi.logical_unit import LogicalUnit
from lunaport.scsi.nexus import Nexus
from lunaport.scsi.ranges import Span
from lunaport.scsi.reply import run
from lunaport.scsi.task import Task

_FUA = 0x08


def read_6(nexus: Nexus, unit: LogicalUnit, task: Task) -> None:
    cdb = task.cdb
    read_blocks(nexus, unit, task, 0, int.from_bytes(cdb[1:4]), cdb[4] or BLOCKS_6)


def read_10(nexus: Nexus, unit: LogicalUnit, task: Task) -> None:
    flags, lba, blocks = FIELDS_10(task.cdb)
    read_blocks(nexus, unit, task, flags, lba, blocks)


def read_12(nexus: Nexus, unit: LogicalUnit, task: Task) -> None:
    flags, lba, blocks = FIELDS_12(task.cdb)
    read_blocks(nexus, unit, task, flags, lba, blocks)


def read_16(nexus: Nexus, unit: LogicalUnit, task: Task) -> None:
    flags, lba, blocks = FIELDS_16(task.cdb)
    read_blocks(nexus, unit, task, flags, lba, blocks)


def read_blocks(nexus: Nexus, unit: LogicalUnit, task: Task, flags: int, lba: int, blocks: int) -> None:
    """Send `blocks` from `lba` on; `flags` are those of READ (10)."""
    length = blocks << unit.shift
    if lba + (blocks or 1) > unit.block_count or blocks > unit.read_now_blocks_max:
        check_extent(unit, task.cdb[0], lba, blocks, unit.transfer_blocks_max)
        if blocks > unit.read_now_blocks_max:
            _read_in_background(nexus, unit, task, lba << unit.shift, length, flush=flags & _FUA != 0)
            return
    if flags & _FUA:
        _read_in_background(nexus, unit, task, lba << unit.shift, length, flush=True)
    elif unit.device.read_now(lba << unit.shift, task.reserve_data_in(length)) == task.data_in_length:
        task.good()
    else:
        _read_in_background(nexus, unit, task, lba << unit.shift, length, flush=False)


def _read_in_background(nexus: Nexus, unit: LogicalUnit, task: Task, offset: int, length: int, *, flush: bool) -> None:
    """Read when there is memory for it: what is under way for slow disks and slow initiators is bounded."""
    device = unit.device

    def begin(buffers: list[memoryview]) -> None:
        def work() -> None:
            if flush:
                device.flush()
            device.read(offset, buffers)

        if task.aborted:
            task.finish(Status.TASK_ABORTED)
            unit.end(task)
        else:
            run(nexus, unit, task, work, over=Span(offset, length, writes=False))

    unit.begin(nexus, task)
    task.borrow_data_in(length, begin)
