"""Tests of lunaport.iscsi.pdu.transfer."""

import pytest

from lunaport.iscsi.pdu import R2T, DataIn, DataOut, parse_data_in, parse_data_out, parse_r2t
from tests.unit.iscsi.pdu.wire import Case, Parser, check_any_bytes, check_parse, check_serialize, headers_only

CASES: list[Case] = [
    (
        DataOut(
            final=True,
            lun=1 << 48,
            initiator_task_tag=2,
            target_transfer_tag=3,
            exp_stat_sn=4,
            data_sn=5,
            offset=512,
            data=b"abc",
        ),
        (
            "05"  # Data-Out
            "80 0000"  # F
            "00 000003"  # AHS, data length
            "0001000000000000"  # LUN
            "00000002"  # initiator task tag
            "00000003"  # target transfer tag
            "00000000"  # reserved
            "00000004"  # ExpStatSN
            "00000000"  # reserved
            "00000005"  # DataSN
            "00000200"  # buffer offset
            "00000000"  # reserved
            "616263"  # data
            "00"
        ),  # padding
        parse_data_out,
    ),
    (
        DataIn(
            flags=0x83,
            status=8,
            initiator_task_tag=2,
            stat_sn=3,
            exp_cmd_sn=4,
            max_cmd_sn=5,
            data_sn=6,
            offset=1024,
            residual=7,
            data=b"abcd",
        ),
        (
            "25"  # Data-In
            "83"  # F, underflow, S
            "00 08"  # status
            "00 000004"  # AHS, data length
            "0000000000000000"  # LUN
            "00000002"  # initiator task tag
            "ffffffff"  # target transfer tag
            "00000003"  # StatSN
            "00000004"  # ExpCmdSN
            "00000005"  # MaxCmdSN
            "00000006"  # DataSN
            "00000400"  # buffer offset
            "00000007"  # residual
            "61626364"
        ),  # data
        parse_data_in,
    ),
    (
        R2T(
            lun=1 << 48,
            initiator_task_tag=2,
            target_transfer_tag=3,
            stat_sn=4,
            exp_cmd_sn=5,
            max_cmd_sn=6,
            r2t_sn=7,
            offset=512,
            length=262144,
        ),
        (
            "31"  # R2T
            "80 0000"  # F
            "00000000"  # lengths
            "0001000000000000"  # LUN
            "00000002"  # initiator task tag
            "00000003"  # target transfer tag
            "00000004"  # StatSN
            "00000005"  # ExpCmdSN
            "00000006"  # MaxCmdSN
            "00000007"  # R2TSN
            "00000200"  # buffer offset
            "00040000"
        ),  # desired data transfer length
        headers_only(parse_r2t),
    ),
]


@pytest.mark.parametrize("case", CASES)
def test_serialize(case: Case) -> None:
    check_serialize(case)


@pytest.mark.parametrize("case", CASES)
def test_parse(case: Case) -> None:
    check_parse(case)


@pytest.mark.parametrize(
    ("parse", "opcode"), [(parse_data_out, 0x05), (parse_data_in, 0x25), (headers_only(parse_r2t), 0x31)]
)
def test_any_bytes(parse: Parser, opcode: int) -> None:
    check_any_bytes(parse, opcode)
