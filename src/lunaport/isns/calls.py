"""The other direction: a server asks for our status (ESI) or tells of changes (SCN). RFC 4171, 5.6.5.13 and 5.6.5.8.

No I/O. Anybody can call, so what a call says is a hint only: it makes us look at the server sooner.
"""

from dataclasses import dataclass

from lunaport.isns.attribute import as_text
from lunaport.isns.enums import RESPONSE, Function, Status, Tag
from lunaport.isns.errors import FormatError
from lunaport.isns.message import Message

NAMES_MAX = 256


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """What a server wanted. `names`: the targets and initiators that a notification is about."""

    function: Function
    names: frozenset[str] = frozenset()


def answer_call(message: Message) -> tuple[Message | None, Call | None]:
    """The response, and what the call means; a response of somebody else is not answered."""
    if message.is_response:
        return None, None
    if message.function == Function.ESI:
        return _response(message, Status.SUCCESSFUL, echo=True), Call(function=Function.ESI)
    if message.function == Function.SCN:
        return _response(message, Status.SUCCESSFUL), Call(function=Function.SCN, names=_names(message))
    return _response(message, Status.MESSAGE_NOT_SUPPORTED), None


def _response(message: Message, status: Status, *, echo: bool = False) -> Message:
    """ESI is answered with its own attributes (section 5.7.5.13), SCN with the name it was sent to (5.7.5.8)."""
    attributes = message.attributes if echo else message.attributes[:1]
    return Message(
        function=message.function | RESPONSE,
        transaction_id=message.transaction_id,
        attributes=attributes if status is Status.SUCCESSFUL else (),
        status=status,
    )


def _names(message: Message) -> frozenset[str]:
    """The names behind the first attribute, which is the addressee's."""
    names: set[str] = set()
    for each in message.attributes[1:]:
        if each.tag == Tag.ISCSI_NAME and len(names) < NAMES_MAX:
            try:
                names.add(as_text(each))
            except FormatError:
                continue
    return frozenset(names)
