"""Portals: the addresses that iSCSI listens on, each in a portal group (RFC 7143 sections 4.4.1 and 13.9). Pure.

A portal group is a number, its tag: it is there as long as a portal is in it. Targets and access rules name groups;
none named: all of them. Nothing is looked up here: a host name is a name, and an address need not be there (yet).
"""

import ipaddress
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from lunaport.model.address import ISCSI_PORT, HostPort, parse_host_port
from lunaport.model.errors import Collector, Fault, InvalidError, invalid

PORTALS_MAX: Final = 32
GROUP_DEFAULT: Final = 1
"""Of the portals of the command line."""
GROUP_MAX: Final = 0xFFFF
"""A portal group tag has 16 bits; SCSI knows no port 0."""
GROUPS_MAX: Final = 64
"""Named by a target, or by an access rule."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Portal:
    """An address to listen on, and its portal group tag."""

    host: str
    port: int
    group: int = GROUP_DEFAULT

    @property
    def address(self) -> HostPort:
        """What tells it from others."""
        return HostPort(host=self.host, port=self.port)

    def __str__(self) -> str:
        return str(self.address)


def parse_address(text: str) -> HostPort:
    """`host`, `host:port`, `[v6]:port` or a bare IPv6 address; port 3260 where none is said. Raises InvalidError."""
    try:
        return parse_host_port(text, ISCSI_PORT)
    except InvalidError as error:
        reason = error.problems[0].message.partition(";")[0]
        right = "192.0.2.7, 192.0.2.7:860, [2001:db8::7]:3260, 0.0.0.0, [::] or nas.example.org"
        raise invalid(Fault.PORTAL_INVALID, f"{reason}; right would be {right}", "portal") from None


def make_portal(text: str, group: int = GROUP_DEFAULT) -> Portal:
    """A checked portal. Raises InvalidError with every problem."""
    problems = Collector()
    address = HostPort(host="", port=0)
    try:
        address = parse_address(text)
    except InvalidError as error:
        problems.take(error)
    try:
        check_group(group)
    except InvalidError as error:
        problems.take(error, "group")
    problems.raise_any()
    return Portal(host=address.host, port=address.port, group=group)


def check_group(group: int) -> None:
    """Raise InvalidError unless this can be a portal group tag."""
    if not 1 <= group <= GROUP_MAX:
        raise invalid(Fault.PORTAL_GROUP_INVALID, f"{group} is no portal group; right would be 1 to {GROUP_MAX}")


def merge_groups(groups: Sequence[int], problems: Collector, *path: str | int) -> tuple[int, ...]:
    """The portal groups that a target or a rule names, each once, in order. What is wrong is noted at `path`."""
    if len(groups) > GROUPS_MAX:
        reason = f"has {len(groups)} portal groups; at most {GROUPS_MAX} are allowed"
        problems.add(Fault.PORTAL_GROUP_INVALID, reason, *path)
        return ()
    for number, group in enumerate(groups):
        try:
            check_group(group)
        except InvalidError as error:
            problems.take(error, *path, number)
    return tuple(sorted(set(groups)))


def check_portals(portals: Sequence[Portal]) -> None:
    """Raise InvalidError unless these can stand side by side."""
    if not portals:
        reason = "is empty; to serve nothing switch the service off"
        raise invalid(Fault.PORTAL_INVALID, reason, "portals")
    if len(portals) > PORTALS_MAX:
        reason = f"has {len(portals)} portals; at most {PORTALS_MAX} are allowed"
        raise invalid(Fault.PORTAL_INVALID, reason, "portals")
    problems = Collector()
    for number, portal in enumerate(portals):
        for other in portals[:number]:
            if portal.address == other.address:
                problems.add(Fault.PORTAL_INVALID, f"{portal} comes twice; name each one once", "portals", number)
            elif _covers(portal, other) or _covers(other, portal):
                wide, narrow = (portal, other) if _covers(portal, other) else (other, portal)
                reason = f"{wide} stands for every address and so for {narrow} too; keep one of them"
                problems.add(Fault.PORTAL_INVALID, reason, "portals", number)
    problems.raise_any()


def _covers(wide: Portal, narrow: Portal) -> bool:
    """Whether the first is a wildcard of the second's family and port."""
    try:
        address, other = ipaddress.ip_address(wide.host), ipaddress.ip_address(narrow.host)
    except ValueError:
        return False
    return address.is_unspecified and address.version == other.version and wide.port == narrow.port


def with_port(portals: Iterable[Portal], port: int | None) -> tuple[Portal, ...]:
    """The portals as they listen where one port is set for all of them; None: each has its own.

    Raises InvalidError at `port` where that makes one portal of two in different groups.
    """
    found: dict[HostPort, Portal] = {}
    for each in portals:
        portal = each if port is None else Portal(host=each.host, port=port, group=each.group)
        other = found.setdefault(portal.address, portal)
        if other.group != portal.group:
            raise invalid(
                Fault.PORT_INVALID,
                f"{port} for all portals would put {portal} into the portal groups {other.group} and {portal.group}",
                "port",
            )
    return tuple(found.values())
