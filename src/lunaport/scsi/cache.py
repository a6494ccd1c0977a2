"""SYNCHRONIZE CACHE and PRE-FETCH, (10) and (16) (SBC-3 5.22, 5.23, 5.8, 5.9).

The whole unit is flushed to the medium, whatever range is named, with SYNC_NV too: there is no non-volatile cache. The
cache that PRE-FETCH fills is the operating system's; how much of it is ours is not known, so no more than one
transfer's worth is fetched.
"""

from lunaport.scsi.enums import Status
from lunaport.scsi.extent import FIELDS_10, FIELDS_16, check_extent
from lunaport.scsi.limits import WORK_BYTES
from lunaport.scsi.logical_unit import LogicalUnit
from lunaport.scsi.nexus import Nexus
from lunaport.scsi.reply import run
from lunaport.scsi.task import Task

_IMMED = 0x02


def synchronize_cache_10(nexus: Nexus, unit: LogicalUnit, task: Task) -> None:
    flags, lba, blocks = FIELDS_10(task.cdb)
    _synchronize(nexus, unit, task, flags, lba, blocks)


def synchronize_cache_16(nexus: Nexus, unit: LogicalUnit, task: Task) -> None:
    flags, lba, blocks = FIELDS_16(task.cdb)
    _synchronize(nexus, unit, task, flags, lba, blocks)


def _synchronize(nexus: Nexus, unit: LogicalUnit, task: Task, flags: int, lba: int, blocks: int) -> None:
    check_extent(unit, task.cdb[0], lba, blocks, unit.block_count)
    if flags & _IMMED:
        task.good()
        flush_unattended(unit)
    else:
        run(nexus, unit, task, unit.device.flush)


def flush_unattended(unit: LogicalUnit) -> None:
    """Flush after the answer was given. A failure is not lost: a device that failed to flush keeps failing."""
    unit.background.submit(unit.device.flush, lambda error: None)


def pre_fetch_10(nexus: Nexus, unit: LogicalUnit, task: Task) -> None:
    flags, lba, blocks = FIELDS_10(task.cdb)
    _pre_fetch(nexus, unit, task, flags, lba, blocks)


def pre_fetch_16(nexus: Nexus, unit: LogicalUnit, task: Task) -> None:
    flags, lba, blocks = FIELDS_16(task.cdb)
    _pre_fetch(nexus, unit, task, flags, lba, blocks)


def _pre_fetch(nexus: Nexus, unit: LogicalUnit, task: Task, flags: int, lba: int, blocks: int) -> None:
    """CONDITION MET when all of the range is in the cache, GOOD when it is too much. No blocks: to the end."""
    check_extent(unit, task.cdb[0], lba, blocks, unit.block_count)
    blocks = blocks or unit.block_count - lba
    fetched = min(blocks, unit.transfer_blocks_max)
    status = Status.CONDITION_MET if fetched == blocks else Status.GOOD
    device = unit.device

    def work() -> None:
        buffer = memoryview(bytearray(WORK_BYTES))
        end = lba + fetched << unit.shift
        for start in range(lba << unit.shift, end, WORK_BYTES):
            device.read(start, [buffer[: min(WORK_BYTES, end - start)]])

    if flags & _IMMED:
        task.finish(status)
        unit.background.submit(work, lambda error: None)  # nobody is told: reading will find out
    else:
        run(nexus, unit, task, work, answer=lambda: task.finish(status))
