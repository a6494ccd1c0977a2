"""Steering over a real line: who has to go goes, who may not come is told why, and events say so."""

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from lunaport.engine.interface import (
    BlockSpec,
    Change,
    DesiredState,
    EventMark,
    LimitsSpec,
    PortalSpec,
)
from lunaport.engine.unit_state import WorkReport
from tests.unit.engine.embedded.test_line import free_port, log_in, make_target, running, short_farewell

__all__ = ["short_farewell"]  # a fixture for every test

pytestmark = pytest.mark.anyio
ME = "iqn.2026-11.test:i"


async def test_a_session_is_closed_by_its_id(tmp_path: Path) -> None:
    async with running(tmp_path) as (engine, _, volume):
        portal = PortalSpec(host="127.0.0.1", port=free_port())
        await engine.start(DesiredState(portals=(portal,)))
        target = await make_target(engine, volume)
        await engine.apply(Change(put=(target,)))
        initiator = await log_in(portal.port, target)
        [session] = await engine.sessions()
        assert not await engine.close_session("1-0")
        assert await engine.close_session(session.id)
        assert list(await engine.sessions()) == []
        initiator.close()


async def test_draining_and_blocks_refuse_and_are_taken_back(tmp_path: Path) -> None:
    async with running(tmp_path) as (engine, _, volume):
        portal = PortalSpec(host="127.0.0.1", port=free_port())
        await engine.start(DesiredState(portals=(portal,), draining=True))
        target = await make_target(engine, volume)
        await engine.apply(Change(put=(target,)))
        steps = [
            (Change(), 0x0301),
            (Change(draining=False, blocks=(BlockSpec(initiator=ME),)), 0x0202),
            (Change(blocks=(BlockSpec(initiator=ME, until=1.0),)), 0),
            (Change(put=(replace(target, draining=True),)), 0x0301),
            (Change(put=(target,)), 0),
        ]
        for change, status in steps:
            await engine.apply(change)
            initiator = await log_in(portal.port, target)
            assert initiator.status == status, change
            initiator.close()
        reasons = [refused.reason for refused in await engine.refused_logins()]
        assert sorted(reasons) == ["blocked", "draining", "draining"]
        assert engine.desired.blocks == (BlockSpec(initiator=ME, until=1.0),)


async def test_work_and_reservations_come_over_the_line(tmp_path: Path) -> None:
    async with running(tmp_path) as (engine, _, volume):
        await engine.start(DesiredState(draining=True))
        target = await make_target(engine, volume)
        await engine.apply(Change(put=(target,)))
        assert list(await engine.work()) == [WorkReport(kind="drain")]
        assert list(await engine.reservations(target.name)) == []
        assert list(await engine.reservations("iqn.2026-11.test:none")) == []


async def test_events_tell_of_it(tmp_path: Path) -> None:
    async with running(tmp_path) as (engine, _, volume):
        portal = PortalSpec(host="127.0.0.1", port=free_port())
        await engine.start(DesiredState(portals=(portal,)))
        target = await make_target(engine, volume)
        await engine.apply(Change(put=(target,)))
        mark = (await engine.events(EventMark())).mark
        waiting = asyncio.create_task(engine.events(mark))
        initiator = await log_in(portal.port, target)
        batch = await waiting
        assert [event.kind for event in batch.events] == ["login"]
        await engine.apply(Change(put=(replace(target, draining=True),)))
        initiator.close()
        kinds: list[str] = []
        while "drained" not in kinds:
            batch = await engine.events(batch.mark)
            kinds += [event.kind for event in batch.events]
        assert kinds == ["logout", "drained"]


async def test_a_disk_that_is_not_there_is_told_and_its_return_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lunaport.engine.embedded.nas.RETRY_S", 0.02)
    async with running(tmp_path) as (engine, _, volume):
        target = await make_target(engine, volume)
        path = Path(target.luns[0].path)
        path.rename(volume / "away.img")
        batch = await engine.events(EventMark())
        await engine.start(DesiredState(targets=(target,)))
        batch = await engine.events(batch.mark)
        assert [(event.kind, event.facts["lun"]) for event in batch.events] == [("disk_failed", "0")]
        (volume / "away.img").rename(path)
        batch = await engine.events(batch.mark)
        assert [event.kind for event in batch.events] == ["disk_works"]


async def test_limits_come_and_go_with_a_session(tmp_path: Path) -> None:
    async with running(tmp_path) as (engine, data, volume):
        portal = PortalSpec(host="127.0.0.1", port=free_port())
        await engine.start(DesiredState(portals=(portal,)))
        target = await make_target(engine, volume)
        await engine.apply(Change(put=(target,)))
        initiator = await log_in(portal.port, target)
        (session,) = data.nas.by_transport.values()
        assert session.throttle is None
        await engine.apply(Change(put=(replace(target, limits=LimitsSpec(iops=10)),)))
        limited = session.throttle
        assert limited is not None
        await engine.apply(Change(draining=False))
        assert session.throttle is limited, "nothing has changed for it"
        await engine.apply(Change(put=(target,)))
        assert session.throttle is None
        initiator.close()
