"""Addresses as text, and which of ours a peer is told of."""

from ipaddress import ip_address

import pytest

from lunaport.engine.embedded.addresses import (
    Listening,
    format_address,
    is_numeric,
    parse_address,
    peer_address,
    reachable,
)

LAN, LAN6, LOCAL, LOCAL6 = ("192.0.2.7", 3260), ("2001:db8::7", 3260), ("127.0.0.1", 3260), ("::1", 3260)
LINK_A, LINK_B = ("fe80::7%eth0", 3260), ("fe80::7%eth1", 3260)
EVERY, EVERY6 = (str(ip_address(0)), 3260), ("::", 3260)


@pytest.mark.parametrize(
    ("listening", "reached", "told"),
    [
        ([LAN, LAN6], LAN, [LAN, LAN6]),
        ([LAN, LAN6], LAN6, [LAN6, LAN]),
        ([LOCAL, LAN], LAN, [LAN]),
        ([LOCAL6, LOCAL, LAN], LAN6, [LAN]),
        ([LAN, LOCAL], LOCAL, [LOCAL, LAN]),
        ([EVERY, EVERY6], LAN, [LAN]),
        ([EVERY, EVERY6], LAN6, [LAN6]),
        ([EVERY, EVERY6], LOCAL, [LOCAL]),
        ([EVERY, ("192.0.2.7", 860)], LAN, [LAN, ("192.0.2.7", 860)]),
        ([EVERY, LAN], LAN, [LAN]),
        ([LINK_A, LAN6], LAN6, [LAN6]),
        ([LINK_A, LINK_B, LAN6], LINK_A, [("fe80::7", 3260), LAN6]),
        ([LINK_B], LINK_A, []),
        ([LINK_A], LOCAL6, []),
        ([EVERY6, LOCAL6], LINK_A, [("fe80::7", 3260)]),
        ([], LAN, []),
    ],
)
def test_a_peer_is_told_of_what_it_can_reach(
    listening: list[tuple[str, int]], reached: tuple[str, int], told: list[tuple[str, int]]
) -> None:
    found = reachable((Listening(host=host, port=port) for host, port in listening), reached)
    assert [(each.host, each.port) for each in found] == told


def test_each_address_keeps_its_group() -> None:
    every = Listening(host=EVERY[0], port=3260, group=2)
    lan6 = Listening(host=LAN6[0], port=3260, group=3)
    assert reachable([lan6, every], LAN) == [Listening(host=LAN[0], port=3260, group=2), lan6]


@pytest.mark.parametrize("address", [LAN, LAN6, LINK_A])
def test_addresses_are_read_as_they_are_written(address: tuple[str, int]) -> None:
    assert parse_address(format_address(*address)) == address


def test_the_scope_of_a_peer_does_not_matter() -> None:
    assert peer_address("[fe80::7%eth0]:40112") == ip_address("fe80::7")


def test_addresses_and_names() -> None:
    assert all(is_numeric(host) for host in ("192.0.2.7", "::", "fe80::7%eth0"))
    assert not any(is_numeric(host) for host in ("nas.example.org", "localhost", "192.0.2"))
