"""Text requests and responses (RFC 7143 sections 11.10 and 11.11). The text they carry is left as it is."""

from dataclasses import dataclass

from lunaport.iscsi.enums import Opcode
from lunaport.iscsi.pdu.header import (
    CONTINUE,
    FINAL,
    IMMEDIATE,
    RESERVED_TAG,
    TAIL,
    ReadableBuffer,
    serialize_pdu,
    unpack_bhs,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class TextRequest:
    """Section 11.10."""

    immediate: bool = False
    final: bool = True
    continues: bool = False
    lun: int = 0
    initiator_task_tag: int
    target_transfer_tag: int = RESERVED_TAG
    cmd_sn: int
    exp_stat_sn: int
    data: bytes = b""

    def serialize(self) -> bytes:
        return serialize_pdu(
            Opcode.TEXT_REQUEST,
            immediate=self.immediate,
            flags=(FINAL if self.final else 0) | (CONTINUE if self.continues else 0),
            lun=self.lun,
            itt=self.initiator_task_tag,
            words=(self.target_transfer_tag, self.cmd_sn, self.exp_stat_sn),
            data=self.data,
        )


def parse_text_request(bhs: ReadableBuffer, data: ReadableBuffer) -> TextRequest:
    first, flags, _, _, lun, itt, ttt, cmd_sn, exp_stat_sn, _ = unpack_bhs(bhs, Opcode.TEXT_REQUEST)
    return TextRequest(
        immediate=bool(first & IMMEDIATE),
        final=bool(flags & FINAL),
        continues=bool(flags & CONTINUE),
        lun=lun,
        initiator_task_tag=itt,
        target_transfer_tag=ttt,
        cmd_sn=cmd_sn,
        exp_stat_sn=exp_stat_sn,
        data=bytes(data),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class TextResponse:
    """Section 11.11."""

    final: bool = True
    continues: bool = False
    lun: int = 0
    initiator_task_tag: int
    target_transfer_tag: int = RESERVED_TAG
    stat_sn: int
    exp_cmd_sn: int
    max_cmd_sn: int
    data: bytes = b""

    def serialize(self) -> bytes:
        return serialize_pdu(
            Opcode.TEXT_RESPONSE,
            flags=(FINAL if self.final else 0) | (CONTINUE if self.continues else 0),
            lun=self.lun,
            itt=self.initiator_task_tag,
            words=(self.target_transfer_tag, self.stat_sn, self.exp_cmd_sn),
            tail=TAIL.pack(self.max_cmd_sn, 0, 0, 0),
            data=self.data,
        )


def parse_text_response(bhs: ReadableBuffer, data: ReadableBuffer) -> TextResponse:
    _, flags, _, _, lun, itt, ttt, stat_sn, exp_cmd_sn, tail = unpack_bhs(bhs, Opcode.TEXT_RESPONSE)
    return TextResponse(
        final=bool(flags & FINAL),
        continues=bool(flags & CONTINUE),
        lun=lun,
        initiator_task_tag=itt,
        target_transfer_tag=ttt,
        stat_sn=stat_sn,
        exp_cmd_sn=exp_cmd_sn,
        max_cmd_sn=TAIL.unpack(tail)[0],
        data=bytes(data),
    )
