"""One server kept up to date, under a clock that only the test moves."""

import asyncio
import ipaddress
import logging
import math
from dataclasses import dataclass, field, replace

import pytest

from lunaport.isns.calls import Call
from lunaport.isns.client import Account, Conversation, synchronise
from lunaport.isns.entity import Portal
from lunaport.isns.enums import Function, Status
from lunaport.isns.errors import UnreachableError
from lunaport.isns.keeper import ONLY_LOOPBACK, Keeper, Report, State, Surroundings
from lunaport.isns.transport import Connection
from tests.unit.isns.server import ModelServer, talk
from tests.unit.isns.strategies import ENTITY, entity, node

pytestmark = pytest.mark.anyio


@dataclass(slots=True)
class World:
    """A server in memory, a clock, and a keeper between them."""

    server: ModelServer = field(default_factory=ModelServer)
    now: float = 1000.0
    is_away: bool = False
    peer: str = "192.0.2.9"
    attempts: list[float] = field(default_factory=list)
    hangs: bool = False

    def keeper(self) -> Keeper:
        """A new one, as after a start."""
        around = Surroundings(
            connect=self.connect, clock=lambda: self.now, wall_clock=lambda: self.now + 1e6, chance=lambda: 0.0
        )
        return Keeper(name="isns.test", around=around)

    async def connect(self) -> Connection:
        """A connection to the server in memory."""
        self.attempts.append(self.now)
        if self.hangs:
            await asyncio.sleep(3600)
        if self.is_away:
            raise UnreachableError("no connection: Connection refused")
        return Wire(self)

    async def until(self, keeper: Keeper, end: float) -> None:
        """Let time pass."""
        while keeper.schedule.due <= end:
            self.now = max(self.now, keeper.schedule.due)
            await keeper.work()
        self.now = end


class Wire(Connection):
    """A connection without a network."""

    def __init__(self, world: World) -> None:
        self.world = world

    @property
    def peer(self) -> str:
        return self.world.peer

    @property
    def is_local(self) -> bool:
        return ipaddress.ip_address(self.world.peer).is_loopback

    async def converse(self, conversation: Conversation) -> None:
        talk(self.world.server, conversation)

    async def close(self) -> None:
        pass


@pytest.fixture
def world() -> World:
    return World()


