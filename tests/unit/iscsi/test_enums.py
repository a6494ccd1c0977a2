"""Tests of lunaport.iscsi.enums: the numbers that a typing mistake would break silently."""

from lunaport.iscsi.enums import AsyncEvent, ChapAlgorithm, LoginStatus, Opcode, RejectReason, TaskFunction


def test_opcodes_of_initiators_and_targets_are_apart() -> None:
    assert {op for op in Opcode if op & 0x20} == {
        Opcode.NOP_IN,
        Opcode.SCSI_RESPONSE,
        Opcode.TASK_MANAGEMENT_RESPONSE,
        Opcode.LOGIN_RESPONSE,
        Opcode.TEXT_RESPONSE,
        Opcode.DATA_IN,
        Opcode.LOGOUT_RESPONSE,
        Opcode.R2T,
        Opcode.ASYNC_MESSAGE,
        Opcode.REJECT,
    }


def test_numbers() -> None:
    assert (LoginStatus.AUTHENTICATION_FAILURE, LoginStatus.OUT_OF_RESOURCES) == (0x0201, 0x0302)
    assert (RejectReason.PROTOCOL_ERROR, RejectReason.WAITING_FOR_LOGOUT) == (4, 12)
    assert (TaskFunction.LOGICAL_UNIT_RESET, TaskFunction.TASK_REASSIGN) == (5, 8)
    assert (AsyncEvent.LOGOUT_REQUEST, ChapAlgorithm.SHA256) == (1, 7)
