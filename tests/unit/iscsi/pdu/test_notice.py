"""Tests of lunaport.iscsi.pdu.notice."""

import pytest

from lunaport.iscsi.pdu import (
    AsyncMessage,
    NopIn,
    NopOut,
    Reject,
    parse_async_message,
    parse_nop_in,
    parse_nop_out,
    parse_reject,
)
from tests.unit.iscsi.pdu.wire import Case, Parser, check_any_bytes, check_parse, check_serialize

CASES: list[Case] = [
    (
        NopOut(
            immediate=True,
            lun=1 << 48,
            initiator_task_tag=2,
            target_transfer_tag=3,
            cmd_sn=4,
            exp_stat_sn=5,
            data=b"ping!",
        ),
        (
            "40"  # I, NOP-Out
            "80 0000"  # F
            "00 000005"  # AHS, data length
            "0001000000000000"  # LUN
            "00000002"  # initiator task tag
            "00000003"  # target transfer tag
            "00000004"  # CmdSN
            "00000005"  # ExpStatSN
            "00000000000000000000000000000000"  # reserved
            "70696e6721"  # data
            "000000"
        ),  # padding
        parse_nop_out,
    ),
    (
        NopIn(initiator_task_tag=2, stat_sn=3, exp_cmd_sn=4, max_cmd_sn=5, data=b"ping"),
        (
            "20"  # NOP-In
            "80 0000"  # F
            "00 000004"  # AHS, data length
            "0000000000000000"  # LUN
            "00000002"  # initiator task tag
            "ffffffff"  # target transfer tag
            "00000003"  # StatSN
            "00000004"  # ExpCmdSN
            "00000005"  # MaxCmdSN
            "000000000000000000000000"  # reserved
            "70696e67"
        ),  # data
        parse_nop_in,
    ),
    (
        Reject(reason=4, stat_sn=3, exp_cmd_sn=4, max_cmd_sn=5, data_sn=6, header=bytes(range(48))),
        "3f"  # Reject
        "80"  # F
        "04 00"  # protocol error
        "00 000030"  # AHS, data length
        "0000000000000000"  # reserved
        "ffffffff"  # no task
        "00000000"  # reserved
        "00000003"  # StatSN
        "00000004"  # ExpCmdSN
        "00000005"  # MaxCmdSN
        "00000006"  # DataSN
        "0000000000000000" + bytes(range(48)).hex(),  # reserved  # header of the PDU in error
        parse_reject,
    ),
    (
        AsyncMessage(
            lun=1 << 48,
            stat_sn=3,
            exp_cmd_sn=4,
            max_cmd_sn=5,
            event=1,
            vendor_code=2,
            parameters=(0x0102, 0x0304, 0x0506),
        ),
        (
            "32"  # Asynchronous Message
            "80 0000"  # F
            "00000000"  # lengths
            "0001000000000000"  # LUN
            "ffffffff"  # no task
            "00000000"  # reserved
            "00000003"  # StatSN
            "00000004"  # ExpCmdSN
            "00000005"  # MaxCmdSN
            "01 02 0102"  # event, vendor code, Parameter1
            "0304 0506"  # Parameter2, Parameter3
            "00000000"
        ),  # reserved
        parse_async_message,
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
    [(parse_nop_out, 0x40), (parse_nop_in, 0x20), (parse_reject, 0x3F), (parse_async_message, 0x32)],
)
def test_any_bytes(parse: Parser, opcode: int) -> None:
    check_any_bytes(parse, opcode)
