"""Tests of lunaport.iscsi.pdu.command."""

import pytest

from lunaport.iscsi.enums import RejectReason
from lunaport.iscsi.errors import RemoteProtocolError
from lunaport.iscsi.pdu import ScsiCommand, ScsiResponse, parse_scsi_command, parse_scsi_response
from tests.unit.iscsi.pdu.wire import Case, Parser, check_any_bytes, check_parse, check_serialize

CASES: list[Case] = [
    (
        ScsiCommand(
            flags=0xA1,
            lun=1 << 48,
            initiator_task_tag=2,
            expected_length=512,
            cmd_sn=3,
            exp_stat_sn=4,
            cdb=bytes.fromhex("2a000000000500000100000000000000"),
            data=b"abcd",
        ),
        (
            "01"  # SCSI Command
            "a1 0000"  # F, W, simple
            "00 000004"  # AHS, data length
            "0001000000000000"  # LUN
            "00000002"  # initiator task tag
            "00000200"  # expected data transfer length
            "00000003"  # CmdSN
            "00000004"  # ExpStatSN
            "2a000000000500000100000000000000"  # CDB
            "61626364"
        ),  # data
        parse_scsi_command,
    ),
    (
        ScsiResponse(
            flags=0x02,
            response=1,
            status=2,
            initiator_task_tag=3,
            stat_sn=4,
            exp_cmd_sn=5,
            max_cmd_sn=6,
            exp_data_sn=7,
            bidirectional_residual=8,
            residual=9,
            sense=b"\x70\x00\x05",
            response_data=b"\xaa",
        ),
        (
            "21"  # SCSI Response
            "82"  # F, underflow
            "01 02"  # target failure, CHECK CONDITION
            "00 000006"  # AHS, data length
            "0000000000000000"  # reserved
            "00000003"  # initiator task tag
            "00000000"  # SNACK tag
            "00000004"  # StatSN
            "00000005"  # ExpCmdSN
            "00000006"  # MaxCmdSN
            "00000007"  # ExpDataSN
            "00000008"  # bidirectional read residual
            "00000009"  # residual
            "0003 700005 aa"  # sense length, sense, response data
            "0000"
        ),  # padding
        parse_scsi_response,
    ),
    (
        ScsiResponse(initiator_task_tag=3, stat_sn=4, exp_cmd_sn=5, max_cmd_sn=6),
        (
            "21"  # SCSI Response
            "80 00 00"  # F, completed, GOOD
            "00000000"  # lengths
            "0000000000000000"  # reserved
            "00000003"  # initiator task tag
            "00000000"  # SNACK tag
            "00000004"  # StatSN
            "00000005"  # ExpCmdSN
            "00000006"  # MaxCmdSN
            "000000000000000000000000"
        ),  # ExpDataSN, residuals
        parse_scsi_response,
    ),
]


@pytest.mark.parametrize("case", CASES)
def test_serialize(case: Case) -> None:
    check_serialize(case)


@pytest.mark.parametrize("case", CASES)
def test_parse(case: Case) -> None:
    check_parse(case)


@pytest.mark.parametrize(("parse", "opcode"), [(parse_scsi_command, 0x41), (parse_scsi_response, 0x21)])
def test_any_bytes(parse: Parser, opcode: int) -> None:
    check_any_bytes(parse, opcode)


def test_command_with_ahs() -> None:
    ahs = bytes.fromhex("0011 01 00") + bytes(16)
    command = ScsiCommand(flags=0xC0, initiator_task_tag=1, cmd_sn=0, exp_stat_sn=0, cdb=bytes(16), ahs=ahs, data=b"x")
    wire = command.serialize()
    assert wire[4] == 5
    assert wire[48:68] == ahs
    assert parse_scsi_command(wire[:48], wire[68:69], wire[48:68]) == command


@pytest.mark.parametrize("data", [b"\x00", b"\x00\x01", b"\xff\xff" + bytes(300)])
def test_sense_beyond_the_segment_is_the_peers_error(data: bytes) -> None:
    wire = ScsiResponse(initiator_task_tag=3, stat_sn=4, exp_cmd_sn=5, max_cmd_sn=6).serialize()
    with pytest.raises(RemoteProtocolError) as caught:
        parse_scsi_response(wire, data)
    assert caught.value.reject_reason is RejectReason.INVALID_PDU_FIELD
