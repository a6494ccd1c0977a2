"""What is registered, as attributes."""

from dataclasses import replace

import pytest

from lunaport.isns.attribute import DELIMITER, address, empty, number, text
from lunaport.isns.entity import (
    Entity,
    Listing,
    Portal,
    entity_attributes,
    node_attributes,
    parse_listing,
    portal_attributes,
)
from lunaport.isns.enums import Tag
from lunaport.isns.errors import FormatError
from tests.unit.isns.strategies import entity, node

PORTAL = Portal(address="192.0.2.1", port=3260, listener_port=4000)


def test_an_entity() -> None:
    assert entity_attributes("nas", 120) == (text(1, "nas"), number(2, 2), number(6, 120))


def test_a_portal_with_and_without_status_inquiries_and_listener() -> None:
    key = (address(16, "192.0.2.1"), number(17, 3260))
    assert portal_attributes(PORTAL, 60) == (*key, number(19, 60), number(20, 4000), number(23, 4000))
    assert portal_attributes(PORTAL, 0) == (*key, number(23, 4000))
    assert portal_attributes(Portal(address="192.0.2.1", port=3260), 60) == key


def test_a_target_with_its_group_on_each_portal() -> None:
    portals = (replace(PORTAL, group=3), Portal(address="2001:db8::1", port=860, group=4))
    assert node_attributes(replace(node("a"), groups=(3,)), portals) == (
        text(32, "iqn.2026-11.test:a"),
        number(33, 1),
        text(34, "a"),
        number(51, 3),
        address(49, "192.0.2.1"),
        number(50, 3260),
        empty(51),
        address(49, "2001:db8::1"),
        number(50, 860),
    )


def test_nothing_to_register() -> None:
    assert Entity(identifier="nas").is_empty
    assert entity().is_empty
    assert entity("a", portals=()).is_empty
    assert not entity("a").is_empty


def test_the_listing_in_an_answer() -> None:
    answer = (
        text(Tag.ENTITY_IDENTIFIER, "nas"),
        text(Tag.ISCSI_NAME, "before-the-delimiter"),
        DELIMITER,
        text(Tag.ISCSI_NAME, "a"),
        address(Tag.PORTAL_ADDRESS, "192.0.2.1"),
        number(Tag.PORTAL_PORT, 3260),
        address(Tag.PORTAL_ADDRESS, "192.0.2.2"),
        number(Tag.PORTAL_PORT, 0x10000 + 860),
        text(Tag.ISCSI_NAME, "b"),
    )
    portals = frozenset({("192.0.2.1", 3260), ("192.0.2.2", 860)})
    assert parse_listing(answer) == Listing(portals=portals, names=frozenset({"a", "b"}))


def test_a_port_without_its_address() -> None:
    with pytest.raises(FormatError, match="before its address"):
        parse_listing((DELIMITER, number(Tag.PORTAL_PORT, 3260)))
