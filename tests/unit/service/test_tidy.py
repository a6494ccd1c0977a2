"""The trash is emptied when its time has come, and not before."""

import pytest

from lunaport.engine.interface import EngineUnavailableError
from lunaport.service.actions import DeleteTarget, TidyUp
from lunaport.service.nas import Nas
from lunaport.service.tidy import DAY_S
from tests.unit.service.stand import Stand, create

pytestmark = pytest.mark.anyio

HOUR_S = 3600.0


async def test_the_trash_is_kept_for_its_days(nas: Nas, stand: Stand) -> None:
    await nas.perform(DeleteTarget(target_id=(await nas.perform(create())).id))
    stand.now += 14 * DAY_S - 1
    assert await nas.perform(TidyUp()) == 0
    assert len(stand.engine.files) == 1
    stand.now += 1
    assert await nas.perform(TidyUp()) == 1
    assert stand.engine.files == {}
    assert await nas.perform(TidyUp()) == 0


async def test_a_file_that_cannot_be_removed_is_tried_again(nas: Nas, stand: Stand) -> None:
    await nas.perform(DeleteTarget(target_id=(await nas.perform(create())).id))
    stand.now += 15 * DAY_S
    stand.engine.failures["remove_file"] = EngineUnavailableError("gone")
    assert await nas.perform(TidyUp()) == 0
    assert await nas.perform(TidyUp()) == 1


def jump(stand: Stand, days: float) -> None:
    """The wall clock jumps; no time has passed."""
    stand.now += days * DAY_S
    stand.jumped += days * DAY_S


async def test_a_clock_that_jumps_empties_no_trash(nas: Nas, stand: Stand) -> None:
    await nas.perform(DeleteTarget(target_id=(await nas.perform(create())).id))
    jump(stand, 365)
    for _ in range(14):
        assert await nas.perform(TidyUp()) == 0
        stand.now += DAY_S
    assert await nas.perform(TidyUp()) == 1, "its days have passed"


async def test_a_clock_that_is_put_right_from_the_future(nas: Nas, stand: Stand) -> None:
    """The machine was started in another year: nothing is thrown away at once."""
    await nas.perform(DeleteTarget(target_id=(await nas.perform(create())).id))
    jump(stand, 365)
    nas = await stand.restart()
    assert len(stand.engine.files) == 1
    stand.now += 600
    assert await nas.perform(TidyUp()) == 0
    jump(stand, -365)
    for _ in range(13):
        stand.now += DAY_S
        assert await nas.perform(TidyUp()) == 0
    stand.now += DAY_S
    assert await nas.perform(TidyUp()) == 1


async def test_days_in_which_the_nas_was_off_count(nas: Nas, stand: Stand) -> None:
    await nas.perform(DeleteTarget(target_id=(await nas.perform(create())).id))
    stand.now += 20 * DAY_S
    nas = await stand.restart()
    assert len(stand.engine.files) == 1, "not before the clock has gone on for a while"
    stand.now += HOUR_S
    assert await nas.perform(TidyUp()) == 1
