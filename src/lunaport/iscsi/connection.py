"""Full feature phase of one connection, target side, error recovery level 0 (RFC 7143 sections 4.2 to 4.5, 7 and 11).

Bytes in, PDUs out, nothing else: no sockets, no threads, no clock. The shell hands over a buffer of received bytes and
gets back how far they were understood; what goes out is laid down in an `Output` that the shell sends. Every complete
PDU in the buffer is handled before anything is sent. Peers' errors are answered here and never raised: `closing` says
that the connection has to end, and why.

The path of READ, WRITE and Data-Out is flat on purpose: one `unpack_from` a PDU, one `Task` a command. All that is
rarer is handled through the PDU values of `pdu`, what initiators request besides commands in `requests`.
"""

from collections.abc import Callable
from typing import Final, Protocol

from crc32c import crc32c

from lunaport.iscsi import pdu
from lunaport.iscsi.data_out import NOTHING, RESERVED_TAG, DataOut
from lunaport.iscsi.enums import AsyncEvent, Opcode, RejectReason, TaskAttribute, TaskResponse
from lunaport.iscsi.errors import RemoteProtocolError
from lunaport.iscsi.held import Held
from lunaport.iscsi.limits import (
    AHS_BYTES_MAX,
    BHS_BYTES,
    COMMAND_WINDOW,
    DATA_SEGMENT_BYTES_MAX,
    DIGEST_BYTES,
    IMMEDIATE_COMMANDS_MAX,
)
from lunaport.iscsi.login import LoginOutcome
from lunaport.iscsi.negotiation import SessionParameters
from lunaport.iscsi.output import DIGEST, Output, put_digest
from lunaport.iscsi.requests import Requests
from lunaport.iscsi.task import Task

UNPACK: Final = pdu.BHS.unpack_from
UNPACK_TAIL: Final = pdu.TAIL.unpack
SCSI_COMMAND: Final = int(Opcode.SCSI_COMMAND)
DATA_OUT: Final = int(Opcode.DATA_OUT)
LOGIN_REQUEST: Final = int(Opcode.LOGIN_REQUEST)
LONG_CDBS: Final = (0x7E, 0x7F)
"""Operation codes that more than 16 bytes can belong to (SPC-4 4.2.3); of others the rest is none of the CDB."""
IDLE_OUTPUT: Final = Output(0)
"""Stands in where a connection has nothing to send: it is full, so whoever lays something down asks the shell."""


class DeviceServer(Protocol):
    """What executes the commands of a session (a SCSI I_T nexus behind it)."""

    def execute(self, task: Task) -> None:
        """Take a command; it is finished through the task, now or later."""

    def manage(self, function: int, lun: int, done: Callable[[TaskResponse], None]) -> None:
        """Carry a task management function out on `lun`; `done` when every task it hits has ended."""


class TextServer(Protocol):
    """What knows the targets."""

    def send_targets(self, query: str) -> bytes:
        """The TargetName and TargetAddress pairs that answer SendTargets=`query`. Raises RemoteProtocolError."""


class Shell(Protocol):
    """What carries the bytes."""

    def make_room(self, connection: "Connection", room_bytes: int) -> Output:
        """An output with room, set as `connection.output`; what is laid down already goes out before it."""

    def send_output(self, connection: "Connection", output: Output) -> None:
        """Send a filled output of its own, behind all that is laid down already."""

    def wake(self, connection: "Connection") -> None:
        """Something was laid down outside `receive`, or is kept: send it soon, and count it."""

    def lend(self, connection: "Connection", task: Task, size_bytes: int) -> None:
        """Call `task.take_loan()` when `size_bytes` may be held for it, perhaps at once; the task is in `borrowing`."""

    def hold(self, connection: "Connection", size_bytes: int, *, crowded: bool) -> bool:
        """Count bytes that are kept for a task. False: there is no room for them.

        `crowded`: nothing more of the connection is handled until some are released.
        """

    def release(self, connection: "Connection", size_bytes: int) -> None:
        """Bytes that were lent or held are kept no longer."""

    def keep(self, connection: "Connection", size_bytes: int) -> bool:
        """Count bytes of a task that waits for more, or for its turn. False: there is no room.

        The connection is read on whatever is kept: what the task waits for comes that way.
        """

    def drop(self, connection: "Connection", size_bytes: int) -> None:
        """Bytes that were kept are kept no longer."""

    def defer(self, connection: "Connection", call: Callable[[], None]) -> None:
        """Call when all that happens now has happened, unless the connection ends by then."""