async def test_a_registration_and_what_the_report_says(world: World, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    keeper = world.keeper()
    assert (keeper.report, keeper.schedule.due) == (Report(), math.inf)
    keeper.follow(entity("a", "b"))
    assert keeper.report.state is State.REGISTERING
    await world.until(keeper, 1000.0)
    assert keeper.report == Report(
        state=State.REGISTERED, targets=2, portals=1, registered_since=1001000.0, confirmed_at=1001000.0
    )
    await world.until(keeper, 1100.0)
    assert keeper.report.registered_since == 1001000.0
    assert keeper.report.confirmed_at == 1001100.0
    assert caplog.messages == ["iSNS server isns.test: registered, 2 targets on 1 portals"]


async def test_a_change_is_followed_at_once(world: World) -> None:
    keeper = world.keeper()
    for shorts in ("a", "ab", "b", "cd"):
        keeper.follow(entity(*shorts))
        await world.until(keeper, world.now)
        assert world.server.holds(entity(*shorts))
    keeper.follow(entity("c", "d"))
    assert keeper.schedule.due > world.now


async def test_it_shows_itself_within_the_period(world: World) -> None:
    world.server.period_s = 6
    keeper = world.keeper()
    keeper.follow(entity("a"))
    await world.until(keeper, 1100.0)
    pauses = {round(later - sooner) for sooner, later in zip(world.attempts, world.attempts[1:], strict=False)}
    assert pauses == {2}


async def test_a_server_that_forgot_is_found_out(world: World, caplog: pytest.LogCaptureFixture) -> None:
    keeper = world.keeper()
    keeper.follow(entity("a"))
    await world.until(keeper, 1000.0)
    world.server.entities.clear()
    await world.until(keeper, 1021.0)
    assert world.server.holds(entity("a"))
    assert keeper.report.registered_since == 1001020.0
    assert "iSNS server isns.test: had lost our registration" in caplog.messages


async def test_a_server_that_is_away_is_tried_again_with_growing_pauses(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    world.is_away = True
    keeper = world.keeper()
    keeper.follow(entity("a"))
    await world.until(keeper, 1100.0)
    assert world.attempts == [1000.0, 1001.0, 1003.0, 1007.0, 1015.0, 1031.0, 1061.0, 1091.0]
    assert keeper.report.state == "failing"
    assert (keeper.report.error, keeper.report.last_error_at) == ("no connection: Connection refused", 1001091.0)
    assert len(caplog.messages) == 1
    world.is_away = False
    await world.until(keeper, 1121.0)
    assert world.server.holds(entity("a"))
    assert keeper.report.state == "registered"
    assert (keeper.report.error, keeper.report.last_error) == ("", "no connection: Connection refused")


async def test_what_changes_while_the_server_is_away_is_there_when_it_is_back(world: World) -> None:
    keeper = world.keeper()
    keeper.follow(entity("a", "b"))
    await world.until(keeper, 1000.0)
    world.is_away = True
    for shorts in ("a", "ac", "c"):
        keeper.follow(entity(*shorts))
        await world.until(keeper, world.now + 1)
    world.is_away = False
    await world.until(keeper, world.now + 40)
    assert world.server.holds(entity("c"))


async def test_nothing_left_to_register(world: World) -> None:
    keeper = world.keeper()
    keeper.follow(entity())
    await world.until(keeper, 1000.0)
    assert (keeper.report.state, world.attempts) == (State.IDLE, [])
    keeper.follow(entity("a"))
    await world.until(keeper, 1000.0)
    keeper.follow(entity())
    await world.until(keeper, 2000.0)
    assert (keeper.report.state, keeper.report.targets, keeper.report.registered_since) == (State.IDLE, 0, None)
    assert world.server.entities == {}
    assert keeper.schedule.due == math.inf


async def test_loopback_addresses_are_for_servers_on_this_machine(world: World) -> None:
    portals = (Portal(address="127.0.0.1", port=3260), Portal(address="192.0.2.1", port=3260))
    keeper = world.keeper()
    keeper.follow(entity("a", portals=portals))
    await world.until(keeper, 1000.0)
    assert world.server.holds(entity("a", portals=portals[1:]))
    keeper.follow(entity("a", portals=portals[:1]))
    await world.until(keeper, 1000.0)
    assert world.server.entities == {}
    assert (keeper.report.state, keeper.report.error) == (State.IDLE, ONLY_LOOPBACK)
    world.peer = "::1"
    keeper.follow(entity("a", portals=portals))
    await world.until(keeper, 1000.0)
    assert world.server.holds(entity("a", portals=portals))
    assert keeper.report.error == ""


async def test_a_refusal_is_told_and_tried_again(world: World) -> None:
    world.server.refuses[Function.DEV_ATTR_REG] = Status.INVALID_REGISTRATION
    keeper = world.keeper()
    keeper.follow(entity("a"))
    await world.until(keeper, 1000.0)
    assert keeper.report.error == "the server refused the registration: invalid registration (status 3)"
    world.server.refuses.clear()
    keeper.follow(entity("b"))
    await world.until(keeper, 1001.0)
    assert world.server.holds(entity("b"))


async def test_targets_that_another_entity_has_are_named(world: World, caplog: pytest.LogCaptureFixture) -> None:
    talk(world.server, synchronise(Account(), replace(entity("b"), identifier="other")))
    keeper = world.keeper()
    keeper.follow(entity("a", "b"))
    await world.until(keeper, 1050.0)
    assert world.server.holds(entity("a"))
    report = keeper.report
    assert (report.state, report.targets, report.registered_since) == (State.FAILING, 1, None)
    assert report.error == (
        "the server refused 1 of the targets; another entity there may have their names: iqn.2026-11.test:b"
    )
    assert len(caplog.messages) == 1
    world.server.entities.pop("other")
    await world.until(keeper, 1070.0)
    assert world.server.holds(entity("a", "b"))
    assert (keeper.report.targets, keeper.report.error) == (2, "")


async def test_a_notification_about_a_target_of_ours_makes_it_look(world: World) -> None:
    keeper = world.keeper()
    keeper.follow(entity("a", "b"))
    await world.until(keeper, 1000.0)
    keeper.called("192.0.2.9", Call(function=Function.SCN, names=frozenset({"stranger"})))
    assert keeper.schedule.due == 1020.0
    world.server.entities[ENTITY].nodes.pop(node("b").name)
    keeper.called("192.0.2.9", Call(function=Function.SCN, names=frozenset({node("b").name})))
    await world.until(keeper, 1001.0)
    assert world.server.holds(entity("a", "b"))


async def test_status_inquiries_count_when_they_come_from_the_server(world: World) -> None:
    keeper = world.keeper()
    keeper.follow(entity("a"))
    await world.until(keeper, 1000.0)
    keeper.called("198.51.100.1", Call(function=Function.ESI))
    assert not keeper.account.heard_esi
    keeper.called("192.0.2.9", Call(function=Function.ESI))
    assert keeper.account.heard_esi
    assert keeper.schedule.due == 1020.0


async def test_an_unexpected_error_ends_nothing(world: World, caplog: pytest.LogCaptureFixture) -> None:
    keeper = world.keeper()
    keeper.follow(entity("a" * 300))
    await world.until(keeper, 1000.0)
    assert keeper.report.error == "an unexpected error, see the log"
    assert "AssertionError" in caplog.text
    keeper.follow(entity("a"))
    await world.until(keeper, 1002.0)
    assert world.server.holds(entity("a"))


async def test_leaving_deregisters(world: World) -> None:
    keeper = world.keeper()
    await keeper.leave(1.0)
    keeper.follow(entity("a"))
    await world.until(keeper, 1000.0)
    await keeper.leave(1.0)
    assert world.server.entities == {}


async def test_leaving_does_not_wait_for_a_server_that_is_silent(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    keeper = world.keeper()
    keeper.follow(entity("a"))
    await world.until(keeper, 1000.0)
    world.hangs = True
    await keeper.leave(0.05)
    assert caplog.messages == ["iSNS server isns.test: not deregistered: no answer in time"]


async def test_after_sigkill_nothing_is_there_twice(world: World) -> None:
    first = world.keeper()
    first.follow(entity("a", "b"))
    await world.until(first, 1000.0)
    second = world.keeper()
    second.follow(entity("b", "c"))
    await world.until(second, 1000.0)
    assert world.server.names() == [node("b").name, node("c").name]


async def test_it_runs_by_itself(world: World) -> None:
    keeper = world.keeper()
    task = asyncio.create_task(keeper.run())
    for shorts in ("a", "ab"):
        await asyncio.sleep(0.01)
        keeper.follow(entity(*shorts))
        async with asyncio.timeout(20):
            while not world.server.holds(entity(*shorts)):  # noqa: ASYNC110 - a server in memory has no events
                await asyncio.sleep(0.005)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
