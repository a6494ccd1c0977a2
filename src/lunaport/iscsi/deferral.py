"""Commands that the device server executes later than they came (SAM-5 clause 8): their data-out is kept meanwhile.

Kept is what came with the command, and what comes unasked behind it; more is not asked for before the command begins.
What is kept is counted, and never stops the connection from being read: the command may wait for the data-out of
another one that comes on the same connection.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING

from lunaport.iscsi.data_out import NOTHING, DataOut

if TYPE_CHECKING:  # the task needs this module
    from lunaport.iscsi.task import Task


def defer(task: "Task", ready: Callable[["Task"], None]) -> bool:
    """See `scsi.task.Task.defer`."""
    connection = task.connection
    immediate = task.immediate
    size = len(immediate)
    if task.unsolicited_open:
        size = max(size, min(connection.parameters.first_burst_length, task.expected_length))
    if size and not connection.shell.keep(connection, size):
        return False
    task.deferred_bytes = size
    connection.deferred[task] = ready
    if not task.unsolicited_open:
        task.immediate = memoryview(bytes(immediate))
        ready(task)
        return True
    gathered = bytearray(immediate)

    def piece(_task: "Task", _offset: int, data: memoryview) -> None:
        gathered.extend(data)

    def end(task: "Task") -> None:
        task.immediate = memoryview(gathered)
        task.data_out_length = 0
        if task.aborted:
            _let_go(task)
        ready(task)

    task.data_out_length = size
    DataOut(task, piece, end).begin(len(immediate), len(immediate))
    return True


def resume(task: "Task", execute: Callable[["Task"], None]) -> None:
    """See `scsi.task.Task.resume`."""
    del task.connection.deferred[task]
    execute(task)
    task.immediate = NOTHING
    task.connection.shell.drop(task.connection, task.deferred_bytes)


def abort(task: "Task") -> None:
    """A task that is deferred, and all of whose data is here, was aborted."""
    ready = task.connection.deferred[task]
    _let_go(task)
    ready(task)


def _let_go(task: "Task") -> None:
    del task.connection.deferred[task]
    task.immediate = NOTHING
    task.connection.shell.drop(task.connection, task.deferred_bytes)