class Connection:
    """A connection in full feature phase; with one connection a session it also holds the session's numbering."""

    def __init__(
        self, outcome: LoginOutcome, *, tsih: int, device_server: DeviceServer | None, text: TextServer, shell: Shell
    ) -> None:
        self.parameters = parameters = outcome.parameters
        self.outcome = outcome
        self.tsih = tsih
        self.device_server = device_server
        self.text = text
        self.shell = shell
        self.output = IDLE_OUTPUT
        self.closing = ""
        # Set by the shell while the peer takes nothing: no further PDU is handled until it does.
        self.blocked = False
        # Bytes that the PDU at hand needs in all, where it was not complete (0: not even its header was).
        self.needed_bytes = 0

        self.exp_cmd_sn = outcome.exp_cmd_sn
        # Opens by one with each command that ends, so at most COMMAND_WINDOW are under way (section 4.2.2.1).
        self.max_cmd_sn = outcome.exp_cmd_sn + COMMAND_WINDOW - 1 & 0xFFFFFFFF
        self.stat_sn = outcome.stat_sn
        self.holding = Held(self)
        # What the shell and the data path look at: whether anything is held.
        self.held = self.holding.streams
        self.transfer_tag = 0

        # Commands that did not end at once, by initiator task tag; and those among them that wait for data-out.
        self.tasks: dict[int, Task] = {}
        self.waiting: dict[int, DataOut] = {}
        # Tasks that wait for memory for their data-in: how much, and what to do with it.
        self.borrowing: dict[Task, tuple[int, Callable[[list[memoryview]], None]]] = {}
        # Tasks that are executed later: whom to tell when they are aborted before.
        self.deferred: dict[Task, Callable[[Task], None]] = {}
        self.logout_asked = False
        # StatSN when the window last grew without an answer that says so; None: it is said.
        self.untold_since: int | None = None

        self.header_digest = parameters.header_digest
        self.data_digest = parameters.data_digest
        # W set and F not tells of unsolicited Data-Out PDUs; with InitialR2T=Yes there are none.
        self.unsolicited_mask = 0 if parameters.initial_r2t else 0xA0
        self.immediate_bytes_max = parameters.first_burst_length if parameters.immediate_data else 0
        self.any_digest = parameters.header_digest or parameters.data_digest
        self.segment_bytes_max = data_in_bytes_max(parameters)
        self.header_digest_bytes = DIGEST_BYTES if parameters.header_digest else 0
        self.data_digest_bytes = DIGEST_BYTES if parameters.data_digest else 0
        self.data_in_offset = BHS_BYTES + self.header_digest_bytes
        self.data_in_overhead = self.data_in_offset + self.data_digest_bytes

        # Commands that have ended, by what they did: counted where the path of their answer forks anyway.
        self.reads = 0
        self.writes = 0
        self.others = 0
        self.bytes_read = 0
        self.bytes_written = 0
        # Of them, those that did not end with GOOD, by their status.
        self.failures: dict[int, int] = {}
        self.digest_errors = 0

        self.requests = Requests(self)

    @property
    def commands(self) -> int:
        """How many commands have ended."""
        return self.reads + self.writes + self.others

    # In

    def receive(self, view: memoryview, head: int, tail: int) -> int:  # noqa: C901 - flat: a call costs what a PDU may
        """Handle every complete PDU in view[head:tail]; returns where the first that is not begins.

        To be called when the connection is no longer blocked, too, with what there is.
        """
        overhead = self.data_in_offset
        data_digest_bytes = self.data_digest_bytes
        any_digest = self.any_digest
        immediate_bytes_max = self.immediate_bytes_max
        execute = self.device_server.execute if self.device_server is not None else None
        if self.held:
            self.holding.release()
            if self.closing:
                return tail
        while tail - head >= BHS_BYTES and not self.blocked:
            opcode, flags, _, lengths, lun, tag, word5, word6, _, rest = UNPACK(view, head)
            data = head + overhead
            # A command whose task attribute is ACA or none, or that has additional headers.
            careful = flags & 0x04
            if lengths > 0xFFFFFF:
                careful = 1
                data += lengths >> 24 << 2
                if lengths >> 22 > AHS_BYTES_MAX:
                    return self._violation(view, head, tail, "additional header segments are too long")
                lengths &= 0xFFFFFF
            if lengths:
                if lengths > DATA_SEGMENT_BYTES_MAX:
                    return self._violation(view, head, tail, "data segment longer than MaxRecvDataSegmentLength")
                end = data + (lengths + 3 & ~3) + data_digest_bytes
            else:
                end = data
            if end > tail:
                self.needed_bytes = end - head
                return head
            if any_digest and not self._digests_match(view, head, data, lengths, end):
                if self.closing:
                    return tail
                head = end
                continue
            if opcode & 0x3F == SCSI_COMMAND and execute is not None:
                if opcode == SCSI_COMMAND:
                    if word6 != self.exp_cmd_sn or (self.tasks and self.window() == 0):
                        self.holding.hold(word6, view[head:end])
                        head = end
                        continue
                    self.exp_cmd_sn = word6 + 1 & 0xFFFFFFFF
                if self.tasks and tag in self.tasks:
                    self._refuse_tag(view[head : head + BHS_BYTES], opcode)
                    head = end
                    continue
                task = Task(self, flags, lun, tag, word5, rest, view[data : data + lengths] if lengths else NOTHING)
                if (
                    opcode != SCSI_COMMAND
                    or careful
                    or (lengths and (lengths > immediate_bytes_max or lengths > word5 or not flags & 0x20))
                ):
                    self._prepare(task, opcode, view[head:data], lengths)
                if not task.finished:
                    execute(task)
                    if not task.finished:
                        task.late = True
                        self.tasks[tag] = task
                head = end
                if self.held:
                    self.holding.release()
            elif opcode & 0x3F == DATA_OUT:
                waiting = self.waiting.get(tag)
                # Data-out of a task that is gone (aborted, broken off) was under way already: dropped.
                if waiting is not None:
                    _, data_sn, offset, _ = UNPACK_TAIL(rest)
                    waiting.receive(word5, data_sn, offset, view[data : data + lengths], final=flags & 0x80 != 0)
                elif self.held:
                    self.holding.hold_data_out(view[head:end])
                elif execute is None:
                    self._receive_unknown(DATA_OUT, view[head:end])
                head = end
            else:
                self._receive_other(opcode, word6, view[head:end], view[data : data + lengths])
                head = end
            if self.closing:
                return tail
        self.needed_bytes = 0
        return head

    def _refuse_tag(self, header: memoryview, opcode: int) -> None:
        """A command whose tag is in use is refused; its CmdSN counts as not received (section 7.3)."""
        if opcode == SCSI_COMMAND:
            self.exp_cmd_sn = self.exp_cmd_sn - 1 & 0xFFFFFFFF
        self.reject(header, RejectReason.TASK_IN_PROGRESS)

    def _prepare(self, task: Task, opcode: int, header: memoryview, data_length: int) -> None:
        """What few commands need: immediate delivery, an extended CDB, a check of attribute and immediate data."""
        if opcode != SCSI_COMMAND:
            task.is_immediate = True
            # The window does not count these, so they are counted here (section 4.2.2.1).
            if sum(other.is_immediate for other in self.tasks.values()) >= IMMEDIATE_COMMANDS_MAX:
                self.reject(header[:BHS_BYTES], RejectReason.IMMEDIATE_COMMAND_REJECT)
                task.finished = True
                return
        if task.attribute > TaskAttribute.ACA:
            self._end_task(task, header, "a task attribute that is none")
            return
        if len(header) > self.data_in_offset:
            found = pdu.parse_additional_headers(header[BHS_BYTES : len(header) - self.header_digest_bytes])
            if found is None:
                self._end_task(task, header, "additional header segments that cannot be")
                return
            if task.cdb[0] in LONG_CDBS:
                task.cdb += found.get(pdu.EXTENDED_CDB, b"")
            task.read_length = int.from_bytes(found.get(pdu.READ_LENGTH, b""), "big")
        if data_length and (
            data_length > self.immediate_bytes_max or data_length > task.expected_length or not task.flags & 0x20
        ):
            self._end_task(task, header, "immediate data that was not agreed on")

    def _end_task(self, task: Task, header: memoryview, reason: str) -> None:
        """A command that cannot be: Reject, then close (section 7.7)."""
        self.reject(header[:BHS_BYTES], RejectReason.PROTOCOL_ERROR)
        self.closing = reason
        task.finished = True

    def _receive_other(self, opcode: int, cmd_sn: int, whole: memoryview, data: memoryview) -> None:
        """A PDU off the data path."""
        handler = self.requests.handlers.get(opcode & pdu.OPCODE_MASK)
        if handler is None:
            self._receive_unknown(opcode & pdu.OPCODE_MASK, whole[:BHS_BYTES])
            return
        numbered = 0 if opcode & pdu.IMMEDIATE else 1
        if numbered:
            if cmd_sn != self.exp_cmd_sn or self.window() == 0:
                self.holding.hold(cmd_sn, whole)
                return
            # It ends where it is handled (or is bounded there), so the window moves on with it.
            self.exp_cmd_sn = self.exp_cmd_sn + 1 & 0xFFFFFFFF
            self.max_cmd_sn = self.max_cmd_sn + 1 & 0xFFFFFFFF
        try:
            handler(whole[:BHS_BYTES], data)
        except RemoteProtocolError as error:
            # Section 7.3: what is rejected counts as not received; its CmdSN is still to come.
            self.exp_cmd_sn = self.exp_cmd_sn - numbered & 0xFFFFFFFF
            self.max_cmd_sn = self.max_cmd_sn - numbered & 0xFFFFFFFF
            self.reject(whole[:BHS_BYTES], error.reject_reason)
        if self.held:
            self.holding.release()

    def _receive_unknown(self, opcode: int, header: memoryview) -> None:
        if opcode == Opcode.SNACK_REQUEST:
            # Level 0 offers no recovery within a connection (section 11.16).
            self.reject(header, RejectReason.SNACK_REJECT)
        elif opcode in (LOGIN_REQUEST, SCSI_COMMAND, DATA_OUT):
            # A login in full feature phase, or a command or its data in a discovery session (sections 11.12, 4.3).
            self.reject(header, RejectReason.PROTOCOL_ERROR)
            self.closing = "a PDU that this phase does not allow"
        else:
            self.reject(header, RejectReason.COMMAND_NOT_SUPPORTED)

    def _digests_match(self, view: memoryview, head: int, data: int, length: int, end: int) -> bool:
        """Check what digests there are (section 7.8): a bad header ends the connection, bad data the PDU."""
        if self.header_digest and crc32c(view[head : data - DIGEST_BYTES]) != DIGEST.unpack_from(view, data - 4)[0]:
            self.closing = "header digest error"
            self.digest_errors += 1
            return False
        if (
            self.data_digest
            and length
            and crc32c(view[data : end - DIGEST_BYTES]) != DIGEST.unpack_from(view, end - 4)[0]
        ):
            self.digest_errors += 1
            header = view[head : head + BHS_BYTES]
            opcode = view[head] & pdu.OPCODE_MASK
            tag = int.from_bytes(header[16:20], "big")
            waiting = self.waiting.get(tag)
            if opcode == DATA_OUT and waiting is None and self.holding.hold_data_out(view[head:end]):
                return False  # answered when its command has its turn
            self.reject(header, RejectReason.DATA_DIGEST_ERROR)
            if opcode == DATA_OUT:
                if waiting is not None:
                    waiting.receive_bad(int.from_bytes(header[20:24], "big"), final=header[1] & pdu.FINAL != 0)
            elif not view[head] & pdu.IMMEDIATE:
                # The command is lost and level 0 has no way to ask for it again: the session recovers.
                self.closing = "data digest error in a numbered PDU"
            return False
        return True

    def _violation(self, view: memoryview, head: int, tail: int, reason: str) -> int:
        """A PDU that cannot even be skipped: Reject, then close (section 7.7)."""
        self.reject(view[head : head + BHS_BYTES], RejectReason.PROTOCOL_ERROR)
        self.closing = reason
        return tail

    # Numbering (section 4.2.2.1)

    def window(self) -> int:
        """How many commands may still come: 0 while COMMAND_WINDOW of them are under way."""
        return self.max_cmd_sn - self.exp_cmd_sn + 1 & 0xFFFFFFFF

    def next_transfer_tag(self) -> int:
        """A target transfer tag, never the reserved one."""
        self.transfer_tag = (self.transfer_tag + 1) % RESERVED_TAG
        return self.transfer_tag

    # Out

    def room(self, room_bytes: int) -> Output:
        """An output with at least `room_bytes` free."""
        output = self.output
        if output.filled + room_bytes > output.size:
            output = self.shell.make_room(self, room_bytes)
        return output

    def make_room(self, room_bytes: int) -> Output:
        """An output with room for sure; the caller has seen that the present one has not."""
        return self.shell.make_room(self, room_bytes)

    def send_output(self, output: Output) -> None:
        """Send an output of its own."""
        self.shell.send_output(self, output)

    def digest_into(self, view: memoryview, buffer: bytearray, position: int, end: int) -> int:
        """Add the digests to the PDU at `position` whose padded data ends at `end`; returns where it ends now."""
        data = position + self.data_in_offset
        if self.header_digest:
            put_digest(view, buffer, position, position + BHS_BYTES)
        if self.data_digest and end > data:
            return put_digest(view, buffer, data, end)
        return end

    def send(self, serialized: bytes) -> None:
        """Lay a PDU down that has no additional header."""
        output = self.room(len(serialized) + 2 * DIGEST_BYTES)
        position = output.filled
        data = position + self.data_in_offset
        end = data + len(serialized) - BHS_BYTES
        output.view[position : position + BHS_BYTES] = serialized[:BHS_BYTES]
        output.view[data:end] = serialized[BHS_BYTES:]
        output.filled = self.digest_into(output.view, output.buffer, position, end)

    def next_stat_sn(self) -> int:
        """The StatSN of a response, which the next one follows."""
        stat_sn = self.stat_sn
        self.stat_sn = stat_sn + 1 & 0xFFFFFFFF
        return stat_sn

    def reject(self, header: memoryview, reason: RejectReason) -> None:
        """Answer a PDU with a Reject that carries its header (section 11.17)."""
        self.send(
            pdu.Reject(
                reason=reason,
                stat_sn=self.next_stat_sn(),
                exp_cmd_sn=self.exp_cmd_sn,
                max_cmd_sn=self.max_cmd_sn,
                header=bytes(header[:BHS_BYTES]),
            ).serialize()
        )

    def request_logout(self, within_s: int) -> None:
        """Ask the initiator to log out (section 11.9.1); the shell closes when it does not."""
        if not self.logout_asked:
            self.logout_asked = True
            self.announce(AsyncEvent.LOGOUT_REQUEST, (0, 0, within_s))

    def announce(self, event: AsyncEvent, parameters: tuple[int, int, int]) -> None:
        """Send an asynchronous message; `announcements` knows its parameters.

        None on a connection that ends, and none in a discovery session, which is simply dropped (section 7.4.3).
        """
        if self.closing or self.device_server is None:
            return
        self.send(
            pdu.AsyncMessage(
                stat_sn=self.next_stat_sn(),
                exp_cmd_sn=self.exp_cmd_sn,
                max_cmd_sn=self.max_cmd_sn,
                event=event,
                parameters=parameters,
            ).serialize()
        )
        self.shell.wake(self)

    def ping(self) -> None:
        """Ask the initiator for a sign of life (NOP-In, section 11.19); whatever it sends counts as one.

        Not in a discovery session (section 7.4.3): one that is silent is dropped.
        """
        if self.device_server is None:
            return
        self.send(
            pdu.NopIn(
                target_transfer_tag=self.next_transfer_tag(),
                stat_sn=self.stat_sn,  # not used up by a ping (section 11.19.2)
                exp_cmd_sn=self.exp_cmd_sn,
                max_cmd_sn=self.max_cmd_sn,
            ).serialize()
        )
        self.shell.wake(self)

    def tell_window(self) -> None:
        """MaxCmdSN grew with a command that gets no answer: say so, unless an answer does by then (section 11.4.11)."""
        if self.untold_since is None:
            self.shell.defer(self, self._tell_window)
        self.untold_since = self.stat_sn

    def _tell_window(self) -> None:
        if self.untold_since == self.stat_sn and not self.closing:
            self.send(
                pdu.NopIn(stat_sn=self.stat_sn, exp_cmd_sn=self.exp_cmd_sn, max_cmd_sn=self.max_cmd_sn).serialize()
            )
            self.shell.wake(self)
        self.untold_since = None

    # What changes in full feature phase

    def set_parameters(self, parameters: SessionParameters) -> None:
        """New parameters, for what is laid down from now on. Only what section 6.4 allows may differ."""
        self.parameters = parameters
        self.segment_bytes_max = data_in_bytes_max(parameters)

    # Tasks

    def task_ended(self, task: Task) -> None:
        """A task that did not end at once has ended now."""
        if self.tasks.get(task.initiator_task_tag) is task:
            del self.tasks[task.initiator_task_tag]
        if task.loan:
            self.shell.release(self, task.loan)
            task.loan = 0
        if task.on_finished is not None:
            task.on_finished()
        self.shell.wake(self)

    def abort_tasks(self) -> None:
        """Abort everything under way: the connection is lost or ends."""
        for task in list(self.tasks.values()):
            task.abort()

    def drop(self) -> None:
        """The connection is lost: let go of what waited for its peer."""
        self.output = IDLE_OUTPUT
        self.holding.clear()
        self.requests.text.forget()


def data_in_bytes_max(parameters: SessionParameters) -> int:
    """The most that one Data-In PDU may hold."""
    # Whole words (section 11.7.7); what is left of a burst is in its last PDU.
    return min(parameters.peer_max_recv_data_segment_length, parameters.max_burst_length) & ~3
