"""Events: in order, once, in bounded memory; who comes back gets what he missed, who is slow is let go."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from lunaport.service import events
from lunaport.service.events import DROPPED, MISSED, Event, EventHub, TooManyListenersError

pytestmark = pytest.mark.anyio


@pytest.fixture
def hub() -> EventHub:
    return EventHub("run", lambda: 5.0)


async def started(hub: EventHub, last_id: str = "") -> tuple[AsyncIterator[Event | None], asyncio.Task[Event | None]]:
    """A listener that waits for its first event."""
    stream = hub.listen(last_id, idle_s=5)
    first = asyncio.ensure_future(anext(stream))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    return stream, first


async def test_events_come_in_order(hub: EventHub) -> None:
    hub.publish("before")
    stream, first = await started(hub)
    hub.publish("login", {"initiator": "a"})
    hub.publish("logout", at=9.0)
    assert await first == Event(kind="login", at=5.0, id="run.2", facts={"initiator": "a"})
    assert await anext(stream) == Event(kind="logout", at=9.0, id="run.3")


async def test_who_comes_back_gets_what_he_missed(hub: EventHub) -> None:
    for number in range(5):
        hub.publish(f"e{number}")
    stream, first = await started(hub, "run.3")
    kinds = [(await first), await anext(stream)]
    assert [event.kind for event in kinds if event] == ["e3", "e4"]


@pytest.mark.parametrize("last_id", ["other.3", "run.x", "run.", "x", "run.-1", "run.99999999999999999999"])
async def test_who_saw_another_run_is_told_so(hub: EventHub, last_id: str) -> None:
    hub.publish("e0")
    stream, first = await started(hub, last_id)
    told = [(await first), await anext(stream)]
    assert [event.kind for event in told if event] == [MISSED, "e0"]


async def test_what_is_forgotten_is_told(hub: EventHub) -> None:
    for number in range(events.REMEMBERED_COUNT_MAX + 2):
        hub.publish(f"e{number}")
    _, first = await started(hub, "run.1")
    told = await first
    assert told is not None
    assert told.kind == MISSED
    _, first = await started(hub, "run.2")
    told = await first
    assert told is not None
    assert told.kind == "e2"


async def test_nothing_for_a_while(hub: EventHub) -> None:
    assert await anext(hub.listen(idle_s=0.01)) is None


async def test_who_does_not_keep_up_is_let_go(hub: EventHub) -> None:
    stream, first = await started(hub)
    for number in range(events.QUEUE_COUNT_MAX + 10):
        hub.publish(f"e{number}")
    got = [await first] + [event async for event in stream]
    assert [event.kind for event in got if event][-1] == DROPPED
    assert len(got) <= events.QUEUE_COUNT_MAX + 2
    hub.check_room()


async def test_there_is_a_bound(hub: EventHub) -> None:
    waiting = [await started(hub) for _ in range(events.LISTENER_COUNT_MAX)]
    with pytest.raises(TooManyListenersError):
        hub.check_room()
    with pytest.raises(TooManyListenersError):
        await anext(hub.listen())
    for _, first in waiting:
        first.cancel()
    await asyncio.gather(*(first for _, first in waiting), return_exceptions=True)
    hub.check_room()


async def test_the_end_reaches_everybody(hub: EventHub) -> None:
    _, first = await started(hub)
    _, other = await started(hub)
    for number in range(events.QUEUE_COUNT_MAX):
        hub.publish(f"e{number}")
    hub.close()
    await asyncio.wait_for(asyncio.gather(first, other, return_exceptions=True), 1)
    assert [event async for event in hub.listen()] == []
