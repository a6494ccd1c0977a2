"""Taking data-out: streamed to the disk as it comes, or collected where a command needs it whole.

Invariants: a logical block is moved whole or not at all, whatever the pieces are cut like; after the first error the
rest of the data is taken and dropped, and that error is the answer; data that has to wait for the disk is copied, and
what is held of it is bounded: the initiator is not read from while it is much (`Task.hold`), and where that comes too
late the answer is TASK SET FULL, and it tries again.
"""

from collections.abc import Callable, Sequence

from lunaport.blockdev.device import Buffer, DeviceError
from lunaport.scsi.enums import Status
from lunaport.scsi.limits import CROWDED_BYTES, WAITING_BYTES_MAX
from lunaport.scsi.logical_unit import LogicalUnit
from lunaport.scsi.nexus import Nexus
from lunaport.scsi.ranges import Span
from lunaport.scsi.reply import conclude, raise_mistake, run
from lunaport.scsi.sense import ScsiError
from lunaport.scsi.task import Task

MoveNow = Callable[[int, Sequence[Buffer]], int]
"""Like `BlockDevice.write_now`; may raise ScsiError too."""
Move = Callable[[int, Sequence[Buffer]], None]
"""Like `BlockDevice.write`; may raise ScsiError too."""


class _Piece:
    """A run of data-out on its way to the disk in the background."""

    __slots__ = ("begun", "data", "dropped")

    def __init__(self, data: memoryview) -> None:
        self.data = data
        self.begun = self.dropped = False


class _Stream:
    """The state of one command's data-out on its way to the disk."""

    __slots__ = (
        "after",
        "arrived",
        "error",
        "full",
        "left",
        "move",
        "move_now",
        "nexus",
        "offset",
        "pieces",
        "tail",
        "unit",
        "writes",
    )

    def __init__(
        self,
        nexus: Nexus,
        unit: LogicalUnit,
        offset: int,
        move_now: MoveNow | None,
        move: Move | None,
        after: Callable[[], None] | None,
        *,
        writes: bool,
    ) -> None:
        self.nexus = nexus
        self.unit = unit
        self.offset = offset
        self.move_now = move_now
        self.move = move
        self.after = after
        self.writes = writes
        self.tail = b""
        """Bytes of a block that has not come whole yet."""
        self.pieces: set[_Piece] = set()
        """In the background."""
        self.left = False
        """The task was aborted, and finished before its pieces."""
        self.arrived = False
        self.full = False
        self.error: BaseException | None = None


def stream(
    nexus: Nexus,
    unit: LogicalUnit,
    task: Task,
    offset: int,
    length: int,
    *,
    move_now: MoveNow | None = None,
    move: Move | None = None,
    after: Callable[[], None] | None = None,
    writes: bool = True,
) -> None:
    """Move `length` bytes of data-out (whole blocks) to `offset`, then run `after` in the background, then finish.

    `move_now` and `move` left out: they are written to the device. `writes`: whether moving changes the device. What
    does not move at once is moved in the background. Of a task that brings less, the whole blocks that come move.
    """
    flow = _Stream(nexus, unit, offset, move_now, move, after, writes=writes)
    task.state = flow
    task.abandon = lambda: _abandon(task, flow)
    unit.begin(nexus, task)
    whole = task.take_immediate(length)
    if whole is None:
        task.want_data_out(length, _receive_piece, _receive_end)
    else:
        _receive_piece(task, 0, whole)
        _receive_end(task)


def _receive_piece(task: Task, offset: int, data: memoryview) -> None:
    flow: _Stream = task.state
    if flow.error is not None or flow.full or task.aborted:
        return
    position = flow.offset + offset
    if flow.tail or len(data) & flow.unit.block_mask:
        position -= len(flow.tail)
        joined = memoryview(flow.tail + data)
        whole = len(joined) & ~flow.unit.block_mask
        flow.tail = bytes(joined[whole:])
        data = joined[:whole]
    # The device is asked for anew with each piece: a range may be guarded by now.
    move_now = flow.move_now or flow.unit.device.write_now
    try:
        moved = move_now(position, [data]) if data else 0
    except (DeviceError, ScsiError) as error:
        flow.error = error
        return
    if moved != len(data):
        _move_in_background(task, flow, position + moved, data[moved:])


