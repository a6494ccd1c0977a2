"""How a task is finished off the hot path: cut data-in, and work in the background."""

from collections.abc import Callable

from lunaport.blockdev.device import DeviceError
from lunaport.scsi.enums import Status
from lunaport.scsi.logical_unit import LogicalUnit
from lunaport.scsi.nexus import Nexus
from lunaport.scsi.ranges import Span
from lunaport.scsi.sense import ScsiError, internal_target_failure, sense_of
from lunaport.scsi.task import Task


def send(task: Task, data: bytes, allocation_length: int) -> None:
    """GOOD with as much of `data` as the initiator made room for (SPC-4 4.3.5.6)."""
    task.send(data[:allocation_length])


def run(
    nexus: Nexus,
    unit: LogicalUnit,
    task: Task,
    work: Callable[[], None],
    *,
    over: Span | None = None,
    answer: Callable[[], None] | None = None,
    changes: bool = False,
) -> None:
    """Run `work` in the background, then finish the task: GOOD, or the sense of what it raised.

    `over`: the bytes that it reads or writes; it begins when nothing that overlaps them is in the way. `answer`:
    finishes the task where GOOD alone is not what `work` found out. `changes`: something beside those bytes.

    Work of a task that is aborted while it waits in the queue is never begun, and the task ends at once; so it does
    where the work has begun but only looks: its disk may hang. What writes, and has begun, is waited for, so that
    nothing lands after the abort was answered. What is no DeviceError or ScsiError is a mistake of ours: the initiator
    gets an answer, and the error goes on to whoever runs the event loop.
    """
    changes = changes or (over is not None and over.writes)
    begun = False
    left: Callable[[], None] | None = None

    def unless_aborted() -> None:
        nonlocal begun
        begun = True
        # In this order: `abandon` looks at `begun` after the task was aborted.
        if not task.aborted:
            work()

    def abandon() -> None:
        nonlocal work, left
        if begun and changes:
            return
        if not begun:
            work = _nothing
        left = task.leave(working=begun)
        unit.end(task)
        if begun:
            unit.strays.add(task)

    def done(error: BaseException | None) -> None:
        try:
            if left is not None:
                left()
                raise_mistake(error)
            elif answer is not None and error is None and not task.aborted:
                answer()
            else:
                conclude(unit, task, error)
        finally:
            if over is not None:
                unit.ranges.leave(over)
            unit.strays.discard(task)
            unit.end(task)

    def start() -> None:
        unit.background.submit(unless_aborted, done)

    task.abandon = abandon
    unit.begin(nexus, task)
    if over is None:
        start()
    elif not unit.ranges.enter(over, start):
        task.finish(Status.TASK_SET_FULL)
        unit.end(task)


def _nothing() -> None:
    """Work that is not to be done any more."""


def conclude(unit: LogicalUnit, task: Task, error: BaseException | None) -> None:
    """Finish a task whose work has ended."""
    if task.aborted:
        task.finish(Status.TASK_ABORTED)
    elif error is None:
        task.good()
    elif isinstance(error, DeviceError | ScsiError):
        task.finish(Status.CHECK_CONDITION, unit.sense_data(sense_of(error)))
    else:
        task.finish(Status.CHECK_CONDITION, unit.sense_data(internal_target_failure()))
        raise_mistake(error)


def raise_mistake(error: BaseException | None) -> None:
    """Raise what work cannot end with unless we made a mistake."""
    if error is not None and not isinstance(error, DeviceError | ScsiError):
        raise error
