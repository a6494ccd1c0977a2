"""Task management functions (SAM-5 clause 7): the one table of those there are.

What REPORT SUPPORTED TASK MANAGEMENT FUNCTIONS tells and what a transport may ask for follow from it.
"""

from collections.abc import Callable, Mapping
from enum import IntFlag
from functools import reduce
from operator import or_
from typing import Final

from lunaport.scsi.logical_unit import Done
from lunaport.scsi.nexus import Nexus


class TaskManagement(IntFlag):
    """As in the first byte of REPORT SUPPORTED TASK MANAGEMENT FUNCTIONS (SPC-4 table 286)."""

    ABORT_TASK = 0x80
    ABORT_TASK_SET = 0x40
    CLEAR_ACA = 0x20
    CLEAR_TASK_SET = 0x10
    LOGICAL_UNIT_RESET = 0x08
    QUERY_TASK = 0x04
    TARGET_RESET = 0x02
    WAKEUP = 0x01


Manage = Callable[[Nexus, int, Done], bool]
"""Carries a function out on a LUN as on the wire. False, and no `done`, where there is no such unit."""


def target_reset(nexus: Nexus, lun: int, done: Done) -> bool:
    """Reset every unit that the nexus sees, whatever the LUN says (SAM-5 7.8 leaves it to the transport)."""
    left = len(nexus.units)

    def one_done() -> None:
        nonlocal left
        left -= 1
        if not left:
            done()

    if not left:
        done()
    for unit in list(nexus.units.values()):
        unit.reset(one_done)
    return True


FUNCTIONS: Final[Mapping[TaskManagement, Manage]] = {
    TaskManagement.ABORT_TASK_SET: Nexus.abort_task_set,
    TaskManagement.CLEAR_TASK_SET: Nexus.clear_task_set,
    TaskManagement.LOGICAL_UNIT_RESET: Nexus.reset_unit,
    TaskManagement.TARGET_RESET: target_reset,
}
"""Those that name no task."""
SUPPORTED: Final = TaskManagement.ABORT_TASK | reduce(or_, FUNCTIONS)
"""Those, and ABORT TASK: the transport finds the task, and `Nexus.abort_task` or the task itself ends it."""
