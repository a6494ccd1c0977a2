"""Images and media: what is sent, what lies in drives, who keeps it in."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from lunaport.engine.interface import EngineUnavailableError, StorageError
from lunaport.model.errors import Fault, InvalidError
from lunaport.model.image import IMAGE_BYTES_MAX, NAME_BYTES_MAX, Image
from lunaport.model.lun import LunChange, Medium
from lunaport.model.target import TargetChange
from lunaport.service.actions import (
    Action,
    CreateLun,
    CreateTarget,
    DeleteImage,
    EjectMedium,
    InsertMedium,
    UpdateLun,
    UpdateTarget,
    UploadImage,
)
from lunaport.service.errors import ConflictError, NotFoundError, ServiceError, UnavailableError
from lunaport.service.images import RESERVE_BYTES_MAX
from lunaport.service.nas import UPLOADS_MAX, Nas
from tests.unit.service.engine_double import TOTAL_BYTES
from tests.unit.service.stand import DEFAULT_PATH, Stand, create
from tests.unit.service.test_watch import told

pytestmark = pytest.mark.anyio

NAME = "iqn.2026-11.io.lunaport:disk"
DRIVE = LunChange(lun=5, kind={"device_type": "cdrom"}, image="a.iso")


async def pieces(*sizes: int) -> AsyncIterator[bytes]:
    for size in sizes:
        yield bytes(size)


async def send(nas: Nas, name: str = "a.iso", size: int = 4096) -> Image:
    return await nas.upload_image(UploadImage(volume="default", name=name, size_bytes=size), pieces(size))


@pytest.fixture
async def driven(nas: Nas) -> Nas:
    """A NAS with a disk, and a drive at LUN 5 with an image in it."""
    await send(nas)
    await send(nas, "b.iso", 6144)
    await nas.perform(create())
    await nas.perform(CreateLun(target_id=1, change=DRIVE))
    return nas


def fault_of(error: pytest.ExceptionInfo[InvalidError | ServiceError]) -> tuple[Fault, tuple[str | int, ...]]:
    (problem,) = error.value.problems
    return problem.fault, problem.path


async def test_an_image_is_sent_listed_and_removed(nas: Nas, stand: Stand) -> None:
    image = await send(nas)
    assert (image.name, image.size_bytes) == ("a.iso", 4096)
    assert stand.engine.discs == {f"{DEFAULT_PATH}/iso/a.iso": 4096}
    assert [each.name for each in await nas.images("default")] == ["a.iso"]
    with pytest.raises(ConflictError) as taken:
        await send(nas)
    assert fault_of(taken) == (Fault.IMAGE_TAKEN, ("name",))
    await nas.perform(DeleteImage(volume="default", name="a.iso"))
    assert stand.engine.discs == {}
    with pytest.raises(NotFoundError):
        await nas.perform(DeleteImage(volume="default", name="a.iso"))
    assert [event.kind for event in await told(nas)] == ["image_added", "image_removed"]
    entries = await nas.audit(count_max=10)
    assert {entry.subject for entry in entries} == {"image default/a.iso"}
    assert [entry.outcome for entry in entries] == ["refused", "done", "refused", "done"]


@pytest.mark.parametrize("name", ["", ".", "..", ".hidden", "a/b", "../a", "tab\t", "x" * (NAME_BYTES_MAX + 1)])
async def test_a_name_that_is_none(nas: Nas, name: str) -> None:
    for asked in (send(nas, name), nas.perform(DeleteImage(volume="default", name=name))):
        with pytest.raises(InvalidError) as wrong:
            await asked
        assert fault_of(wrong) == (Fault.IMAGE_INVALID, ("name",))


async def test_what_is_not_taken_in(nas: Nas, stand: Stand) -> None:
    with pytest.raises(InvalidError) as large:
        await send(nas, size=IMAGE_BYTES_MAX + 1)
    assert fault_of(large)[0] is Fault.IMAGE_TOO_LARGE
    with pytest.raises(NotFoundError):
        await nas.upload_image(UploadImage(volume="nowhere", name="a.iso", size_bytes=1), pieces(1))
    with pytest.raises(NotFoundError):
        await nas.images("nowhere")
    stand.engine.total_bytes = 100 << 30
    fits = stand.engine.total_bytes - RESERVE_BYTES_MAX
    action = UploadImage(volume="default", name="a.iso", size_bytes=fits + 1)
    with pytest.raises(ConflictError) as full:
        await nas.upload_image(action, pieces(1))
    assert fault_of(full)[0] is Fault.VOLUME_FULL
    await nas.upload_image(UploadImage(volume="default", name="a.iso", size_bytes=fits), pieces(1))
    stand.engine.failures["receive_image"] = EngineUnavailableError("x")
    with pytest.raises(UnavailableError):
        await send(nas, "b.iso")
    assert TOTAL_BYTES > 0


async def test_only_so_many_at_a_time(nas: Nas) -> None:
    go = asyncio.Event()

    async def slow() -> AsyncIterator[bytes]:
        await go.wait()
        yield b"x"

    def begin(number: int) -> asyncio.Task[Image]:
        action = UploadImage(volume="default", name=f"{number}.iso", size_bytes=1)
        return asyncio.ensure_future(nas.upload_image(action, slow()))

    running = [begin(number) for number in range(UPLOADS_MAX)]
    await asyncio.sleep(0.1)
    with pytest.raises(UnavailableError):
        await begin(99)
    await nas.perform(create())
    go.set()
    assert len(await asyncio.gather(*running)) == UPLOADS_MAX
    await send(nas)


async def test_a_drive_is_made_with_an_image(driven: Nas, stand: Stand) -> None:
    spec = stand.engine.targets[NAME].luns[1]
    assert (spec.device_type, spec.block_size_bytes, spec.read_only, spec.removable) == ("cdrom", 2048, True, True)
    assert (spec.image, spec.size_bytes, spec.product) == (f"{DEFAULT_PATH}/iso/a.iso", 0, "CD-ROM")
    lun = (await driven.target(1)).luns[1]
    assert (lun.medium_bytes, lun.size_bytes) == (4096, 0)
    again = await stand.restart()
    assert (await again.target(1)).luns[1] == lun


async def test_another_image(driven: Nas, stand: Stand) -> None:
    done = await driven.perform(InsertMedium(target_id=1, lun=5, image="b.iso"))
    assert done.target.luns[1].medium == Medium(image="b.iso", image_bytes=6144, insertion=2)
    again = await driven.perform(InsertMedium(target_id=1, lun=5, image="b.iso"))
    assert again.target.luns[1].medium.insertion == 3, "it is put in anew"
    assert stand.engine.targets[NAME].luns[1].image.endswith("/iso/b.iso")
    gone = await driven.perform(EjectMedium(target_id=1, lun=5))
    assert gone.target.luns[1].medium == Medium(insertion=4)
    assert stand.engine.targets[NAME].luns[1].image == ""
    kinds = [event.kind for event in await told(driven)][-3:]
    assert kinds == ["medium_inserted", "medium_inserted", "medium_ejected"]


async def test_a_medium_that_an_initiator_keeps_in(driven: Nas, stand: Stand) -> None:
    stand.engine.locks[NAME, 5] = ("iqn.2026-11.test:host",)
    asked: tuple[Action[Any], ...] = (
        EjectMedium(target_id=1, lun=5),
        InsertMedium(target_id=1, lun=5, image="b.iso"),
        UpdateTarget(target_id=1, change=TargetChange(luns=(LunChange(lun=5, image="b.iso"),))),
    )
    for action in asked:
        with pytest.raises(ConflictError) as locked:
            await driven.perform(action)
        assert fault_of(locked)[0] is Fault.MEDIUM_LOCKED
        assert locked.value.problems[0].blockers == ("iqn.2026-11.test:host",)
    assert stand.engine.eject_requests == [(NAME, 5)] * 3
    await driven.perform(InsertMedium(target_id=1, lun=5, image="b.iso", force=True))
    await driven.perform(EjectMedium(target_id=1, lun=5, force=True))


async def test_a_document_puts_an_image_in_only_when_it_is_another(driven: Nas) -> None:
    whole = TargetChange(
        luns=(LunChange(lun=0, size="1G"), LunChange(lun=5, kind={"device_type": "cdrom"}, image="a.iso", size=4096)),
        whole=True,
    )
    before = await driven.target(1)
    assert await driven.perform(UpdateTarget(target_id=1, change=whole)) == before
    empty = TargetChange(luns=(LunChange(lun=5, image=""),))
    assert (await driven.perform(UpdateTarget(target_id=1, change=empty))).luns[1].medium == Medium(insertion=2)


async def test_an_image_in_a_drive_stays(driven: Nas, stand: Stand) -> None:
    with pytest.raises(ConflictError) as used:
        await driven.perform(DeleteImage(volume="default", name="a.iso"))
    assert fault_of(used)[0] is Fault.IMAGE_IN_USE
    assert used.value.problems[0].blockers == (f"{NAME} LUN 5",)
    await driven.perform(EjectMedium(target_id=1, lun=5))
    stand.engine.failures["remove_image"] = StorageError("in use", "/x", "still read")
    with pytest.raises(ConflictError) as used:
        await driven.perform(DeleteImage(volume="default", name="a.iso"))
    assert fault_of(used)[0] is Fault.IMAGE_IN_USE
    await driven.perform(DeleteImage(volume="default", name="a.iso"))


async def test_a_removable_disk(nas: Nas, stand: Stand) -> None:
    await nas.perform(create())
    await nas.perform(CreateLun(target_id=1, change=LunChange(size="1M", kind={"removable": True})))
    await nas.perform(EjectMedium(target_id=1, lun=1))
    assert stand.engine.targets[NAME].luns[1].medium_out
    with pytest.raises(ConflictError) as wrong:
        await nas.perform(InsertMedium(target_id=1, lun=1, image="a.iso"))
    assert fault_of(wrong) == (Fault.MEDIUM_FIXED, ("image",))
    await nas.perform(InsertMedium(target_id=1, lun=1))
    assert not stand.engine.targets[NAME].luns[1].medium_out
    actions: tuple[EjectMedium | InsertMedium, ...] = (
        EjectMedium(target_id=1, lun=0),
        InsertMedium(target_id=1, lun=0),
    )
    for action in actions:
        with pytest.raises(ConflictError) as fixed:
            await nas.perform(action)
        assert fault_of(fixed) == (Fault.MEDIUM_FIXED, ("lun",))


async def test_what_a_drive_is_not(driven: Nas, stand: Stand) -> None:
    drive = {"device_type": "cdrom"}
    for change, fault, path in (
        (LunChange(size="1M", kind=drive), Fault.LUN_KIND_INVALID, ("size",)),
        (LunChange(kind=drive | {"block_size_bytes": 512}), Fault.LUN_KIND_INVALID, ("block_size_bytes",)),
        (LunChange(kind=drive | {"encrypted": True}), Fault.LUN_KIND_INVALID, ("encrypted",)),
        (LunChange(kind=drive | {"vendor": ""}), Fault.LUN_KIND_INVALID, ("vendor",)),
        (LunChange(kind=drive, image="c.iso"), Fault.IMAGE_UNKNOWN, ("image",)),
        (LunChange(kind=drive, image="../a.iso"), Fault.IMAGE_INVALID, ("image",)),
        (LunChange(size="1M", image="a.iso"), Fault.MEDIUM_FIXED, ("image",)),
        (LunChange(size="1M", kind={"device_type": "tape"}), Fault.LUN_KIND_INVALID, ("device_type",)),
    ):
        with pytest.raises(InvalidError) as wrong:
            await driven.perform(CreateLun(target_id=1, change=change))
        assert fault_of(wrong) == (fault, path)
    for changed in ({"read_only": False}, {"device_type": "disk"}, {"write_cache": True}):
        with pytest.raises(InvalidError) as wrong:
            await driven.perform(UpdateLun(target_id=1, lun=5, change=LunChange(kind=changed)))
        assert fault_of(wrong)[0] is Fault.LUN_KIND_FIXED
    with pytest.raises(InvalidError) as wrong:
        await driven.perform(InsertMedium(target_id=1, lun=5))
    assert fault_of(wrong) == (Fault.MISSING_FIELD, ("image",))
    assert len(stand.engine.targets[NAME].luns) == 2


async def test_the_share_of_a_target_is_its_first_disk(nas: Nas) -> None:
    await send(nas)
    luns = (LunChange(lun=0, kind={"device_type": "cdrom"}, image="a.iso"), LunChange(lun=3, size="1M"))
    target = await nas.perform(CreateTarget(change=TargetChange(name="both", luns=luns)))
    assert target.disk.lun == 3
    grown = await nas.perform(UpdateTarget(target_id=target.id, change=TargetChange(size="2M")))
    assert (grown.luns[0].medium, grown.luns[1].size_bytes) == (target.luns[0].medium, 2 << 20)
    only = await nas.perform(CreateTarget(change=TargetChange(name="only", luns=luns[:1])))
    assert (only.disk.lun, only.disk.medium_bytes) == (0, 4096)
