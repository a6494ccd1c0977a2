"""The registrar: from what the use cases say to servers, over real connections on loopback."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence

import pytest

from lunaport.engine.interface import PortalSpec
from lunaport.isns.entity import Entity, Node, Portal
from lunaport.isns.transport import Timeouts
from lunaport.model.address import HostPort
from lunaport.runtime.isns import PORTALS_MAX, IsnsRegistrar
from lunaport.service.registration import RegisteredTarget, Registration
from tests.unit.isns.server import TcpServer

pytestmark = pytest.mark.anyio

ENTITY = "lunaport-1"
NAME = "iqn.2026-11.io.lunaport:disk"
PATIENT = Timeouts(connect_s=20, answer_s=20, conversation_s=20)
LOOPBACK = (PortalSpec(host="127.0.0.1", port=3260),)
ANY4 = "0.0.0.0"  # noqa: S104 - a portal's address; nothing binds to it here


@pytest.fixture
async def server() -> AsyncIterator[TcpServer]:
    made = TcpServer()
    await made.start()
    yield made
    await made.stop()


@pytest.fixture
async def registrar() -> AsyncIterator[IsnsRegistrar]:
    made = IsnsRegistrar(own_addresses=lambda: ("192.0.2.1", "2001:db8::1"), timeouts=PATIENT)
    yield made
    await made.close()


def address_of(server: TcpServer) -> HostPort:
    return HostPort(host="127.0.0.1", port=server.port)


def wanted(
    *servers: TcpServer, targets: Sequence[str] = (NAME,), portals: tuple[PortalSpec, ...] = LOOPBACK
) -> Registration:
    registered = tuple(RegisteredTarget(name=name) for name in targets)
    return Registration(entity=ENTITY, servers=tuple(map(address_of, servers)), portals=portals, targets=registered)


def holds(server: TcpServer, *portals: tuple[str, int], names: Sequence[str] = (NAME,)) -> bool:
    """Whether the server has exactly this, whatever the ports of our listeners."""
    return server.model.holds(
        Entity(
            identifier=ENTITY,
            portals=tuple(Portal(address=address, port=port) for address, port in portals),
            nodes=tuple(Node(name=name, alias=name.partition(":")[2]) for name in names),
        )
    )


async def soon(condition: Callable[[], object]) -> None:
    """Wait until it holds."""
    async with asyncio.timeout(20):
        while not condition():  # noqa: ASYNC110 - a server in memory has no events to wait for
            await asyncio.sleep(0.005)


async def test_every_server_has_what_is_served(registrar: IsnsRegistrar, server: TcpServer) -> None:
    other = TcpServer()
    await other.start()
    await registrar.follow(wanted(server, other))
    await soon(lambda: all(holds(each, ("127.0.0.1", 3260)) for each in (server, other)))
    await soon(lambda: [each.state for each in registrar.servers()] == ["registered", "registered"])
    assert [each.address for each in registrar.servers()] == [str(address_of(server)), str(address_of(other))]
    await registrar.follow(wanted(server))
    await soon(lambda: other.model.entities == {})
    assert holds(server, ("127.0.0.1", 3260))
    await other.stop()


async def test_a_name_of_another_kind_has_no_alias(registrar: IsnsRegistrar, server: TcpServer) -> None:
    name = "eui.02004567a425678d"
    await registrar.follow(wanted(server, targets=(name,)))
    await soon(lambda: server.model.entities)
    assert server.model.entities[ENTITY].nodes == {name: ""}


async def test_wildcards_are_the_addresses_of_the_interfaces(registrar: IsnsRegistrar, server: TcpServer) -> None:
    portals = (PortalSpec(host=ANY4, port=3260), PortalSpec(host="::", port=860))
    await registrar.follow(wanted(server, portals=portals))
    await soon(lambda: holds(server, ("192.0.2.1", 3260), ("2001:db8::1", 860)))
    registrar.own_addresses = lambda: ("192.0.2.9",)
    await registrar.follow(wanted(server, portals=portals))
    await soon(lambda: holds(server, ("192.0.2.9", 3260)))


async def test_interfaces_that_cannot_be_read(
    registrar: IsnsRegistrar, server: TcpServer, caplog: pytest.LogCaptureFixture
) -> None:
    def fail() -> Sequence[str]:
        raise OSError("no netlink")

    registrar.own_addresses = fail
    portals = (PortalSpec(host=ANY4, port=3260), *LOOPBACK)
    await registrar.follow(wanted(server, portals=portals))
    await soon(lambda: holds(server, ("127.0.0.1", 3260)))
    assert "cannot be read: no netlink" in caplog.text


async def test_more_addresses_than_servers_take(registrar: IsnsRegistrar, server: TcpServer) -> None:
    registrar.own_addresses = lambda: tuple(f"198.51.100.{n}" for n in range(PORTALS_MAX + 5))
    await registrar.follow(wanted(server, portals=(PortalSpec(host=ANY4, port=3260),)))
    await soon(lambda: server.model.entities)
    assert len(server.model.entities[ENTITY].portals) == PORTALS_MAX


async def test_portals_by_name(registrar: IsnsRegistrar, server: TcpServer, monkeypatch: pytest.MonkeyPatch) -> None:
    async def resolved(host: str) -> list[str]:
        if host == "nas.example.org":
            return ["127.0.0.1", "192.0.2.1"]
        raise OSError("Name or service not known")

    monkeypatch.setattr("lunaport.runtime.isns.resolve", resolved)
    portals = (PortalSpec(host="nas.example.org", port=3260), PortalSpec(host="unknown.example.org", port=3260))
    await registrar.follow(wanted(server, portals=portals))
    await soon(lambda: holds(server, ("127.0.0.1", 3260)))


async def test_servers_can_call_back_on_each_portal_of_this_machine(
    registrar: IsnsRegistrar, server: TcpServer
) -> None:
    await registrar.follow(wanted(server))
    await soon(lambda: holds(server, ("127.0.0.1", 3260)))
    numbers = server.model.entities[ENTITY].portals["127.0.0.1", 3260]
    assert numbers[20] == numbers[23]
    _, writer = await asyncio.open_connection("127.0.0.1", numbers[20])
    writer.close()
    await writer.wait_closed()
    await registrar.follow(Registration(entity=ENTITY))
    with pytest.raises(OSError, match="onnect"):
        await asyncio.open_connection("127.0.0.1", numbers[20])


async def test_off_and_on_again_at_once_ends_registered(registrar: IsnsRegistrar, server: TcpServer) -> None:
    await registrar.follow(wanted(server))
    await soon(lambda: server.model.entities)
    for _ in range(3):
        await registrar.follow(Registration(entity=ENTITY))
        await registrar.follow(wanted(server))
    await soon(lambda: [each.state for each in registrar.servers()] == ["registered"])
    await asyncio.sleep(0.05)
    assert holds(server, ("127.0.0.1", 3260))


async def test_closing_deregisters(registrar: IsnsRegistrar, server: TcpServer) -> None:
    await registrar.follow(wanted(server))
    await soon(lambda: server.model.entities)
    await registrar.close()
    assert server.model.entities == {}
    assert registrar.servers() == []


async def test_it_runs_by_itself_and_survives_errors(
    registrar: IsnsRegistrar, server: TcpServer, caplog: pytest.LogCaptureFixture
) -> None:
    answers = [wanted(server), wanted(server, targets=(NAME, f"{NAME}-2"))]

    async def registration() -> Registration:
        if not answers:
            raise RuntimeError("the database is away")
        return answers.pop(0)

    task = asyncio.create_task(registrar.run(registration))
    await soon(lambda: holds(server, ("127.0.0.1", 3260)))
    registrar.changed()
    await soon(lambda: holds(server, ("127.0.0.1", 3260), names=(NAME, f"{NAME}-2")))
    registrar.changed()
    await soon(lambda: "could not be brought up to date" in caplog.text)
    assert not task.done()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
