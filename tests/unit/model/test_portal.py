"""Portals and portal groups, as they are typed."""

import pytest

from lunaport.model.errors import Collector, Fault, InvalidError
from lunaport.model.portal import (
    GROUP_MAX,
    GROUPS_MAX,
    PORTALS_MAX,
    Portal,
    check_portals,
    make_portal,
    merge_groups,
    parse_address,
    with_port,
)

ANY4 = "0.0.0.0"  # noqa: S104 - a portal's address; nothing binds to it here


def portal(host: str, port: int = 3260, group: int = 1) -> Portal:
    return Portal(host=host, port=port, group=group)


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [
        ("192.0.2.7", "192.0.2.7", 3260),
        ("192.0.2.7:860", "192.0.2.7", 860),
        ("[2001:DB8::7]:860", "2001:db8::7", 860),
        ("fe80::7%eth0", "fe80::7%eth0", 3260),
        ("[::]", "::", 3260),
        ("NAS.example.org", "nas.example.org", 3260),
    ],
)
def test_addresses(text: str, host: str, port: int) -> None:
    assert make_portal(text, 2) == Portal(host=host, port=port, group=2)
    assert str(parse_address(text)) == str(make_portal(text))


@pytest.mark.parametrize("text", ["", "a b", "192.0.2.300", "[::1", "192.0.2.7:0", "192.0.2.7:65536", "x" * 400])
def test_what_is_no_address_is_told_with_what_would_be(text: str) -> None:
    with pytest.raises(InvalidError, match=r"right would be 192\.0\.2\.7, 192\.0\.2\.7:860") as refused:
        make_portal(text)
    assert refused.value.problems[0].fault is Fault.PORTAL_INVALID
    assert refused.value.problems[0].path == ("portal",)


@pytest.mark.parametrize("group", [-1, 0, GROUP_MAX + 1])
def test_what_is_no_group(group: int) -> None:
    with pytest.raises(InvalidError) as refused:
        make_portal("", group)
    assert [each.path for each in refused.value.problems] == [("portal",), ("group",)]
    assert make_portal("::1", GROUP_MAX).group == GROUP_MAX


def test_groups_stand_in_order_each_once() -> None:
    problems = Collector()
    assert merge_groups([3, 1, 3], problems, "portal_groups") == (1, 3)
    assert problems.problems == []
    merge_groups([1, 0], problems, "portal_groups")
    assert problems.problems[0].path == ("portal_groups", 1)
    assert len(merge_groups(range(1, GROUPS_MAX + 1), problems, "x")) == GROUPS_MAX
    merge_groups(range(1, GROUPS_MAX + 2), problems, "x")
    assert "at most 64" in problems.problems[1].message


@pytest.mark.parametrize(
    ("portals", "reason"),
    [
        ((), "is empty"),
        ((portal("::1"), portal("::1", group=2)), "comes twice"),
        ((portal(ANY4), portal("192.0.2.7")), "stands for every address"),
        ((portal("2001:db8::7"), portal("::")), "stands for every address"),
        (tuple(portal("::1", port) for port in range(1, PORTALS_MAX + 2)), "at most 32"),
    ],
)
def test_what_cannot_stand_side_by_side(portals: tuple[Portal, ...], reason: str) -> None:
    with pytest.raises(InvalidError, match=reason):
        check_portals(portals)


def test_what_can() -> None:
    check_portals((portal(ANY4), portal("::"), portal("192.0.2.7", 860), portal("nas", 3260)))
    check_portals(tuple(portal("::1", port) for port in range(1, PORTALS_MAX + 1)))


def test_one_port_for_all() -> None:
    portals = (portal("::1", 860), portal("::1", 3260), portal("192.0.2.7", group=2))
    assert with_port(portals, None) == portals
    assert with_port(portals, 99) == (portal("::1", 99), portal("192.0.2.7", 99, 2))
    with pytest.raises(InvalidError, match="into the portal groups 1 and 2") as refused:
        with_port((portal("::1", 860), portal("::1", 3260, 2)), 99)
    assert refused.value.problems[0].path == ("port",)
