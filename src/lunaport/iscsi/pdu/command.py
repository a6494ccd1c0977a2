"""SCSI Command and SCSI Response (RFC 7143 sections 11.3 and 11.4), for initiators and for what is rare.

The data path has its own, flat way through these headers.
"""

from dataclasses import dataclass
from typing import Final

from lunaport.iscsi.enums import Opcode, RejectReason
from lunaport.iscsi.errors import RemoteProtocolError
from lunaport.iscsi.pdu.header import FINAL, IMMEDIATE, TAIL, ReadableBuffer, serialize_pdu, unpack_bhs

EXTENDED_CDB: Final = 1
READ_LENGTH: Final = 2
"""Kinds of additional header segments (sections 11.2.2.3 and 11.2.2.4)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ScsiCommand:
    """Section 11.3. `flags`: F, R, W and the task attribute. `cdb` is 16 bytes; a longer one goes on in `ahs`."""

    immediate: bool = False
    flags: int
    lun: int = 0
    initiator_task_tag: int
    expected_length: int = 0
    cmd_sn: int
    exp_stat_sn: int
    cdb: bytes
    ahs: bytes = b""
    data: bytes = b""

    def serialize(self) -> bytes:
        return serialize_pdu(
            Opcode.SCSI_COMMAND,
            immediate=self.immediate,
            flags=self.flags,
            lun=self.lun,
            itt=self.initiator_task_tag,
            words=(self.expected_length, self.cmd_sn, self.exp_stat_sn),
            tail=self.cdb,
            ahs=self.ahs,
            data=self.data,
        )


def parse_scsi_command(bhs: ReadableBuffer, data: ReadableBuffer, ahs: ReadableBuffer = b"") -> ScsiCommand:
    first, flags, _, _, lun, itt, expected, cmd_sn, exp_stat_sn, cdb = unpack_bhs(bhs, Opcode.SCSI_COMMAND)
    return ScsiCommand(
        immediate=bool(first & IMMEDIATE),
        flags=flags,
        lun=lun,
        initiator_task_tag=itt,
        expected_length=expected,
        cmd_sn=cmd_sn,
        exp_stat_sn=exp_stat_sn,
        cdb=cdb,
        ahs=bytes(ahs),
        data=bytes(data),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class ScsiResponse:
    """Section 11.4. `sense` and `response_data` share the data segment behind the 2-byte sense length (11.4.7)."""

    flags: int = 0
    response: int = 0
    status: int = 0
    initiator_task_tag: int
    stat_sn: int
    exp_cmd_sn: int
    max_cmd_sn: int
    exp_data_sn: int = 0
    bidirectional_residual: int = 0
    residual: int = 0
    sense: bytes = b""
    response_data: bytes = b""

    def serialize(self) -> bytes:
        segment = b""
        if self.sense or self.response_data:
            segment = len(self.sense).to_bytes(2, "big") + self.sense + self.response_data
        return serialize_pdu(
            Opcode.SCSI_RESPONSE,
            flags=FINAL | self.flags,
            specific=self.response << 8 | self.status,
            itt=self.initiator_task_tag,
            words=(0, self.stat_sn, self.exp_cmd_sn),
            tail=TAIL.pack(self.max_cmd_sn, self.exp_data_sn, self.bidirectional_residual, self.residual),
            data=segment,
        )


def parse_scsi_response(bhs: ReadableBuffer, data: ReadableBuffer) -> ScsiResponse:
    """Raises RemoteProtocolError where the sense length runs beyond the data segment."""
    _, flags, specific, _, _, itt, _, stat_sn, exp_cmd_sn, tail = unpack_bhs(bhs, Opcode.SCSI_RESPONSE)
    max_cmd_sn, exp_data_sn, bidirectional_residual, residual = TAIL.unpack(tail)
    segment = bytes(data)
    sense_end = 2 + int.from_bytes(segment[:2], "big") if segment else 0
    if sense_end > len(segment):
        reason = "the sense data runs beyond the data segment"
        raise RemoteProtocolError(reason, reject_reason=RejectReason.INVALID_PDU_FIELD)
    return ScsiResponse(
        flags=flags & 0x7F,
        response=specific >> 8,
        status=specific & 0xFF,
        initiator_task_tag=itt,
        stat_sn=stat_sn,
        exp_cmd_sn=exp_cmd_sn,
        max_cmd_sn=max_cmd_sn,
        exp_data_sn=exp_data_sn,
        bidirectional_residual=bidirectional_residual,
        residual=residual,
        sense=segment[2:sense_end],
        response_data=segment[sense_end:],
    )


def parse_additional_headers(segments: ReadableBuffer) -> dict[int, bytes] | None:
    """Additional header segments by kind, without their reserved byte (section 11.2.2). None: they cannot be.

    The length of a segment counts the reserved byte, and not the padding to a multiple of four.
    """
    found: dict[int, bytes] = {}
    at = 0
    while at < len(segments):
        length = int.from_bytes(segments[at : at + 2], "big")
        kind = segments[at + 2] & 0x3F
        if kind not in (EXTENDED_CDB, READ_LENGTH) or kind in found or at + 3 + length > len(segments):
            return None
        # An extended CDB goes beyond the 16 bytes of the header; a length has four.
        if length < 2 or (kind == READ_LENGTH and length != 5):
            return None
        found[kind] = bytes(segments[at + 4 : at + 3 + length])
        at += 3 + length + 3 & ~3
    return found
