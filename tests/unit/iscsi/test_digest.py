"""Tests of lunaport.iscsi.digest. Vectors: RFC 7143 appendix A.4, bytes as they go over the wire."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lunaport.iscsi.digest import add_digests, check_data_digest, check_header_digest, digest_of, remove_digests
from lunaport.iscsi.enums import RejectReason
from lunaport.iscsi.errors import DigestError, LocalProtocolError
from lunaport.iscsi.pdu import NopOut, ScsiCommand

READ_10 = bytes.fromhex(
    "01c00000"  # Command, F and R
    "00000000"  # lengths
    "00000000 00000000"  # LUN
    "14000000"  # initiator task tag
    "00000400"  # expected length
    "00000014"  # CmdSN
    "00000018"  # ExpStatSN
    "28000000 00000000 02000000 00000000"  # CDB
)


@pytest.mark.parametrize(
    ("covered", "wire"),
    [
        (bytes(32), "aa36918a"),
        (b"\xff" * 32, "43aba862"),
        (bytes(range(32)), "4e79dd46"),
        (bytes(range(31, -1, -1)), "5cdb3f11"),
        (READ_10, "563a96d9"),
    ],
)
def test_vectors(covered: bytes, wire: str) -> None:
    assert digest_of(covered).hex() == wire
    check_header_digest(covered, bytes.fromhex(wire))
    check_data_digest(memoryview(covered), memoryview(bytes.fromhex(wire)))


def test_a_damaged_byte_is_seen() -> None:
    with pytest.raises(DigestError, match="header") as caught:
        check_header_digest(bytes(31) + b"\1", bytes.fromhex("aa36918a"))
    assert caught.value.reject_reason is RejectReason.DATA_DIGEST_ERROR
    with pytest.raises(DigestError, match="data"):
        check_data_digest(bytes(32), bytes.fromhex("aa36918b"))


def test_digests_stand_behind_what_they_cover() -> None:
    command = ScsiCommand(flags=0x80, initiator_task_tag=1, cmd_sn=0, exp_stat_sn=0, cdb=bytes(16), ahs=bytes(4))
    pdu = command.serialize()
    assert add_digests(pdu, True, True) == pdu + digest_of(pdu)
    pdu = NopOut(cmd_sn=0, exp_stat_sn=0, data=b"ping!").serialize()
    both = pdu[:48] + digest_of(pdu[:48]) + b"ping!\0\0\0" + digest_of(b"ping!\0\0\0")
    assert add_digests(pdu, True, True) == both
    assert add_digests(pdu, False, False) == pdu


@pytest.mark.parametrize("pdu", [b"", bytes(47), bytes(4) + b"\1" + bytes(43)])
def test_half_a_pdu_is_our_mistake(pdu: bytes) -> None:
    with pytest.raises(LocalProtocolError):
        add_digests(pdu, True, True)
    with pytest.raises(LocalProtocolError):
        remove_digests(pdu, True, True)


@given(st.binary(max_size=64), st.booleans(), st.booleans())
def test_remove_undoes_add(data: bytes, header: bool, data_too: bool) -> None:
    pdu = NopOut(cmd_sn=1, exp_stat_sn=2, data=data).serialize()
    assert remove_digests(add_digests(pdu, header, data_too), header, data_too) == pdu


@given(st.binary(min_size=1, max_size=64), st.data())
def test_any_flipped_bit_is_refused(data: bytes, draw: st.DataObject) -> None:
    wire = bytearray(add_digests(NopOut(cmd_sn=1, exp_stat_sn=2, data=data).serialize(), True, True))
    bit = draw.draw(st.integers(0, len(wire) * 8 - 1))
    wire[bit // 8] ^= 1 << bit % 8
    # A changed AHS length makes it another PDU, whole or not.
    with pytest.raises((DigestError, LocalProtocolError)):
        remove_digests(bytes(wire), True, True)
