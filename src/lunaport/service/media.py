"""Putting media in and taking them out."""

from collections.abc import Callable
from dataclasses import replace

from lunaport.model.errors import Fault, invalid
from lunaport.model.image import check_image_name
from lunaport.model.lun import Lun, Medium
from lunaport.model.target import TargetChange, merge_target
from lunaport.service.actions import EjectMedium, InsertMedium, TargetLun
from lunaport.service.context import Context, check_revision
from lunaport.service.errors import ConflictError
from lunaport.service.luns import lun_of
from lunaport.service.targets import change_target, existing_target


async def insert_medium(context: Context, action: InsertMedium) -> TargetLun:
    """Carry out InsertMedium."""

    def medium_for(lun: Lun) -> Medium:
        if lun.kind.is_drive:
            if not action.image:
                raise invalid(Fault.MISSING_FIELD, "is missing; right would be the name of an image", "image")
            check_image_name(action.image, "image")
        elif action.image:
            raise ConflictError(Fault.MEDIUM_FIXED, "is given, but a disk has its own medium; leave it out", ("image",))
        return Medium(image=action.image, insertion=lun.medium.insertion + 1)

    return await _change(context, action, medium_for)


async def eject_medium(context: Context, action: EjectMedium) -> TargetLun:
    """Carry out EjectMedium."""

    def medium_for(lun: Lun) -> Medium:
        return Medium(out=not lun.kind.is_drive, insertion=lun.medium.insertion + 1)

    return await _change(context, action, medium_for)


async def _change(
    context: Context, action: InsertMedium | EjectMedium, medium_for: Callable[[Lun], Medium]
) -> TargetLun:
    current = await existing_target(context, action.target_id)
    check_revision(current.revision, action.revisions)
    lun = lun_of(current, action.lun)
    if not lun.kind.removable:
        raise ConflictError(
            Fault.MEDIUM_FIXED, "has a medium that cannot be taken out; a LUN is removable from the start", ("lun",)
        )
    medium = medium_for(lun)
    draft = merge_target(current, TargetChange(), iqn_prefix=context.config.iqn_prefix, now=context.clock())
    luns = tuple(replace(each, medium=medium) if each.lun == lun.lun else each for each in draft.luns)
    changed = await change_target(context, current, replace(draft, luns=luns), force=action.force)
    return TargetLun(target=changed, lun=lun.lun)
