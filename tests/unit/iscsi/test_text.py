"""Tests of lunaport.iscsi.text."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lunaport.iscsi import limits
from lunaport.iscsi.errors import LocalProtocolError, TextError
from lunaport.iscsi.text import (
    parse_binary,
    parse_boolean,
    parse_list,
    parse_name,
    parse_number,
    parse_text,
    serialize_binary,
    serialize_text,
)


@pytest.mark.parametrize(
    ("data", "pairs"),
    [
        (b"", {}),
        (b"\0\0", {}),
        (b"A=b\0", {"A": "b"}),
        (b"A=b", {"A": "b"}),
        (b"A=\0B==\0\0C=1,2\0", {"A": "", "B": "=", "C": "1,2"}),
        (b"iSCSIProtocolLevel=1\0X-com.example.x+y_z@1=v\0", {"iSCSIProtocolLevel": "1", "X-com.example.x+y_z@1": "v"}),
        (b"X#NodeArchitecture=s:Linux\0", {"X#NodeArchitecture": "s:Linux"}),
        ("InitiatorAlias=Büro 2\0".encode(), {"InitiatorAlias": "Büro 2"}),
    ],
)
def test_parse_text(data: bytes, pairs: dict[str, str]) -> None:
    assert parse_text(data) == pairs
    assert list(parse_text(data)) == list(pairs)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"A\0", "without '='"),
        (b"=b\0", "cannot be a key"),
        (b"1=b\0", "cannot be a key"),
        (b"A b=c\0", "cannot be a key"),
        (b"A=b\0A=b\0", "comes twice"),
        (b"\xff=b\0", "not UTF-8"),
        (b"A=\xff\0", "not UTF-8"),
        (b"A=\n\0", "control characters"),
        (b"A=\x7f\0", "control characters"),
    ],
)
def test_parse_text_refuses(data: bytes, reason: str) -> None:
    with pytest.raises(TextError, match=reason):
        parse_text(data)


def many_keys(count: int) -> bytes:
    return b"".join(b"K%d=v\0" % number for number in range(count))


@pytest.mark.parametrize(
    ("largest", "one_more"),
    [
        (b"K" * limits.TEXT_KEY_BYTES_MAX + b"=", b"K" * (limits.TEXT_KEY_BYTES_MAX + 1) + b"="),
        (b"A=" + b"v" * 255, b"A=" + b"v" * 256),
        (b"CHAP_R=" + b"v" * limits.TEXT_VALUE_BYTES_MAX, b"CHAP_R=" + b"v" * (limits.TEXT_VALUE_BYTES_MAX + 1)),
        (many_keys(limits.TEXT_KEYS_MAX), many_keys(limits.TEXT_KEYS_MAX + 1)),
        (bytes(limits.TEXT_REQUEST_BYTES_MAX), bytes(limits.TEXT_REQUEST_BYTES_MAX + 1)),
    ],
)
def test_bounds(largest: bytes, one_more: bytes) -> None:
    parse_text(largest)
    with pytest.raises(TextError):
        parse_text(one_more)


def test_serialize_text() -> None:
    pairs = [("TargetName", "iqn.a:b"), ("TargetAddress", "[::1]:3260,1"), ("TargetAddress", "10.0.0.1:3260,1")]
    wire = b"TargetName=iqn.a:b\0TargetAddress=[::1]:3260,1\0TargetAddress=10.0.0.1:3260,1\0"
    assert serialize_text(pairs) == wire
    assert serialize_text([]) == b""


@pytest.mark.parametrize("pair", [("", "v"), ("A=B", "v"), ("A", "v\0w")])
def test_serialize_text_refuses_what_would_be_read_otherwise(pair: tuple[str, str]) -> None:
    with pytest.raises(LocalProtocolError):
        serialize_text([pair])


@pytest.mark.parametrize(
    ("value", "number"),
    [("0", 0), ("512", 512), ("0x200", 512), ("0XfF", 255), ("007", 7), ("9" * 20, int("9" * 20))],
)
def test_parse_number(value: str, number: int) -> None:
    assert parse_number(value) == number


@pytest.mark.parametrize("value", ["", "-1", "+1", "1_0", " 1", "0x", "0b1", "1.0", "\u0661", "Yes", "9" * 21])
def test_parse_number_refuses(value: str) -> None:
    with pytest.raises(TextError):
        parse_number(value)


def test_parse_boolean() -> None:
    assert parse_boolean("Yes")
    assert not parse_boolean("No")
    for value in ("", "yes", "1", "Yes,No"):
        with pytest.raises(TextError):
            parse_boolean(value)


def test_parse_list() -> None:
    assert parse_list("CRC32C,None") == ["CRC32C", "None"]
    assert len(parse_list(",".join("x" * limits.LIST_ITEMS_MAX))) == limits.LIST_ITEMS_MAX
    for value in ("", ",", "a,", ",".join("x" * (limits.LIST_ITEMS_MAX + 1))):
        with pytest.raises(TextError):
            parse_list(value)


@pytest.mark.parametrize(
    ("value", "binary"), [("0x00ff", b"\0\xff"), ("0XABcd", b"\xab\xcd"), ("0bAP8=", b"\0\xff"), ("0BAP8=", b"\0\xff")]
)
def test_parse_binary(value: str, binary: bytes) -> None:
    assert parse_binary(value, 2) == binary


@pytest.mark.parametrize(
    "value",
    ["", "0x", "0b", "0xf", "0xgg", "00ff", "0x00ff00", "0bAP8", "0bAP8=A", "0b====", "0bA P8=", "0bäöü=", "0xäö"],
)
def test_parse_binary_refuses(value: str) -> None:
    with pytest.raises(TextError) as caught:
        parse_binary(value, 2)
    assert len(value) < 3 or value[2:] not in str(caught.value)


@given(st.binary(min_size=1, max_size=100))
def test_binary_values_round_trip(binary: bytes) -> None:
    assert parse_binary(serialize_binary(binary), 100) == binary
    assert parse_binary("0b" + base64.b64encode(binary).decode(), 100) == binary


def test_parse_name() -> None:
    assert parse_name("iqn.2026-01.org.Example:Disk_1") == "iqn.2026-01.org.example:disk_1"
    assert parse_name("a" * limits.NAME_BYTES_MAX)
    for value in ("", "a b", "a,b", "a" * (limits.NAME_BYTES_MAX + 1), "ä" * 112):
        with pytest.raises(TextError):
            parse_name(value)


@given(st.binary(max_size=200))
def test_any_bytes_are_text_or_refused(data: bytes) -> None:
    try:
        pairs = parse_text(data)
    except TextError:
        return
    assert parse_text(serialize_text(pairs.items())) == pairs


@given(st.binary(max_size=60).map(lambda value: value.decode("utf-8", "replace")))
def test_any_value_is_read_or_refused(value: str) -> None:
    for parse in (parse_number, parse_boolean, parse_list, parse_name, lambda text: parse_binary(text, 16)):
        try:
            parse(value)
        except TextError:
            continue
