"""One SCSI command on one connection: its data-in, its data-out, its status (RFC 7143 sections 4.2.5, 11.2 to 11.8).

A task is what a device server sees of iSCSI (it satisfies `scsi.task.Task` without knowing it). It lays its Data-In
PDUs down in the connection's output, asks for data-out by R2T, checks what comes, and sends exactly one status.

Invariants: a task is finished once. Reserved room is not part of the output before the task is finished, so taking it
back costs nothing. Status never overtakes data, and never comes before the unsolicited data-out of its command.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from lunaport.iscsi import deferral
from lunaport.iscsi.data_out import FINAL, RESERVED_TAG, RESPONSE, DataOut
from lunaport.iscsi.output import Output, pad

if TYPE_CHECKING:
    from lunaport.iscsi.connection import Connection

OPCODE_SCSI_RESPONSE = 0x21
OPCODE_DATA_IN = 0x25
STATUS_GOOD = 0x00
STATUS_CHECK_CONDITION = 0x02
STATUS_TASK_ABORTED = 0x40
STATUS_FOLLOWS = 0x01
OVERFLOW = 0x04
UNDERFLOW = 0x02
BIDIRECTIONAL_UNDERFLOW = 0x08

SEGMENT_COST_BYTES = 512
"""What a Data-In PDU costs besides its data while it waits for a disk: header, digests, views."""


class Task:
    """One SCSI command, from its arrival to its status."""

    __slots__ = (
        "abandon",
        "aborted",
        "attribute",
        "broken_by",
        "cdb",
        "connection",
        "data_in_length",
        "data_out_length",
        "deferred_bytes",
        "expected_length",
        "finished",
        "flags",
        "immediate",
        "initiator_task_tag",
        "is_immediate",
        "late",
        "loan",
        "lun",
        "on_finished",
        "output",
        "position",
        "r2t_sn",
        "read_length",
        "segment_bytes",
        "segments",
        "state",
        "transfer_length",
        "unsolicited_open",
    )
    state: Any
    """The device server's own."""
    abandon: Callable[[], None]
    """See `scsi.task.Task.abandon`."""
    read_length: int
    """What is expected of data-in where data goes both ways; set only where the command says it."""
    deferred_bytes: int
    """What is held of its data-out while it is deferred; set only then."""
    is_answered = False
    """See `scsi.task.Task.is_answered`."""

    def __init__(
        self,
        connection: "Connection",
        flags: int,
        lun: int,
        initiator_task_tag: int,
        expected_length: int,
        cdb: bytes,
        immediate: memoryview,
    ) -> None:
        self.connection = connection
        self.flags = flags
        # Section 11.3.1: see `enums.TaskAttribute`; 5 to 7 are none.
        self.attribute = flags & 0x07
        self.lun = lun
        self.initiator_task_tag = initiator_task_tag
        self.expected_length = expected_length
        self.cdb = cdb
        self.immediate = immediate
        self.aborted = False
        self.finished = False
        self.is_immediate = False
        self.late = False
        # Bytes that the shell lent for data-in that waits for a disk.
        self.loan = 0
        self.data_in_length = 0
        self.data_out_length = 0
        # Bytes the command itself moves; what that differs by from the initiator's expectation is the residual.
        self.transfer_length = 0
        # Unsolicited Data-Out PDUs follow, and the status has to wait for the last of them.
        self.unsolicited_open = flags & connection.unsolicited_mask == 0x20
        self.r2t_sn = 0
        self.segments: list[tuple[int, int, int, int]] | None = None
        self.on_finished: Callable[[], None] | None = None
        self.broken_by: bytes | None = None

    # Data-in

    def reserve_data_in(self, length: int) -> list[memoryview]:
        """See `scsi.task.Task.reserve_data_in`."""
        connection = self.connection
        count = self.expected_length if self.flags & 0x40 else 0
        self.transfer_length = length
        if length < count:
            count = length
        self.data_in_length = count
        if not count:
            return []
        if count > connection.segment_bytes_max:
            return self._reserve_segments(count)
        room = connection.data_in_overhead + (count + 3 & ~3)
        output = connection.output
        if output.filled + room > output.size:
            output = connection.make_room(room)
        self.output = output
        self.position = output.filled
        start = output.filled + connection.data_in_offset
        return [output.view[start : start + count]]

    def _reserve_segments(self, count: int) -> list[memoryview]:
        connection = self.connection
        self.segments, size = self._lay_out(count, connection.segment_bytes_max)
        output = connection.output
        if output.filled + size > output.size:
            output = connection.make_room(size)
        self.output = output
        self.position = output.filled
        return self._segment_views()

    def _lay_out(self, count: int, segment_bytes: int) -> tuple[list[tuple[int, int, int, int]], int]:
        """Several Data-In PDUs, in bursts (MaxBurstLength) of segments (MaxRecvDataSegmentLength); and their size."""
        connection = self.connection
        burst_bytes_max = connection.parameters.max_burst_length
        layout: list[tuple[int, int, int, int]] = []
        position = offset = in_burst = 0
        while offset < count:
            size = min(segment_bytes, burst_bytes_max - in_burst, count - offset)
            in_burst += size
            final = in_burst == burst_bytes_max or offset + size == count
            layout.append((position, size, offset, FINAL if final else 0))
            position += connection.data_in_overhead + (size + 3 & ~3)
            offset += size
            in_burst = 0 if final else in_burst
        return layout, position

    def _segment_views(self) -> list[memoryview]:
        assert self.segments is not None
        view = self.output.view
        start = self.position + self.connection.data_in_offset
        return [view[start + at : start + at + size] for at, size, _, _ in self.segments]

    def borrow_data_in(self, length: int, begin: Callable[[list[memoryview]], None]) -> None:
        """See `scsi.task.Task.borrow_data_in`."""
        connection = self.connection
        count = self.expected_length if self.flags & 0x40 else 0
        self.transfer_length = length
        self.data_in_length = count = min(length, count)
        self.segments = None
        # Nothing is laid out yet: there may be thousands of segments, and many commands that wait. It will be as is
        # reckoned with now, whatever segments the initiator wants by then (see `text_exchange`).
        self.segment_bytes = connection.segment_bytes_max
        loan = count + self._segment_count(count) * SEGMENT_COST_BYTES
        connection.borrowing[self] = loan, begin
        connection.shell.lend(connection, self, loan)

    def _segment_count(self, count: int) -> int:
        """How many Data-In PDUs `count` bytes take."""
        segment = self.segment_bytes
        burst = self.connection.parameters.max_burst_length
        bursts, rest = divmod(count, burst)
        return bursts * -(-burst // segment) + -(-rest // segment)

    def take_loan(self) -> None:
        """The shell lends what `borrow_data_in` asked for."""
        connection = self.connection
        self.loan, begin = connection.borrowing.pop(self)
        self.position = 0
        count = self.data_in_length
        if count > self.segment_bytes:
            self.segments, size = self._lay_out(count, self.segment_bytes)
            self.output = Output(size)
            begin(self._segment_views())
            return
        self.output = Output(connection.data_in_overhead + (count + 3 & ~3))
        start = connection.data_in_offset
        begin([self.output.view[start : start + count]])

    def send(self, data: bytes) -> None:
        """See `scsi.task.Task.send`."""
        at = 0
        for view in self.reserve_data_in(len(data)):
            view[:] = data[at : at + len(view)]
            at += len(view)
        self.good()

    def good(self) -> None:
        """See `scsi.task.Task.good`."""
        if not self.data_in_length or self.unsolicited_open or self.aborted:
            self.finish(STATUS_GOOD)
            return
        connection = self.connection
        self.finished = True
        if self.segments is not None:
            self._fill_segments()
        else:
            count = self.data_in_length
            position = self.position
            output = self.output
            transfer_length = self.transfer_length
            expected_length = self.expected_length
            flags = FINAL | STATUS_FOLLOWS
            residual = 0
            if transfer_length != expected_length:
                if transfer_length > expected_length:
                    flags |= OVERFLOW
                    residual = transfer_length - expected_length
                else:
                    flags |= UNDERFLOW
                    residual = expected_length - transfer_length
            if not self.is_immediate:
                connection.max_cmd_sn = connection.max_cmd_sn + 1 & 0xFFFFFFFF
            RESPONSE.pack_into(
                output.buffer,
                position,
                OPCODE_DATA_IN,
                flags,
                0,
                STATUS_GOOD,
                count,
                0,
                self.initiator_task_tag,
                RESERVED_TAG,
                connection.stat_sn,
                connection.exp_cmd_sn,
                connection.max_cmd_sn,
                0,
                0,
                residual,
            )
            end = position + connection.data_in_offset + count
            if count & 3:
                end = pad(output.buffer, end, count)
            if connection.any_digest:
                end = connection.digest_into(output.view, output.buffer, position, end)
            output.filled = end
            connection.stat_sn = connection.stat_sn + 1 & 0xFFFFFFFF
        connection.reads += 1
        connection.bytes_read += self.data_in_length
        if self.loan:
            # Counted as output before it is counted as lent no more.
            connection.send_output(self.output)
            connection.shell.release(connection, self.loan)
            self.loan = 0
            del self.output
        if self.late:
            connection.task_ended(self)

    def _fill_segments(self) -> None:
        """Write the headers of a read in several PDUs; the last carries the status."""
        assert self.segments is not None
        connection = self.connection
        output = self.output
        if not self.is_immediate:
            connection.max_cmd_sn = connection.max_cmd_sn + 1 & 0xFFFFFFFF
        last = len(self.segments) - 1
        for data_sn, (at, size, offset, burst_end) in enumerate(self.segments):
            position = self.position + at
            final = burst_end
            stat_sn = residual = 0
            if data_sn == last:
                residual_flag, residual = self._residual()
                final |= STATUS_FOLLOWS | residual_flag
                stat_sn = connection.stat_sn
                connection.stat_sn = stat_sn + 1 & 0xFFFFFFFF
            RESPONSE.pack_into(
                output.buffer,
                position,
                OPCODE_DATA_IN,
                final,
                0,
                STATUS_GOOD,
                size,
                0,
                self.initiator_task_tag,
                RESERVED_TAG,
                stat_sn,
                connection.exp_cmd_sn,
                connection.max_cmd_sn,
                data_sn,
                offset,
                residual,
            )
            end = pad(output.buffer, position + connection.data_in_offset + size, size)
            if connection.any_digest:
                end = connection.digest_into(output.view, output.buffer, position, end)
        output.filled = end

    def _residual(self) -> tuple[int, int]:
        """Residual flag and count (RFC 7143 section 11.4.5)."""
        difference = self.transfer_length - self.expected_length
        if difference > 0:
            return OVERFLOW, difference
        if difference < 0:
            return UNDERFLOW, -difference
        return 0, 0

    # Data-out

    def take_immediate(self, length: int) -> memoryview | None:
        """See `scsi.task.Task.take_immediate`."""
        immediate = self.immediate
        if len(immediate) < length or self.unsolicited_open:
            return None
        self.transfer_length = self.data_out_length = length
        return immediate if len(immediate) == length else immediate[:length]

    def want_data_out(
        self,
        length: int,
        piece: Callable[["Task", int, memoryview], None],
        end: Callable[["Task"], None],
    ) -> None:
        """See `scsi.task.Task.want_data_out`."""
        expected = self.expected_length if self.flags & 0x20 else 0
        wanted = min(expected, length)
        self.transfer_length = length
        self.data_out_length = wanted
        immediate = self.immediate
        taken = min(len(immediate), wanted)
        if taken:
            piece(self, 0, immediate[:taken])
        if self.unsolicited_open or taken < wanted:
            DataOut(self, piece, end).begin(len(immediate), taken)
        else:
            end(self)

    def defer(self, ready: Callable[["Task"], None]) -> bool:
        """See `scsi.task.Task.defer`."""
        return deferral.defer(self, ready)

    def resume(self, execute: Callable[["Task"], None]) -> None:
        """See `scsi.task.Task.resume`."""
        deferral.resume(self, execute)

    def keep(self, size_bytes: int) -> bool:
        """See `scsi.task.Task.keep`."""
        return self.connection.shell.keep(self.connection, size_bytes)

    def let_go(self, size_bytes: int) -> None:
        """See `scsi.task.Task.let_go`."""
        self.connection.shell.drop(self.connection, size_bytes)

    def hold(self, size_bytes: int, *, crowded: bool) -> bool:
        """See `scsi.task.Task.hold`."""
        return self.connection.shell.hold(self.connection, size_bytes, crowded=crowded)

    def release(self, size_bytes: int) -> None:
        """See `scsi.task.Task.release`."""
        self.connection.shell.release(self.connection, size_bytes)

    # The end

    def finish(self, status: int, sense: bytes = b"") -> None:
        """See `scsi.task.Task.finish`."""
        assert not self.finished, "a task is finished once"
        connection = self.connection
        if self.unsolicited_open and not self.aborted:
            # A status must not overtake the unsolicited data of its command: it waits, and that data is dropped.
            data_out = connection.waiting.get(self.initiator_task_tag)
            if data_out is None:
                self.data_out_length = 0
                data_out = DataOut(self, None, None)
                data_out.begin(len(self.immediate), 0)
            data_out.held_status = (status, sense)
            return
        self.finished = True
        if not self.is_immediate:
            connection.max_cmd_sn = connection.max_cmd_sn + 1 & 0xFFFFFFFF
        if self.broken_by is not None:
            self._send_response(STATUS_CHECK_CONDITION, self.broken_by)
        elif not self.aborted:
            self._send_response(status, sense)
        elif not self.is_immediate:
            connection.tell_window()
        if self.late:
            connection.task_ended(self)

    def _send_response(self, status: int, sense: bytes) -> None:
        """Lay down the SCSI Response PDU (section 11.4)."""
        connection = self.connection
        if status != STATUS_GOOD:
            self._count_failure(status)
        elif self.flags & 0x20:
            connection.writes += 1
            connection.bytes_written += self.data_out_length
        else:
            connection.others += 1
        residual_flag, residual = self._residual()
        read_residual = 0
        if self.flags & 0x60 == 0x60:
            # No command moves data both ways, so all that was to be read is left (section 11.4.6).
            read_residual = getattr(self, "read_length", 0)
            residual_flag |= BIDIRECTIONAL_UNDERFLOW if read_residual else 0
        sense_length = len(sense) + 2 if sense else 0
        room = connection.data_in_overhead + (sense_length + 3 & ~3)
        output = connection.output
        if output.filled + room > output.size:
            output = connection.make_room(room)
        position = output.filled
        RESPONSE.pack_into(
            output.buffer,
            position,
            OPCODE_SCSI_RESPONSE,
            FINAL | residual_flag,
            0,
            status,
            sense_length,
            0,
            self.initiator_task_tag,
            0,
            connection.stat_sn,
            connection.exp_cmd_sn,
            connection.max_cmd_sn,
            0,  # ExpDataSN: no Data-In PDU comes before a response of its own (section 11.4.8)
            read_residual,
            residual,
        )
        end = position + connection.data_in_offset
        if sense:
            output.view[end : end + sense_length] = len(sense).to_bytes(2, "big") + sense
            end = pad(output.buffer, end + sense_length, sense_length)
        if connection.any_digest:
            end = connection.digest_into(output.view, output.buffer, position, end)
        output.filled = end
        connection.stat_sn = connection.stat_sn + 1 & 0xFFFFFFFF

    def _count_failure(self, status: int) -> None:
        connection = self.connection
        connection.failures[status] = connection.failures.get(status, 0) + 1
        if self.flags & 0x20:
            connection.writes += 1
            return
        self.transfer_length = 0  # no data-in was sent: all that was expected is residual
        if self.flags & 0x40:
            connection.reads += 1
        else:
            connection.others += 1

    def when_finished(self, call: Callable[[], None]) -> None:
        """Call when the task has ended, after those who asked before: a task can be aborted twice."""
        earlier = self.on_finished

        def finished() -> None:
            if earlier is not None:
                earlier()
            call()

        self.on_finished = finished

    def abort(self) -> None:
        """See `scsi.task.Task.abort`."""
        if self.finished or self.aborted:
            return
        self.aborted = True
        connection = self.connection
        data_out = connection.waiting.get(self.initiator_task_tag)
        if data_out is not None and data_out.task is self:
            data_out.abort()
        elif self in connection.borrowing:
            _, begin = connection.borrowing.pop(self)
            begin([])
        elif self in connection.deferred:
            deferral.abort(self)
        if not self.finished:
            abandon = getattr(self, "abandon", None)
            if abandon is not None:
                abandon()

    def leave(self, *, working: bool) -> Callable[[], None]:
        """See `scsi.task.Task.leave`."""
        connection = self.connection
        loan = self.loan if working else 0
        self.loan -= loan
        if self.loan:
            del self.output
        self.finish(STATUS_TASK_ABORTED)

        def ended() -> None:
            if loan:
                connection.shell.release(connection, loan)

        return ended
