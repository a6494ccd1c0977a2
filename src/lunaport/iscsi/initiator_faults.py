"""What becomes of the PDUs an initiator sends: hooks that make it misbehave on purpose.

A fault gets each PDU before it leaves and gives what goes out in its place: nothing, the same twice, something else, in
pieces, after a pause. Faults are plain functions, so a test may write its own; those here are the ones that come up
again and again. What a fault does changes the wire only: the initiator goes on as if the PDU had left untouched.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any, Final, TypeAlias

from lunaport.iscsi import pdu
from lunaport.iscsi.digest import add_digests
from lunaport.iscsi.enums import Opcode
from lunaport.iscsi.errors import LocalProtocolError
from lunaport.iscsi.limits import BHS_BYTES, DIGEST_BYTES


@dataclass(frozen=True, slots=True, kw_only=True)
class OutgoingPdu:
    """A PDU on its way out: serialized, without digests; `index` counts those of a connection from 0."""

    index: int
    serialized: bytes
    header_digest: bool = False
    data_digest: bool = False

    @property
    def opcode(self) -> int:
        """What it is; see `enums.Opcode`."""
        return pdu.opcode_of(self.serialized)

    def wire(self) -> bytes:
        """The bytes as they go out, with the digests in force."""
        return add_digests(self.serialized, self.header_digest, self.data_digest)


@dataclass(frozen=True, slots=True, kw_only=True)
class Delay:
    """A pause before whatever is sent next."""

    seconds: float


Chunk: TypeAlias = bytes | Delay
Fault: TypeAlias = Callable[[OutgoingPdu], Iterable[Chunk]]
"""What is sent in place of a PDU. Each piece of bytes is sent by itself."""


def send_as_is(outgoing: OutgoingPdu) -> tuple[Chunk, ...]:
    """No fault."""
    return (outgoing.wire(),)


def drop(_outgoing: OutgoingPdu) -> tuple[Chunk, ...]:
    """Send nothing."""
    return ()


def double(outgoing: OutgoingPdu) -> tuple[Chunk, ...]:
    """Send it twice."""
    return (outgoing.wire(), outgoing.wire())


def delay(seconds: float) -> Fault:
    """Send it, and all that follows it, later."""
    return lambda outgoing: (Delay(seconds=seconds), outgoing.wire())


def split(chunk_bytes: int) -> Fault:
    """Send it in pieces of `chunk_bytes`."""

    def pieces(outgoing: OutgoingPdu) -> tuple[Chunk, ...]:
        wire = outgoing.wire()
        return tuple(wire[at : at + chunk_bytes] for at in range(0, len(wire), chunk_bytes))

    return pieces


def send_instead(wire: bytes) -> Fault:
    """Send these bytes in its place."""
    return lambda _outgoing: (wire,)


def corrupt(offset: int, mask: int = 0xFF) -> Fault:
    """Turn the bits of `mask` over in the byte at `offset` of the wire form; a digest stays what it was."""

    def corrupted(outgoing: OutgoingPdu) -> tuple[Chunk, ...]:
        wire = bytearray(outgoing.wire())
        wire[offset] ^= mask
        return (bytes(wire),)

    return corrupted


def corrupt_header_digest(outgoing: OutgoingPdu) -> tuple[Chunk, ...]:
    """Send it with a wrong header digest, where there is one."""
    if not outgoing.header_digest:
        return send_as_is(outgoing)
    return tuple(corrupt(BHS_BYTES + outgoing.serialized[4] * 4)(outgoing))


def corrupt_data_digest(outgoing: OutgoingPdu) -> tuple[Chunk, ...]:
    """Send it with a wrong data digest, where there is one."""
    wire_bytes_without = len(outgoing.serialized) + DIGEST_BYTES * outgoing.header_digest
    wire = bytearray(outgoing.wire())
    if len(wire) > wire_bytes_without:
        wire[-1] ^= 0xFF
    return (bytes(wire),)


def edit(**changes: Any) -> Fault:
    """Set fields of the PDU's value in `lunaport.iscsi.pdu` by hand: `edit(cmd_sn=7)`, `edit(data_sn=3, offset=512)`.

    The digests suit what is sent. Raises LocalProtocolError for PDUs that no initiator sends.
    """

    def edited(outgoing: OutgoingPdu) -> tuple[Chunk, ...]:
        value = replace(parse_outgoing(outgoing.serialized), **changes)
        return (replace(outgoing, serialized=value.serialize()).wire(),)

    return edited


def only(opcode: Opcode, fault: Fault, *, number: int | None = None) -> Fault:
    """Apply `fault` to PDUs of one type: to each, or to the one with this `number`, counted from 0."""
    seen = 0

    def chosen(outgoing: OutgoingPdu) -> Iterable[Chunk]:
        nonlocal seen
        if outgoing.opcode != opcode:
            return send_as_is(outgoing)
        seen += 1
        return fault(outgoing) if number is None or number == seen - 1 else send_as_is(outgoing)

    return chosen


InitiatorPdu: TypeAlias = (
    pdu.NopOut
    | pdu.ScsiCommand
    | pdu.TaskManagementRequest
    | pdu.LoginRequest
    | pdu.TextRequest
    | pdu.DataOut
    | pdu.LogoutRequest
)

_PARSERS: Final[dict[int, Callable[[bytes, bytes], InitiatorPdu]]] = {
    Opcode.NOP_OUT: pdu.parse_nop_out,
    Opcode.TASK_MANAGEMENT_REQUEST: lambda bhs, _data: pdu.parse_task_management_request(bhs),
    Opcode.LOGIN_REQUEST: pdu.parse_login_request,
    Opcode.TEXT_REQUEST: pdu.parse_text_request,
    Opcode.DATA_OUT: pdu.parse_data_out,
    Opcode.LOGOUT_REQUEST: lambda bhs, _data: pdu.parse_logout_request(bhs),
}


def parse_outgoing(serialized: bytes) -> InitiatorPdu:
    """The value of a whole PDU without digests that an initiator sends. Raises LocalProtocolError for others."""
    header = serialized[:BHS_BYTES]
    data_start = BHS_BYTES + serialized[4] * 4
    data = serialized[data_start : data_start + int.from_bytes(serialized[5:8], "big")]
    if pdu.opcode_of(serialized) == Opcode.SCSI_COMMAND:
        return pdu.parse_scsi_command(header, data, serialized[BHS_BYTES:data_start])
    parser = _PARSERS.get(pdu.opcode_of(serialized))
    if parser is None:
        raise LocalProtocolError(f"no PDU of an initiator has opcode 0x{pdu.opcode_of(serialized):02x}")
    return parser(header, data)
