"""Portals on real sockets of the loopback interface."""

import socket
from collections.abc import Iterator
from ipaddress import ip_address

import pytest

from lunaport.engine.embedded.addresses import Listening, format_address
from lunaport.engine.embedded.loop import Loop
from lunaport.engine.embedded.names import Names
from lunaport.engine.embedded.portals import Portals
from lunaport.engine.interface import PortalError, PortalSpec

ANY4 = str(ip_address(0))


@pytest.fixture
def loop() -> Iterator[Loop]:
    loop = Loop()
    yield loop
    loop.close()


@pytest.fixture
def portals(loop: Loop) -> Iterator[Portals]:
    made = Portals(loop, lambda *_: None, clock=lambda: 7.0)
    yield made
    put(made, partly=True)


def free_port(host: str = "127.0.0.1") -> int:
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as sock:
        sock.bind((host, 0))
        port: int = sock.getsockname()[1]
        return port


def put(portals: Portals, *specs: PortalSpec, partly: bool = False) -> None:
    """Set portals by addresses, which takes no time; raises what it ends with."""
    ended: list[BaseException | None] = []
    portals.set(specs, ended.append, partly=partly)
    (error,) = ended
    if error is not None:
        raise error


def states(portals: Portals) -> list[tuple[str, int, int, bool]]:
    """Every portal that shall be."""
    return [(each.host, each.port, each.group, each.listening) for each in portals.report()]


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_a_portal_accepts(loop: Loop, host: str) -> None:
    accepted: list[tuple[str, str, int]] = []

    def accept(sock: socket.socket, address: str, portal: str, group: int) -> None:
        accepted.append((address, portal, group))
        sock.close()
        loop.stop()

    portals = Portals(loop, accept)
    spec = PortalSpec(host=host, port=free_port(host), group=5)
    put(portals, spec)
    with socket.create_connection((host, spec.port)) as client:
        local = client.getsockname()
        loop.run()
    assert accepted == [(format_address(host, local[1]), format_address(host, spec.port), 5)]
    put(portals)
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((host, spec.port))


def test_a_port_that_is_taken_leaves_all_as_it_was(portals: Portals) -> None:
    old, good = (PortalSpec(host="127.0.0.1", port=free_port()) for _ in range(2))
    put(portals, old)
    with socket.create_server(("127.0.0.1", 0)) as other:
        taken = PortalSpec(host="127.0.0.1", port=other.getsockname()[1])
        with pytest.raises(PortalError, match="another program listens"):
            put(portals, good, taken)
        assert states(portals) == [("127.0.0.1", old.port, 1, True)]
        put(portals, good, taken, partly=True)
        assert states(portals) == [("127.0.0.1", good.port, 1, True), ("127.0.0.1", taken.port, 1, False)]
    portals.open_missing(lambda _: None)
    assert all(report.listening for report in portals.report())


def test_another_group_closes_nothing(portals: Portals) -> None:
    spec = PortalSpec(host="127.0.0.1", port=free_port())
    put(portals, spec)
    sock = portals.listening["127.0.0.1", spec.port].sock
    put(portals, PortalSpec(host="127.0.0.1", port=spec.port, group=2))
    assert portals.listening["127.0.0.1", spec.port].sock is sock
    assert (states(portals), portals.groups) == ([("127.0.0.1", spec.port, 2, True)], (2,))
    assert portals.addresses(f"127.0.0.1:{spec.port}") == [Listening(host="127.0.0.1", port=spec.port, group=2)]


def test_a_wildcard_takes_the_place_of_an_address_and_gives_it_back(portals: Portals) -> None:
    port = free_port()
    one, every = PortalSpec(host="127.0.0.1", port=port), PortalSpec(host=ANY4, port=port)
    for spec in (one, every, one):
        put(portals, spec)
        assert states(portals) == [(spec.host, port, 1, True)]
        socket.create_connection(("127.0.0.1", port)).close()


def test_what_went_first_comes_back_when_the_change_fails(portals: Portals) -> None:
    port = free_port()
    one, every = PortalSpec(host="127.0.0.1", port=port), PortalSpec(host=ANY4, port=port)
    put(portals, one)
    with socket.create_server(("127.0.0.1", 0)) as other:
        taken = PortalSpec(host="127.0.0.1", port=other.getsockname()[1])
        with pytest.raises(PortalError):
            put(portals, every, taken)
    assert states(portals) == [("127.0.0.1", port, 1, True)]
    socket.create_connection(("127.0.0.1", port)).close()


def test_an_address_that_is_not_there_is_waited_for(portals: Portals) -> None:
    there, away = PortalSpec(host="127.0.0.1", port=free_port()), PortalSpec(host="192.0.2.99", port=3260, group=2)
    put(portals, there, away)
    _, report = portals.report()
    assert (report.listening, report.error, report.since) == (False, "this machine has no such address", 7.0)
    assert portals.groups == (1, 2)
    portals.open_missing(lambda _: None)
    assert [each.listening for each in portals.report()] == [True, False]
    put(portals, there)
    assert states(portals) == [("127.0.0.1", there.port, 1, True)]


def test_an_address_goes_and_comes_back(loop: Loop) -> None:
    there = True
    portals = Portals(loop, lambda *_: None, is_there=lambda _: there)
    spec = PortalSpec(host="127.0.0.1", port=free_port())
    put(portals, spec)
    portals.look()
    assert [each.listening for each in portals.report()] == [True]
    there = False
    portals.look()
    (report,) = portals.report()
    assert (report.listening, report.error) == (False, "this machine has no such address any more")
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", spec.port))
    there = True
    portals.open_missing(lambda _: None)
    assert [each.listening for each in portals.report()] == [True]
    put(portals)


def test_wildcards_are_what_the_peer_came_to(portals: Portals) -> None:
    port = free_port()
    put(portals, PortalSpec(host=ANY4, port=port), PortalSpec(host="::", port=port))
    assert portals.addresses(f"127.9.0.1:{port}") == [Listening(host="127.9.0.1", port=port)]
    assert portals.addresses(f"[::1]:{port}") == [Listening(host="::1", port=port)]


def test_a_portal_by_name_is_told_by_its_address(loop: Loop) -> None:
    answers = {"nas": "127.0.0.1"}

    def resolve(host: str) -> str:
        if host not in answers:
            raise OSError(host)
        return answers[host]

    portals = Portals(loop, lambda *_: None, names=Names(loop, resolve))
    ended: list[BaseException | None] = []

    def finish(error: BaseException | None) -> None:
        ended.append(error)
        loop.stop()

    known, unknown = PortalSpec(host="nas", port=free_port()), PortalSpec(host="unknown", port=free_port())
    portals.set((known, unknown), finish, partly=False)
    loop.run()
    assert ended == [None]
    assert portals.addresses(f"127.0.0.1:{known.port}") == [Listening(host="127.0.0.1", port=known.port)]
    _, report = portals.report()
    assert report.error == "no address of this name is known"
    answers["unknown"] = "127.0.0.1"
    loop.running = True
    portals.open_missing(finish)
    loop.run()
    assert all(each.listening for each in portals.report())
    put(portals)
