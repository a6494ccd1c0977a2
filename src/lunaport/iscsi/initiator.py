"""One connection, initiator side, from its first login request to its logout, without I/O (RFC 7143, level 0).

Requests go in by method and each gets an initiator task tag; bytes go in by `receive`, which gives events; what is to
be sent is taken by `take_output`. The target is watched: what it may not do ends the connection with the reason. The
initiator itself keeps the rules unless it is told not to: by a fault in its options (`initiator_faults`), by sizes of
a command, by setting `cmd_sn`, by `send_raw`.

Invariants: a request waits until the command window lets it out (section 4.2.2.1); a tag names one request at a time;
every StatSN is the one that is due.
"""

from collections import deque
from collections.abc import Callable, Mapping

from lunaport.iscsi import pdu
from lunaport.iscsi.chap import RandomBytes
from lunaport.iscsi.enums import LogoutReason, LogoutResponse, Opcode, TaskFunction
from lunaport.iscsi.errors import LocalProtocolError, RemoteProtocolError
from lunaport.iscsi.initiator_events import (
    Announced,
    ConnectionEnded,
    Event,
    LoggedIn,
    LoginFailed,
    LogoutResult,
    ManagementResult,
    PingReceived,
    PingResult,
    Rejected,
    TextResult,
)
from lunaport.iscsi.initiator_faults import Chunk, OutgoingPdu
from lunaport.iscsi.initiator_login import InitiatorLogin
from lunaport.iscsi.initiator_negotiation import renegotiated
from lunaport.iscsi.initiator_options import Options
from lunaport.iscsi.initiator_requests import OpenRequest, OpenRequests, rejected_number
from lunaport.iscsi.initiator_stream import PduReader
from lunaport.iscsi.initiator_task import CommandRequest, InitiatorTask
from lunaport.iscsi.limits import LOGIN_DATA_SEGMENT_BYTES_MAX, SEND_TARGETS_BYTES_MAX
from lunaport.iscsi.negotiation import SessionParameters
from lunaport.iscsi.text import serialize_text

WRAP = 0xFFFFFFFF
HALF = 0x80000000


