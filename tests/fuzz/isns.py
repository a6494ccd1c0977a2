"""iSNS: what a server answers, and what somebody sends to our listener."""

from contextlib import suppress

from lunaport.isns import limits
from lunaport.isns.attribute import as_address, as_number, as_text
from lunaport.isns.calls import answer_call
from lunaport.isns.client import Account, bring
from lunaport.isns.entity import Entity, Node, Portal
from lunaport.isns.errors import FormatError, IsnsError
from lunaport.isns.message import Message, MessageReader, serialize_message
from tests.fuzz.source import Source

OURS = Entity(
    identifier="lunaport-1",
    portals=(Portal(address="192.0.2.1", port=3260, listener_port=4000),),
    nodes=(Node(name="iqn.2026-11.test:a", alias="a"), Node(name="iqn.2026-11.test:b")),
)
MESSAGE_BYTES_MAX = 1024
REQUESTS_MAX = 64


def messages_of(stream: bytes, cut: int) -> list[Message]:
    """The messages in a stream that comes in two pieces, up to where it breaks the format."""
    reader = MessageReader(MESSAGE_BYTES_MAX)
    found: list[Message] = []
    for piece in (stream[:cut], stream[cut:]):
        try:
            found += reader.receive(piece)
        except FormatError:
            break
    return found


def run(data: bytes) -> None:
    """Any bytes are messages that come back the same, or an IsnsError, and a conversation with them ends."""
    source = Source(data)
    knows_us = source.flag()
    cut = source.number()
    found = messages_of(source.rest(), cut)
    for message in found:
        assert MessageReader().receive(serialize_message(message)) == [message]
        response, _ = answer_call(message)
        if response is not None:
            assert len(serialize_message(response)) <= MESSAGE_BYTES_MAX + 16
        for each in message.attributes:
            for read in (as_number, as_text, as_address):
                with suppress(FormatError):
                    read(each)
    account = Account(registered=OURS if knows_us else None)
    conversation = bring(account, OURS)
    with suppress(IsnsError, StopIteration):
        next(conversation)
        for count, message in enumerate(found):
            assert count < REQUESTS_MAX
            request = conversation.send(message)
            assert len(request.attributes) <= limits.ATTRIBUTE_COUNT_MAX
    conversation.close()
