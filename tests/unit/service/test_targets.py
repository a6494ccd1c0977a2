"""Creating, changing and deleting targets: what the engine gets, what is stored, and what is undone."""

import asyncio
from dataclasses import replace

import pytest

from lunaport.engine.interface import Change, Credential, EngineUnavailableError, LunSpec, StorageError, TargetSpec
from lunaport.model.chap import ChapChange
from lunaport.model.errors import Fault, InvalidError
from lunaport.model.lun import LunChange
from lunaport.model.target import Target, TargetChange
from lunaport.service.actions import CreateTarget, DeleteTarget, UpdateTarget
from lunaport.service.errors import (
    ConflictError,
    EngineFailedError,
    NotFoundError,
    ServiceError,
    StaleError,
    UnavailableError,
)
from lunaport.service.nas import Nas
from tests.unit.service.engine_double import FILE_BYTES_MAX, TOTAL_BYTES
from tests.unit.service.stand import ALICE, DEFAULT_PATH, THE_NAS, Stand, create, path_of

pytestmark = pytest.mark.anyio

NAME = "iqn.2026-11.io.lunaport:disk"


async def test_what_the_engine_gets(nas: Nas, stand: Stand) -> None:
    target = await nas.perform(create(header_digest=True, data_digest=True, one_way=ALICE, mutual=THE_NAS))
    path = f"{DEFAULT_PATH}/luns/{1:032x}.img"
    spec = TargetSpec(
        name=NAME,
        header_digest=True,
        data_digest=True,
        credentials=(Credential(username="alice", secret="alice-secret-1"),),
        mutual=Credential(username="nas", secret="nas-secret-123"),
        luns=(LunSpec(lun=0, uuid=f"{1:032x}", path=path, size_bytes=1 << 30, low_space_percent=10),),
    )
    assert stand.engine.changes == [Change(put=(spec,))]
    assert stand.engine.files == {path: 1 << 30}
    assert await nas.targets() == [target]
    assert (target.id, target.name) == (1, NAME)


async def test_disabled_chap_does_not_reach_the_engine(nas: Nas, stand: Stand) -> None:
    await nas.perform(create(one_way=ChapChange(enabled=False, username="alice", secret="alice-secret-1")))
    spec = stand.engine.targets[NAME]
    assert (spec.credentials, spec.mutual) == ((), None)


async def test_it_is_all_there_after_a_restart(nas: Nas, stand: Stand) -> None:
    target = await nas.perform(create(one_way=ALICE))
    before = dict(stand.engine.targets)
    again = await stand.restart()
    assert await again.targets() == [target]
    assert stand.engine.targets == before


@pytest.mark.parametrize(
    ("method", "error", "kind", "fault"),
    [
        ("volume_usage", EngineUnavailableError("gone"), UnavailableError, Fault.ENGINE_UNAVAILABLE),
        ("create_file", EngineUnavailableError("gone"), UnavailableError, Fault.ENGINE_UNAVAILABLE),
        ("create_file", StorageError("no space", "/x", "full"), ConflictError, Fault.VOLUME_FULL),
        ("create_file", StorageError("i/o", "/x", "bad disk"), EngineFailedError, Fault.ENGINE_FAILED),
        ("create_file", StorageError("too large", "/x", "EFBIG"), InvalidError, Fault.SIZE_TOO_LARGE),
        ("apply", EngineUnavailableError("gone"), UnavailableError, Fault.ENGINE_UNAVAILABLE),
    ],
)
async def test_a_failed_creation_leaves_nothing(
    nas: Nas, stand: Stand, method: str, error: Exception, kind: type[Exception], fault: Fault
) -> None:
    stand.engine.failures[method] = error
    with pytest.raises(kind) as caught:
        await nas.perform(create())
    assert isinstance(caught.value, ServiceError | InvalidError)
    assert caught.value.problems[0].fault is fault
    assert (stand.engine.files, stand.engine.targets, await nas.targets()) == ({}, {}, [])
    assert (await nas.perform(create())).name == NAME


