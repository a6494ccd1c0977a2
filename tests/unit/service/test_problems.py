"""What does not work now, and how its beginning and end are told."""

import asyncio
from dataclasses import replace

import pytest

from lunaport.engine.interface import Trouble
from lunaport.model.errors import DatabaseFailedError
from lunaport.service import problems
from lunaport.service.nas import Nas
from tests.unit.service.stand import Stand

pytestmark = pytest.mark.anyio


async def test_all_is_well(nas: Nas) -> None:
    found = await nas.problems()
    assert (found.serves, found.database_works, found.count) == (True, True, 0)


async def test_what_the_engine_tells(nas: Nas, stand: Stand) -> None:
    trouble = Trouble(kind="disk", subject="a LUN 0", reason="the file was removed", since=5.0)
    stand.engine.troubles = (trouble,)
    found = await nas.problems()
    assert (found.serves, found.troubles, found.count) == (True, (trouble,), 1)


async def test_an_engine_that_is_away_and_since_when(nas: Nas, stand: Stand) -> None:
    stand.engine.available = False
    (first,) = (await nas.problems()).troubles
    stand.now += 100
    (second,) = (await nas.problems()).troubles
    assert (first.kind, first.since) == ("engine", second.since)
    stand.engine.available = True
    assert (await nas.problems()).count == 0


async def test_a_database_that_fails_and_works_again(nas: Nas, stand: Stand, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(problems, "CHECK_AGAIN_S", 0.01)
    assert stand.store is not None
    healthy = [False]

    async def check() -> None:
        if not healthy[0]:
            raise DatabaseFailedError("the disk is full")

    async def failure() -> str:
        return "" if healthy[0] else "database or disk is full"

    context = replace(nas._context)
    object.__setattr__(
        context, "store", type("Store", (), {"check": staticmethod(check), "failure": staticmethod(failure)})
    )
    watching = asyncio.create_task(problems.watch_database(context, nas.events))
    told: list[str] = []
    async with asyncio.timeout(10):
        async for event in nas.events.listen():
            assert event is not None
            told.append(event.kind)
            if told == ["database_failed"]:
                assert event.facts == {"reason": "database or disk is full"}
                healthy[0] = True
            else:
                break
    watching.cancel()
    assert told == ["database_failed", "database_works"]
