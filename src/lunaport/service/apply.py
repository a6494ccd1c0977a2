"""Making what a document says: all of it, or nothing.

Everything is checked first. Then the files are made and grown, which nobody sees; then one transaction says all that
is new; then the engine takes it in one change, which touches only what differs. If the engine refuses, what was
configured before is put back, and the new files are removed. A crash before the transaction leaves what was; one after
it leaves what shall be: the next start serves it. Only then do files go to the trash, and volumes go: forward only.
"""

from collections.abc import Iterable
from dataclasses import fields
from functools import partial
from typing import Any, Final

from lunaport.engine.interface import Change, DesiredState
from lunaport.model.batch import Batch
from lunaport.model.document import ApplyReport
from lunaport.model.lun import Lun
from lunaport.model.target import Target
from lunaport.service.actions import ApplyDocument, PlanDocument
from lunaport.service.apply_plan import Plan, make_plan
from lunaport.service.backup import put_back
from lunaport.service.context import LOG, Context, Undo, engine_errors
from lunaport.service.desired import Places, make_places
from lunaport.service.serving import whole_state
from lunaport.service.targets import check_volume, move_to_trash, roll_back_creation, roll_back_lun, trash_file

_BY_NAME: Final = ("put", "removed")


async def plan_document(context: Context, action: PlanDocument) -> ApplyReport:
    """Carry out PlanDocument."""
    plan = await make_plan(context, action.document, prune=action.prune)
    there = {volume.name for volume in plan.volumes_added}
    await _check_room(context, plan, leave_out=there)
    return ApplyReport(applied=False, steps=tuple(plan.steps), kept=tuple(plan.kept))


async def apply_document(context: Context, action: ApplyDocument) -> ApplyReport:
    """Carry out ApplyDocument."""
    plan = await make_plan(context, action.document, prune=action.prune)
    if plan.steps:
        async with engine_errors():
            await _carry_out(context, plan)
    return ApplyReport(applied=True, steps=tuple(plan.steps), kept=tuple(plan.kept))


async def _carry_out(context: Context, plan: Plan) -> None:
    await _clear_unfinished(context)
    for volume in plan.volumes_added:
        await context.engine.make_volume(volume.path)
    await _check_room(context, plan, leave_out=set())
    before, wire = await context.store.dump(), await whole_state(context)
    places = make_places(plan.volumes.values())
    async with Undo() as undo:
        reserved = await _make_files(context, plan, places, undo)
        await context.store.commit(_batch(context, plan, reserved))
        undo.push(partial(put_back, context, before))
        await context.engine.apply(difference(wire, await whole_state(context)))
    for trashed in await context.store.trashed():
        if not trashed.is_moved:
            await move_to_trash(context, trashed)
    for volume in plan.volumes_removed:
        if await context.store.volume_targets(volume.name):
            LOG.warning("the volume %s stays until its deleted disks are in the trash", volume.name)
        else:
            await context.store.remove_volume(volume.name)


async def _clear_unfinished(context: Context) -> None:
    """What creations that failed have left would be in the way of names and numbers."""
    for target in await context.store.in_creation():
        await roll_back_creation(context, target)
    for _, lun in await context.store.unfinished_luns():
        await roll_back_lun(context, lun)


async def _check_room(context: Context, plan: Plan, *, leave_out: set[str]) -> None:
    """No volume must be promised more often than its factor allows, with everything that comes and goes."""
    extra: dict[str, int] = {}

    def add(luns: Iterable[Lun], sign: int) -> None:
        for lun in luns:
            extra[lun.volume] = extra.get(lun.volume, 0) + sign * lun.size_bytes

    for target in plan.created:
        add(target.luns, 1)
    for change in plan.changed:
        add(change.wanted.luns, 1)
        add(change.current.luns, -1)
    for target in plan.deleted:
        add(target.luns, -1)
    for name, extra_bytes in extra.items():
        if extra_bytes > 0 and name not in leave_out:
            async with engine_errors():
                await check_volume(context, plan.volumes[name], extra_bytes, ("targets",))


async def _make_files(context: Context, plan: Plan, places: Places, undo: Undo) -> dict[str, Target]:
    """New and larger files. Where the database knows the volumes already, it is told first what is being made."""
    known = {volume.name for volume in plan.now.volumes}
    reserved: dict[str, Target] = {}
    for target in plan.created:
        if known.issuperset(lun.volume for lun in target.luns):
            made = await context.store.reserve_target(target)
            undo.push(partial(context.store.forget_target, made.id))
            reserved[made.name] = made
        await _create(context, target.luns, places, undo)
    for change in plan.changed:
        there = [lun for lun in change.added if lun.volume in known]
        if there and not change.removed:
            await context.store.reserve_luns(change.current.id, there)
            for lun in there:
                undo.push(partial(context.store.forget_lun, lun.uuid))
        await _create(context, change.added, places, undo)
        sizes = {lun.uuid: lun.size_bytes for lun in change.current.luns}
        for lun in change.wanted.luns:
            if lun.size_bytes > sizes.get(lun.uuid, lun.size_bytes):
                await context.engine.grow_file(places.path(lun.volume, lun.file), lun.size_bytes)
    return reserved


async def _create(context: Context, luns: Iterable[Lun], places: Places, undo: Undo) -> None:
    for lun in luns:
        path = places.path(lun.volume, lun.file)
        undo.push(partial(context.engine.remove_file, path))
        await context.engine.create_file(path, lun.size_bytes, key=lun.key)


def _batch(context: Context, plan: Plan, reserved: dict[str, Target]) -> Batch:
    now = context.clock()
    known = {volume.name for volume in plan.now.volumes}
    late = [
        (each.current.id, [lun for lun in each.added if each.removed or lun.volume not in known])
        for each in plan.changed
    ]
    return Batch(
        add_volumes=plan.volumes_added,
        replace_volumes=plan.volumes_changed,
        trash_targets={
            target.id: {lun.uuid: trash_file(target.name, lun.uuid, now) for lun in target.luns}
            for target in plan.deleted
        },
        trash_luns=[
            (each.current.id, lun.uuid, trash_file(f"{each.current.name}-lun{lun.lun}", lun.uuid, now))
            for each in plan.changed
            for lun in each.removed
        ],
        reserve_luns=late,
        replace_targets=[each.wanted for each in plan.changed],
        activate_targets=[target.id for target in reserved.values()],
        add_targets=[target for target in plan.created if target.name not in reserved],
        service=plan.service,
        put_blocks=plan.blocks_put,
        remove_blocks=[each.initiator for each in plan.blocks_removed],
        add_users=plan.users_added,
        replace_users=plan.users_changed,
        remove_users=[each.name for each in plan.users_removed],
        now=now,
    )


def difference(before: DesiredState, after: DesiredState) -> Change:
    """The step from one desired state to another: what is the same is left out, and the engine need not look at it."""
    old = {spec.name: spec for spec in before.targets}
    new = {spec.name: spec for spec in after.targets}
    rest: dict[str, Any] = {}
    for each in fields(Change):
        if each.name not in _BY_NAME and getattr(before, each.name) != getattr(after, each.name):
            rest[each.name] = getattr(after, each.name)
    return Change(
        put=tuple(spec for name, spec in new.items() if old.get(name) != spec),
        removed=tuple(name for name in old if name not in new),
        **rest,
    )