async def test_a_creation_that_cannot_be_undone_yet_is_undone_when_the_name_is_wanted(nas: Nas, stand: Stand) -> None:
    stand.engine.failures["apply"] = EngineUnavailableError("gone")
    stand.engine.failures["remove_file"] = EngineUnavailableError("gone")
    with pytest.raises(UnavailableError):
        await nas.perform(create())
    assert len(stand.engine.files) == 1
    assert await nas.targets() == []
    target = await nas.perform(create())
    assert list(stand.engine.files) == [path_of(target)]


async def test_a_name_is_taken_once(nas: Nas) -> None:
    await nas.perform(create())
    with pytest.raises(ConflictError) as caught:
        await nas.perform(create("DISK"))
    assert caught.value.problems[0].fault is Fault.NAME_TAKEN
    assert caught.value.problems[0].blockers == (NAME,)


async def test_two_hundred_at_once_and_one_wins(nas: Nas, stand: Stand) -> None:
    results = await asyncio.gather(*(nas.perform(create()) for _ in range(200)), return_exceptions=True)
    assert sum(isinstance(each, Target) for each in results) == 1
    assert sum(isinstance(each, ConflictError) for each in results) == 199
    assert len(stand.engine.files) == 1


async def test_an_unknown_volume(nas: Nas) -> None:
    with pytest.raises(InvalidError) as caught:
        await nas.perform(create(volume="nowhere"))
    assert caught.value.problems[0].fault is Fault.VOLUME_UNKNOWN
    assert "default" in caught.value.problems[0].message


async def test_a_volume_is_promised_ten_times_and_no_more(nas: Nas, stand: Stand) -> None:
    await nas.perform(create("first", 9 * TOTAL_BYTES))
    second = await nas.perform(create("second", TOTAL_BYTES - 512))
    with pytest.raises(ConflictError) as caught:
        await nas.perform(create("third", 1024))
    (problem,) = caught.value.problems
    assert (problem.fault, problem.path) == (Fault.VOLUME_FULL, ("size",))
    assert str(10 * TOTAL_BYTES) in problem.message
    assert str(10 * TOTAL_BYTES - 512) in problem.message
    await nas.perform(create("third", 512))
    with pytest.raises(ConflictError):
        await nas.perform(UpdateTarget(target_id=second.id, change=TargetChange(size=TOTAL_BYTES)))
    await nas.perform(DeleteTarget(target_id=second.id))
    await nas.perform(create("fourth", TOTAL_BYTES - 512))


async def test_beyond_the_largest_file(nas: Nas, stand: Stand) -> None:
    stand.engine.total_bytes = 1 << 60
    with pytest.raises(InvalidError) as caught:
        await nas.perform(create(size=FILE_BYTES_MAX + 512))
    assert (caught.value.problems[0].fault, caught.value.problems[0].path) == (Fault.SIZE_TOO_LARGE, ("size",))
    target = await nas.perform(create())
    with pytest.raises(InvalidError):
        await nas.perform(UpdateTarget(target_id=target.id, change=TargetChange(size=FILE_BYTES_MAX + 512)))
    assert (await nas.target(target.id)).disk.size_bytes == 1 << 30


async def test_it_grows_live(nas: Nas, stand: Stand) -> None:
    target = await nas.perform(create())
    grown = await nas.perform(UpdateTarget(target_id=target.id, change=TargetChange(size="2G")))
    assert grown.disk.size_bytes == 2 << 30
    assert stand.engine.files == {path_of(target): 2 << 30}
    assert grown.disk.uuid == target.disk.uuid


async def test_no_change_is_no_change(nas: Nas, stand: Stand) -> None:
    target = await nas.perform(create(one_way=ALICE))
    stand.engine.changes.clear()
    same = await nas.perform(UpdateTarget(target_id=target.id, change=TargetChange(size="1G", one_way=ALICE)))
    assert same == target
    assert stand.engine.changes == []


