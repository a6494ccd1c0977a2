"""A third-party copy under way (SPC-4 5.17.4): moves data in chunks, keeps what RECEIVE COPY RESULTS tells of it.

A copy that goes on after its command was answered (IMMED) leaves a stand-in in the task set, so that aborts and resets
find it like any other and are told when it has ended. Each chunk asks anew whether the initiator may still use both
units; while a chunk moves, neither unit's device is closed, and what overlaps it waits (`ranges`).

Invariants: a copy ends once; nothing is written after that; results are bounded.
"""

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from lunaport.blockdev.copying import copy_range, fill_with_zeros
from lunaport.blockdev.device import DeviceError, DeviceFault
from lunaport.scsi.copy_domain import Reach, Token, readable
from lunaport.scsi.enums import CopyStatus, Status
from lunaport.scsi.limits import COPIES_PER_UNIT_MAX, COPY_CHUNK_BYTES, COPY_RESULTS_PER_UNIT_MAX
from lunaport.scsi.logical_unit import LogicalUnit
from lunaport.scsi.nexus import Nexus
from lunaport.scsi.ranges import Span, Spans
from lunaport.scsi.reply import conclude
from lunaport.scsi.sense import (
    ScsiError,
    Sense,
    copy_cleared_by_device_server,
    copy_target_not_reachable,
    internal_target_failure,
    sense_of,
    third_party_device_failure,
    token_revoked,
)
from lunaport.scsi.task import EndHandler, PieceHandler, Task

