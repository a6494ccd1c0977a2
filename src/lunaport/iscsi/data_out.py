"""The data-out of a command that did not come with it: unsolicited, and solicited by R2T (RFC 7143 11.7, 11.8).

Invariants: data is taken in order and handed on at once, nothing is gathered here; at most MaxOutstandingR2T bursts are
under way; a PDU that breaks the order ends the task, because level 0 does not recover it (section 7.8), and its status
waits for the end of every burst that is under way.
"""

from collections import deque
from collections.abc import Callable
from struct import Struct
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # the task makes its data-out
    from lunaport.iscsi.task import Task

RESERVED_TAG = 0xFFFFFFFF
OPCODE_R2T = 0x31
FINAL = 0x80
STATUS_CHECK_CONDITION = 0x02
NOTHING = memoryview(b"")

# Opcode, flags, response, status, lengths, LUN, ITT, then eight words that differ (sections 11.4, 11.7, 11.8).
RESPONSE = Struct(">BBBBIQIIIIIIII")

# Fixed format sense data for what only the transport can detect (RFC 7143 section 11.4.7.2): ABORTED COMMAND with its
# additional sense code and qualifier.
SENSE_UNEXPECTED_UNSOLICITED_DATA = bytes([0x70, 0, 0x0B, 0, 0, 0, 0, 10, 0, 0, 0, 0, 0x0C, 0x0C, 0, 0, 0, 0])
SENSE_INCORRECT_AMOUNT_OF_DATA = bytes([0x70, 0, 0x0B, 0, 0, 0, 0, 10, 0, 0, 0, 0, 0x0C, 0x0D, 0, 0, 0, 0])
SENSE_PROTOCOL_SERVICE_CRC_ERROR = bytes([0x70, 0, 0x0B, 0, 0, 0, 0, 10, 0, 0, 0, 0, 0x47, 0x05, 0, 0, 0, 0])


class Burst:
    """A run of data-out that the initiator may send now: unsolicited, or asked for by one R2T."""

    __slots__ = ("data_sn", "end", "offset", "tag")

    def __init__(self, tag: int, offset: int, end: int) -> None:
        self.tag = tag
        self.offset = offset
        self.end = end
        self.data_sn = 0


