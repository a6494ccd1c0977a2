"""Task management and logout (RFC 7143 sections 11.5, 11.6, 11.14, 11.15). Codes are numbers, known or not."""

from dataclasses import dataclass

from lunaport.iscsi.enums import Opcode
from lunaport.iscsi.pdu.header import FINAL, IMMEDIATE, RESERVED_TAG, TAIL, ReadableBuffer, serialize_pdu, unpack_bhs


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskManagementRequest:
    """Section 11.5."""

    immediate: bool = True
    function: int
    lun: int = 0
    initiator_task_tag: int
    referenced_task_tag: int = RESERVED_TAG
    cmd_sn: int
    exp_stat_sn: int
    ref_cmd_sn: int = 0
    exp_data_sn: int = 0

    def serialize(self) -> bytes:
        return serialize_pdu(
            Opcode.TASK_MANAGEMENT_REQUEST,
            immediate=self.immediate,
            flags=FINAL | self.function,
            lun=self.lun,
            itt=self.initiator_task_tag,
            words=(self.referenced_task_tag, self.cmd_sn, self.exp_stat_sn),
            tail=TAIL.pack(self.ref_cmd_sn, self.exp_data_sn, 0, 0),
        )


def parse_task_management_request(bhs: ReadableBuffer) -> TaskManagementRequest:
    fields = unpack_bhs(bhs, Opcode.TASK_MANAGEMENT_REQUEST)
    first, flags, _, _, lun, itt, referenced, cmd_sn, exp_stat_sn, tail = fields
    ref_cmd_sn, exp_data_sn, _, _ = TAIL.unpack(tail)
    return TaskManagementRequest(
        immediate=bool(first & IMMEDIATE),
        function=flags & 0x7F,
        lun=lun,
        initiator_task_tag=itt,
        referenced_task_tag=referenced,
        cmd_sn=cmd_sn,
        exp_stat_sn=exp_stat_sn,
        ref_cmd_sn=ref_cmd_sn,
        exp_data_sn=exp_data_sn,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskManagementResponse:
    """Section 11.6."""

    response: int
    initiator_task_tag: int
    stat_sn: int
    exp_cmd_sn: int
    max_cmd_sn: int

    def serialize(self) -> bytes:
        return serialize_pdu(
            Opcode.TASK_MANAGEMENT_RESPONSE,
            specific=self.response << 8,
            itt=self.initiator_task_tag,
            words=(0, self.stat_sn, self.exp_cmd_sn),
            tail=TAIL.pack(self.max_cmd_sn, 0, 0, 0),
        )


def parse_task_management_response(bhs: ReadableBuffer) -> TaskManagementResponse:
    fields = unpack_bhs(bhs, Opcode.TASK_MANAGEMENT_RESPONSE)
    _, _, response, _, _, itt, _, stat_sn, exp_cmd_sn, tail = fields
    return TaskManagementResponse(
        response=response >> 8,
        initiator_task_tag=itt,
        stat_sn=stat_sn,
        exp_cmd_sn=exp_cmd_sn,
        max_cmd_sn=TAIL.unpack(tail)[0],
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class LogoutRequest:
    """Section 11.14."""

    immediate: bool = False
    reason: int
    initiator_task_tag: int
    cid: int = 0
    cmd_sn: int
    exp_stat_sn: int

    def serialize(self) -> bytes:
        return serialize_pdu(
            Opcode.LOGOUT_REQUEST,
            immediate=self.immediate,
            flags=FINAL | self.reason,
            itt=self.initiator_task_tag,
            words=(self.cid << 16, self.cmd_sn, self.exp_stat_sn),
        )


def parse_logout_request(bhs: ReadableBuffer) -> LogoutRequest:
    first, flags, _, _, _, itt, cid, cmd_sn, exp_stat_sn, _ = unpack_bhs(bhs, Opcode.LOGOUT_REQUEST)
    return LogoutRequest(
        immediate=bool(first & IMMEDIATE),
        reason=flags & 0x7F,
        initiator_task_tag=itt,
        cid=cid >> 16,
        cmd_sn=cmd_sn,
        exp_stat_sn=exp_stat_sn,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class LogoutResponse:
    """Section 11.15. Times in seconds."""

    response: int
    initiator_task_tag: int
    stat_sn: int
    exp_cmd_sn: int
    max_cmd_sn: int
    time2wait: int = 0
    time2retain: int = 0

    def serialize(self) -> bytes:
        return serialize_pdu(
            Opcode.LOGOUT_RESPONSE,
            specific=self.response << 8,
            itt=self.initiator_task_tag,
            words=(0, self.stat_sn, self.exp_cmd_sn),
            tail=TAIL.pack(self.max_cmd_sn, 0, self.time2wait << 16 | self.time2retain, 0),
        )


def parse_logout_response(bhs: ReadableBuffer) -> LogoutResponse:
    _, _, response, _, _, itt, _, stat_sn, exp_cmd_sn, tail = unpack_bhs(bhs, Opcode.LOGOUT_RESPONSE)
    max_cmd_sn, _, times, _ = TAIL.unpack(tail)
    return LogoutResponse(
        response=response >> 8,
        initiator_task_tag=itt,
        stat_sn=stat_sn,
        exp_cmd_sn=exp_cmd_sn,
        max_cmd_sn=max_cmd_sn,
        time2wait=times >> 16,
        time2retain=times & 0xFFFF,
    )
