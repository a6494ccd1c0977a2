"""Data-Out, Data-In and R2T (RFC 7143 sections 11.7 and 11.8), for initiators and for what is rare.

The data path has its own, flat way through these headers.
"""

from dataclasses import dataclass

from lunaport.iscsi.enums import Opcode
from lunaport.iscsi.pdu.header import FINAL, RESERVED_TAG, TAIL, ReadableBuffer, serialize_pdu, unpack_bhs


@dataclass(frozen=True, slots=True, kw_only=True)
class DataOut:
    """Section 11.7."""

    final: bool
    lun: int = 0
    initiator_task_tag: int
    target_transfer_tag: int = RESERVED_TAG
    exp_stat_sn: int
    data_sn: int
    offset: int
    data: bytes

    def serialize(self) -> bytes:
        return serialize_pdu(
            Opcode.DATA_OUT,
            flags=FINAL if self.final else 0,
            lun=self.lun,
            itt=self.initiator_task_tag,
            words=(self.target_transfer_tag, 0, self.exp_stat_sn),
            tail=TAIL.pack(0, self.data_sn, self.offset, 0),
            data=self.data,
        )


def parse_data_out(bhs: ReadableBuffer, data: ReadableBuffer) -> DataOut:
    _, flags, _, _, lun, itt, ttt, _, exp_stat_sn, tail = unpack_bhs(bhs, Opcode.DATA_OUT)
    _, data_sn, offset, _ = TAIL.unpack(tail)
    return DataOut(
        final=bool(flags & FINAL),
        lun=lun,
        initiator_task_tag=itt,
        target_transfer_tag=ttt,
        exp_stat_sn=exp_stat_sn,
        data_sn=data_sn,
        offset=offset,
        data=bytes(data),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class DataIn:
    """Section 11.7. `flags`: F, A, residual and S bits; status, StatSN and residual count only where S says so."""

    flags: int
    status: int = 0
    lun: int = 0
    initiator_task_tag: int
    target_transfer_tag: int = RESERVED_TAG
    stat_sn: int = 0
    exp_cmd_sn: int
    max_cmd_sn: int
    data_sn: int
    offset: int
    residual: int = 0
    data: bytes

    def serialize(self) -> bytes:
        return serialize_pdu(
            Opcode.DATA_IN,
            flags=self.flags,
            specific=self.status,
            lun=self.lun,
            itt=self.initiator_task_tag,
            words=(self.target_transfer_tag, self.stat_sn, self.exp_cmd_sn),
            tail=TAIL.pack(self.max_cmd_sn, self.data_sn, self.offset, self.residual),
            data=self.data,
        )


def parse_data_in(bhs: ReadableBuffer, data: ReadableBuffer) -> DataIn:
    _, flags, status, _, lun, itt, ttt, stat_sn, exp_cmd_sn, tail = unpack_bhs(bhs, Opcode.DATA_IN)
    max_cmd_sn, data_sn, offset, residual = TAIL.unpack(tail)
    return DataIn(
        flags=flags,
        status=status & 0xFF,
        lun=lun,
        initiator_task_tag=itt,
        target_transfer_tag=ttt,
        stat_sn=stat_sn,
        exp_cmd_sn=exp_cmd_sn,
        max_cmd_sn=max_cmd_sn,
        data_sn=data_sn,
        offset=offset,
        residual=residual,
        data=bytes(data),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class R2T:
    """Section 11.8: ready to transfer `length` bytes from `offset` on."""

    lun: int
    initiator_task_tag: int
    target_transfer_tag: int
    stat_sn: int
    exp_cmd_sn: int
    max_cmd_sn: int
    r2t_sn: int
    offset: int
    length: int

    def serialize(self) -> bytes:
        return serialize_pdu(
            Opcode.R2T,
            lun=self.lun,
            itt=self.initiator_task_tag,
            words=(self.target_transfer_tag, self.stat_sn, self.exp_cmd_sn),
            tail=TAIL.pack(self.max_cmd_sn, self.r2t_sn, self.offset, self.length),
        )


def parse_r2t(bhs: ReadableBuffer) -> R2T:
    _, _, _, _, lun, itt, ttt, stat_sn, exp_cmd_sn, tail = unpack_bhs(bhs, Opcode.R2T)
    max_cmd_sn, r2t_sn, offset, length = TAIL.unpack(tail)
    return R2T(
        lun=lun,
        initiator_task_tag=itt,
        target_transfer_tag=ttt,
        stat_sn=stat_sn,
        exp_cmd_sn=exp_cmd_sn,
        max_cmd_sn=max_cmd_sn,
        r2t_sn=r2t_sn,
        offset=offset,
        length=length,
    )
