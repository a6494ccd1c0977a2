"""A stream taken apart into PDUs."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lunaport.iscsi.digest import add_digests
from lunaport.iscsi.enums import Opcode
from lunaport.iscsi.errors import DigestError, RemoteProtocolError
from lunaport.iscsi.initiator_stream import PduReader
from lunaport.iscsi.limits import AHS_BYTES_MAX
from lunaport.iscsi.pdu import serialize_pdu


def reader(*, header: bool = False, data: bool = False) -> PduReader:
    made = PduReader(1000)
    made.header_digest, made.data_digest = header, data
    return made


@given(
    segments=st.lists(st.tuples(st.binary(max_size=40), st.sampled_from([0, 4, AHS_BYTES_MAX])), max_size=5),
    header=st.booleans(),
    data=st.booleans(),
    step=st.integers(1, 200),
)
def test_what_was_sent_comes_out_however_it_is_cut(
    segments: list[tuple[bytes, int]], header: bool, data: bool, step: int
) -> None:
    stream = b"".join(
        add_digests(serialize_pdu(Opcode.NOP_IN, ahs=bytes(ahs), data=segment), header, data)
        for segment, ahs in segments
    )
    apart = reader(header=header, data=data)
    found = []
    for at in range(0, len(stream), step):
        apart.feed(stream[at : at + step])
        while (whole := apart.next_pdu()) is not None:
            found.append(whole[1])
    assert found == [segment for segment, _ in segments]


@given(at=st.integers(0, 48 + 4 + 8 + 4 - 1), bit=st.integers(0, 7))
def test_every_bit_that_turns_over_is_noticed(at: int, bit: int) -> None:
    wire = bytearray(add_digests(serialize_pdu(Opcode.NOP_IN, data=b"12345678"), True, True))
    wire[at] ^= 1 << bit
    apart = reader(header=True, data=True)
    apart.feed(bytes(wire))
    try:
        whole = apart.next_pdu()
    except RemoteProtocolError:
        return
    # A longer segment than there was is waited for, not believed.
    assert whole is None
    assert at in range(4, 8)


@pytest.mark.parametrize(("length", "taken"), [(999, True), (1000, True), (1001, False)])
def test_a_segment_as_long_as_declared(length: int, taken: bool) -> None:
    apart = reader()
    apart.feed(serialize_pdu(Opcode.NOP_IN, data=bytes(length)))
    if taken:
        assert apart.next_pdu() is not None
    else:
        with pytest.raises(RemoteProtocolError):
            apart.next_pdu()


def test_too_much_additional_header() -> None:
    apart = reader()
    apart.feed(serialize_pdu(Opcode.NOP_IN, ahs=bytes(AHS_BYTES_MAX + 4)))
    with pytest.raises(RemoteProtocolError):
        apart.next_pdu()


def test_a_wrong_header_digest_is_told_before_the_data_has_come() -> None:
    apart = reader(header=True)
    apart.feed(serialize_pdu(Opcode.NOP_IN, data=bytes(500))[:48] + bytes(4))
    with pytest.raises(DigestError):
        apart.next_pdu()
