"""What becomes an event: every action that changes something, and all that the engine tells."""

import asyncio
from contextlib import suppress

import pytest

from lunaport.engine.interface import EngineEvent, EngineUnavailableError, EventBatch, EventMark
from lunaport.model.iscsi_service import ServiceChange
from lunaport.service.actions import (
    BlockInitiator,
    CreateVolume,
    DeleteTarget,
    DeleteVolume,
    TidyUp,
    UnblockInitiator,
    UpdateService,
)
from lunaport.service.errors import NotFoundError
from lunaport.service.events import Event
from lunaport.service.nas import Nas
from tests.unit.service.stand import Stand, create

pytestmark = pytest.mark.anyio


async def told(nas: Nas) -> list[Event]:
    """Everything so far."""
    stream = nas.events.listen("nothing.0", idle_s=0.05)
    found: list[Event] = []
    async for event in stream:
        if event is None:
            break
        found.append(event)
    return found[1:]  # the first says that this listener has missed something


async def test_every_change_is_told(nas: Nas) -> None:
    await nas.perform(create())
    await nas.perform(UpdateService(change=ServiceChange(draining=True)))
    await nas.perform(CreateVolume(name="fast", path="/srv/fast"))
    await nas.perform(DeleteVolume(name="fast"))
    await nas.perform(BlockInitiator(initiator="iqn.2026-11.test:a"))
    await nas.perform(UnblockInitiator(initiator="iqn.2026-11.test:a"))
    await nas.perform(DeleteTarget(target_id=1))
    await nas.perform(TidyUp())
    with pytest.raises(NotFoundError):
        await nas.perform(DeleteTarget(target_id=1))
    found = await told(nas)
    assert [event.kind for event in found] == [
        "target_created",
        "service_changed",
        "volume_created",
        "volume_deleted",
        "initiator_blocked",
        "initiator_unblocked",
        "target_deleted",
    ]
    assert found[0].facts == {"id": "1", "target": "iqn.2026-11.io.lunaport:disk"}
    assert found[4].facts == {"initiator": "iqn.2026-11.test:a"}


async def test_what_the_engine_tells(nas: Nas, stand: Stand) -> None:
    login = EngineEvent(kind="login", at=7.0, facts={"initiator": "a"})
    stand.engine.batches = [
        EventBatch(mark=EventMark(run="1", number=0)),
        EventBatch(mark=EventMark(run="1", number=4), events=(login,), lost=3),
        EventBatch(mark=EventMark(run="2", number=0)),
    ]
    following = asyncio.create_task(nas.follow_engine())
    await asyncio.sleep(0.01)
    found = await told(nas)
    following.cancel()
    with suppress(asyncio.CancelledError):
        await following
    assert [(event.kind, dict(event.facts)) for event in found] == [
        ("events_lost", {"count": "3"}),
        ("login", {"initiator": "a"}),
        ("engine_restarted", {}),
    ]
    assert found[1].at == 7.0


async def test_an_engine_that_is_away_is_told_once(nas: Nas, stand: Stand, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lunaport.service.watch.RETRY_S", 0)
    first = True

    async def once(mark: EventMark) -> EventBatch:
        nonlocal first
        if first:
            first = False
            return EventBatch(mark=EventMark(run="1", number=0))
        raise EngineUnavailableError("gone")

    monkeypatch.setattr(type(stand.engine), "events", lambda _, mark: once(mark))
    following = asyncio.create_task(nas.follow_engine())
    await asyncio.sleep(0.02)
    following.cancel()
    assert [event.kind for event in await told(nas)] == ["engine_unavailable"]
