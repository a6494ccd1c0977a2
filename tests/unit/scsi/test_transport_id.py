"""TransportIDs of iSCSI, byte by byte."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lunaport.scsi.sense import ScsiError
from lunaport.scsi.transport_id import TransportId, parse_transport_id, serialize_transport_id

NAME = "iqn.2026-01.example:h"


def test_a_port_in_bytes() -> None:
    assert serialize_transport_id(f"{NAME},i,0x00023d000001") == (
        bytes.fromhex(
            "45"  # format code 01b, iSCSI
            "00"
            "0028"  # additional length
        )
        + b"iqn.2026-01.example:h,i,0x00023d000001\0\0"
    )


def test_a_name_in_bytes_is_filled_to_the_least_length() -> None:
    assert serialize_transport_id("iqn.a:b") == bytes.fromhex("05 00 0014") + b"iqn.a:b" + bytes(13)


names = st.from_regex(r"iqn\.[a-z0-9.:-]{1,200}", fullmatch=True)
isids = st.binary(min_size=6, max_size=6).map(bytes.hex)


@given(name=names, isid=isids, before=st.binary(max_size=9), after=st.binary(max_size=9))
def test_what_is_built_is_read_back(name: str, isid: str, before: bytes, after: bytes) -> None:
    port = f"{name},i,0x{isid}"
    for text, expected in (
        (port, TransportId(initiator_name=name, isid=isid)),
        (name, TransportId(initiator_name=name)),
    ):
        wire = serialize_transport_id(text)
        assert len(wire) % 4 == 0
        found, end = parse_transport_id(before + wire + after, len(before))
        assert (found, end) == (expected, len(before) + len(wire))


def test_names_are_folded_and_short_isids_filled() -> None:
    wire = bytes.fromhex("45 00 0028") + b"IQN.2026-01.Example:H,i,0x23D000001".ljust(40, b"\0")
    found, _ = parse_transport_id(wire, 0)
    assert found == TransportId(initiator_name=NAME, isid="00023d000001")
    assert found.initiator_port == f"{NAME},i,0x00023d000001"


def test_the_name_ends_with_its_first_zero() -> None:
    wire = bytes.fromhex("05 00 0014") + b"iqn.a:b\0and more     "[:20]
    assert parse_transport_id(wire, 0)[0] == TransportId(initiator_name="iqn.a:b")


@pytest.mark.parametrize(
    ("wire", "byte"),
    [
        ("", 0),
        ("05 00 00", 0),
        ("00 00 0014" + "61" * 19 + "00", 0),  # another protocol
        ("85 00 0014" + "61" * 19 + "00", 0),  # no such format
        ("05 00 0010" + "61" * 15 + "00", 2),  # shorter than may be
        ("05 00 0015" + "61" * 20 + "00", 2),  # no whole words
        ("05 00 0018" + "61" * 19 + "00", 2),  # cut off
        ("05 00 00F8" + "61" * 247 + "00", 2),  # longer than any name
        ("05 00 0014" + "61" * 20, 4),  # no zero
        ("05 00 0014" + "00" * 20, 4),  # no name
        ("05 00 00E4" + "61" * 224 + "00" * 4, 4),  # a name of 224 bytes
        ("05 00 0014" + "61 FF" + "00" * 18, 5),  # not UTF-8
        ("05 00 0014" + "61 07" + "00" * 18, 4),  # not printable
        ("45 00 0014" + b"iqn.a:b,i,0x".hex() + "00" * 8, 4),  # no ISID
        ("45 00 0014" + b"iqn.a:b,i,0xg".hex() + "00" * 7, 4),  # no number
        ("45 00 001C" + b"iqn.a:b,i,0x0123456789abc".hex() + "00" * 3, 4),  # a number too long
        ("45 00 0014" + b"iqn.a:b".hex() + "00" * 13, 4),  # no separator
        ("45 00 0014" + b",i,0x1".hex() + "00" * 14, 4),  # no name
        ("45 00 001C" + b"iqn.a:b,i,0x1,i,0x1".hex() + "00" * 9, 4),  # two of it
    ],
)
def test_refused(wire: str, byte: int) -> None:
    with pytest.raises(ScsiError) as caught:
        parse_transport_id(bytes.fromhex(wire), 0)
    field = caught.value.sense.field
    assert caught.value.sense.code == 0x2600
    assert field is not None
    assert (field.byte, field.in_cdb) == (byte, False)


@given(data=st.binary(max_size=300), offset=st.integers(0, 300))
def test_any_bytes_are_a_transport_id_or_refused(data: bytes, offset: int) -> None:
    try:
        found, end = parse_transport_id(data, min(offset, len(data)))
    except ScsiError:
        return
    assert offset < end <= len(data)
    assert found.initiator_name
