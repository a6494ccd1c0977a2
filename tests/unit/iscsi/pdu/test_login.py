"""Tests of lunaport.iscsi.pdu.login."""

import pytest

from lunaport.iscsi.pdu import LoginRequest, LoginResponse, parse_login_request, parse_login_response
from tests.unit.iscsi.pdu.wire import Case, Parser, check_any_bytes, check_parse, check_serialize

CASES: list[Case] = [
    (
        LoginRequest(
            transit=True,
            current_stage=1,
            next_stage=3,
            version_max=2,
            version_min=1,
            isid=bytes.fromhex("00023d000001"),
            tsih=0x1234,
            initiator_task_tag=0x0A0B0C0D,
            cid=0x0506,
            cmd_sn=7,
            exp_stat_sn=8,
            data=b"A=b\0C",
        ),
        (
            "43"  # I, Login Request
            "87"  # T, CSG 1, NSG 3
            "02 01"  # Version-max, Version-min
            "00 000005"  # AHS, data length
            "00023d000001"  # ISID
            "1234"  # TSIH
            "0a0b0c0d"  # initiator task tag
            "0506 0000"  # CID
            "00000007"  # CmdSN
            "00000008"  # ExpStatSN
            "00000000000000000000000000000000"  # reserved
            "413d62 00 43"  # data
            "000000"
        ),  # padding
        parse_login_request,
    ),
    (
        LoginRequest(continues=True, isid=bytes(6), initiator_task_tag=1, cmd_sn=0),
        (
            "43"  # I, Login Request
            "40"  # C, CSG 0
            "0000"  # versions
            "00000000"  # lengths
            "0000000000000000"  # ISID, TSIH
            "00000001"  # initiator task tag
            "00000000"  # CID
            "00000000"  # CmdSN
            "00000000"  # ExpStatSN
            "00000000000000000000000000000000"
        ),  # reserved
        parse_login_request,
    ),
    (
        LoginResponse(
            transit=True,
            current_stage=0,
            next_stage=1,
            version_max=3,
            version_active=2,
            isid=bytes.fromhex("80123456789a"),
            tsih=0xBCDE,
            initiator_task_tag=0x0A0B0C0D,
            stat_sn=9,
            exp_cmd_sn=10,
            max_cmd_sn=137,
            status=0x0201,
            data=b"A=b\0",
        ),
        (
            "23"  # Login Response
            "81"  # T, CSG 0, NSG 1
            "03 02"  # Version-max, Version-active
            "00 000004"  # AHS, data length
            "80123456789a"  # ISID
            "bcde"  # TSIH
            "0a0b0c0d"  # initiator task tag
            "00000000"  # reserved
            "00000009"  # StatSN
            "0000000a"  # ExpCmdSN
            "00000089"  # MaxCmdSN
            "02 01 0000"  # status class, detail
            "0000000000000000"  # reserved
            "413d6200"
        ),  # data
        parse_login_response,
    ),
]


@pytest.mark.parametrize("case", CASES)
def test_serialize(case: Case) -> None:
    check_serialize(case)


@pytest.mark.parametrize("case", CASES)
def test_parse(case: Case) -> None:
    check_parse(case)


@pytest.mark.parametrize(("parse", "opcode"), [(parse_login_request, 0x43), (parse_login_response, 0x23)])
def test_any_bytes(parse: Parser, opcode: int) -> None:
    check_any_bytes(parse, opcode)
