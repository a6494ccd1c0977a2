"""NOP-Out, NOP-In, Reject and Asynchronous Message (RFC 7143 sections 11.9, 11.17, 11.18, 11.19)."""

from dataclasses import dataclass

from lunaport.iscsi.enums import Opcode
from lunaport.iscsi.pdu.header import IMMEDIATE, RESERVED_TAG, TAIL, ReadableBuffer, serialize_pdu, unpack_bhs


@dataclass(frozen=True, slots=True, kw_only=True)
class NopOut:
    """Section 11.18: a ping, or the answer to one."""

    immediate: bool = False
    lun: int = 0
    initiator_task_tag: int = RESERVED_TAG
    target_transfer_tag: int = RESERVED_TAG
    cmd_sn: int
    exp_stat_sn: int
    data: bytes = b""

    def serialize(self) -> bytes:
        return serialize_pdu(
            Opcode.NOP_OUT,
            immediate=self.immediate,
            lun=self.lun,
            itt=self.initiator_task_tag,
            words=(self.target_transfer_tag, self.cmd_sn, self.exp_stat_sn),
            data=self.data,
        )


def parse_nop_out(bhs: ReadableBuffer, data: ReadableBuffer) -> NopOut:
    first, _, _, _, lun, itt, ttt, cmd_sn, exp_stat_sn, _ = unpack_bhs(bhs, Opcode.NOP_OUT)
    return NopOut(
        immediate=bool(first & IMMEDIATE),
        lun=lun,
        initiator_task_tag=itt,
        target_transfer_tag=ttt,
        cmd_sn=cmd_sn,
        exp_stat_sn=exp_stat_sn,
        data=bytes(data),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class NopIn:
    """Section 11.19."""

    lun: int = 0
    initiator_task_tag: int = RESERVED_TAG
    target_transfer_tag: int = RESERVED_TAG
    stat_sn: int
    exp_cmd_sn: int
    max_cmd_sn: int
    data: bytes = b""

    def serialize(self) -> bytes:
        return serialize_pdu(
            Opcode.NOP_IN,
            lun=self.lun,
            itt=self.initiator_task_tag,
            words=(self.target_transfer_tag, self.stat_sn, self.exp_cmd_sn),
            tail=TAIL.pack(self.max_cmd_sn, 0, 0, 0),
            data=self.data,
        )


def parse_nop_in(bhs: ReadableBuffer, data: ReadableBuffer) -> NopIn:
    _, _, _, _, lun, itt, ttt, stat_sn, exp_cmd_sn, tail = unpack_bhs(bhs, Opcode.NOP_IN)
    return NopIn(
        lun=lun,
        initiator_task_tag=itt,
        target_transfer_tag=ttt,
        stat_sn=stat_sn,
        exp_cmd_sn=exp_cmd_sn,
        max_cmd_sn=TAIL.unpack(tail)[0],
        data=bytes(data),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Reject:
    """Section 11.17. `header` is the header of the PDU rejected."""

    reason: int
    stat_sn: int
    exp_cmd_sn: int
    max_cmd_sn: int
    data_sn: int = 0
    header: bytes

    def serialize(self) -> bytes:
        return serialize_pdu(
            Opcode.REJECT,
            specific=self.reason << 8,
            words=(0, self.stat_sn, self.exp_cmd_sn),
            tail=TAIL.pack(self.max_cmd_sn, self.data_sn, 0, 0),
            data=self.header,
        )


def parse_reject(bhs: ReadableBuffer, data: ReadableBuffer) -> Reject:
    _, _, reason, _, _, _, _, stat_sn, exp_cmd_sn, tail = unpack_bhs(bhs, Opcode.REJECT)
    max_cmd_sn, data_sn, _, _ = TAIL.unpack(tail)
    return Reject(
        reason=reason >> 8,
        stat_sn=stat_sn,
        exp_cmd_sn=exp_cmd_sn,
        max_cmd_sn=max_cmd_sn,
        data_sn=data_sn,
        header=bytes(data),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class AsyncMessage:
    """Section 11.9. `parameters` are Parameter1 to Parameter3; `data` is the data segment as it stands on the wire."""

    lun: int = 0
    stat_sn: int
    exp_cmd_sn: int
    max_cmd_sn: int
    event: int
    vendor_code: int = 0
    parameters: tuple[int, int, int] = (0, 0, 0)
    data: bytes = b""

    def serialize(self) -> bytes:
        first, second, third = self.parameters
        event = self.event << 24 | self.vendor_code << 16 | first
        return serialize_pdu(
            Opcode.ASYNC_MESSAGE,
            lun=self.lun,
            words=(0, self.stat_sn, self.exp_cmd_sn),
            tail=TAIL.pack(self.max_cmd_sn, event, second << 16 | third, 0),
            data=self.data,
        )


def parse_async_message(bhs: ReadableBuffer, data: ReadableBuffer) -> AsyncMessage:
    _, _, _, _, lun, _, _, stat_sn, exp_cmd_sn, tail = unpack_bhs(bhs, Opcode.ASYNC_MESSAGE)
    max_cmd_sn, event, parameters, _ = TAIL.unpack(tail)
    return AsyncMessage(
        lun=lun,
        stat_sn=stat_sn,
        exp_cmd_sn=exp_cmd_sn,
        max_cmd_sn=max_cmd_sn,
        event=event >> 24,
        vendor_code=event >> 16 & 0xFF,
        parameters=(event & 0xFFFF, parameters >> 16, parameters & 0xFFFF),
        data=bytes(data),
    )
