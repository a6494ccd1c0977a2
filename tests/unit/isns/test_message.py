"""Messages and their PDUs."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lunaport.isns.attribute import Attribute, number
from lunaport.isns.enums import Function, Tag
from lunaport.isns.errors import FormatError
from lunaport.isns.message import Message, MessageReader, serialize_message
from tests.unit.isns.strategies import messages

REQUEST = bytes.fromhex(
    "0001"  # version
    "0001"  # DevAttrReg
    "000c"  # 12 bytes
    "9c00"  # from the client, replace, last, first
    "0007"  # transaction
    "0000"  # sequence
    "00000006 00000004 00000078"  # registration period: 120 s
)
RESPONSE = bytes.fromhex(
    "0001"
    "8001"  # DevAttrRegRsp
    "0004"
    "4c00"  # from the server, last, first
    "0007"
    "0000"
    "00000008"  # source unauthorized
)
PERIOD = (number(Tag.REGISTRATION_PERIOD, 120),)


def test_a_request_both_ways() -> None:
    message = Message(function=Function.DEV_ATTR_REG, transaction_id=7, attributes=PERIOD, replace=True)
    assert serialize_message(message) == REQUEST
    assert MessageReader().receive(REQUEST) == [message]


def test_a_response_both_ways() -> None:
    message = Message(function=0x8001, transaction_id=7, status=8, from_server=True)
    assert serialize_message(message) == RESPONSE
    assert MessageReader().receive(RESPONSE) == [message]


def test_a_message_longer_than_a_pdu_goes_into_several() -> None:
    attributes = tuple(Attribute(tag=32, value=bytes([n]) * 252) for n in range(255)) * 2
    message = Message(function=1, transaction_id=9, attributes=attributes)
    raw = serialize_message(message)
    first, second, third = raw[:12], raw[12 + 65532 : 24 + 65532], raw[24 + 2 * 65532 : 36 + 2 * 65532]
    assert first.hex(" ", 2) == "0001 0001 fffc 8400 0009 0000"
    assert second.hex(" ", 2) == "0001 0001 fffc 8000 0009 0001"
    assert third.hex(" ", 2) == "0001 0001 0600 8800 0009 0002"
    assert len(raw) == 3 * 12 + 510 * 260
    assert MessageReader().receive(raw) == [message]


def test_a_payload_of_exactly_one_pdu() -> None:
    message = Message(function=1, transaction_id=9, attributes=(Attribute(tag=32, value=bytes(65524)),))
    assert len(serialize_message(message)) == 12 + 65532
    assert MessageReader().receive(serialize_message(message)) == [message]


@pytest.mark.parametrize(
    ("pdus", "reason"),
    [
        ("0002 0001 0000 8c00 0007 0000", "version is 2"),
        ("0001 0001 0002 8c00 0007 0000", "no multiple of 4"),
        ("0001 0001 0000 ac00 0007 0000", "authentication block"),
        ("0001 0001 0000 8800 0007 0000", "not in order"),
        ("0001 0001 0000 8400 0007 0000 0001 0001 0000 8400 0007 0001", "not in order"),
        ("0001 0001 0000 8400 0007 0000 0001 0001 0000 8800 0007 0002", "do not belong together"),
        ("0001 0001 0000 8400 0007 0000 0001 0001 0000 8800 0008 0001", "do not belong together"),
        ("0001 0001 0000 8400 0007 0000 0001 0002 0000 8800 0007 0001", "do not belong together"),
        ("0001 0001 0000 8400 0007 ffff", "too many PDUs"),
        ("0001 8001 0000 4c00 0007 0000", "no status"),
        ("0001 0001 0004 8c00 0007 0000 00000001", "ends within the head"),
    ],
)
def test_what_is_no_message(pdus: str, reason: str) -> None:
    with pytest.raises(FormatError, match=reason):
        MessageReader().receive(bytes.fromhex(pdus))


def test_the_length_of_a_message_is_bounded() -> None:
    fits = Message(function=1, transaction_id=1, attributes=(Attribute(tag=1, value=bytes(92)),))
    assert MessageReader(100).receive(serialize_message(fits, 20)) == [fits]
    longer = Message(function=1, transaction_id=1, attributes=(Attribute(tag=1, value=bytes(96)),))
    for raw in (serialize_message(longer), serialize_message(longer, 20)):
        with pytest.raises(FormatError, match="longer than 100 bytes"):
            MessageReader(100).receive(raw)


def test_a_header_that_promises_too_much_is_refused_before_it_is_kept() -> None:
    with pytest.raises(FormatError, match="longer than 100 bytes"):
        MessageReader(100).receive(bytes.fromhex("0001 0001 fffc 8c00 0007 0000"))


@given(st.lists(messages, max_size=4), st.integers(1, 40), st.lists(st.integers(0, 2000), max_size=6))
def test_messages_come_back_as_they_were_however_they_are_cut(
    given_messages: list[Message], words: int, cuts: list[int]
) -> None:
    stream = b"".join(serialize_message(each, words * 4) for each in given_messages)
    reader = MessageReader()
    found: list[Message] = []
    start = 0
    for end in [*sorted(min(cut, len(stream)) for cut in cuts), len(stream)]:
        found += reader.receive(stream[start:end])
        start = end
    assert found == given_messages


@given(st.binary(max_size=300))
def test_any_bytes_are_messages_or_a_format_error(data: bytes) -> None:
    for stream in (data, b"\0\1" + data):
        try:
            found = MessageReader(200).receive(stream)
        except FormatError:
            continue
        for message in found:
            assert MessageReader().receive(serialize_message(message)) == [message]
