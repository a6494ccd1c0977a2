"""Login requests and responses (RFC 7143 sections 11.12 and 11.13). The text they carry is left as it is."""

from dataclasses import dataclass

from lunaport.iscsi.enums import Opcode
from lunaport.iscsi.pdu.header import CONTINUE, FINAL, TAIL, ReadableBuffer, serialize_pdu, unpack_bhs


@dataclass(frozen=True, slots=True, kw_only=True)
class LoginRequest:
    """Section 11.12."""

    transit: bool = False
    continues: bool = False
    current_stage: int = 0
    next_stage: int = 0
    version_max: int = 0
    version_min: int = 0
    isid: bytes
    tsih: int = 0
    initiator_task_tag: int
    cid: int = 0
    cmd_sn: int
    exp_stat_sn: int = 0
    data: bytes = b""

    def serialize(self) -> bytes:
        return serialize_pdu(
            Opcode.LOGIN_REQUEST,
            immediate=True,
            flags=_flags(self.transit, self.continues, self.current_stage, self.next_stage),
            specific=self.version_max << 8 | self.version_min,
            lun=int.from_bytes(self.isid, "big") << 16 | self.tsih,
            itt=self.initiator_task_tag,
            words=(self.cid << 16, self.cmd_sn, self.exp_stat_sn),
            data=self.data,
        )


def parse_login_request(bhs: ReadableBuffer, data: ReadableBuffer) -> LoginRequest:
    _, flags, versions, _, lun, itt, cid, cmd_sn, exp_stat_sn, _ = unpack_bhs(bhs, Opcode.LOGIN_REQUEST)
    return LoginRequest(
        transit=bool(flags & FINAL),
        continues=bool(flags & CONTINUE),
        current_stage=flags >> 2 & 3,
        next_stage=flags & 3,
        version_max=versions >> 8,
        version_min=versions & 0xFF,
        isid=(lun >> 16).to_bytes(6, "big"),
        tsih=lun & 0xFFFF,
        initiator_task_tag=itt,
        cid=cid >> 16,
        cmd_sn=cmd_sn,
        exp_stat_sn=exp_stat_sn,
        data=bytes(data),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class LoginResponse:
    """Section 11.13. `status` is class << 8 | detail."""

    transit: bool = False
    continues: bool = False
    current_stage: int = 0
    next_stage: int = 0
    version_max: int = 0
    version_active: int = 0
    isid: bytes
    tsih: int = 0
    initiator_task_tag: int
    stat_sn: int = 0
    exp_cmd_sn: int = 0
    max_cmd_sn: int = 0
    status: int = 0
    data: bytes = b""

    def serialize(self) -> bytes:
        return serialize_pdu(
            Opcode.LOGIN_RESPONSE,
            flags=_flags(self.transit, self.continues, self.current_stage, self.next_stage),
            specific=self.version_max << 8 | self.version_active,
            lun=int.from_bytes(self.isid, "big") << 16 | self.tsih,
            itt=self.initiator_task_tag,
            words=(0, self.stat_sn, self.exp_cmd_sn),
            tail=TAIL.pack(self.max_cmd_sn, self.status << 16, 0, 0),
            data=self.data,
        )


def parse_login_response(bhs: ReadableBuffer, data: ReadableBuffer) -> LoginResponse:
    _, flags, versions, _, lun, itt, _, stat_sn, exp_cmd_sn, tail = unpack_bhs(bhs, Opcode.LOGIN_RESPONSE)
    max_cmd_sn, status, _, _ = TAIL.unpack(tail)
    return LoginResponse(
        transit=bool(flags & FINAL),
        continues=bool(flags & CONTINUE),
        current_stage=flags >> 2 & 3,
        next_stage=flags & 3,
        version_max=versions >> 8,
        version_active=versions & 0xFF,
        isid=(lun >> 16).to_bytes(6, "big"),
        tsih=lun & 0xFFFF,
        initiator_task_tag=itt,
        stat_sn=stat_sn,
        exp_cmd_sn=exp_cmd_sn,
        max_cmd_sn=max_cmd_sn,
        status=status >> 16,
        data=bytes(data),
    )


def _flags(transit: bool, continues: bool, current_stage: int, next_stage: int) -> int:
    return (FINAL if transit else 0) | (CONTINUE if continues else 0) | current_stage << 2 | next_stage
