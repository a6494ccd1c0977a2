"""One SCSI command, initiator side: what goes out for it, and what comes of it (RFC 7143 sections 4.2.5, 11.3 to 11.8).

What a target may not do raises RemoteProtocolError: data out of order or beyond what was expected, a burst longer than
agreed, an R2T for what it did not ask in order, a residual that does not fit the data.
"""

from dataclasses import dataclass

from lunaport.iscsi import pdu
from lunaport.iscsi.enums import CommandFlag, ResidualFlag, ScsiServiceResponse, TaskAttribute
from lunaport.iscsi.errors import RemoteProtocolError
from lunaport.iscsi.initiator_events import CommandResult
from lunaport.iscsi.negotiation import SessionParameters

CDB_BYTES = 16
STATUS_GOOD = 0
AHS_EXTENDED_CDB = 1
AHS_READ_LENGTH = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandRequest:
    """What to send. With `data_out` and `read_length` the command moves data both ways."""

    cdb: bytes
    lun: int = 0
    """The 8-byte field; see `lun_field`."""
    data_out: bytes = b""
    read_length: int = 0
    attribute: int = TaskAttribute.SIMPLE
    immediate: bool = False
    """Deliver at once, outside the command window."""
    immediate_data_bytes: int | None = None
    """Data to send with the command: as much as is allowed, or so much, allowed or not."""
    unsolicited_bytes: int | None = None
    """The same for data sent after it without being asked for."""


def lun_field(number: int) -> int:
    """The 8-byte LUN of a logical unit by its number (SAM-5 4.7.7: peripheral up to 255, flat up to 16383)."""
    return number << 48 if number < 256 else (0x4000 | number) << 48


