"""Portals on real sockets of the loopback interface."""

import socket
from collections.abc import Iterator
from ipaddress import ip_address
from typing import cast

import pytest

from lunaport.engine.embedded.loop import Loop
from lunaport.engine.embedded.portals import Portals, format_address, has_address, parse_address, reachable
from lunaport.engine.interface import PortalError, PortalSpec


@pytest.fixture
def loop() -> Iterator[Loop]:
    loop = Loop()
    yield loop
    loop.close()


def free_port(host: str = "127.0.0.1") -> int:
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as sock:
        sock.bind((host, 0))
        port: int = sock.getsockname()[1]
        return port


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_a_portal_accepts(loop: Loop, host: str) -> None:
    accepted: list[tuple[str, str]] = []

    def accept(sock: socket.socket, address: str, portal: str) -> None:
        accepted.append((address, portal))
        sock.close()
        loop.stop()

    portals = Portals(loop, accept)
    spec = PortalSpec(host=host, port=free_port(host))
    portals.set((spec,), partly=False)
    with socket.create_connection((host, spec.port)) as client:
        local = client.getsockname()
        loop.run()
    assert accepted == [(format_address(host, local[1]), format_address(host, spec.port))]
    portals.set((), partly=False)
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((host, spec.port))


def test_a_port_that_is_taken_leaves_all_as_it_was(loop: Loop) -> None:
    portals = Portals(loop, lambda *_: None)
    old, good = (PortalSpec(host="127.0.0.1", port=free_port()) for _ in range(2))
    portals.set((old,), partly=False)
    with socket.create_server(("127.0.0.1", 0)) as other:
        taken = PortalSpec(host="127.0.0.1", port=other.getsockname()[1])
        with pytest.raises(PortalError, match="another program listens"):
            portals.set((good, taken), partly=False)
        assert list(portals.listening) == [old]
        portals.set((good, taken), partly=True)
        assert [(report.port, report.listening) for report in portals.report()] == [
            (good.port, True),
            (taken.port, False),
        ]
    portals.open_missing()
    assert all(report.listening for report in portals.report())
    portals.set((), partly=True)


def test_an_address_that_is_not_ours(loop: Loop) -> None:
    portals = Portals(loop, lambda *_: None)
    with pytest.raises(PortalError, match="no such address"):
        portals.set((PortalSpec(host="192.0.2.99", port=3260),), partly=False)


def test_wildcards_are_what_the_peer_came_to(loop: Loop) -> None:
    portals = Portals(loop, lambda *_: None)
    port = free_port()
    any_v4 = str(ip_address(0))
    portals.set((PortalSpec(host=any_v4, port=port), PortalSpec(host="::", port=port)), partly=False)
    assert portals.addresses(f"127.9.0.1:{port}") == [("127.9.0.1", port)]
    assert portals.addresses(f"[::1]:{port}") == [("::1", port)]
    portals.set((), partly=True)


def test_a_portal_by_name_is_told_by_its_address(loop: Loop) -> None:
    portals = Portals(loop, lambda *_: None)
    spec = PortalSpec(host="localhost", port=free_port())
    portals.set((spec,), partly=False)
    ((host, port),) = portals.addresses(f"127.0.0.1:{spec.port}")
    assert ip_address(host).is_loopback
    assert port == spec.port
    portals.set((), partly=True)


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
    assert reachable(listening, reached) == told


@pytest.mark.parametrize("address", [LAN, LAN6, LINK_A])
def test_addresses_are_read_as_they_are_written(address: tuple[str, int]) -> None:
    assert parse_address(format_address(*address)) == address


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_an_address_of_this_machine_and_one_that_is_none(host: str) -> None:
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as listening:
        listening.bind((host, 0))
        assert has_address(listening)

    class Gone:
        """A socket that was bound when the machine had the address."""

        family = socket.AF_INET6 if ":" in host else socket.AF_INET

        def getsockname(self) -> tuple[object, ...]:
            return ("2001:db8::77", 3260, 0, 0) if ":" in host else ("192.0.2.77", 3260)

    assert not has_address(cast("socket.socket", Gone()))
