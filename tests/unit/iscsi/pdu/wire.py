"""What the tests of all PDU modules do alike: a case is a value, its bytes on the wire, and its parser."""

from collections.abc import Callable
from typing import Any, Protocol

from hypothesis import given, settings
from hypothesis import strategies as st

from lunaport.iscsi.errors import RemoteProtocolError


class Message(Protocol):
    """Any PDU value."""

    def serialize(self) -> bytes: ...


Parser = Callable[[bytes, bytes], Message]
Case = tuple[Message, str, Parser]


def headers_only(parse: Callable[[bytes], Message]) -> Parser:
    """Fit a parser that takes no data."""
    return lambda bhs, _: parse(bhs)


def check_serialize(case: Case) -> None:
    value, wire, _ = case
    assert value.serialize().hex(" ", 4) == bytes.fromhex(wire).hex(" ", 4)


def check_parse(case: Case) -> None:
    value, wire, parse = case
    pdu = bytes.fromhex(wire)
    ahs_end = 48 + pdu[4] * 4
    data_length = int.from_bytes(pdu[5:8], "big")
    assert parse(pdu[:48], pdu[ahs_end : ahs_end + data_length]) == value


def check_any_bytes(parse: Parser, opcode: int) -> None:
    """Any header with the right opcode parses and survives a round trip, or is refused as the peer's mistake."""

    @settings(max_examples=60, deadline=None)
    @given(st.binary(min_size=47, max_size=47), st.binary(max_size=300))
    def check(rest: bytes, data: bytes) -> None:
        bhs = bytes([opcode]) + rest
        try:
            value: Any = parse(bhs, data)
        except RemoteProtocolError:
            return
        wire = value.serialize()
        length = int.from_bytes(wire[5:8], "big")
        assert parse(wire[:48], wire[48 : 48 + length]) == value

    check()
