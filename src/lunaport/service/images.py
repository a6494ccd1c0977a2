"""Images of discs in volumes, and what has to hold before one is put into a drive or a medium is taken out."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from typing import Final

from lunaport.engine.interface import EngineError, StorageError
from lunaport.model.errors import Fault, invalid
from lunaport.model.image import IMAGE_BYTES_MAX, Image, check_image_name
from lunaport.model.lun import LunDraft
from lunaport.model.size import format_size
from lunaport.model.target import Target, TargetDraft
from lunaport.model.volume import Volume
from lunaport.service.actions import DeleteImage, UploadImage
from lunaport.service.context import Context, engine_errors, translate
from lunaport.service.desired import image_path
from lunaport.service.errors import ConflictError, NotFoundError

RESERVE_BYTES_MAX: Final = 1 << 30
RESERVE_SHARE: Final = 20
"""So much of a volume, one part in so many at most, an image leaves free for the disks that lie there."""


async def list_images(context: Context, name: str) -> Sequence[Image]:
    """The images of a volume, by name. Raises NotFoundError."""
    volume = await _existing_volume(context, name)
    async with engine_errors():
        return [
            Image(volume=volume.name, name=each.name, size_bytes=each.size_bytes, modified_at=each.modified_at)
            for each in await context.engine.images(volume.path)
        ]


async def upload_image(context: Context, action: UploadImage, pieces: AsyncIterator[bytes]) -> Image:
    """Carry out UploadImage."""
    check_image_name(action.name, "name")
    volume = await _existing_volume(context, action.volume)
    if action.size_bytes > IMAGE_BYTES_MAX:
        raise invalid(
            Fault.IMAGE_TOO_LARGE,
            f"is {format_size(action.size_bytes)}; an image has {format_size(IMAGE_BYTES_MAX)} at most",
            "size_bytes",
        )
    await _check_room(context, volume, action.size_bytes)
    try:
        await context.engine.receive_image(volume.path, action.name, pieces)
    except EngineError as error:
        if isinstance(error, StorageError) and error.fault == "exists":
            raise _taken(volume, action.name) from error
        raise translate(error) from error
    return Image(volume=volume.name, name=action.name, size_bytes=action.size_bytes, modified_at=context.clock())


def _taken(volume: Volume, name: str) -> ConflictError:
    return ConflictError(
        Fault.IMAGE_TAKEN,
        f"{name!r} is an image in the volume {volume.name!r} already; delete that first, or choose another name",
        ("name",),
        (name,),
    )


async def _check_room(context: Context, volume: Volume, size_bytes: int) -> None:
    async with engine_errors():
        usage = await context.engine.volume_usage(volume.path, counted=False)
    reserve = min(RESERVE_BYTES_MAX, usage.total_bytes // RESERVE_SHARE)
    if size_bytes > usage.free_bytes - reserve:
        raise ConflictError(
            Fault.VOLUME_FULL,
            f"the volume {volume.name!r} has {format_size(usage.free_bytes)} free, of which {format_size(reserve)} "
            f"stay for its disks; the image has {format_size(size_bytes)}",
            ("volume",),
            (volume.name,),
        )


async def delete_image(context: Context, action: DeleteImage) -> Image:
    """Carry out DeleteImage."""
    check_image_name(action.name, "name")
    volume = await _existing_volume(context, action.volume)
    found = next((each for each in await list_images(context, volume.name) if each.name == action.name), None)
    if found is None:
        raise NotFoundError("image", repr(action.name), ("name",))
    users = [
        f"{target.name} LUN {lun.lun}"
        for target in await context.store.targets()
        for lun in target.luns
        if lun.volume == volume.name and lun.medium.image == action.name
    ]
    if users:
        raise _in_use(action.name, users)
    try:
        await context.engine.remove_image(image_path(volume.path, action.name))
    except EngineError as error:
        if isinstance(error, StorageError) and error.fault == "in use":
            raise _in_use(action.name, []) from error
        raise translate(error) from error
    return found


def _in_use(name: str, users: Sequence[str]) -> ConflictError:
    where = f": {', '.join(users[:10])}" if users else " that is being emptied"
    return ConflictError(Fault.IMAGE_IN_USE, f"{name!r} lies in a drive{where}; take it out first", ("name",), users)


async def settle_media(context: Context, current: Target | None, draft: TargetDraft, *, force: bool) -> TargetDraft:
    """The draft with the sizes of the images that are put in. Raises InvalidError, ConflictError.

    A medium that an initiator keeps in is taken out with `force` only; without, the initiator is asked to let it go.
    """
    before = {lun.lun: lun.medium.insertion for lun in current.luns} if current else {}
    luns = []
    for lun in draft.luns:
        moved = lun.medium.insertion != before.get(lun.lun, 0)
        if moved and current is not None and lun.lun in before and not force:
            await _check_lock(context, current, lun)
        luns.append(await _with_size(context, lun) if moved else lun)
    return replace(draft, luns=tuple(luns))


async def _check_lock(context: Context, target: Target, lun: LunDraft) -> None:
    async with engine_errors():
        medium = await context.engine.medium(target.name, lun.lun)
        if medium is None or not medium.loaded or not medium.locked_by:
            return
        await context.engine.medium(target.name, lun.lun, request_eject=True)
    raise ConflictError(
        Fault.MEDIUM_LOCKED,
        f"{', '.join(medium.locked_by)} keeps the medium in, and was asked to let it go; try again, or force it",
        lun.image_path,
        medium.locked_by,
    )


async def _with_size(context: Context, lun: LunDraft) -> LunDraft:
    if not lun.medium.image:
        return lun
    volume = await context.volume(lun.volume, lun.volume_path)
    async with engine_errors():
        images = await context.engine.images(volume.path)
    for each in images:
        if each.name == lun.medium.image:
            return replace(lun, medium=replace(lun.medium, image_bytes=each.size_bytes))
    raise invalid(
        Fault.IMAGE_UNKNOWN,
        f"{lun.medium.image!r} is no image in the volume {volume.name!r}; send it there first",
        *lun.image_path,
    )


async def _existing_volume(context: Context, name: str) -> Volume:
    for volume in await context.volumes():
        if volume.name == name:
            return volume
    raise NotFoundError("volume", repr(name), ("volume",))


class Uploads:
    """How many images are taken in at a time."""

    def __init__(self, count_max: int) -> None:
        self._room = asyncio.Semaphore(count_max)

    @property
    def full(self) -> bool:
        """Whether one more would have to wait."""
        return self._room.locked()

    async def run(self, context: Context, action: UploadImage, pieces: AsyncIterator[bytes]) -> Image:
        """Carry out UploadImage."""
        async with self._room:
            return await upload_image(context, action, pieces)
