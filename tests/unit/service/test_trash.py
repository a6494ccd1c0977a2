"""Out of the trash: with data and settings, under a free name, and harmless wherever it is broken off."""

import pytest

from lunaport.engine.interface import EngineError
from lunaport.model.errors import Fault
from lunaport.model.target import TargetChange
from lunaport.service.actions import CreateTarget, DeleteTarget, RestoreTarget
from lunaport.service.errors import ConflictError, EngineFailedError, NotFoundError
from lunaport.service.nas import Nas
from tests.unit.service.engine_double import CrashError, Fuse
from tests.unit.service.stand import ALICE, Stand, create, path_of

pytestmark = pytest.mark.anyio


async def test_a_share_comes_back_as_it_was(nas: Nas, stand: Stand) -> None:
    before = await nas.perform(create(one_way=ALICE, header_digest=True))
    await nas.perform(DeleteTarget(target_id=before.id))
    assert path_of(before) not in stand.engine.files
    (trashed,) = await nas.trash()
    after = await nas.perform(RestoreTarget(target_id=trashed.id))
    assert (after.id, after.name, after.one_way, after.luns) == (before.id, before.name, before.one_way, before.luns)
    assert stand.engine.files == {path_of(before): 1 << 30}
    assert stand.engine.targets[before.name].credentials
    assert await nas.trash() == []
    assert await nas.used_bytes([after]) == [0]


async def test_its_name_has_to_be_free_or_another_one_is_given(nas: Nas, stand: Stand) -> None:
    first = await nas.perform(create())
    await nas.perform(DeleteTarget(target_id=first.id))
    second = await nas.perform(create())
    with pytest.raises(ConflictError) as refused:
        await nas.perform(RestoreTarget(target_id=first.id))
    assert refused.value.problems[0].fault is Fault.NAME_TAKEN
    back = await nas.perform(RestoreTarget(target_id=first.id, name="disk-again"))
    assert back.name.endswith(":disk-again")
    assert {each.id for each in await nas.targets()} == {first.id, second.id}


async def test_what_is_not_in_the_trash(nas: Nas) -> None:
    target = await nas.perform(create())
    for wanted in (target.id, 99):
        with pytest.raises(NotFoundError):
            await nas.perform(RestoreTarget(target_id=wanted))


async def test_without_room_it_stays_in_the_trash(nas: Nas) -> None:
    target = await nas.perform(create(size=6 << 40))
    await nas.perform(DeleteTarget(target_id=target.id))
    await nas.perform(create("large", size=6 << 40))
    with pytest.raises(ConflictError) as refused:
        await nas.perform(RestoreTarget(target_id=target.id))
    assert refused.value.problems[0].fault is Fault.VOLUME_FULL
    assert len(await nas.trash()) == 1


@pytest.mark.parametrize("step", ["move_file", "apply"])
async def test_what_the_engine_refuses_is_undone(nas: Nas, stand: Stand, step: str) -> None:
    target = await nas.perform(create())
    await nas.perform(DeleteTarget(target_id=target.id))
    files = dict(stand.engine.files)
    stand.engine.failures[step] = EngineError("the disk is broken")
    with pytest.raises(EngineFailedError):
        await nas.perform(RestoreTarget(target_id=target.id))
    assert stand.engine.files == files
    (trashed,) = await nas.trash()
    assert trashed.is_moved
    assert (await nas.perform(RestoreTarget(target_id=target.id))).name == target.name


async def test_a_crash_at_any_step_leaves_it_here_or_there(stand: Stand) -> None:
    for at in range(40):
        name = f"disk{at}"
        nas = await stand.start()
        target = await nas.perform(CreateTarget(change=TargetChange(name=name, size="1M")))
        await nas.perform(DeleteTarget(target_id=target.id))
        await stand.stop()
        fuse = Fuse()
        nas = await stand.open(fuse)
        await nas.start()
        fuse.at = fuse.count + at
        try:
            await nas.perform(RestoreTarget(target_id=target.id))
        except CrashError:
            crashed = True
        else:
            crashed = False
        fuse.at = -1
        nas = await stand.restart()
        active = [each for each in await nas.targets() if each.id == target.id]
        trashed = [each for each in await nas.trash() if each.id == target.id]
        assert len(active) + len(trashed) == 1
        if active:
            assert path_of(active[0]) in stand.engine.files
            assert active[0].name in stand.engine.targets
        else:
            assert trashed[0].is_moved
            await nas.perform(RestoreTarget(target_id=target.id))
        await stand.stop()
        if not crashed:
            break
    else:
        pytest.fail("it never ran to its end")
    await stand.start()
