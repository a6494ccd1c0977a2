"""Tests of lunaport.iscsi.initiator_discovery: addresses; `test_initiator_pair` has the targets."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lunaport.iscsi.errors import TextError
from lunaport.iscsi.initiator_discovery import parse_target_address


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [
        ("192.0.2.9", "192.0.2.9", 3260),
        ("192.0.2.9:860", "192.0.2.9", 860),
        ("192.0.2.9:860,1", "192.0.2.9", 860),
        ("[2001:db8::9]", "2001:db8::9", 3260),
        ("[2001:db8::9]:65535,3", "2001:db8::9", 65535),
        ("nas.example.org,2", "nas.example.org", 3260),
    ],
)
def test_addresses(text: str, host: str, port: int) -> None:
    assert parse_target_address(text) == (host, port)


@pytest.mark.parametrize(
    "text", ["", ":3260", "a:0", "a:65536", "a:b", "a:1,b", "2001:db8::9", "[2001:db8::9", "a b", "[x]:1", "a" * 254]
)
def test_what_is_no_address(text: str) -> None:
    with pytest.raises(TextError, match="is no address of a target"):
        parse_target_address(text)


@given(st.text(max_size=40))
def test_any_text_is_an_address_or_refused(text: str) -> None:
    try:
        host, port = parse_target_address(text)
    except TextError:
        return
    assert host in text
    assert 1 <= port <= 65535