class Initiator:
    """An initiator with one connection. Its numbers may be read, and set to misbehave."""

    def __init__(self, options: Options, random_bytes: RandomBytes) -> None:
        self.options = options
        self.parameters = SessionParameters()
        self.tsih = 0
        self.closing = ""
        self.cmd_sn = options.cmd_sn
        self.exp_cmd_sn = options.cmd_sn
        self.max_cmd_sn = options.cmd_sn
        self.exp_stat_sn = 0
        self._login: InitiatorLogin | None = InitiatorLogin(options, random_bytes)
        self._reader = PduReader(LOGIN_DATA_SEGMENT_BYTES_MAX)
        self._output: list[Chunk] = []
        self._index = 0
        self._requests = OpenRequests()
        # Pings that stand in for what was rejected.
        self._plugs: set[int] = set()
        # Requests that wait for the window: each lays its PDUs down when it is called with its CmdSN.
        self._waiting: deque[Callable[[int], None]] = deque()
        self._handlers: dict[int, Callable[[bytes, bytes], Event | None]] = {
            Opcode.SCSI_RESPONSE: self._receive_response,
            Opcode.DATA_IN: self._receive_data_in,
            Opcode.R2T: self._receive_r2t,
            Opcode.NOP_IN: self._receive_nop_in,
            Opcode.TASK_MANAGEMENT_RESPONSE: self._receive_management,
            Opcode.TEXT_RESPONSE: self._receive_text,
            Opcode.LOGOUT_RESPONSE: self._receive_logout,
            Opcode.ASYNC_MESSAGE: self._receive_async,
            Opcode.REJECT: self._receive_reject,
        }

    def start(self) -> None:
        """Begin the login."""
        if self._login is None:
            raise LocalProtocolError("the login is over")
        self._send(self._login.start())

    # Requests

    def command(self, request: CommandRequest) -> int:
        """Send a SCSI command; its end is a CommandResult."""
        tag, opened = self._open(Opcode.SCSI_COMMAND)
        task = opened.task = InitiatorTask(request, tag, self.parameters)

        def lay_down(cmd_sn: int) -> None:
            for serialized in task.start(cmd_sn, self.exp_stat_sn):
                self._send(serialized)

        self._number(lay_down, immediate=request.immediate)
        return tag

    def manage(
        self,
        function: TaskFunction,
        *,
        lun: int = 0,
        referenced_task_tag: int = pdu.RESERVED_TAG,
        ref_cmd_sn: int = 0,
        immediate: bool = True,
    ) -> int:
        """Send a task management function; its answer is a ManagementResult."""
        affected = self._requests.affected_by(function, lun, referenced_task_tag)
        tag, opened = self._open(Opcode.TASK_MANAGEMENT_REQUEST)
        opened.affected = affected

        def lay_down(cmd_sn: int) -> None:
            self._send(
                pdu.TaskManagementRequest(
                    immediate=immediate,
                    function=function,
                    lun=lun,
                    initiator_task_tag=tag,
                    referenced_task_tag=referenced_task_tag,
                    cmd_sn=cmd_sn,
                    exp_stat_sn=self.exp_stat_sn,
                    ref_cmd_sn=ref_cmd_sn,
                ).serialize()
            )

        self._number(lay_down, immediate=immediate)
        return tag

    def ping(self, data: bytes = b"", *, immediate: bool = True) -> int:
        """Ask for a sign of life; it is a PingResult."""
        tag, _ = self._open(Opcode.NOP_OUT)

        def lay_down(cmd_sn: int) -> None:
            self._send(
                pdu.NopOut(
                    immediate=immediate,
                    initiator_task_tag=tag,
                    cmd_sn=cmd_sn,
                    exp_stat_sn=self.exp_stat_sn,
                    data=data,
                ).serialize()
            )

        self._number(lay_down, immediate=immediate)
        return tag

    def text(self, data: bytes) -> int:
        """Send a text request, in pieces where it is long; the whole answer is a TextResult."""
        return self._text(data, {})

    def renegotiate(self, keys: Mapping[str, str]) -> int:
        """Declare keys anew (section 6.4): they hold from the TextResult on. No keys: an empty request."""
        return self._text(serialize_text(keys.items()), keys)

    def _text(self, data: bytes, offers: Mapping[str, str]) -> int:
        tag, opened = self._open(Opcode.TEXT_REQUEST)
        opened.text.rest, opened.text.offers = data, offers
        self._send_text(tag, pdu.RESERVED_TAG, 0)
        return tag

    def logout(self, reason: LogoutReason = LogoutReason.CLOSE_SESSION, *, cid: int | None = None) -> int:
        """Ask for the end of the session or connection; the answer is a LogoutResult."""
        tag, _ = self._open(Opcode.LOGOUT_REQUEST)

        def lay_down(cmd_sn: int) -> None:
            self._send(
                pdu.LogoutRequest(
                    immediate=True,
                    reason=reason,
                    initiator_task_tag=tag,
                    cid=self.options.cid if cid is None else cid,
                    cmd_sn=cmd_sn,
                    exp_stat_sn=self.exp_stat_sn,
                ).serialize()
            )

        self._number(lay_down, immediate=True)
        return tag

    def send_raw(self, wire: bytes) -> None:
        """Send bytes as they are."""
        self._output.append(wire)

    def send_pdu(self, serialized: bytes) -> None:
        """Send a whole PDU of one's own making, with the digests in force; nothing is numbered or awaited."""
        self._send(serialized)

    def take_output(self) -> list[Chunk]:
        """What is to be sent, each piece by itself, in this order."""
        output, self._output = self._output, []
        return output

    # In

    def receive(self, data: bytes) -> list[Event]:
        """Take what was received; what came after the end is dropped."""
        events: list[Event] = []
        self._reader.feed(data)
        try:
            while not self.closing:
                found = self._reader.next_pdu()
                if found is None:
                    break
                self.options.observer(*found)
                event = self._receive_pdu(*found)
                if event is not None:
                    events.append(event)
        except RemoteProtocolError as error:
            self.closing = error.reason
        if self.closing:
            events.append(ConnectionEnded(reason=self.closing))
        return events

    def _receive_pdu(self, header: bytes, data: bytes) -> Event | None:
        if self._login is not None:
            return self._receive_login(self._login, header, data)
        handler = self._handlers.get(pdu.opcode_of(header))
        if handler is None:
            raise RemoteProtocolError(f"a PDU with opcode 0x{pdu.opcode_of(header):02x}")
        event = handler(header, data)
        while self._waiting and self._window_is_open():
            self._waiting.popleft()(self._next_cmd_sn())
        return event

    def _receive_login(self, login: InitiatorLogin, header: bytes, data: bytes) -> Event | None:
        step = login.receive(header, data)
        if step.failure is not None:
            self.closing = step.failure.reason
            return LoginFailed(failure=step.failure)
        if step.outcome is None:
            self._send(step.request)
            return None
        outcome = step.outcome
        self._login = None
        self.parameters = outcome.parameters
        self.tsih = outcome.tsih
        self.exp_stat_sn = outcome.exp_stat_sn
        self.exp_cmd_sn, self.max_cmd_sn = outcome.exp_cmd_sn, outcome.max_cmd_sn
        self._reader.header_digest = outcome.parameters.header_digest
        self._reader.data_digest = outcome.parameters.data_digest
        self._reader.data_segment_bytes_max = outcome.parameters.max_recv_data_segment_length
        return LoggedIn(outcome=outcome)

    def _receive_response(self, header: bytes, data: bytes) -> Event:
        message = pdu.parse_scsi_response(header, data)
        self._take_numbers(message.stat_sn, message.exp_cmd_sn, message.max_cmd_sn)
        result = self._requests.find_task(message.initiator_task_tag).receive_response(message)
        self._requests.end(message.initiator_task_tag, Opcode.SCSI_COMMAND)
        return result

    def _receive_data_in(self, header: bytes, data: bytes) -> Event | None:
        message = pdu.parse_data_in(header, data)
        if message.flags & pdu.STATUS:
            self._take_numbers(message.stat_sn, message.exp_cmd_sn, message.max_cmd_sn)
        else:
            self._move_window(message.exp_cmd_sn, message.max_cmd_sn)
        result = self._requests.find_task(message.initiator_task_tag).receive_data_in(message)
        if result is not None:
            self._requests.end(message.initiator_task_tag, Opcode.SCSI_COMMAND)
        return result

    def _receive_r2t(self, header: bytes, _data: bytes) -> None:
        message = pdu.parse_r2t(header)
        self._take_numbers(message.stat_sn, message.exp_cmd_sn, message.max_cmd_sn, used_up=False)
        for serialized in self._requests.find_task(message.initiator_task_tag).receive_r2t(message, self.exp_stat_sn):
            self._send(serialized)

    def _receive_nop_in(self, header: bytes, data: bytes) -> Event | None:
        message = pdu.parse_nop_in(header, data)
        asked = message.initiator_task_tag == pdu.RESERVED_TAG
        self._take_numbers(message.stat_sn, message.exp_cmd_sn, message.max_cmd_sn, used_up=not asked)
        if not asked:
            self._requests.end(message.initiator_task_tag, Opcode.NOP_OUT)
            if message.initiator_task_tag in self._plugs:
                self._plugs.discard(message.initiator_task_tag)
                return None
            return PingResult(initiator_task_tag=message.initiator_task_tag, data=message.data)
        if message.target_transfer_tag == pdu.RESERVED_TAG:
            return None  # tells the window and nothing else (section 11.19)
        if self.options.answers_pings:
            self._send(
                pdu.NopOut(
                    immediate=True,
                    lun=message.lun,
                    target_transfer_tag=message.target_transfer_tag,
                    cmd_sn=self.cmd_sn,
                    exp_stat_sn=self.exp_stat_sn,
                    data=message.data[: self.parameters.peer_max_recv_data_segment_length],
                ).serialize()
            )
        return PingReceived(target_transfer_tag=message.target_transfer_tag, data=message.data)

    def _receive_management(self, header: bytes, _data: bytes) -> Event:
        message = pdu.parse_task_management_response(header)
        self._take_numbers(message.stat_sn, message.exp_cmd_sn, message.max_cmd_sn)
        tag = message.initiator_task_tag
        aborted = self._requests.end_management(tag, message.response)
        return ManagementResult(initiator_task_tag=tag, response=message.response, aborted=aborted)

    def _receive_text(self, header: bytes, data: bytes) -> Event | None:
        """Section 11.11: answers come in pieces, each asked for with the target transfer tag of the one before."""
        message = pdu.parse_text_response(header, data)
        self._take_numbers(message.stat_sn, message.exp_cmd_sn, message.max_cmd_sn)
        tag = message.initiator_task_tag
        text = self._requests.find(tag, Opcode.TEXT_REQUEST).text
        text.gathered += message.data
        if len(text.gathered) > SEND_TARGETS_BYTES_MAX:
            raise RemoteProtocolError(f"a text answer of more than {SEND_TARGETS_BYTES_MAX} bytes")
        if message.final == (message.target_transfer_tag != pdu.RESERVED_TAG) or (message.final and message.continues):
            raise RemoteProtocolError("a text response whose F, C and target transfer tag do not go together")
        if not (message.final or message.data or text.rest):
            raise RemoteProtocolError("a text answer that goes on and says nothing")
        if not message.final:
            self._send_text(tag, message.target_transfer_tag, message.lun)
            return None
        if text.rest:
            raise RemoteProtocolError("a text request that goes on is answered for good")
        self._requests.end(tag, Opcode.TEXT_REQUEST)
        if text.offers:
            self.parameters = renegotiated(self.parameters, text.offers, text.gathered)
            self._reader.data_segment_bytes_max = self.parameters.max_recv_data_segment_length
        return TextResult(initiator_task_tag=tag, data=text.gathered)

    def _receive_logout(self, header: bytes, _data: bytes) -> Event:
        message = pdu.parse_logout_response(header)
        self._take_numbers(message.stat_sn, message.exp_cmd_sn, message.max_cmd_sn)
        self._requests.end(message.initiator_task_tag, Opcode.LOGOUT_REQUEST)
        if message.response == LogoutResponse.SUCCESS:
            self.closing = "logged out"
        return LogoutResult(message=message)

    def _receive_async(self, header: bytes, data: bytes) -> Event:
        message = pdu.parse_async_message(header, data)
        self._take_numbers(message.stat_sn, message.exp_cmd_sn, message.max_cmd_sn)
        return Announced(message=message)

    def _receive_reject(self, header: bytes, data: bytes) -> Event:
        message = pdu.parse_reject(header, data)
        self._take_numbers(message.stat_sn, message.exp_cmd_sn, message.max_cmd_sn)
        tag = self._requests.end_rejected(message)
        if self.options.plugs_gaps:
            self._plug_gap(message)
        if tag in self._plugs:
            self._plugs.discard(tag)
            tag = None
        return Rejected(message=message, initiator_task_tag=tag)

    def _plug_gap(self, message: pdu.Reject) -> None:
        """Section 7.3: the number of a request that was rejected is still to come, before those behind it."""
        tag, cmd_sn = rejected_number(message)
        if cmd_sn != message.exp_cmd_sn or tag in self._plugs:
            return
        if self.cmd_sn == cmd_sn + 1 & WRAP:
            self.cmd_sn = cmd_sn  # nothing is behind it: the next request takes it
        elif self.options.target_name:  # a discovery session has nothing that could stand in
            plug, _ = self._open(Opcode.NOP_OUT)
            self._plugs.add(plug)
            self._send(pdu.NopOut(initiator_task_tag=plug, cmd_sn=cmd_sn, exp_stat_sn=self.exp_stat_sn).serialize())

    # Numbering (section 4.2.2)

    def _take_numbers(self, stat_sn: int, exp_cmd_sn: int, max_cmd_sn: int, *, used_up: bool = True) -> None:
        if stat_sn != self.exp_stat_sn:
            raise RemoteProtocolError(f"StatSN {stat_sn} where {self.exp_stat_sn} is due")
        if used_up:
            self.exp_stat_sn = stat_sn + 1 & WRAP
        self._move_window(exp_cmd_sn, max_cmd_sn)

    def _move_window(self, exp_cmd_sn: int, max_cmd_sn: int) -> None:
        """A window that would be closed by more than all is ignored; it never moves back (section 4.2.2.1)."""
        if (max_cmd_sn - exp_cmd_sn + 1 & WRAP) >= HALF:
            return
        if (max_cmd_sn - self.max_cmd_sn & WRAP) < HALF:
            self.max_cmd_sn = max_cmd_sn
        if (exp_cmd_sn - self.exp_cmd_sn & WRAP) < HALF:
            self.exp_cmd_sn = exp_cmd_sn

    def _window_is_open(self) -> bool:
        return (self.max_cmd_sn - self.cmd_sn & WRAP) < HALF

    def _next_cmd_sn(self) -> int:
        cmd_sn = self.cmd_sn
        self.cmd_sn = cmd_sn + 1 & WRAP
        return cmd_sn

    def _number(self, lay_down: Callable[[int], None], *, immediate: bool) -> None:
        """Send a request under the number that is its, or let it wait for the window."""
        if immediate:
            lay_down(self.cmd_sn)
        elif self._waiting or not self._window_is_open():
            self._waiting.append(lay_down)
        else:
            lay_down(self._next_cmd_sn())

    # Out

    def _open(self, opcode: Opcode) -> tuple[int, OpenRequest]:
        if self._login is not None or self.closing:
            raise LocalProtocolError(f"no {opcode.name} outside full feature phase")
        return self._requests.add(opcode)

    def _send_text(self, tag: int, target_transfer_tag: int, lun: int) -> None:
        """The next piece of a text request; an empty one asks for more of the answer."""
        text = self._requests.find(tag, Opcode.TEXT_REQUEST).text

        def lay_down(cmd_sn: int) -> None:
            size = self.parameters.peer_max_recv_data_segment_length
            piece, text.rest = text.rest[:size], text.rest[size:]
            self._send(
                pdu.TextRequest(
                    final=not text.rest,
                    continues=bool(text.rest),
                    lun=lun,
                    initiator_task_tag=tag,
                    target_transfer_tag=target_transfer_tag,
                    cmd_sn=cmd_sn,
                    exp_stat_sn=self.exp_stat_sn,
                    data=piece,
                ).serialize()
            )

        self._number(lay_down, immediate=False)

    def _send(self, serialized: bytes) -> None:
        in_full_feature = self._login is None
        outgoing = OutgoingPdu(
            index=self._index,
            serialized=serialized,
            header_digest=in_full_feature and self.parameters.header_digest,
            data_digest=in_full_feature and self.parameters.data_digest,
        )
        self._index += 1
        self._output.extend(self.options.fault(outgoing))
