"""Tests of lunaport.iscsi.pdu.management."""

import pytest

from lunaport.iscsi.pdu import (
    LogoutRequest,
    LogoutResponse,
    TaskManagementRequest,
    TaskManagementResponse,
    parse_logout_request,
    parse_logout_response,
    parse_task_management_request,
    parse_task_management_response,
)
from tests.unit.iscsi.pdu.wire import Case, Parser, check_any_bytes, check_parse, check_serialize, headers_only

CASES: list[Case] = [
    (
        TaskManagementRequest(
            function=1,
            lun=1 << 48,
            initiator_task_tag=2,
            referenced_task_tag=3,
            cmd_sn=4,
            exp_stat_sn=5,
            ref_cmd_sn=6,
            exp_data_sn=7,
        ),
        (
            "42"  # I, Task Management Request
            "81 0000"  # ABORT TASK
            "00000000"  # lengths
            "0001000000000000"  # LUN
            "00000002"  # initiator task tag
            "00000003"  # referenced task tag
            "00000004"  # CmdSN
            "00000005"  # ExpStatSN
            "00000006"  # RefCmdSN
            "00000007"  # ExpDataSN
            "0000000000000000"
        ),  # reserved
        headers_only(parse_task_management_request),
    ),
    (
        TaskManagementResponse(response=255, initiator_task_tag=2, stat_sn=3, exp_cmd_sn=4, max_cmd_sn=5),
        (
            "22"  # Task Management Response
            "80"  # F
            "ff 00"  # function rejected
            "00000000"  # lengths
            "0000000000000000"  # reserved
            "00000002"  # initiator task tag
            "00000000"  # reserved
            "00000003"  # StatSN
            "00000004"  # ExpCmdSN
            "00000005"  # MaxCmdSN
            "000000000000000000000000"
        ),  # reserved
        headers_only(parse_task_management_response),
    ),
    (
        LogoutRequest(immediate=True, reason=1, initiator_task_tag=2, cid=3, cmd_sn=4, exp_stat_sn=5),
        (
            "46"  # I, Logout Request
            "81 0000"  # close the connection
            "00000000"  # lengths
            "0000000000000000"  # reserved
            "00000002"  # initiator task tag
            "0003 0000"  # CID
            "00000004"  # CmdSN
            "00000005"  # ExpStatSN
            "00000000000000000000000000000000"
        ),  # reserved
        headers_only(parse_logout_request),
    ),
    (
        LogoutResponse(
            response=1, initiator_task_tag=2, stat_sn=3, exp_cmd_sn=4, max_cmd_sn=5, time2wait=2, time2retain=20
        ),
        (
            "26"  # Logout Response
            "80"  # F
            "01 00"  # CID not found
            "00000000"  # lengths
            "0000000000000000"  # reserved
            "00000002"  # initiator task tag
            "00000000"  # reserved
            "00000003"  # StatSN
            "00000004"  # ExpCmdSN
            "00000005"  # MaxCmdSN
            "00000000"  # reserved
            "0002 0014"  # Time2Wait, Time2Retain
            "00000000"
        ),  # reserved
        headers_only(parse_logout_response),
    ),
]


@pytest.mark.parametrize("case", CASES)
def test_serialize(case: Case) -> None:
    check_serialize(case)


@pytest.mark.parametrize("case", CASES)
def test_parse(case: Case) -> None:
    check_parse(case)


@pytest.mark.parametrize(
    ("parse", "opcode"),
    [
        (headers_only(parse_task_management_request), 0x02),
        (headers_only(parse_task_management_response), 0x22),
        (headers_only(parse_logout_request), 0x06),
        (headers_only(parse_logout_response), 0x26),
    ],
)
def test_any_bytes(parse: Parser, opcode: int) -> None:
    check_any_bytes(parse, opcode)
