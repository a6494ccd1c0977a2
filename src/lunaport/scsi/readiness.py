"""TEST UNIT READY, REQUEST SENSE, START STOP UNIT (SPC-4 6.47 and 6.39, SBC-3 5.20)."""

from lunaport.scsi.cache import flush_unattended
from lunaport.scsi.logical_unit import LogicalUnit
from lunaport.scsi.nexus import Nexus
from lunaport.scsi.reply import run, send
from lunaport.scsi.sense import Sense, initializing_command_required, logical_unit_not_supported, no_sense
from lunaport.scsi.task import Task

_DESC = 0x01
_IMMED = 0x01
_START = 0x01
_NO_FLUSH = 0x04


def test_unit_ready(nexus: Nexus, unit: LogicalUnit, task: Task) -> None:
    # What makes a unit not ready was found before this runs.
    task.good()


def request_sense(nexus: Nexus, unit: LogicalUnit, task: Task) -> None:
    """A pending unit attention is reported here as data, and cleared; else whether the unit is erased or stopped."""
    _send_sense(task, nexus.take_attention(unit) or _state(unit))


def _state(unit: LogicalUnit) -> Sense:
    if unit.erasure is not None:
        return unit.erasure.refusal
    return initializing_command_required() if unit.stopped else no_sense()


def request_sense_absent(nexus: Nexus, task: Task) -> None:
    _send_sense(task, logical_unit_not_supported())


def _send_sense(task: Task, sense: Sense) -> None:
    data = sense.descriptor() if task.cdb[1] & _DESC else sense.fixed()
    send(task, data, task.cdb[4])


def starts(cdb: bytes) -> bool:
    """Whether a START STOP UNIT starts, which disturbs nobody."""
    return bool(cdb[4] & _START)


def start_stop_unit(nexus: Nexus, unit: LogicalUnit, task: Task) -> None:
    """Stop the unit for every nexus, after a flush, or start it. Power conditions and ejection are not supported."""
    start = starts(task.cdb)
    unit.set_state(holder=unit.holder, stopped=not start)
    if start or task.cdb[4] & _NO_FLUSH:
        task.good()
    elif task.cdb[1] & _IMMED:
        task.good()
        flush_unattended(unit)
    else:
        run(nexus, unit, task, unit.device.flush)
