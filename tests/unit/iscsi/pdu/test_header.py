"""Tests of lunaport.iscsi.pdu.header: the layout all PDUs share."""

import pytest

from lunaport.iscsi.enums import Opcode
from lunaport.iscsi.errors import LocalProtocolError
from lunaport.iscsi.pdu import BHS, TAIL, opcode_of, pad4, serialize_pdu, unpack_bhs

WIRE = bytes.fromhex(
    "41"  # I, SCSI Command
    "c1"  # flags
    "0203"  # specific
    "02 000005"  # AHS: 2 words, data: 5 bytes
    "0001000000000000"  # LUN 1
    "0a0b0c0d"  # initiator task tag
    "00000200"  # dword 5
    "00000010"  # dword 6
    "00000020"  # dword 7
    "28000000000000000100000000000000"  # last 16 bytes
    "0004010000000000"  # AHS
    "68656c6c6f"  # data
    "000000"  # padding
)


def test_header_is_48_bytes() -> None:
    assert (BHS.size, TAIL.size) == (48, 16)


@pytest.mark.parametrize(("length", "padded"), [(0, 0), (1, 4), (3, 4), (4, 4), (5, 8), (262143, 262144)])
def test_pad4(length: int, padded: int) -> None:
    assert pad4(length) == padded


def test_serialize_pdu_lays_every_field_down() -> None:
    assert (
        serialize_pdu(
            Opcode.SCSI_COMMAND,
            immediate=True,
            flags=0xC1,
            specific=0x0203,
            lun=1 << 48,
            itt=0x0A0B0C0D,
            words=(512, 16, 32),
            tail=bytes([0x28, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0]),
            ahs=bytes([0, 4, 1, 0, 0, 0, 0, 0]),
            data=b"hello",
        )
        == WIRE
    )


def test_unpack_bhs_reads_every_field() -> None:
    fields = unpack_bhs(WIRE[:48], Opcode.SCSI_COMMAND)
    assert fields[:9] == (0x41, 0xC1, 0x0203, 2 << 24 | 5, 1 << 48, 0x0A0B0C0D, 512, 16, 32)
    assert fields[9] == WIRE[32:48]
    assert unpack_bhs(memoryview(WIRE)[:48], Opcode.SCSI_COMMAND) == fields


@pytest.mark.parametrize("first", [0x00, 0x3F, 0x40, 0x7F, 0xFF])
def test_opcode_of_leaves_the_upper_bits(first: int) -> None:
    assert opcode_of(bytes([first])) == first & 0x3F


@pytest.mark.parametrize("header", [b"", WIRE[:47], WIRE[:49]])
def test_unpack_bhs_refuses_other_lengths(header: bytes) -> None:
    with pytest.raises(LocalProtocolError):
        unpack_bhs(header, Opcode.SCSI_COMMAND)


def test_unpack_bhs_refuses_another_opcode() -> None:
    with pytest.raises(LocalProtocolError, match="NOP_OUT"):
        unpack_bhs(WIRE[:48], Opcode.NOP_OUT)


@pytest.mark.parametrize(("ahs", "data"), [(bytes(3), b""), (bytes(1024), b""), (b"", bytes(1 << 24))])
def test_serialize_pdu_refuses_what_the_header_cannot_say(ahs: bytes, data: bytes) -> None:
    with pytest.raises(LocalProtocolError):
        serialize_pdu(Opcode.SCSI_COMMAND, ahs=ahs, data=data)


def test_serialize_pdu_takes_the_longest_that_it_can_say() -> None:
    wire = serialize_pdu(Opcode.SCSI_COMMAND, ahs=bytes(1020), data=bytes((1 << 24) - 1))
    assert len(wire) == 48 + 1020 + (1 << 24)
