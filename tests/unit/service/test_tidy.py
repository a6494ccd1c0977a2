"""The trash is emptied when its time has come, and not before."""

import pytest

from lunaport.engine.interface import EngineUnavailableError
from lunaport.service.actions import DeleteTarget, TidyUp
from lunaport.service.nas import Nas
from lunaport.service.tidy import DAY_S
from tests.unit.service.stand import Stand, create

pytestmark = pytest.mark.anyio


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