Done = Callable[[BaseException | None], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """A run of bytes to copy. The source is a unit of the initiator, a token's unit, or (both None) zeros."""

    source: Reach | None = None
    token: Token | None = None
    source_offset: int = 0
    destination: Reach
    offset: int
    length: int

    @property
    def source_unit(self) -> LogicalUnit | None:
        if self.source is not None:
            return self.source.unit
        return self.token.unit if self.token is not None else None

    @property
    def overlap(self) -> bool:
        return (
            self.source_unit is self.destination.unit
            and self.source_offset < self.offset + self.length
            and self.offset < self.source_offset + self.length
        )


@dataclass(slots=True, kw_only=True)
class CopyRecord:
    """What is known of a copy."""

    service_action: int
    list_id: int
    status: CopyStatus = CopyStatus.IN_FOREGROUND
    completion_status: int = Status.GOOD
    sense: bytes = b""
    segments_done: int = 0
    bytes_done: int = 0
    chunks_done: int = 0
    token: Token | None = None
    operation: "CopyOperation | None" = field(default=None, repr=False)
    """While it is under way."""


class StandIn:
    """A `Task` that nobody waits for: a copy in the background, as the task set sees it."""

    def __init__(self) -> None:
        self.cdb = bytes(16)
        self.lun = 0
        self.expected_length = 0
        self.immediate = memoryview(b"")
        self.data_in_length = 0
        self.aborted = False
        self.state: Any = None
        self.abandon: Callable[[], None] = lambda: None
        self.attribute = 0
        self.is_answered = True

    def defer(self, ready: Callable[[Task], None]) -> bool:
        raise AssertionError("a stand-in never waits for its turn")

    def resume(self, execute: Callable[[Task], None]) -> None:
        raise AssertionError("a stand-in never waits for its turn")

    def reserve_data_in(self, length: int) -> list[memoryview]:
        return []

    def borrow_data_in(self, length: int, begin: Callable[[list[memoryview]], None]) -> None:
        raise AssertionError("a stand-in moves no data")

    def hold(self, size_bytes: int, *, crowded: bool) -> bool:
        raise AssertionError("a stand-in moves no data")

    def release(self, size_bytes: int) -> None:
        raise AssertionError("a stand-in moves no data")

    def keep(self, size_bytes: int) -> bool:
        raise AssertionError("a stand-in moves no data")

    def let_go(self, size_bytes: int) -> None:
        raise AssertionError("a stand-in moves no data")

    def take_immediate(self, length: int) -> memoryview | None:
        return None

    def want_data_out(self, length: int, piece: PieceHandler, end: EndHandler) -> None:
        raise AssertionError("a stand-in moves no data")

    def send(self, data: bytes) -> None:
        """Nobody waits."""

    def good(self) -> None:
        """Nobody waits."""

    def finish(self, status: int, sense: bytes = b"") -> None:
        """Nobody waits."""

    def abort(self) -> None:
        self.aborted = True

    def leave(self, *, working: bool) -> Callable[[], None]:
        raise AssertionError("a stand-in ends with its copy")


class CopyOperation:
    """One copy on its way. Made and started by `start_copy`."""

    def __init__(self, nexus: Nexus, unit: LogicalUnit, task: Task, record: CopyRecord, moves: Sequence[Move]) -> None:
        self.nexus = nexus
        self.unit = unit
        self.task = task
        self.record = record
        self.moves = moves
        self.done_of_move = 0
        self.cancelled = False
        self.when_ended: list[Callable[[], None]] = []
        self.good_status = CopyStatus.COMPLETED

    def step(self) -> None:
        """Move the next chunk, or end."""
        record = self.record
        while record.segments_done < len(self.moves) and self.done_of_move == self.moves[record.segments_done].length:
            record.segments_done += 1
            self.done_of_move = 0
        if self.task.aborted or self.cancelled or record.segments_done == len(self.moves):
            self._end(None)
        else:
            move = self.moves[record.segments_done]
            refusal = _refusal(move)
            if refusal is not None:
                self._end(ScsiError(refusal))
            else:
                self._move_chunk(move)

    def _move_chunk(self, move: Move) -> None:
        length = min(COPY_CHUNK_BYTES, move.length - self.done_of_move)
        # An overlapping run that goes towards the end is moved from its end on.
        backwards = move.overlap and move.source_offset < move.offset
        at = move.length - self.done_of_move - length if backwards else self.done_of_move
        source, destination = move.source_unit, move.destination.unit
        claims = _claims(move, at, length)
        others = claims.keys() - {self.unit}

        def work() -> None:
            if source is None:
                fill_with_zeros(destination.device_in_turn, move.offset + at, length)
                return
            copy_range(
                readable(source.device_in_turn),
                move.source_offset + at,
                destination.device_in_turn,
                move.offset + at,
                length,
                overlap=move.overlap,
            )

        def done(error: BaseException | None) -> None:
            for unit, span in claims.items():
                unit.ranges.leave(span)
            for unit in others:
                unit.release()
            if error is None and move.token is not None and move.token.revoked:
                error = ScsiError(token_revoked())
            if error is not None:
                self._end(error)
                return
            self.done_of_move += length
            self.record.bytes_done += length
            self.record.chunks_done += 1
            self.step()

        for unit in others:
            unit.hold()
        # One unit after the other, always in the same order: no two copies wait for each other.
        self._enter(deque(sorted(claims.items(), key=lambda claim: claim[0].uuid)), work, done)

    def _enter(self, claims: "deque[tuple[LogicalUnit, Span]]", work: Callable[[], None], done: Done) -> None:
        """Wait for the turn on each unit, then do the work."""
        if claims:
            unit, span = claims.popleft()
            unit.ranges.enter(span, partial(self._enter, claims, work, done), bounded=False)
        else:
            self.unit.background.submit(work, done)

    def _end(self, error: BaseException | None) -> None:
        record = self.record
        record.operation = None
        unknown = None
        if self.task.aborted:
            record.status = CopyStatus.TERMINATED
            record.completion_status = Status.TASK_ABORTED
        elif self.cancelled:
            record.status = CopyStatus.TERMINATED
            error = ScsiError(copy_cleared_by_device_server())
        elif error is None:
            record.status = self.good_status
        else:
            record.status = CopyStatus.FAILED
        if error is not None:
            sense, known = _sense_of_copy(error)
            unknown = None if known else error
            record.sense = sense.fixed()
            record.completion_status = Status.CHECK_CONDITION
            error = ScsiError(sense)
        try:
            conclude(self.unit, self.task, error)
        finally:
            self.unit.end(self.task)
            for call in self.when_ended:
                call()
        if unknown is not None:
            raise unknown


def _claims(move: Move, at: int, length: int) -> dict[LogicalUnit, Span]:
    """What a chunk reads and writes, by unit."""
    written = Span(move.offset + at, length, writes=True)
    if move.source_unit is None:
        return {move.destination.unit: written}
    read = Span(move.source_offset + at, length, writes=False)
    if move.source_unit is move.destination.unit:
        return {move.destination.unit: Spans(read, written)}
    return {move.source_unit: read, move.destination.unit: written}


def _refusal(move: Move) -> Sense | None:
    """Why the next chunk may not be moved."""
    if move.token is not None and move.token.revoked:
        return token_revoked()
    if move.token is not None and (move.token.unit.closing or move.token.unit.erasure is not None):
        return copy_target_not_reachable()
    if move.source is not None and not move.source.usable(writing=False):
        return copy_target_not_reachable()
    return None if move.destination.usable(writing=True) else copy_target_not_reachable()


def _sense_of_copy(error: BaseException) -> tuple[Sense, bool]:
    """What the initiator is told, and whether it was an error of a disk or of the initiator, not of ours."""
    if isinstance(error, ScsiError):
        return error.sense, True
    if isinstance(error, DeviceError):
        # Initiators act on "no space" only when they see it as such.
        return (sense_of(error) if error.fault is DeviceFault.NO_SPACE else third_party_device_failure()), True
    return internal_target_failure(), False


def find_record(nexus: Nexus, unit: LogicalUnit, list_id: int) -> CopyRecord | None:
    return unit.copies.get((nexus, list_id))


def keep_record(nexus: Nexus, unit: LogicalUnit, record: CopyRecord) -> None:
    """Keep a record in the place of one with the same list identifier; the oldest goes when there are too many."""
    unit.copies.pop((nexus, record.list_id), None)
    ended = [key for key, kept in unit.copies.items() if kept.operation is None]
    for key in ended[: max(0, len(unit.copies) - COPY_RESULTS_PER_UNIT_MAX + 1)]:
        del unit.copies[key]
    unit.copies[nexus, record.list_id] = record


def start_copy(
    nexus: Nexus,
    unit: LogicalUnit,
    task: Task,
    record: CopyRecord,
    moves: Sequence[Move],
    *,
    immediate: bool,
    keep: bool,
    good_status: CopyStatus = CopyStatus.COMPLETED,
) -> None:
    """Carry `moves` out one after the other; the task ends with the last, or at once when `immediate`."""
    if sum(kept.operation is not None for kept in unit.copies.values()) >= COPIES_PER_UNIT_MAX:
        task.finish(Status.TASK_SET_FULL)
        return
    if immediate:
        task.good()
        task = StandIn()
        record.status = CopyStatus.IN_BACKGROUND
    operation = CopyOperation(nexus, unit, task, record, moves)
    operation.good_status = good_status
    record.operation = operation
    keep_record(nexus, unit, record)
    if not keep:
        operation.when_ended.append(lambda: _discard(nexus, unit, record))
    unit.begin(nexus, task)
    operation.step()


def _discard(nexus: Nexus, unit: LogicalUnit, record: CopyRecord) -> None:
    if unit.copies.get((nexus, record.list_id)) is record:
        del unit.copies[nexus, record.list_id]


def cancel_copy(nexus: Nexus, unit: LogicalUnit, task: Task, operation: CopyOperation) -> None:
    """End `operation`; the task that asked for it is answered when that has happened."""

    def ended() -> None:
        try:
            conclude(unit, task, None)
        finally:
            unit.end(task)

    operation.cancelled = True
    operation.when_ended.append(ended)
    unit.begin(nexus, task)
