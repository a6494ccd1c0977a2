"""A crash at any step of any action, then a new start: no half share, no lost file, the wire says what is stored."""

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from lunaport.engine.interface import Change
from lunaport.model.iscsi_service import ServiceChange
from lunaport.model.limits import LimitsChange
from lunaport.model.lun import LunChange
from lunaport.model.target import TargetChange
from lunaport.service.actions import (
    Action,
    BlockInitiator,
    CreateLun,
    CreateVolume,
    DeleteLun,
    DeleteTarget,
    TidyUp,
    UpdateLun,
    UpdateService,
    UpdateTarget,
)
from lunaport.service.clock_watch import STEADY_S
from lunaport.service.desired import block_specs, make_places, portal_specs, target_spec
from lunaport.service.nas import Nas
from lunaport.service.tidy import DAY_S
from tests.unit.service.engine_double import CrashError, Fuse
from tests.unit.service.stand import ALICE, DEFAULT_PATH, PORTALS, Stand, create, path_of

pytestmark = pytest.mark.anyio

KEPT = "kept"
ACTIONS: dict[str, Action[Any]] = {
    "create": create("new", one_way=ALICE),
    "update": UpdateTarget(target_id=1, change=TargetChange(name="renamed", size="2G", one_way=ALICE)),
    "delete": DeleteTarget(target_id=1),
    "add a lun": CreateLun(target_id=1, change=LunChange(size="1M")),
    "change a lun": UpdateLun(target_id=1, lun=0, change=LunChange(size="3G", kind={"read_only": True})),
    "remove a lun": DeleteLun(target_id=1, lun=1),
    "add two luns and change one": UpdateTarget(
        target_id=1,
        change=TargetChange(
            whole=True,
            luns=(
                LunChange(lun=0, size="2G"),
                LunChange(lun=1),
                LunChange(lun=5, size="1M"),
                LunChange(lun=6, size="1M"),
            ),
        ),
    ),
    "service": UpdateService(change=ServiceChange(port="860")),
    "drain": UpdateTarget(target_id=1, change=TargetChange(draining=True, limits=LimitsChange(iops=100))),
    "drain all": UpdateService(change=ServiceChange(draining=True)),
    "block": BlockInitiator(initiator="iqn.2026-11.test:b", until=2_000_000.0),
    "volume": CreateVolume(name="fast", path="/srv/fast"),
}


async def check(nas: Nas, stand: Stand) -> None:
    """Files, wire and database say the same."""
    targets = await nas.targets()
    places = make_places([report.volume for report in await nas.volumes()])
    assert stand.engine.targets == {each.name: target_spec(each, places) for each in targets}
    assert stand.engine.portals == portal_specs(await nas.service(), PORTALS)
    assert stand.engine.draining == (await nas.service()).draining
    assert stand.engine.blocks == block_specs(await nas.blocks())
    assert stand.store is not None
    assert await stand.store.in_creation() == []
    assert await stand.store.unfinished_luns() == []
    trashed = await stand.store.trashed()
    assert all(each.is_moved for each in trashed)
    known = {places.path(lun.volume, lun.file) for each in targets for lun in each.luns}
    known |= {places.path(lun.volume, lun.file) for each in trashed for lun in each.luns}
    assert set(stand.engine.files) == known
    for lun in (lun for each in targets for lun in each.luns):
        assert stand.engine.files[places.path("default", lun.file)] >= lun.size_bytes


async def crashed(folder: Path, action: Action[Any], fuse: Fuse) -> tuple[Stand, bool]:
    """A NAS that died at the fuse's step while it carried out the action; False: the action ended before."""
    stand = Stand(folder=folder)
    two = (LunChange(lun=0, size="1G"), LunChange(lun=1, size="1M"))
    await (await stand.start()).perform(create(KEPT, size=None, luns=two))
    await stand.stop()
    at, fuse.at = fuse.at, -1
    nas = await stand.open(fuse)
    await nas.start()
    fuse.at = at + fuse.count
    try:
        await nas.perform(action)
    except CrashError:
        return stand, True
    finally:
        await stand.stop()
    return stand, False


@pytest.mark.parametrize("name", ACTIONS)
async def test_an_action_dies_at_every_step(tmp_path: Path, template: Path, name: str) -> None:
    died = True
    step = 0
    while died:
        folder = shutil.copytree(template, tmp_path / str(step))
        stand, died = await crashed(folder, ACTIONS[name], Fuse(at=step))
        nas = await stand.start()
        await check(nas, stand)
        kept = [each for each in await nas.targets() if each.id == 1]
        assert kept or name == "delete"
        # Whatever became of it, the same can be asked for again, or has been done.
        if name == "create" and len(await nas.targets()) == 1:
            await nas.perform(ACTIONS[name])
            await check(nas, stand)
        await stand.stop()
        step += 1
    assert step > 3


async def leave_unfinished(stand: Stand) -> None:
    """What crashes leave: a creation and a deletion, each half done; and old trash."""
    nas = await stand.start()
    for disk in ("old", "gone", KEPT):
        await nas.perform(create(disk))
    await nas.perform(DeleteTarget(target_id=1))
    stand.now += 15 * DAY_S
    store = stand.store
    assert store is not None
    gone = await nas.target(2)
    await store.trash_target(2, {gone.disk.uuid: "trash/gone.img"}, stand.now)
    uuid = stand.new_uuid()
    half = replace(gone, name="half", luns=(replace(gone.disk, uuid=uuid, file=f"luns/{uuid}.img"),))
    await store.reserve_target(half)
    await stand.engine.create_file(path_of(half), half.disk.size_bytes)
    await stand.engine.apply(Change(put=(target_spec(half, make_places([(await nas.volume("default")).volume])),)))
    await stand.stop()


async def tidy_up_later(nas: Nas, stand: Stand) -> None:
    """When the clock has gone on steadily for long enough: then old trash goes."""
    stand.now += STEADY_S
    await nas.perform(TidyUp())


async def test_the_start_dies_at_every_step(tmp_path: Path, template: Path) -> None:
    died = True
    step = 0
    while died:
        stand = Stand(folder=shutil.copytree(template, tmp_path / str(step)))
        await leave_unfinished(stand)
        nas = await stand.open(Fuse(at=step))
        try:
            await nas.start()
            await tidy_up_later(nas, stand)
            died = False
        except CrashError:
            pass
        await stand.stop()
        nas = await stand.start()
        assert [each.id for each in await nas.targets()] == [3]
        await tidy_up_later(nas, stand)
        await check(nas, stand)
        assert sorted(stand.engine.files) == [f"{DEFAULT_PATH}/luns/{3:032x}.img", f"{DEFAULT_PATH}/trash/gone.img"]
        await stand.stop()
        step += 1
    assert step > 8
