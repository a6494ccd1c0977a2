"""Adding, changing and removing single LUNs of a target that is in use.

The order of steps is that of targets (`service.targets`). A LUN that is removed leaves the database first, then the
wire, and then its file moves to the trash; the other LUNs of the target and its sessions go on.
"""

from dataclasses import replace

from lunaport.engine.interface import Change
from lunaport.model.errors import Collector, Fault, Path
from lunaport.model.lun import Lun, LunChange, free_number, merge_luns
from lunaport.model.target import Target, TargetChange, TargetDraft, merge_target
from lunaport.service.actions import CreateLun, DeleteLun, TargetLun, UpdateLun
from lunaport.service.context import Context, Undo, check_revision, engine_errors
from lunaport.service.desired import target_spec
from lunaport.service.errors import ConflictError, NotFoundError
from lunaport.service.targets import change_target, existing_target, move_to_trash, trash_file


async def create_lun(context: Context, action: CreateLun) -> TargetLun:
    """Carry out CreateLun."""
    current = await existing_target(context, action.target_id)
    check_revision(current.revision, action.revisions)
    change = action.change
    if change.lun is None:
        change = replace(change, lun=free_number(current.luns))
    number = change.lun or 0
    if any(lun.lun == number for lun in current.luns):
        raise ConflictError(
            Fault.LUN_TAKEN, f"is {number}, which this target has already; choose another", ("lun",), (str(number),)
        )
    draft = _draft(context, current, change, adds=True)
    return TargetLun(target=await change_target(context, current, draft), lun=number)


async def update_lun(context: Context, action: UpdateLun) -> TargetLun:
    """Carry out UpdateLun."""
    current = await existing_target(context, action.target_id)
    check_revision(current.revision, action.revisions)
    lun_of(current, action.lun)
    draft = _draft(context, current, replace(action.change, lun=action.lun), adds=False)
    return TargetLun(target=await change_target(context, current, draft), lun=action.lun)


async def delete_lun(context: Context, action: DeleteLun) -> TargetLun:
    """Carry out DeleteLun."""
    current = await existing_target(context, action.target_id)
    check_revision(current.revision, action.revisions)
    lun = lun_of(current, action.lun)
    if len(current.luns) == 1:
        raise ConflictError(
            Fault.LUN_LAST, "is the only LUN of this target; delete the target instead", ("lun",), (current.name,)
        )
    now = context.clock()
    places = await context.places()
    async with engine_errors(), Undo() as undo:
        stored = await context.store.trash_lun(
            current.id, lun.uuid, trash_file(f"{current.name}-lun{lun.lun}", lun.uuid, now), now
        )
        undo.push(lambda: context.store.restore_lun(current.id, lun.uuid))
        await context.engine.apply(Change(put=(target_spec(stored, places),)))
    for trashed in await context.store.trashed():
        if any(each.uuid == lun.uuid for each in trashed.luns):
            await move_to_trash(context, trashed)
    return TargetLun(target=stored, lun=lun.lun)


def lun_of(target: Target, number: int) -> Lun:
    """A LUN of a target. Raises NotFoundError."""
    for lun in target.luns:
        if lun.lun == number:
            return lun
    raise NotFoundError("LUN", number, ("lun",))


def _draft(context: Context, current: Target, change: LunChange, *, adds: bool) -> TargetDraft:
    """The target with one LUN changed or added. Raises InvalidError, whose paths are fields of that LUN."""
    problems = Collector()
    luns = merge_luns(current.luns, (change,), _field_alone, problems, adds=adds)
    problems.raise_any()
    draft = merge_target(current, TargetChange(), iqn_prefix=context.config.iqn_prefix, now=context.clock())
    return replace(draft, luns=luns)


def _field_alone(_index: int, name: str) -> Path:
    return (name,)
