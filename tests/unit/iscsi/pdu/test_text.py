"""Tests of lunaport.iscsi.pdu.text."""

import pytest

from lunaport.iscsi.pdu import TextRequest, TextResponse, parse_text_request, parse_text_response
from tests.unit.iscsi.pdu.wire import Case, Parser, check_any_bytes, check_parse, check_serialize

CASES: list[Case] = [
    (
        TextRequest(initiator_task_tag=2, cmd_sn=3, exp_stat_sn=4, data=b"SendTargets=All\0"),
        (
            "04"  # Text Request
            "80 0000"  # F
            "00 000010"  # AHS, data length
            "0000000000000000"  # LUN
            "00000002"  # initiator task tag
            "ffffffff"  # target transfer tag
            "00000003"  # CmdSN
            "00000004"  # ExpStatSN
            "00000000000000000000000000000000"  # reserved
            "53656e64546172676574733d416c6c00"
        ),  # data
        parse_text_request,
    ),
    (
        TextRequest(
            immediate=True,
            final=False,
            continues=True,
            lun=1 << 48,
            initiator_task_tag=2,
            target_transfer_tag=5,
            cmd_sn=3,
            exp_stat_sn=4,
        ),
        (
            "44"  # I, Text Request
            "40 0000"  # C
            "00000000"  # lengths
            "0001000000000000"  # LUN
            "00000002"  # initiator task tag
            "00000005"  # target transfer tag
            "00000003"  # CmdSN
            "00000004"  # ExpStatSN
            "00000000000000000000000000000000"
        ),  # reserved
        parse_text_request,
    ),
    (
        TextResponse(
            final=False,
            continues=True,
            lun=1 << 48,
            initiator_task_tag=2,
            target_transfer_tag=6,
            stat_sn=7,
            exp_cmd_sn=8,
            max_cmd_sn=9,
            data=b"A=b\0",
        ),
        (
            "24"  # Text Response
            "40 0000"  # C
            "00 000004"  # AHS, data length
            "0001000000000000"  # LUN
            "00000002"  # initiator task tag
            "00000006"  # target transfer tag
            "00000007"  # StatSN
            "00000008"  # ExpCmdSN
            "00000009"  # MaxCmdSN
            "000000000000000000000000"  # reserved
            "413d6200"
        ),  # data
        parse_text_response,
    ),
    (
        TextResponse(initiator_task_tag=2, stat_sn=7, exp_cmd_sn=8, max_cmd_sn=9),
        (
            "24"  # Text Response
            "80 0000"  # F
            "00000000"  # lengths
            "0000000000000000"  # LUN
            "00000002"  # initiator task tag
            "ffffffff"  # target transfer tag
            "00000007"  # StatSN
            "00000008"  # ExpCmdSN
            "00000009"  # MaxCmdSN
            "000000000000000000000000"
        ),  # reserved
        parse_text_response,
    ),
]


@pytest.mark.parametrize("case", CASES)
def test_serialize(case: Case) -> None:
    check_serialize(case)


@pytest.mark.parametrize("case", CASES)
def test_parse(case: Case) -> None:
    check_parse(case)


@pytest.mark.parametrize(("parse", "opcode"), [(parse_text_request, 0x44), (parse_text_response, 0x24)])
def test_any_bytes(parse: Parser, opcode: int) -> None:
    check_any_bytes(parse, opcode)
