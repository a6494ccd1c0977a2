"""Attributes: tag, length, value."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lunaport.isns import attribute
from lunaport.isns.attribute import (
    Attribute,
    address,
    as_address,
    as_number,
    as_text,
    number,
    parse_attributes,
    serialize_attributes,
    text,
)
from lunaport.isns.enums import Tag
from lunaport.isns.errors import FormatError
from tests.unit.isns.strategies import attributes

PAYLOAD = bytes.fromhex(
    "00000020"  # iSCSI name
    "00000010"  # 16 bytes
    "69716e2e323032362d31312e743a6100"  # iqn.2026-11.t:a, NUL
    "00000000"  # delimiter
    "00000000"
    "00000011"  # portal's port
    "00000004"
    "00000cbc"  # 3260
    "00000010"  # portal's address
    "00000010"
    "00000000000000000000ffffc0000201"  # 192.0.2.1, mapped
)
READ = (
    text(Tag.ISCSI_NAME, "iqn.2026-11.t:a"),
    attribute.DELIMITER,
    number(Tag.PORTAL_PORT, 3260),
    address(Tag.PORTAL_ADDRESS, "192.0.2.1"),
)


def test_a_payload_both_ways() -> None:
    assert serialize_attributes(READ) == PAYLOAD
    assert parse_attributes(PAYLOAD) == READ


def test_values() -> None:
    assert as_text(READ[0]) == "iqn.2026-11.t:a"
    assert as_number(READ[2]) == 3260
    assert as_address(READ[3]) == "192.0.2.1"
    assert as_address(address(Tag.PORTAL_ADDRESS, "2001:db8::1")) == "2001:db8::1"
    assert attribute.empty(Tag.PORTAL_PORT) == Attribute(tag=17)


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        ("00000020 000000", "ends within the head"),
        ("00000020 00000003 61620000", "says it has 3 bytes"),
        ("00000020 00000008 61620000", "says it has 8 bytes, 4 are left"),
        ("00000020 fffffffc", "says it has 4294967292 bytes, 0 are left"),
    ],
)
def test_payloads_that_are_none(payload: str, reason: str) -> None:
    with pytest.raises(FormatError, match=reason):
        parse_attributes(bytes.fromhex(payload))


def test_the_number_of_attributes_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attribute, "ATTRIBUTE_COUNT_MAX", 3)
    assert len(parse_attributes(bytes(8) * 3)) == 3
    with pytest.raises(FormatError, match="more than 3 attributes"):
        parse_attributes(bytes(8) * 4)


@pytest.mark.parametrize("value", [b"", b"abcd", b"\xff\0\0\0", b"a" * 256 + bytes(4)])
def test_texts_that_are_none(value: bytes) -> None:
    with pytest.raises(FormatError, match="attribute 32"):
        as_text(Attribute(tag=32, value=value))


@pytest.mark.parametrize("value", [b"", bytes(8), bytes(20)])
def test_numbers_and_addresses_of_another_length(value: bytes) -> None:
    with pytest.raises(FormatError, match="instead of 4"):
        as_number(Attribute(tag=17, value=value))
    with pytest.raises(FormatError, match="instead of 16"):
        as_address(Attribute(tag=16, value=value))


@given(st.lists(attributes, max_size=20))
def test_attributes_come_back_as_they_were(given_attributes: list[Attribute]) -> None:
    assert parse_attributes(serialize_attributes(given_attributes)) == tuple(given_attributes)


@given(st.ip_addresses().filter(lambda each: each.version == 4 or each.ipv4_mapped is None))
def test_addresses_come_back_as_they_were(value: object) -> None:
    assert as_address(address(16, str(value))) == str(value)


@given(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=60))
def test_texts_come_back_as_they_were(value: str) -> None:
    made = text(34, value)
    assert as_text(made) == value
    assert len(made.value) % 4 == 0
