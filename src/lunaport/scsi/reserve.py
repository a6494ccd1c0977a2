"""RESERVE and RELEASE, (6) and (10) (SPC-2 7.21 to 7.24).

A whole unit is reserved for one nexus, until that releases it or goes, or the unit is reset.
"""

from lunaport.scsi.logical_unit import LogicalUnit
from lunaport.scsi.nexus import Nexus
from lunaport.scsi.task import Task


def reserve(nexus: Nexus, unit: LogicalUnit, task: Task) -> None:
    # A unit that another nexus holds is a conflict before this runs.
    unit.set_state(holder=nexus, stopped=unit.stopped)
    task.good()


def release(nexus: Nexus, unit: LogicalUnit, task: Task) -> None:
    """Releasing what one does not hold is in order and changes nothing."""
    if unit.holder is nexus:
        unit.set_state(holder=None, stopped=unit.stopped)
    task.good()
