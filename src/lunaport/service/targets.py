"""Creating, changing and deleting a target. Its LUNs one by one: `service.luns`.

The order of steps is what makes a crash harmless. Creation: the row first (it reserves the name), then the file, then
the wire, then the row says active; a row still in creation at the next start is undone. Change: the file grows first,
so that it always holds what the database promises; then the database, because a disk that an initiator has seen grown
must never be small again after a crash; then the wire. LUNs that a change adds are put down as being made and get their
files before all that, and become part of the target with the change. Deletion: the row says trashed first, then off the
wire, then the file moves; from the moment it is off the wire it only goes forward.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial

from lunaport.engine.interface import Change, EngineError
from lunaport.model.errors import Fault, Path
from lunaport.model.lun import Lun, LunDraft, LunState
from lunaport.model.size import format_size
from lunaport.model.target import Target, TargetDraft, merge_target, with_draft
from lunaport.model.trash import TrashedTarget
from lunaport.model.volume import Volume
from lunaport.service.actions import CreateTarget, DeleteTarget, UpdateTarget
from lunaport.service.context import LOG, Context, Undo, check_revision, engine_errors, translate
from lunaport.service.desired import Places, target_spec
from lunaport.service.errors import ConflictError, NotFoundError

LUN_FOLDER = "luns"
TRASH_FOLDER = "trash"
TRASH_NAME_BYTES_MAX = 120
"""Of the target's name in the file's name, which the file system limits to 255 bytes."""


async def create_target(context: Context, action: CreateTarget) -> Target:
    """Carry out CreateTarget."""
    now = context.clock()
    draft = merge_target(None, action.change, iqn_prefix=context.config.iqn_prefix, now=now)
    for lun in draft.luns:
        await context.volume(lun.volume, lun.volume_path)
    await check_name(context, draft.name)
    await _check_room(context, draft.luns, {})
    places = await context.places()
    wanted = new_target(context, draft, now)
    async with engine_errors(), Undo() as undo:
        reserved = await context.store.reserve_target(wanted)
        undo.push(lambda: context.store.forget_target(reserved.id))
        for made in reserved.luns:
            path = places.path(made.volume, made.file)
            undo.push(partial(context.engine.remove_file, path))
            await context.engine.create_file(path, made.size_bytes, key=made.key)
        await context.engine.apply(Change(put=(target_spec(reserved, places),)))
        undo.push(lambda: context.engine.apply(Change(removed=(reserved.name,))))
        return await context.store.activate_target(reserved.id)


def new_target(context: Context, draft: TargetDraft, now: float) -> Target:
    """The target of a draft, before it has an id and files."""
    luns = tuple(new_lun(context, lun) for lun in draft.luns)
    return with_draft(Target(id=0, name=draft.name, luns=luns, created_at=now), draft)


def new_lun(context: Context, draft: LunDraft) -> Lun:
    """The LUN of a draft, with an identifier and a place of its own, before it has a file."""
    uuid = context.new_uuid()
    return Lun(
        lun=draft.lun,
        uuid=uuid,
        volume=draft.volume,
        file=f"{LUN_FOLDER}/{uuid}.img",
        size_bytes=draft.size_bytes,
        state=LunState.CREATING,
        key=context.new_key() if draft.kind.encrypted else "",
        kind=draft.kind,
    )


async def update_target(context: Context, action: UpdateTarget) -> Target:
    """Carry out UpdateTarget."""
    current = await existing_target(context, action.target_id)
    check_revision(current.revision, action.revisions)
    draft = merge_target(current, action.change, iqn_prefix=context.config.iqn_prefix, now=context.clock())
    return await change_target(context, current, draft)


async def change_target(context: Context, current: Target, draft: TargetDraft) -> Target:
    """Make a target what the draft says, LUNs that are new in it included."""
    stored_luns = {lun.lun: lun for lun in current.luns}
    for wish in draft.luns:
        volume = await context.volume(wish.volume, wish.volume_path)
        lun = stored_luns.get(wish.lun)
        if lun is not None and volume.name != lun.volume:
            raise ConflictError(
                Fault.VOLUME_FIXED,
                f"is {lun.volume!r} and a share cannot move to another volume yet; leave it out or repeat it",
                wish.volume_path,
                (lun.volume,),
            )
    if draft.name != current.name:
        await check_name(context, draft.name)
    sizes = {lun.lun: lun.size_bytes for lun in current.luns}
    await _check_room(context, draft.luns, sizes)
    added = tuple(new_lun(context, wish) for wish in draft.luns if wish.lun not in stored_luns)
    changed = with_draft(current, draft)
    wanted = replace(changed, luns=tuple(sorted((*changed.luns, *added), key=lambda lun: lun.lun)))
    if wanted == current:
        return current
    places = await context.places()
    async with engine_errors(), Undo() as undo:
        await _make_luns(context, current, added, places, undo)
        for lun in changed.luns:
            if lun.size_bytes > sizes[lun.lun]:
                await context.engine.grow_file(places.path(lun.volume, lun.file), lun.size_bytes)
        stored = await context.store.replace_target(wanted)
        undo.push(lambda: context.store.replace_target(current, unfinished=[lun.uuid for lun in added]))
        removed = (current.name,) if stored.name != current.name else ()
        await context.engine.apply(Change(removed=removed, put=(target_spec(stored, places),)))
        return stored


async def _make_luns(context: Context, target: Target, luns: Sequence[Lun], places: Places, undo: Undo) -> None:
    """Put new LUNs of a target down as being made, and make their files."""
    if not luns:
        return
    for target_id, unfinished in await context.store.unfinished_luns():
        if target_id == target.id:
            await roll_back_lun(context, unfinished)
    await context.store.reserve_luns(target.id, luns)
    for lun in luns:
        undo.push(partial(context.store.forget_lun, lun.uuid))
    for lun in luns:
        path = places.path(lun.volume, lun.file)
        undo.push(partial(context.engine.remove_file, path))
        await context.engine.create_file(path, lun.size_bytes, key=lun.key)


async def delete_target(context: Context, action: DeleteTarget) -> Target:
    """Carry out DeleteTarget."""
    current = await existing_target(context, action.target_id)
    check_revision(current.revision, action.revisions)
    now = context.clock()
    files = {lun.uuid: trash_file(current.name, lun.uuid, now) for lun in current.luns}
    async with engine_errors(), Undo() as undo:
        await context.store.trash_target(current.id, files, now)
        undo.push(lambda: context.store.restore_target(current.id))
        await context.engine.apply(Change(removed=(current.name,)))
    for trashed in await context.store.trashed():
        if trashed.id == current.id:
            await move_to_trash(context, trashed)
    return current


async def move_to_trash(context: Context, trashed: TrashedTarget) -> None:
    """Move the files of a deleted target; what cannot be moved now is tried again by TidyUp."""
    places = await context.places()
    try:
        for lun in trashed.luns:
            if not lun.is_moved:
                await context.engine.move_file(
                    places.path(lun.volume, lun.file), places.path(lun.volume, lun.trash_file)
                )
    except EngineError as error:
        LOG.warning("the file of deleted target %s stays where it is for now: %s", trashed.name, error)
        return
    await context.store.finish_trash(trashed.id)


async def roll_back_lun(context: Context, lun: Lun) -> bool:
    """Undo the creation of a LUN that did not end; False when the engine would not remove the file yet."""
    places = await context.places()
    try:
        await context.engine.remove_file(places.path(lun.volume, lun.file))
    except EngineError as error:
        LOG.warning("the unfinished LUN %d on %s cannot be removed yet: %s", lun.lun, lun.volume, error)
        return False
    await context.store.forget_lun(lun.uuid)
    return True


async def roll_back_creation(context: Context, target: Target) -> bool:
    """Undo a creation that did not end; False when the engine would not remove the file yet."""
    places = await context.places()
    try:
        for lun in target.luns:
            await context.engine.remove_file(places.path(lun.volume, lun.file))
    except EngineError as error:
        LOG.warning("the unfinished target %s cannot be removed yet: %s", target.name, error)
        return False
    await context.store.forget_target(target.id)
    return True


def trash_file(name: str, uuid: str, now: float) -> str:
    """Where in the trash of its volume the file of a LUN of this target is put."""
    when = datetime.fromtimestamp(now, UTC).strftime("%Y%m%dT%H%M%SZ")
    short = name.encode()[:TRASH_NAME_BYTES_MAX].decode(errors="ignore")
    return f"{TRASH_FOLDER}/{when}-{short}-{uuid}.img"


async def existing_target(context: Context, target_id: int) -> Target:
    """An active target. Raises NotFoundError."""
    target = await context.store.target(target_id)
    if target is None:
        raise NotFoundError("share with the id", target_id, ("id",))
    return target


async def check_name(context: Context, name: str) -> None:
    """The name must be free; what is left of a creation that failed is cleared away."""
    for unfinished in await context.store.in_creation():
        if unfinished.name == name:
            await roll_back_creation(context, unfinished)
    holder = await context.store.name_holder(name)
    if holder is not None:
        raise ConflictError(
            Fault.NAME_TAKEN,
            f"{name!r} is taken by the share with id {holder}; choose another name",
            ("name",),
            (name,),
        )


async def _check_room(context: Context, luns: Sequence[LunDraft], sizes: Mapping[int, int]) -> None:
    """No volume must be promised more often than its factor allows. `sizes`: what the LUNs have already."""
    extra: dict[str, int] = {}
    paths: dict[str, Path] = {}
    for lun in luns:
        more = lun.size_bytes - sizes.get(lun.lun, 0)
        if more > 0:
            extra[lun.volume] = extra.get(lun.volume, 0) + more
            paths.setdefault(lun.volume, lun.size_path)
    for name, extra_bytes in extra.items():
        await check_volume(context, await context.volume(name), extra_bytes, paths[name])


async def check_volume(context: Context, volume: Volume, extra_bytes: int, path: Path) -> None:
    """Raise ConflictError at `path` where the volume must not be promised so much more."""
    try:
        usage = await context.engine.volume_usage(volume.path, counted=False)
    except EngineError as error:
        raise translate(error) from error
    committed = (await context.store.committed_bytes()).get(volume.name, 0)
    limit = int(volume.overcommit_factor * usage.total_bytes)
    if committed + extra_bytes > limit:
        raise ConflictError(
            Fault.VOLUME_FULL,
            f"asks for {format_size(extra_bytes)} more, but volume {volume.name!r} has promised "
            f"{format_size(committed)} and may promise {format_size(limit)}: {volume.overcommit_factor:g} times "
            f"the {format_size(usage.total_bytes)} of its file system",
            path,
            (volume.name,),
        )
