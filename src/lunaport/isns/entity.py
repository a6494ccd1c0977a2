"""What is registered: a network entity with its portals, targets and portal groups (RFC 4171 sections 3 and 6).

A portal is in one portal group; a target is reached through those of its groups. The portal groups follow their
target's attributes, also those that say that it is not reached through a portal: servers take for granted that it is.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from lunaport.isns.attribute import DELIMITER, Attribute, address, as_address, as_number, as_text, empty, number, text
from lunaport.isns.enums import NodeType, Protocol, Tag
from lunaport.isns.errors import FormatError

PORT_MASK = 0xFFFF
"""The bits above say UDP instead of TCP (section 6.3.2)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Portal:
    """An address that initiators can reach. `listener_port`: where the server finds our listener; 0: nowhere."""

    address: str
    port: int
    listener_port: int = 0
    group: int = 1

    @property
    def key(self) -> tuple[str, int]:
        """What tells it from others."""
        return (self.address, self.port)


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """A target. An empty alias is not registered. `groups`: through which it is reached; none named: all."""

    name: str
    alias: str = ""
    groups: tuple[int, ...] = ()

    def is_reached(self, portal: Portal) -> bool:
        """Whether it is reached through a portal."""
        return not self.groups or portal.group in self.groups


@dataclass(frozen=True, slots=True, kw_only=True)
class Entity:
    """All that is registered in one name. Without portals or without nodes there is nothing to register."""

    identifier: str
    portals: tuple[Portal, ...] = ()
    nodes: tuple[Node, ...] = ()

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to register."""
        return not self.portals or not self.nodes


def entity_attributes(identifier: str, period_s: int) -> tuple[Attribute, ...]:
    """The entity itself."""
    return (
        text(Tag.ENTITY_IDENTIFIER, identifier),
        number(Tag.ENTITY_PROTOCOL, Protocol.ISCSI),
        number(Tag.REGISTRATION_PERIOD, period_s),
    )


def portal_key_attributes(key: tuple[str, int]) -> tuple[Attribute, ...]:
    """What names a portal."""
    return (address(Tag.PORTAL_ADDRESS, key[0]), number(Tag.PORTAL_PORT, key[1]))


def portal_attributes(portal: Portal, esi_interval_s: int) -> tuple[Attribute, ...]:
    """A portal; `esi_interval_s` 0: no status inquiries are wanted."""
    attributes = portal_key_attributes(portal.key)
    if portal.listener_port and esi_interval_s:
        attributes += (number(Tag.ESI_INTERVAL, esi_interval_s), number(Tag.ESI_PORT, portal.listener_port))
    if portal.listener_port:
        attributes += (number(Tag.SCN_PORT, portal.listener_port),)
    return attributes


def node_attributes(node: Node, portals: Iterable[Portal]) -> tuple[Attribute, ...]:
    """A target, and its portal group with each portal; no tag where it is not reached through it (section 3.4)."""
    attributes = [text(Tag.ISCSI_NAME, node.name), number(Tag.ISCSI_NODE_TYPE, NodeType.TARGET)]
    if node.alias:
        attributes.append(text(Tag.ISCSI_ALIAS, node.alias))
    for portal in portals:
        attributes += (
            number(Tag.GROUP_TAG, portal.group) if node.is_reached(portal) else empty(Tag.GROUP_TAG),
            address(Tag.GROUP_PORTAL_ADDRESS, portal.address),
            number(Tag.GROUP_PORTAL_PORT, portal.port),
        )
    return tuple(attributes)


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """What a server says it has of an entity."""

    portals: frozenset[tuple[str, int]]
    names: frozenset[str]


def parse_listing(attributes: Iterable[Attribute]) -> Listing:
    """The portals and targets among the attributes of an answer to a query. Raises FormatError."""
    portals: set[tuple[str, int]] = set()
    names: set[str] = set()
    host = ""
    for each in operating_attributes(attributes):
        if each.tag == Tag.PORTAL_ADDRESS:
            host = as_address(each)
        elif each.tag == Tag.PORTAL_PORT:
            if not host:
                raise FormatError("it has the port of a portal before its address")
            portals.add((host, as_number(each) & PORT_MASK))
            host = ""
        elif each.tag == Tag.ISCSI_NAME:
            names.add(as_text(each))
    return Listing(portals=frozenset(portals), names=frozenset(names))


def operating_attributes(attributes: Iterable[Attribute]) -> Iterator[Attribute]:
    """The attributes behind the delimiter."""
    behind = False
    for each in attributes:
        if behind:
            yield each
        behind = behind or each == DELIMITER
