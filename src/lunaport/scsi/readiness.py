"""TEST UNIT READY, REQUEST SENSE, START STOP UNIT, PREVENT ALLOW MEDIUM REMOVAL.

SPC-4 6.47, 6.39 and 6.15, SBC-3 5.20.
"""

from lunaport.scsi.logical_unit import LogicalUnit
from lunaport.scsi.mode_pages import ON_REQUEST
from lunaport.scsi.nexus import Nexus
from lunaport.scsi.optical_drive import move_tray
from lunaport.scsi.reply import run, send
from lunaport.scsi.sense import (
    ScsiError,
    Sense,
    failure_prediction_test,
    initializing_command_required,
    invalid_field_in_cdb,
    invalid_opcode,
    logical_unit_not_supported,
    medium_may_have_changed,
    medium_removal_prevented,
    no_sense,
)
from lunaport.scsi.task import Task

_DESC = 0x01
_IMMED = 0x01
_START = 0x01
_NO_FLUSH = 0x04
_LOEJ = 0x02
_LOEJ_BIT = 1
_POWER_CONDITION = 0xF0
_PREVENT = 0x01


def test_unit_ready(nexus: Nexus, unit: LogicalUnit, task: Task) -> None:
    # What makes a unit not ready was found before this runs.
    task.good()


def request_sense(nexus: Nexus, unit: LogicalUnit, task: Task) -> None:
    """A pending unit attention is reported here as data, and cleared; else why the unit is not ready."""
    _send_sense(task, nexus.take_attention(unit) or _state(unit))


def _state(unit: LogicalUnit) -> Sense:
    if unit.erasure is not None:
        return unit.erasure.refusal
    if unit.ejected:
        return unit.absence
    if unit.stopped:
        return initializing_command_required()
    if unit.modes.exceptions_test and unit.modes.exceptions_method == ON_REQUEST:
        return failure_prediction_test(attention=False)
    return no_sense()


def request_sense_absent(nexus: Nexus, task: Task) -> None:
    _send_sense(task, logical_unit_not_supported())


def request_sense_well_known(nexus: Nexus, task: Task) -> None:
    _send_sense(task, no_sense())


def _send_sense(task: Task, sense: Sense) -> None:
    data = sense.descriptor() if task.cdb[1] & _DESC else sense.fixed()
    send(task, data, task.cdb[4])


def starts(cdb: bytes) -> bool:
    """Whether a START STOP UNIT starts, which disturbs nobody."""
    return bool(cdb[4] & _START)


def start_stop_unit(nexus: Nexus, unit: LogicalUnit, task: Task) -> None:
    """Stop or start the unit for every nexus, or take its medium out or put it in. Stopping flushes.

    A medium that can be taken out is not stopped without that: as in an optical drive, the next access would start it.
    There are no power conditions: asking for one is answered GOOD and changes nothing.
    """
    flags = task.cdb[4]
    start = starts(task.cdb)
    if flags & _POWER_CONDITION:
        task.good()
        return
    keep = None
    if flags & _LOEJ:
        if not unit.removable:
            raise ScsiError(invalid_field_in_cdb(4, _LOEJ_BIT))
        if unit.preventing:
            raise ScsiError(medium_removal_prevented())
        keep = unit.keep_ejected if _move_medium(nexus, unit, ejected=not start) else None
    unit.set_state(holder=unit.holder, stopped=not start and not unit.removable)
    flushes = not start and not flags & _NO_FLUSH

    def work() -> None:
        if flushes:
            unit.device.flush()
        if keep is not None:
            keep(lambda: unit.tray_open)

    if not flushes and keep is None:
        task.good()
    elif task.cdb[1] & _IMMED:
        task.good()
        unit.background.submit(work, lambda error: None)  # a device that failed to flush keeps failing
    else:
        run(nexus, unit, task, work, changes=True)


def _move_medium(nexus: Nexus, unit: LogicalUnit, *, ejected: bool) -> bool:
    """Take the medium out or put it in, and tell the others; False where it is there already."""
    if unit.drive is not None:
        return move_tray(unit, nexus, open_it=ejected)
    moves = unit.ejected != ejected
    if moves and not ejected:
        unit.raise_attention(medium_may_have_changed(), but=nexus)
    unit.set_medium(ejected=ejected)
    return moves


def allows_removal(cdb: bytes) -> bool:
    """Whether a PREVENT ALLOW MEDIUM REMOVAL allows, which takes nothing from anybody."""
    return not cdb[4] & _PREVENT


def prevent_allow_medium_removal(nexus: Nexus, unit: LogicalUnit, task: Task) -> None:
    """Each nexus prevents for itself, until it allows or goes, or the unit is reset (SPC-4 6.15)."""
    if not unit.removable:
        raise ScsiError(invalid_opcode())
    if task.cdb[4] & _PREVENT:
        unit.preventing.add(nexus)
    else:
        unit.preventing.discard(nexus)
    task.good()
