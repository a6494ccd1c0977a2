"""Adding, changing and removing single LUNs: what the engine gets, what is stored, what is refused and undone."""

from dataclasses import replace

import pytest

from lunaport.engine.interface import EngineError, StorageError
from lunaport.model.errors import Fault, InvalidError
from lunaport.model.lun import LunChange
from lunaport.model.target import TargetChange
from lunaport.service.actions import CreateLun, CreateVolume, DeleteLun, DeleteTarget, UpdateLun, UpdateTarget
from lunaport.service.errors import ConflictError, EngineFailedError, NotFoundError, StaleError
from lunaport.service.nas import Nas
from tests.unit.service.engine_double import TOTAL_BYTES
from tests.unit.service.stand import DEFAULT_PATH, Stand, create
from tests.unit.service.test_watch import told

pytestmark = pytest.mark.anyio

NAME = "iqn.2026-11.io.lunaport:disk"


def numbers(stand: Stand) -> list[int]:
    """The LUNs on the wire."""
    return [lun.lun for lun in stand.engine.targets[NAME].luns]


async def test_a_lun_is_added_changed_and_removed(nas: Nas, stand: Stand) -> None:
    before = await nas.perform(create())
    added = await nas.perform(CreateLun(target_id=1, change=LunChange(size="1M", kind={"removable": True})))
    assert (added.lun, numbers(stand)) == (1, [0, 1])
    assert added.target.revision > before.revision
    assert stand.engine.files[f"{DEFAULT_PATH}/luns/{2:032x}.img"] == 1 << 20
    changed = await nas.perform(
        UpdateLun(target_id=1, lun=1, change=LunChange(size="2M", kind={"read_only": True, "write_cache": False}))
    )
    spec = stand.engine.targets[NAME].luns[1]
    assert (spec.size_bytes, spec.read_only, spec.write_cache, spec.removable) == (2 << 20, True, False, True)
    assert changed.target.luns[1].size_bytes == stand.engine.files[spec.path] == 2 << 20
    removed = await nas.perform(DeleteLun(target_id=1, lun=0))
    assert [lun.lun for lun in removed.target.luns] == numbers(stand) == [1]
    (trash,) = [path for path in stand.engine.files if "/trash/" in path]
    assert "disk-lun0" in trash
    again = await stand.restart()
    assert (await again.targets())[0].luns == removed.target.luns


async def test_a_number_can_be_used_again(nas: Nas, stand: Stand) -> None:
    await nas.perform(create())
    for round_number in range(3):
        added = await nas.perform(CreateLun(target_id=1, change=LunChange(lun=300, size="1M")))
        assert added.target.luns[1].uuid == f"{round_number + 2:032x}"
        await nas.perform(DeleteLun(target_id=1, lun=300))
    assert len(stand.engine.files) == 4
    await nas.perform(DeleteTarget(target_id=1))
    assert stand.store is not None
    assert [len(each.luns) for each in await stand.store.trashed()] == [1, 1, 1, 1]


async def test_a_whole_document_adds_luns(nas: Nas, stand: Stand) -> None:
    await nas.perform(create())
    luns = (LunChange(lun=0, size="2G"), LunChange(lun=7, size="1M"), LunChange(lun=3, size="1M"))
    action = UpdateTarget(target_id=1, change=TargetChange(luns=luns, whole=True))
    target = await nas.perform(action)
    assert numbers(stand) == [0, 3, 7]
    assert await nas.perform(action) == target, "it may be repeated"


@pytest.mark.parametrize("failing", ["create_file", "grow_file", "apply"])
async def test_what_the_engine_refuses_leaves_nothing(nas: Nas, stand: Stand, failing: str) -> None:
    before = await nas.perform(create())
    files, wire = set(stand.engine.files), dict(stand.engine.targets)
    stand.engine.failures[failing] = StorageError("i/o", "/x", "the disk is broken")
    luns = (LunChange(lun=0, size="2G"), LunChange(lun=7, size="1M"))
    with pytest.raises(EngineFailedError):
        await nas.perform(UpdateTarget(target_id=1, change=TargetChange(luns=luns, whole=True)))
    assert replace((await nas.targets())[0], revision=0) == replace(before, revision=0)
    assert (set(stand.engine.files), stand.engine.targets) == (files, wire)
    assert stand.store is not None
    assert await stand.store.unfinished_luns() == []