class DataOut:
    """What is still to come of a task's data-out. Without `piece` and `end` it is dropped as it comes."""

    __slots__ = ("broken_by", "bursts", "dropping", "end", "held_status", "piece", "solicited", "task")

    def __init__(
        self,
        task: "Task",
        piece: Callable[["Task", int, memoryview], None] | None,
        end: Callable[["Task"], None] | None,
    ) -> None:
        self.task = task
        self.piece = piece
        self.end = end
        self.bursts: deque[Burst] = deque()
        self.solicited = 0
        # The status that waits for the last of the unsolicited data.
        self.held_status: tuple[int, bytes] | None = None
        # The sense data of what went wrong, and the bursts that are dropped because of it until they end.
        self.broken_by: bytes | None = None
        self.dropping: list[int] = []

    def begin(self, arrived: int, taken: int) -> None:
        """Wait for unsolicited data, or ask for what did not come: `arrived` bytes came, `taken` were wanted."""
        task = self.task
        connection = task.connection
        task.immediate = NOTHING
        self.solicited = taken
        connection.waiting[task.initiator_task_tag] = self
        if task.unsolicited_open:
            first_burst = min(connection.parameters.first_burst_length, task.expected_length)
            self.bursts.append(Burst(RESERVED_TAG, arrived, first_burst))
        else:
            self._solicit()

    def receive(self, tag: int, data_sn: int, offset: int, data: memoryview, *, final: bool) -> None:
        """One Data-Out PDU. A sequence that breaks the rules ends the task with CHECK CONDITION."""
        burst = self.bursts[0] if self.bursts else None
        if burst is None or burst.tag != tag:
            unexpected = SENSE_UNEXPECTED_UNSOLICITED_DATA if tag == RESERVED_TAG else SENSE_INCORRECT_AMOUNT_OF_DATA
            self._break_off(unexpected, tag, final=final)
            return
        end = offset + len(data)
        # DataPDUInOrder and DataSequenceInOrder are Yes: a gap is a lost PDU.
        if data_sn != burst.data_sn or offset != burst.offset:
            self._break_off(SENSE_PROTOCOL_SERVICE_CRC_ERROR, tag, final=final)
            return
        if end > burst.end or (final and end < burst.end and tag != RESERVED_TAG):
            self._break_off(SENSE_INCORRECT_AMOUNT_OF_DATA, tag, final=final)
            return
        burst.data_sn += 1
        burst.offset = end
        if self.piece is not None and self.held_status is None:
            taken = min(end, self.task.data_out_length)
            if taken > offset:
                self.piece(self.task, offset, data[: taken - offset])
        if final:
            self._end_burst(end)

    def receive_bad(self, tag: int, *, final: bool) -> None:
        """A Data-Out PDU came with a wrong data digest (section 7.8): no retry at level 0."""
        self._break_off(SENSE_PROTOCOL_SERVICE_CRC_ERROR, tag, final=final)

    def abort(self) -> None:
        """Let go: the task is aborted, what still comes of it is dropped."""
        task = self.task
        del task.connection.waiting[task.initiator_task_tag]
        if self.end is None or self.held_status is not None:
            task.finish(STATUS_CHECK_CONDITION)
        else:
            self.end(task)

    def _end_burst(self, end: int) -> None:
        """The last PDU of a burst has come: ask for more, or go on with the command."""
        task = self.task
        if self.bursts.popleft().tag == RESERVED_TAG:
            task.unsolicited_open = False
            self.solicited = min(end, task.data_out_length)
            if self.held_status is not None:
                del task.connection.waiting[task.initiator_task_tag]
                task.finish(*self.held_status)
                return
        if self.solicited < task.data_out_length:
            self._solicit()
        elif not self.bursts:
            del task.connection.waiting[task.initiator_task_tag]
            assert self.end is not None, "data that is dropped has a status that waits for it"
            self.end(task)

    def _solicit(self) -> None:
        """Send R2Ts as far as MaxOutstandingR2T allows."""
        task = self.task
        connection = task.connection
        parameters = connection.parameters
        while self.solicited < task.data_out_length and len(self.bursts) < parameters.max_outstanding_r2t:
            size = min(parameters.max_burst_length, task.data_out_length - self.solicited)
            tag = connection.next_transfer_tag()
            self.bursts.append(Burst(tag, self.solicited, self.solicited + size))
            output = connection.room(connection.data_in_offset)
            position = output.filled
            RESPONSE.pack_into(
                output.buffer,
                position,
                OPCODE_R2T,
                FINAL,
                0,
                0,
                0,
                task.lun,
                task.initiator_task_tag,
                tag,
                connection.stat_sn,
                connection.exp_cmd_sn,
                connection.max_cmd_sn,
                task.r2t_sn,
                self.solicited,
                size,
            )
            end = position + connection.data_in_offset
            output.filled = connection.digest_into(output.view, output.buffer, position, end)
            task.r2t_sn += 1
            self.solicited += size

    def _break_off(self, sense: bytes, tag: int, *, final: bool) -> None:
        """End the task because of how its data-out came, once all bursts that are under way have (section 7.8).

        The device server lets go as on an abort; when it finishes the task, the initiator is told what was wrong first.
        """
        if self.broken_by is None:
            self.broken_by = sense
            self.dropping = [burst.tag for burst in self.bursts]
            self.bursts.clear()
        if final and tag in self.dropping:
            self.dropping.remove(tag)
        elif final and tag != RESERVED_TAG and self.dropping:
            # A tag that nobody gave is taken for the one that is due: nothing else would come for that.
            self.dropping.pop(0)
        if self.dropping:
            return
        task = self.task
        task.unsolicited_open = False
        task.broken_by = self.broken_by
        task.aborted = True
        self.abort()