async def test_renaming_is_one_step(nas: Nas, stand: Stand) -> None:
    target = await nas.perform(create())
    stand.engine.changes.clear()
    renamed = await nas.perform(UpdateTarget(target_id=target.id, change=TargetChange(name="other")))
    assert renamed.name == "iqn.2026-11.io.lunaport:other"
    (change,) = stand.engine.changes
    assert (change.removed, [spec.name for spec in change.put]) == ((NAME,), [renamed.name])
    await nas.perform(create())
    with pytest.raises(ConflictError):
        await nas.perform(UpdateTarget(target_id=target.id, change=TargetChange(name="disk")))


async def test_a_share_cannot_move(nas: Nas, stand: Stand) -> None:
    target = await nas.perform(create())
    with pytest.raises(InvalidError):
        await nas.perform(UpdateTarget(target_id=target.id, change=TargetChange(volume="nowhere")))
    assert stand.store is not None
    await stand.store.add_volume((await nas.volume("default")).volume.__class__(name="fast", path="/srv/fast"))
    with pytest.raises(ConflictError) as caught:
        await nas.perform(UpdateTarget(target_id=target.id, change=TargetChange(volume="fast")))
    assert caught.value.problems[0].fault is Fault.VOLUME_FIXED
    assert (await nas.perform(UpdateTarget(target_id=target.id, change=TargetChange(volume="default")))) == target


async def test_a_failed_change_leaves_everything(nas: Nas, stand: Stand) -> None:
    target = await nas.perform(create(one_way=ALICE))
    stand.engine.failures["apply"] = EngineUnavailableError("gone")
    change = TargetChange(name="other", size="2G", one_way=ChapChange(secret="another-secret"))
    with pytest.raises(UnavailableError):
        await nas.perform(UpdateTarget(target_id=target.id, change=change))
    now = await nas.target(target.id)
    assert (now.name, now.disk, now.one_way) == (target.name, target.disk, target.one_way)
    assert stand.engine.targets[NAME].luns[0].size_bytes == 1 << 30


async def test_only_what_was_read_is_changed(nas: Nas) -> None:
    target = await nas.perform(create())
    stale = frozenset({target.revision - 1})
    with pytest.raises(StaleError):
        await nas.perform(UpdateTarget(target_id=target.id, change=TargetChange(size="2G"), revisions=stale))
    with pytest.raises(StaleError):
        await nas.perform(DeleteTarget(target_id=target.id, revisions=stale))
    fresh = frozenset({target.revision})
    await nas.perform(UpdateTarget(target_id=target.id, change=TargetChange(size="2G"), revisions=fresh))


async def test_deleting_moves_the_file_to_the_trash(nas: Nas, stand: Stand) -> None:
    target = await nas.perform(create())
    assert await nas.perform(DeleteTarget(target_id=target.id)) == target
    assert stand.engine.targets == {}
    assert stand.engine.files == {f"{DEFAULT_PATH}/trash/19700112T134640Z-{NAME}-{1:032x}.img": 1 << 30}
    assert await nas.targets() == []
    with pytest.raises(NotFoundError):
        await nas.target(target.id)
    assert (await nas.perform(create())).id == 2


async def test_the_name_of_a_file_in_the_trash_is_short_enough(nas: Nas, stand: Stand) -> None:
    target = await nas.perform(create("\u00fc" * 90))
    await nas.perform(DeleteTarget(target_id=target.id))
    (path,) = stand.engine.files
    assert len(path.rsplit("/", 1)[1].encode()) < 255


async def test_a_failed_deletion_leaves_everything(nas: Nas, stand: Stand) -> None:
    target = await nas.perform(create())
    stand.engine.failures["apply"] = EngineUnavailableError("gone")
    with pytest.raises(UnavailableError):
        await nas.perform(DeleteTarget(target_id=target.id))
    assert (await nas.target(target.id)).name == target.name
    assert stand.engine.serves(path_of(target))


