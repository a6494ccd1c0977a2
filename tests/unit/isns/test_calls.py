"""Answers to servers that call."""

from hypothesis import given

from lunaport.isns.attribute import Attribute, address, number, text
from lunaport.isns.calls import Call, answer_call
from lunaport.isns.enums import Function, Tag
from lunaport.isns.message import Message
from tests.unit.isns.strategies import messages

INQUIRY = (
    Attribute(tag=Tag.TIMESTAMP, value=bytes(8)),
    text(Tag.ENTITY_IDENTIFIER, "nas"),
    address(Tag.PORTAL_ADDRESS, "192.0.2.1"),
    number(Tag.PORTAL_PORT, 3260),
)


def test_a_status_inquiry_is_answered_with_its_attributes() -> None:
    response, call = answer_call(Message(function=0x000D, transaction_id=5, attributes=INQUIRY, from_server=True))
    assert response == Message(function=0x800D, transaction_id=5, attributes=INQUIRY, status=0)
    assert call == Call(function=Function.ESI)


def test_a_notification_is_confirmed_and_names_what_it_is_about() -> None:
    attributes = (
        text(Tag.ISCSI_NAME, "to"),
        Attribute(tag=Tag.TIMESTAMP, value=bytes(8)),
        number(Tag.ISCSI_SCN_BITMAP, 0x10),
        text(Tag.ISCSI_NAME, "a"),
        Attribute(tag=Tag.ISCSI_NAME, value=b"\xff\xff\xff\xff"),
        text(Tag.ISCSI_NAME, "b"),
    )
    response, call = answer_call(Message(function=0x0008, transaction_id=6, attributes=attributes, from_server=True))
    assert response == Message(function=0x8008, transaction_id=6, attributes=attributes[:1], status=0)
    assert call == Call(function=Function.SCN, names=frozenset({"a", "b"}))


def test_another_request_is_not_supported() -> None:
    response, call = answer_call(Message(function=0x0001, transaction_id=6, attributes=INQUIRY))
    assert (response, call) == (Message(function=0x8001, transaction_id=6, status=15), None)


def test_a_response_is_not_answered() -> None:
    assert answer_call(Message(function=0x8001, transaction_id=6, status=0)) == (None, None)


@given(messages)
def test_any_message_has_at_most_one_response_to_it(message: Message) -> None:
    response, _ = answer_call(message)
    if response is not None:
        assert response.function == message.function | 0x8000
        assert response.transaction_id == message.transaction_id
