"""The order of a logical unit's commands (SAM-5 clause 8): one matrix, and the queue of those that have to wait.

Commands that the event loop answers at once need no order: nothing happens between two of them. It matters when one is
under way (its data-out comes, a worker thread has it) and the next may not begin before that has ended. So a unit has
an order to keep only while a command that keeps others waiting is under way or waits itself (`engaged`); then no nexus
counts it as ready, and every command comes by here. All others never ask.

There is one task set for all nexuses (TST is 0), and the device server may reorder simple commands (QUEUE ALGORITHM
MODIFIER is 1), but what overlaps in worker threads is carried out in the order in which it came there (`ranges`).

Invariants: a command that waits is in the task set, and nothing of it has been looked at; what waits is bounded; a
command waits for older ones only, or for ones at the head of the queue, so no two wait for each other.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from enum import Enum
from functools import partial
from typing import TYPE_CHECKING, Final

from lunaport.scsi.enums import Status
from lunaport.scsi.limits import QUEUED_MAX
from lunaport.scsi.task import Task

if TYPE_CHECKING:  # both need this module
    from lunaport.scsi.logical_unit import LogicalUnit
    from lunaport.scsi.nexus import Nexus


class Ordering(Enum):
    """What a command is to the order: its task attribute, or for simple ones the class that the command table says."""

    HEAD_OF_QUEUE = "head of queue"
    ORDERED = "ordered"
    APART = "neither reads nor changes what others read"
    READS = "reads the medium"
    WRITES = "changes the medium"
    FLUSHES = "makes durable what was written"
    ALTERS = "changes how other commands are carried out"


class Turn(Enum):
    """When a command may begin."""

    NOW = "at once"
    OVERLAP = "at once; where both touch the same bytes in worker threads, after the older one"
    AFTER = "after the older one has ended"


_N, _O, _A = Turn.NOW, Turn.OVERLAP, Turn.AFTER
_MATRIX = {
    # The older one:        newer: HEAD ORD  APART READS WRITES FLUSHES ALTERS
    Ordering.HEAD_OF_QUEUE: (_N, _A, _A, _A, _A, _A, _A),
    Ordering.ORDERED: (_N, _A, _A, _A, _A, _A, _A),
    Ordering.APART: (_N, _A, _N, _N, _N, _N, _N),
    Ordering.READS: (_N, _A, _N, _N, _O, _N, _A),
    Ordering.WRITES: (_N, _A, _N, _O, _O, _N, _A),
    Ordering.FLUSHES: (_N, _A, _N, _N, _N, _N, _A),
    Ordering.ALTERS: (_N, _A, _N, _A, _A, _A, _A),
}
MATRIX: Final = {
    (older, newer): turn for older, row in _MATRIX.items() for newer, turn in zip(Ordering, row, strict=True)
}
"""When the newer of two commands may begin (SAM-5 8.7)."""
_BARS = {newer: {older for older in Ordering if MATRIX[older, newer] is Turn.AFTER} for newer in Ordering}
_BARRIERS = {older for older in Ordering if MATRIX[older, Ordering.READS] is Turn.AFTER}
"""Those that keep simple reads and writes waiting: they are remembered while they are under way."""


class Order:
    """Who of a unit's task set is under way, and who waits for whom."""

    __slots__ = ("_barriers", "_due", "_held", "_kinds", "_queue", "_unit", "engaged")

    def __init__(self, unit: "LogicalUnit") -> None:
        self._unit = unit
        self._barriers: dict[Task, Ordering] = {}
        self._queue: dict[Task, tuple[Nexus, Ordering, bool]] = {}
        """Who waits, in the order of arrival; the last value: whether all its data-out that comes unasked is here."""
        self._kinds: Counter[Ordering] = Counter()
        self._held = 0
        self._due = False
        self.engaged = False
        """Whether there is an order to keep."""

    def execute(self, nexus: "Nexus", task: Task, ordering: Ordering) -> None:
        """Have the nexus execute a command when its turn has come, perhaps at once."""
        if not self._is_barred(ordering, self._kinds):
            self._run(nexus, task, ordering)
            self.proceed()
        elif len(self._queue) >= QUEUED_MAX:
            task.finish(Status.TASK_SET_FULL)
        else:
            with self.undisturbed():
                self._wait(nexus, task, ordering)

    def proceed(self) -> None:
        """Let those begin who wait for nobody any more. Called whenever a task has left the task set."""
        self._due = bool(self._queue or self._barriers)
        while self._due and not self._held:
            self._due = False
            for task in [task for task in self._barriers if task not in self._unit.task_set]:
                del self._barriers[task]
            self._held += 1
            try:
                self._begin_those_free()
            finally:
                self._held -= 1
        if not self._held:
            self._look()

    @contextmanager
    def undisturbed(self) -> Iterator[None]:
        """Nobody else begins meanwhile: for a task that leaves the task set and may come back at once."""
        self._held += 1
        try:
            yield
        finally:
            self._held -= 1
            self.proceed()

    def _begin_those_free(self) -> None:
        ahead: Counter[Ordering] = Counter()
        for task, (_, ordering, _) in list(self._queue.items()):
            if task not in self._queue:  # ended by what was begun meanwhile
                continue
            nexus, _, complete = self._queue[task]
            if complete and not self._is_barred(ordering, ahead):
                self._leave_queue(task)
                self._unit.task_set.pop(task)
                task.resume(partial(self._run, nexus, ordering=ordering))
            else:
                ahead[ordering] += 1
                if ordering is Ordering.ORDERED:  # nobody who waits passes it
                    break

    def _run(self, nexus: "Nexus", task: Task, ordering: Ordering) -> None:
        if ordering in _BARRIERS:
            self._barriers[task] = ordering
        self._held += 1
        try:
            nexus.execute_now(self._unit, task)
        finally:
            self._held -= 1
            if ordering in _BARRIERS and task not in self._unit.task_set:
                del self._barriers[task]

    def _wait(self, nexus: "Nexus", task: Task, ordering: Ordering) -> None:
        self._unit.begin(nexus, task)
        self._queue[task] = nexus, ordering, False
        self._kinds[ordering] += 1
        if not task.defer(self._is_here):
            self._leave_queue(task)
            task.finish(Status.TASK_SET_FULL)
            self._unit.end(task)

    def _is_here(self, task: Task) -> None:
        """What comes unasked of the data-out of a task that waits has come, or it was aborted."""
        nexus, ordering, _ = self._queue[task]
        if task.aborted:
            self._leave_queue(task)
            task.finish(Status.TASK_ABORTED)
            self._unit.end(task)
        else:
            self._queue[task] = nexus, ordering, True
        self.proceed()

    def _leave_queue(self, task: Task) -> None:
        _, ordering, _ = self._queue.pop(task)
        self._kinds[ordering] -= 1

    def _is_barred(self, ordering: Ordering, ahead: Counter[Ordering]) -> bool:
        bars = _BARS[ordering]
        if any(ahead[older] for older in bars):
            return True
        return not bars.isdisjoint(self._barriers.values()) or any(
            older in bars for older in (self._under_way() if bars - _BARRIERS else ())
        )

    def _under_way(self) -> Iterable[Ordering]:
        """Of the tasks that have begun. A copy that goes on after its answer is none."""
        return (
            nexus.ordering_of(self._unit, task)
            for task, nexus in self._unit.task_set.items()
            if task not in self._queue and not task.is_answered
        )

    def _look(self) -> None:
        """Whether there is an order to keep now; the nexuses have to know."""
        engaged = bool(self._queue or self._barriers)
        if engaged != self.engaged:
            self.engaged = engaged
            self._unit.refresh()