async def test_a_file_that_cannot_be_moved_now_is_moved_later(nas: Nas, stand: Stand) -> None:
    target = await nas.perform(create())
    stand.engine.failures["move_file"] = StorageError("i/o", "/x", "bad disk")
    await nas.perform(DeleteTarget(target_id=target.id))
    assert list(stand.engine.files) == [path_of(target)]
    await stand.restart()
    assert [path.split("/")[4] for path in stand.engine.files] == ["trash"]


@pytest.mark.parametrize("action", [UpdateTarget(target_id=9, change=TargetChange()), DeleteTarget(target_id=9)])
async def test_an_unknown_id(nas: Nas, action: UpdateTarget | DeleteTarget) -> None:
    with pytest.raises(NotFoundError, match="9"):
        await nas.perform(action)


async def test_nothing_before_the_start(stand: Stand) -> None:
    nas = await stand.open()
    with pytest.raises(UnavailableError):
        await nas.perform(CreateTarget(change=TargetChange(name="disk", size="1G")))


async def test_a_disk_is_encrypted_where_that_was_asked_for_and_stays_so(nas: Nas, stand: Stand) -> None:
    plain = await nas.perform(create("plain"))
    assert not plain.disk.kind.encrypted
    secret = LunChange(size="1G", kind={"encrypted": True})
    target = await nas.perform(CreateTarget(change=TargetChange(name="vault", luns=(secret,))))
    assert target.disk.kind.encrypted
    assert len(bytes.fromhex(target.disk.key)) == 32
    assert list(stand.engine.keys.values()) == [target.disk.key]
    assert stand.engine.targets[target.name].luns[0].key == target.disk.key
    assert target.disk.key not in repr(target)
    assert target.disk.key not in repr(stand.engine.targets[target.name])
    same = await nas.perform(UpdateTarget(target_id=target.id, change=TargetChange(luns=(replace(secret, size="2G"),))))
    assert same.disk.key == target.disk.key
    with pytest.raises(InvalidError, match="cannot change") as caught:
        await nas.perform(
            UpdateTarget(target_id=target.id, change=TargetChange(luns=(LunChange(kind={"encrypted": False}),)))
        )
    assert caught.value.problems[0].fault is Fault.LUN_KIND_FIXED


async def test_several_luns_of_different_kinds(nas: Nas, stand: Stand) -> None:
    luns = (
        LunChange(lun=2, size=1 << 30, kind={"read_only": True}),
        LunChange(lun=9, size=1 << 20, kind={"block_size_bytes": 4096, "product": "BIG BLOCKS"}),
    )
    target = await nas.perform(CreateTarget(change=TargetChange(name="disk", luns=luns)))
    specs = {spec.lun: spec for spec in stand.engine.targets[target.name].luns}
    assert (specs[2].read_only, specs[9].block_size_bytes, specs[9].product) == (True, 4096, "BIG BLOCKS")
    assert len(stand.engine.files) == 2
    grown = TargetChange(luns=(LunChange(lun=9, size=2 << 20),))
    await nas.perform(UpdateTarget(target_id=target.id, change=grown))
    assert [spec.size_bytes for spec in stand.engine.targets[target.name].luns] == [1 << 30, 2 << 20]
    await nas.perform(DeleteTarget(target_id=target.id))
    assert all("/trash/" in path for path in stand.engine.files)


async def test_room_is_for_all_luns_together(nas: Nas, stand: Stand) -> None:
    half = TOTAL_BYTES * 6
    luns = (LunChange(lun=0, size=half), LunChange(lun=1, size=half))
    with pytest.raises(ConflictError) as refused:
        await nas.perform(CreateTarget(change=TargetChange(name="disk", luns=luns)))
    assert refused.value.problems[0].fault is Fault.VOLUME_FULL
    assert stand.engine.files == {}
