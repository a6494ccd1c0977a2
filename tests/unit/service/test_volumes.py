"""Volumes: taken beside others, forgotten when empty, never emptied."""

import pytest

from lunaport.engine.interface import EngineUnavailableError, StorageError, VolumeUsage
from lunaport.model.errors import Fault, InvalidError
from lunaport.service.actions import CreateVolume, DeleteTarget, DeleteVolume, UpdateVolume
from lunaport.service.errors import ConflictError, EngineFailedError, NotFoundError, UnavailableError
from lunaport.service.nas import Nas
from tests.unit.service.engine_double import TOTAL_BYTES
from tests.unit.service.stand import DEFAULT_PATH, Stand, create, path_of

pytestmark = pytest.mark.anyio

FAST = CreateVolume(name="fast", path="/srv/fast", overcommit_factor=2)


async def test_default_is_there(nas: Nas, stand: Stand) -> None:
    (report,) = await nas.volumes()
    assert (report.volume.name, report.volume.path) == ("default", DEFAULT_PATH)
    assert report.usage == VolumeUsage(total_bytes=TOTAL_BYTES, free_bytes=TOTAL_BYTES, used_bytes=0)
    assert stand.engine.volumes == {DEFAULT_PATH}


async def test_a_share_on_a_volume(nas: Nas, stand: Stand) -> None:
    await nas.perform(FAST)
    target = await nas.perform(create(volume="fast"))
    assert list(stand.engine.files) == [path_of(target, "/srv/fast")]
    report = await nas.volume("fast")
    assert report.committed_bytes == 1 << 30
    assert report.volume.overcommit_factor == 2
    again = await stand.restart()
    assert (await again.volume("fast")).volume == report.volume


@pytest.mark.parametrize("path", [DEFAULT_PATH, "/data", f"{DEFAULT_PATH}/luns", "relative", "/"])
async def test_a_place_that_cannot_be_one(nas: Nas, path: str) -> None:
    with pytest.raises(InvalidError):
        await nas.perform(CreateVolume(name="fast", path=path))
    assert len(await nas.volumes()) == 1


async def test_a_name_is_taken_once(nas: Nas) -> None:
    await nas.perform(FAST)
    with pytest.raises(ConflictError) as caught:
        await nas.perform(CreateVolume(name="fast", path="/srv/other"))
    assert caught.value.problems[0].fault is Fault.VOLUME_TAKEN


async def test_a_directory_that_cannot_be_made(nas: Nas, stand: Stand) -> None:
    stand.engine.failures["make_volume"] = StorageError("read only", "/srv/fast", "read-only file system")
    with pytest.raises(EngineFailedError, match="read-only"):
        await nas.perform(FAST)
    assert len(await nas.volumes()) == 1


async def test_it_is_forgotten_only_when_no_share_lives_there(nas: Nas, stand: Stand) -> None:
    await nas.perform(FAST)
    target = await nas.perform(create(volume="fast"))
    with pytest.raises(ConflictError) as caught:
        await nas.perform(DeleteVolume(name="fast"))
    assert caught.value.problems[0].blockers == (target.name,)
    stand.engine.failures["move_file"] = EngineUnavailableError("gone")
    await nas.perform(DeleteTarget(target_id=target.id))
    with pytest.raises(ConflictError):
        await nas.perform(DeleteVolume(name="fast"))
    again = await stand.restart()
    await again.perform(DeleteVolume(name="fast"))
    assert len(await again.volumes()) == 1
    assert len(stand.engine.files) == 1, "nothing is unlinked"


async def test_default_stays(nas: Nas) -> None:
    with pytest.raises(ConflictError):
        await nas.perform(DeleteVolume(name="default"))


async def test_the_factor_counts_for_what_is_promised_next(nas: Nas, stand: Stand) -> None:
    await nas.perform(create(size=5 * TOTAL_BYTES))
    changed = await nas.perform(UpdateVolume(name="default", overcommit_factor=1))
    assert (changed.overcommit_factor, changed.path) == (1, DEFAULT_PATH)
    with pytest.raises(ConflictError):
        await nas.perform(create("other", 512))
    with pytest.raises(InvalidError):
        await nas.perform(UpdateVolume(name="default", overcommit_factor=0))


async def test_when_space_is_scarce_reaches_the_engine_live(nas: Nas, stand: Stand) -> None:
    await nas.perform(FAST)
    await nas.perform(create())
    await nas.perform(create("elsewhere", volume="fast"))
    changed = await nas.perform(UpdateVolume(name="fast", low_space_percent=25))
    assert (changed.low_space_percent, changed.overcommit_factor) == (25, 2)
    percents = [target.luns[0].low_space_percent for target in stand.engine.targets.values()]
    assert percents == [10, 25]
    assert len(stand.engine.changes[-1].put) == 1
    with pytest.raises(InvalidError):
        await nas.perform(UpdateVolume(name="fast", low_space_percent=91))
    stand.engine.failures["apply"] = EngineUnavailableError("gone")
    with pytest.raises(UnavailableError):
        await nas.perform(UpdateVolume(name="fast", low_space_percent=0))
    stand.engine.failures.clear()
    again = await stand.restart()
    assert (await again.volume("fast")).volume.low_space_percent == 25


@pytest.mark.parametrize("action", [DeleteVolume(name="no"), UpdateVolume(name="no", overcommit_factor=2)])
async def test_an_unknown_volume(nas: Nas, action: DeleteVolume | UpdateVolume) -> None:
    with pytest.raises(NotFoundError):
        await nas.perform(action)
    with pytest.raises(NotFoundError):
        await nas.volume("no")


async def test_a_volume_that_does_not_answer_says_why(nas: Nas, stand: Stand) -> None:
    stand.engine.failures["volume_usage"] = StorageError("i/o", DEFAULT_PATH, "bad disk")
    (report,) = await nas.volumes()
    assert (report.usage, report.error) == (None, f"{DEFAULT_PATH}: bad disk")