async def test_a_lun_that_cannot_be_taken_off_stays(nas: Nas, stand: Stand) -> None:
    await nas.perform(create())
    await nas.perform(CreateLun(target_id=1, change=LunChange(size="1M")))
    stand.engine.failures["apply"] = EngineError("no")
    with pytest.raises(EngineFailedError):
        await nas.perform(DeleteLun(target_id=1, lun=1))
    assert [lun.lun for lun in (await nas.target(1)).luns] == [0, 1]
    assert stand.store is not None
    assert await stand.store.trashed() == []


async def test_a_half_made_lun_does_not_keep_its_number(nas: Nas, stand: Stand) -> None:
    await nas.perform(create())
    for step in ("apply", "remove_file"):
        stand.engine.failures[step] = StorageError("i/o", "/x", "the disk is broken")
    with pytest.raises(EngineFailedError):
        await nas.perform(CreateLun(target_id=1, change=LunChange(size="1M")))
    assert stand.store is not None
    assert len(await stand.store.unfinished_luns()) == 1
    added = await nas.perform(CreateLun(target_id=1, change=LunChange(size="1M")))
    assert added.lun == 1
    assert len(stand.engine.files) == 2


async def test_what_is_refused(nas: Nas) -> None:
    target = await nas.perform(create())
    await nas.perform(CreateVolume(name="fast", path="/srv/fast"))
    taken = CreateLun(target_id=1, change=LunChange(lun=0, size="1M"))
    with pytest.raises(ConflictError) as conflict:
        await nas.perform(taken)
    assert conflict.value.problems[0].fault is Fault.LUN_TAKEN
    with pytest.raises(ConflictError) as conflict:
        await nas.perform(DeleteLun(target_id=1, lun=0))
    assert conflict.value.problems[0].fault is Fault.LUN_LAST
    for change, fault, path in (
        (LunChange(), Fault.MISSING_FIELD, ("size",)),
        (LunChange(size="1M", volume="nowhere"), Fault.VOLUME_UNKNOWN, ("volume",)),
        (LunChange(size="1M", kind={"block_size_bytes": 3}), Fault.LUN_KIND_INVALID, ("block_size_bytes",)),
    ):
        with pytest.raises(InvalidError) as wrong:
            await nas.perform(CreateLun(target_id=1, change=change))
        assert [(each.fault, each.path) for each in wrong.value.problems] == [(fault, path)]
    with pytest.raises(ConflictError) as conflict:
        await nas.perform(CreateLun(target_id=1, change=LunChange(size=TOTAL_BYTES * 10)))
    assert conflict.value.problems[0].fault is Fault.VOLUME_FULL
    for action in (
        UpdateLun(target_id=1, lun=5, change=LunChange(size="2G")),
        DeleteLun(target_id=1, lun=5),
        DeleteLun(target_id=2, lun=0),
        CreateLun(target_id=2, change=LunChange(size="1M")),
    ):
        with pytest.raises(NotFoundError):
            await nas.perform(action)
    for stale in (
        UpdateLun(target_id=1, lun=0, change=LunChange(size="2G"), revisions=frozenset({target.revision + 7})),
        DeleteLun(target_id=1, lun=0, revisions=frozenset({target.revision + 7})),
        CreateLun(target_id=1, change=LunChange(size="1M"), revisions=frozenset({target.revision + 7})),
    ):
        with pytest.raises(StaleError):
            await nas.perform(stale)
    assert await nas.targets() == [target]


async def test_it_is_told_and_written_down(nas: Nas) -> None:
    await nas.perform(create())
    await nas.perform(CreateLun(target_id=1, change=LunChange(size="1M")))
    await nas.perform(UpdateLun(target_id=1, lun=1, change=LunChange(size="2M")))
    await nas.perform(DeleteLun(target_id=1, lun=1))
    events = [(event.kind, event.facts.get("lun")) for event in await told(nas)]
    assert events == [("target_created", None), ("lun_created", "1"), ("lun_changed", "1"), ("lun_deleted", "1")]
    entries = await nas.audit(count_max=3)
    assert [entry.action for entry in entries] == ["delete_lun", "update_lun", "create_lun"]
    assert {entry.subject for entry in entries} == {f"target {NAME}"}
    assert "luns[1].size_bytes" in entries[1].changes
    assert "luns" in entries[0].changes
