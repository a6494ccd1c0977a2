"""SYNCHRONIZE CACHE (10), (16) (SBC-3 5.22, 5.23). The whole unit is flushed, whatever range is named."""

from lunaport.scsi.extent import FIELDS_10, FIELDS_16, check_extent
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
