"""Taking a deleted target out of the trash.

The order of steps makes a crash harmless: first the database says that the files are on their way to the trash again,
which they are as long as they have not been moved back; tidying up finishes that. Then the files move, then the row is
active, then the wire serves it.
"""

from lunaport.engine.interface import Change
from lunaport.model.errors import Fault
from lunaport.model.name import parse_name
from lunaport.model.target import Target
from lunaport.model.trash import TrashedTarget
from lunaport.service.actions import RestoreTarget
from lunaport.service.context import Context, Undo, engine_errors
from lunaport.service.desired import target_spec
from lunaport.service.errors import ConflictError, NotFoundError
from lunaport.service.targets import LUN_FOLDER, check_name, check_volume, move_to_trash


async def restore_target(context: Context, action: RestoreTarget) -> Target:
    """Carry out RestoreTarget."""
    trashed = await _trashed(context, action.target_id)
    if not trashed.is_moved:
        await move_to_trash(context, trashed)
        trashed = await _trashed(context, action.target_id)
    if not trashed.is_moved:
        raise ConflictError(
            Fault.TRASH_BUSY, "its files are still on their way to the trash; try again later", ("id",), (trashed.name,)
        )
    # A LUN that was taken off a target is in the trash under the name of that target: it gets its access rules.
    holder = await context.store.name_holder(trashed.name)
    like = await context.store.target(holder) if holder is not None else None
    name = trashed.name if action.name is None else parse_name(action.name, context.config.iqn_prefix)
    await check_name(context, name)
    await _check_room(context, trashed)
    places = await context.places()
    files = {lun.uuid: f"{LUN_FOLDER}/{lun.uuid}.img" for lun in trashed.luns}
    async with engine_errors(), Undo() as undo:
        await context.store.begin_restore(trashed.id, files, name, like)
        undo.push(lambda: _back_to_trash(context, trashed.id))
        for lun in trashed.luns:
            there, back = places.path(lun.volume, lun.file), places.path(lun.volume, files[lun.uuid])
            await context.engine.move_file(there, back)
        target = await context.store.restore_target(trashed.id)
        trash_files = {lun.uuid: lun.file for lun in trashed.luns}
        undo.push(lambda: context.store.trash_target(trashed.id, trash_files, trashed.trashed_at))
        await context.engine.apply(Change(put=(target_spec(target, places),)))
        return target


async def _trashed(context: Context, target_id: int) -> TrashedTarget:
    for each in await context.store.trashed():
        if each.id == target_id:
            return each
    raise NotFoundError("share in the trash with the id", target_id, ("id",))


async def _back_to_trash(context: Context, target_id: int) -> None:
    await move_to_trash(context, await _trashed(context, target_id))


async def _check_room(context: Context, trashed: TrashedTarget) -> None:
    sizes: dict[str, int] = {}
    for lun in trashed.luns:
        sizes[lun.volume] = sizes.get(lun.volume, 0) + lun.size_bytes
    for name, size_bytes in sizes.items():
        await check_volume(context, await context.volume(name), size_bytes, ("volume",))
