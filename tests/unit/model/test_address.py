"""Ports and addresses."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lunaport.model.address import HostPort, parse_host_port, parse_port
from lunaport.model.errors import Fault, InvalidError


@pytest.mark.parametrize(("typed", "port"), [("1", 1), ("860", 860), (3260, 3260), ("65535", 65535), ("03260", 3260)])
def test_port(typed: str | int, port: int) -> None:
    assert parse_port(typed) == port


@pytest.mark.parametrize("typed", ["0", "65536", "abc", "-1", "3260 ", "", 0, 65536, 10**4000, "9" * 5000, "\u0663"])
def test_port_refused(typed: str | int) -> None:
    with pytest.raises(InvalidError) as caught:
        parse_port(typed)
    assert caught.value.problems[0].fault is Fault.PORT_INVALID
    assert len(caught.value.problems[0].message) < 200


@pytest.mark.parametrize(
    ("typed", "host", "port", "shown"),
    [
        ("192.0.2.7", "192.0.2.7", 3205, "192.0.2.7:3205"),
        ("192.0.2.7:99", "192.0.2.7", 99, "192.0.2.7:99"),
        ("[2001:DB8::7]", "2001:db8::7", 3205, "[2001:db8::7]:3205"),
        ("[::1]:99", "::1", 99, "[::1]:99"),
        ("2001:db8::7", "2001:db8::7", 3205, "[2001:db8::7]:3205"),
        ("NAS.example.org.", "nas.example.org", 3205, "nas.example.org:3205"),
        ("localhost:1", "localhost", 1, "localhost:1"),
    ],
)
def test_host_port(typed: str, host: str, port: int, shown: str) -> None:
    parsed = parse_host_port(typed, 3205)
    assert parsed == HostPort(host=host, port=port)
    assert str(parsed) == shown


@pytest.mark.parametrize(
    "typed",
    [
        "",
        ":80",
        "host:",
        "host:0",
        "host:65536",
        "host:abc",
        "300.1.1.1",
        "1.2.3",
        "[::1",
        "[::1]x",
        "[::1]:",
        "[192.0.2.7]",
        "[nonsense]",
        "a b",
        "-a",
        "a_b",
        "http://x",
        "x" * 64,
        "a." * 200,
        "h\x00st",
    ],
)
def test_host_port_refused(typed: str) -> None:
    with pytest.raises(InvalidError) as caught:
        parse_host_port(typed, 3205)
    assert len(caught.value.problems[0].message) < 400


@given(st.text(max_size=60))
def test_any_text_is_refused_or_survives_a_round_trip(typed: str) -> None:
    try:
        parsed = parse_host_port(typed, 3205)
    except InvalidError:
        return
    assert parse_host_port(str(parsed), 1) == parsed