def _move_in_background(task: Task, flow: _Stream, position: int, data: memoryview) -> None:
    unit = flow.unit
    length = len(data)
    waiting_bytes = unit.waiting_bytes + length
    if waiting_bytes > WAITING_BYTES_MAX or not task.hold(length, crowded=waiting_bytes > CROWDED_BYTES):
        flow.full = True
        return
    piece = _Piece(memoryview(bytes(data)))
    move = flow.move or unit.device.write
    span = Span(position, length, writes=flow.writes)

    def work() -> None:
        piece.begun = True
        # In this order: `_abandon` looks at `begun` after the task was aborted.
        if not task.aborted:
            move(position, [piece.data])

    def done(error: BaseException | None) -> None:
        unit.ranges.leave(span)
        if piece.dropped:
            return
        flow.pieces.discard(piece)
        _give_back(task, unit, length)
        flow.error = flow.error or error
        if flow.left:
            if not flow.pieces:
                unit.strays.discard(task)
                unit.end(task)
            raise_mistake(error)
        elif flow.arrived and not flow.pieces:
            _finish(task, flow)

    unit.waiting_bytes = waiting_bytes
    flow.pieces.add(piece)
    if not unit.ranges.enter(span, lambda: unit.background.submit(work, done)):
        _give_back(task, unit, length)
        flow.pieces.discard(piece)
        flow.full = True


def _give_back(task: Task, unit: LogicalUnit, length: int) -> None:
    """Data-out waits for the disk no longer."""
    unit.waiting_bytes -= length
    task.release(length)


def _abandon(task: Task, flow: _Stream) -> None:
    """The task was aborted: pieces that are not begun never will be; it waits for those that write and have begun."""
    for piece in [piece for piece in flow.pieces if not piece.begun]:
        flow.pieces.discard(piece)
        piece.dropped = True
        _give_back(task, flow.unit, len(piece.data))
        piece.data = memoryview(b"")
    if not flow.pieces or not flow.writes:
        flow.left = True
        task.leave(working=False)
        flow.unit.end(task)
        if flow.pieces:
            flow.unit.strays.add(task)


def _receive_end(task: Task) -> None:
    flow: _Stream = task.state
    flow.arrived = True
    if not flow.pieces:
        _finish(task, flow)


def _finish(task: Task, flow: _Stream) -> None:
    unit = flow.unit
    if flow.after is not None and flow.error is None and not flow.full and not task.aborted:
        run(flow.nexus, unit, task, flow.after)
        return
    try:
        if flow.full and flow.error is None and not task.aborted:
            task.finish(Status.TASK_SET_FULL)
        else:
            conclude(unit, task, flow.error)
    finally:
        unit.end(task)


def collect(nexus: Nexus, unit: LogicalUnit, task: Task, length: int, then: Callable[[bytes], None]) -> None:
    """Gather `length` bytes of data-out and call `then` with them, which finishes the task or raises ScsiError.

    When the initiator sends less, `then` gets less.
    """
    whole = task.take_immediate(length)
    if whole is not None:
        then(bytes(whole))
        return
    if unit.waiting_bytes + length > WAITING_BYTES_MAX or not task.keep(length):
        task.finish(Status.TASK_SET_FULL)
        return
    gathered = bytearray()

    def receive_piece(_task: Task, _offset: int, data: memoryview) -> None:
        gathered.extend(data)

    def receive_end(ended: Task) -> None:
        # Out of the task set before `then` enters it again for its work in the background; it has not ended for others.
        with unit.order.undisturbed():
            if ended.aborted:
                ended.finish(Status.TASK_ABORTED)
            unit.end(ended)
            if not ended.aborted:
                try:
                    then(bytes(gathered))
                except ScsiError as error:
                    conclude(unit, ended, error)
            if ended in unit.task_set:
                unit.gathered[ended] = length
            else:
                unit.let_go(ended, length)

    unit.waiting_bytes += length
    unit.begin(nexus, task)
    task.want_data_out(length, receive_piece, receive_end)
