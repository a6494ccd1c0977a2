"""RESERVE and RELEASE, (6) and (10) (SPC-2 7.21 to 7.24).

A whole unit is reserved for one nexus, until that releases it or goes, or the unit is reset. Where nexuses have
registered for persistent reservations these commands change nothing any more (SPC-4 5.12.3, CRH): they are GOOD for
those who have access by a persistent reservation anyway, and a conflict for all others.
"""

from lunaport.scsi.enums import Status
from lunaport.scsi.logical_unit import LogicalUnit
from lunaport.scsi.nexus import Nexus
from lunaport.scsi.task import Task


def reserve(nexus: Nexus, unit: LogicalUnit, task: Task) -> None:
    if unit.reservations.busy:
        task.finish(Status.BUSY)  # a registration is on its way to the disk, and decides what this may do
    elif unit.reservations.now.registrations:
        _finish_beside_persistent(nexus, unit, task)
    else:
        # A unit that another nexus holds is a conflict before this runs.
        unit.set_state(holder=nexus, stopped=unit.stopped)
        task.good()


def release(nexus: Nexus, unit: LogicalUnit, task: Task) -> None:
    """Releasing what one does not hold is in order and changes nothing."""
    if unit.reservations.now.registrations:
        _finish_beside_persistent(nexus, unit, task)
        return
    if unit.holder is nexus:
        unit.set_state(holder=None, stopped=unit.stopped)
    task.good()


def _finish_beside_persistent(nexus: Nexus, unit: LogicalUnit, task: Task) -> None:
    now = unit.reservations.now
    if now.type is not None and now.is_unrestricted(nexus.id):
        task.good()
    else:
        task.finish(Status.RESERVATION_CONFLICT)