class InitiatorTask:
    """One command from its first PDU to its status."""

    def __init__(self, request: CommandRequest, initiator_task_tag: int, parameters: SessionParameters) -> None:
        self.request = request
        self.initiator_task_tag = initiator_task_tag
        self._parameters = parameters
        self._data_in = bytearray()
        self._data_sn = 0
        self._in_burst = 0
        self._r2t_sn = 0
        # Data-out up to here is sent, or was asked for in order.
        self._sent = 0

    # Out

    def start(self, cmd_sn: int, exp_stat_sn: int) -> list[bytes]:
        """The command and the unsolicited data that follows it."""
        request, parameters = self.request, self._parameters
        whole = len(request.data_out)
        first_burst = min(parameters.first_burst_length, whole)
        with_command = (
            min(first_burst, parameters.peer_max_recv_data_segment_length) if parameters.immediate_data else 0
        )
        if request.immediate_data_bytes is not None:
            with_command = min(request.immediate_data_bytes, whole)
        behind = 0 if parameters.initial_r2t else max(first_burst - with_command, 0)
        if request.unsolicited_bytes is not None:
            behind = min(request.unsolicited_bytes, whole - with_command)
        flags = request.attribute
        flags |= CommandFlag.READ if request.read_length else 0
        flags |= CommandFlag.WRITE if whole else 0
        flags |= 0 if behind else CommandFlag.FINAL
        command = pdu.ScsiCommand(
            immediate=request.immediate,
            flags=flags,
            lun=request.lun,
            initiator_task_tag=self.initiator_task_tag,
            expected_length=whole or request.read_length,
            cmd_sn=cmd_sn,
            exp_stat_sn=exp_stat_sn,
            cdb=request.cdb[:CDB_BYTES].ljust(CDB_BYTES, b"\0"),
            ahs=self._additional_headers(),
            data=request.data_out[:with_command],
        )
        self._sent = with_command + behind
        return [command.serialize(), *self._data_out(pdu.RESERVED_TAG, with_command, self._sent, exp_stat_sn)]

    def _additional_headers(self) -> bytes:
        """A CDB beyond 16 bytes, and how much to read where data goes both ways (sections 11.2.2.3 and 11.2.2.4)."""
        segments = b""
        rest = self.request.cdb[CDB_BYTES:]
        if rest:
            segments += (len(rest) + 1).to_bytes(2, "big") + bytes((AHS_EXTENDED_CDB, 0)) + rest
            segments += bytes(-len(segments) % 4)
        if self.request.data_out and self.request.read_length:
            segments += (5).to_bytes(2, "big") + bytes((AHS_READ_LENGTH, 0))
            segments += self.request.read_length.to_bytes(4, "big")
        return segments

    def _data_out(self, target_transfer_tag: int, offset: int, end: int, exp_stat_sn: int) -> list[bytes]:
        """One burst, in PDUs as long as the target takes them."""
        size = self._parameters.peer_max_recv_data_segment_length
        return [
            pdu.DataOut(
                final=at + size >= end,
                lun=self.request.lun if target_transfer_tag != pdu.RESERVED_TAG else 0,
                initiator_task_tag=self.initiator_task_tag,
                target_transfer_tag=target_transfer_tag,
                exp_stat_sn=exp_stat_sn,
                data_sn=data_sn,
                offset=at,
                data=self.request.data_out[at : min(at + size, end)],
            ).serialize()
            for data_sn, at in enumerate(range(offset, end, size))
        ]

    # In

    def receive_r2t(self, message: pdu.R2T, exp_stat_sn: int) -> list[bytes]:
        """The burst that is asked for (section 11.8)."""
        end = message.offset + message.length
        if message.r2t_sn != self._r2t_sn:
            raise RemoteProtocolError(f"R2TSN {message.r2t_sn} where {self._r2t_sn} is due")
        if message.target_transfer_tag == pdu.RESERVED_TAG:
            raise RemoteProtocolError("an R2T with the reserved target transfer tag")
        if not 0 < message.length <= self._parameters.max_burst_length or end > len(self.request.data_out):
            raise RemoteProtocolError(f"an R2T for {message.length} bytes from {message.offset} on")
        if message.offset != self._sent:
            raise RemoteProtocolError(f"an R2T from {message.offset} on where {self._sent} is next")
        self._r2t_sn += 1
        self._sent = end
        return self._data_out(message.target_transfer_tag, message.offset, end, exp_stat_sn)

    def receive_data_in(self, message: pdu.DataIn) -> CommandResult | None:
        """A piece of data-in; the result where the status came with it (section 11.7)."""
        if message.data_sn != self._data_sn or message.offset != len(self._data_in):
            raise RemoteProtocolError(f"Data-In {message.data_sn} from {message.offset} on is not the one that is due")
        self._data_sn += 1
        self._in_burst += len(message.data)
        if self._in_burst > self._parameters.max_burst_length:
            raise RemoteProtocolError(f"a burst of {self._in_burst} bytes of data-in")
        if len(self._data_in) + len(message.data) > self.request.read_length:
            raise RemoteProtocolError(f"more data-in than the {self.request.read_length} bytes expected")
        self._data_in += message.data
        if message.flags & pdu.FINAL:
            self._in_burst = 0
        if not message.flags & pdu.STATUS:
            return None
        if not message.flags & pdu.FINAL:
            raise RemoteProtocolError("a Data-In with status that is not final")
        residual = _residual(message.flags, message.residual, ResidualFlag.OVERFLOW, ResidualFlag.UNDERFLOW)
        return self._result(message.status, residual=residual)

    def receive_response(self, message: pdu.ScsiResponse) -> CommandResult:
        """The status (section 11.4)."""
        completed = message.response == ScsiServiceResponse.COMPLETED_AT_TARGET
        sent = self._data_sn + self._r2t_sn
        # Section 11.4.8 wants 0 where no Data-In came, and the number of R2Ts too: either is taken.
        if completed and message.exp_data_sn != sent and (message.exp_data_sn or self._data_sn):
            raise RemoteProtocolError(f"ExpDataSN {message.exp_data_sn} after {sent} Data-In and R2T PDUs")
        return self._result(
            message.status,
            response=message.response,
            sense=message.sense,
            residual=_residual(message.flags, message.residual, ResidualFlag.OVERFLOW, ResidualFlag.UNDERFLOW),
            read_residual=_residual(
                message.flags,
                message.bidirectional_residual,
                ResidualFlag.BIDIRECTIONAL_OVERFLOW,
                ResidualFlag.BIDIRECTIONAL_UNDERFLOW,
            ),
        )

    def _result(
        self, status: int, *, response: int = 0, sense: bytes = b"", residual: int, read_residual: int = 0
    ) -> CommandResult:
        request = self.request
        if status == STATUS_GOOD and not response:
            missing = read_residual if request.data_out and request.read_length else residual
            if request.read_length and len(self._data_in) != request.read_length + min(missing, 0):
                raise RemoteProtocolError(f"{len(self._data_in)} bytes of data-in and a residual of {missing}")
            if request.data_out and residual >= 0 and self._sent != len(request.data_out):
                raise RemoteProtocolError(f"GOOD after {self._sent} bytes of data-out and a residual of {residual}")
        return CommandResult(
            initiator_task_tag=self.initiator_task_tag,
            status=status,
            response=response,
            data=bytes(self._data_in),
            sense=sense,
            residual=residual,
            read_residual=read_residual,
        )


def _residual(flags: int, count: int, overflow: ResidualFlag, underflow: ResidualFlag) -> int:
    """A residual with its sign (section 11.4.5)."""
    if flags & overflow and flags & underflow:
        raise RemoteProtocolError("a residual that is overflow and underflow at once")
    if flags & overflow:
        return count
    return -count if flags & underflow else 0
