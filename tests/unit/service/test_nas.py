"""The start, the order of actions, and what is only looked at."""

import asyncio

import pytest

from lunaport.engine.interface import EngineUnavailableError, SessionReport
from lunaport.service.errors import UnavailableError
from lunaport.service.nas import Nas
from tests.unit.service.stand import DEFAULT_PATH, Stand, create

pytestmark = pytest.mark.anyio

SESSION = SessionReport(
    id="1",
    target="iqn.2026-11.io.lunaport:disk",
    initiator="iqn.2026-11.test:me",
    initiator_alias="",
    address="127.0.0.1:5",
    portal="127.0.0.1:3260",
    since=1.0,
    isid="00",
    tsih=1,
    chap_user="",
    negotiated={},
    commands=0,
    outstanding=0,
    bytes_read=0,
    bytes_written=0,
)


async def test_the_start_may_fail_and_be_repeated(stand: Stand) -> None:
    nas = await stand.open()
    stand.engine.failures["start"] = EngineUnavailableError("gone")
    with pytest.raises(EngineUnavailableError):
        await nas.start()
    assert not nas.is_started
    await nas.start()
    assert nas.is_started
    assert stand.engine.volumes == {DEFAULT_PATH}


async def test_it_is_not_started_before_all_is_prepared(stand: Stand) -> None:
    nas = await stand.open()
    seen: list[bool] = []

    async def prepare() -> None:
        seen.append(nas.is_started)

    stand.engine.failures["start"] = EngineUnavailableError("gone")
    with pytest.raises(EngineUnavailableError):
        await nas.start(prepare)
    assert seen == []
    await nas.start(prepare)
    assert seen == [False]


async def test_actions_run_one_at_a_time(nas: Nas, stand: Stand) -> None:
    names = [f"d{number}" for number in range(20)]
    made = await asyncio.gather(*(nas.perform(create(name)) for name in names))
    assert [each.id for each in made] == list(range(1, 21))
    assert [change.put[0].name for change in stand.engine.changes] == [each.name for each in made]


async def test_sessions(nas: Nas, stand: Stand) -> None:
    stand.engine.reports.append(SESSION)
    assert await nas.sessions() == [SESSION]
    stand.engine.failures["sessions"] = EngineUnavailableError("gone")
    with pytest.raises(UnavailableError):
        await nas.sessions()


async def test_the_engine(nas: Nas, stand: Stand) -> None:
    assert (await nas.engine_status()).available
    assert len((await nas.engine_status()).portals) == 2


async def test_pages(nas: Nas) -> None:
    for number in range(3):
        await nas.perform(create(f"d{number}"))
    assert [each.id for each in await nas.targets(after_id=1, count_max=1)] == [2]
    (found,) = await nas.targets(name="iqn.2026-11.io.lunaport:d2")
    assert await nas.target(3) == found
