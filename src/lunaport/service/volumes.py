"""Taking, changing and forgetting volumes. Nothing here removes a file."""

from dataclasses import dataclass, replace

from lunaport.engine.interface import Change, EngineError, VolumeUsage
from lunaport.model.errors import Fault
from lunaport.model.volume import DEFAULT_VOLUME, Volume, check_apart, check_factor, check_low_space, make_volume
from lunaport.service.actions import CreateVolume, DeleteVolume, UpdateVolume
from lunaport.service.context import Context, Undo, engine_errors
from lunaport.service.desired import target_spec
from lunaport.service.errors import ConflictError, NotFoundError


@dataclass(frozen=True, slots=True, kw_only=True)
class VolumeReport:
    """A volume and how full it is. No usage: its directory does not answer, and `error` says why."""

    volume: Volume
    committed_bytes: int
    usage: VolumeUsage | None
    error: str = ""


async def create_volume(context: Context, action: CreateVolume) -> Volume:
    """Carry out CreateVolume."""
    volume = make_volume(action.name, action.path, action.overcommit_factor, action.low_space_percent)
    others = await context.volumes()
    if any(other.name == volume.name for other in others):
        raise ConflictError(Fault.VOLUME_TAKEN, f"{volume.name!r} is taken", ("name",), (volume.name,))
    check_apart(volume, others)
    async with engine_errors():
        await context.engine.make_volume(volume.path)
    return await context.store.add_volume(volume)


async def update_volume(context: Context, action: UpdateVolume) -> Volume:
    """Carry out UpdateVolume."""
    current = await _existing(context, action.name)
    wanted = current
    if action.overcommit_factor is not None:
        check_factor(action.overcommit_factor)
        wanted = replace(wanted, overcommit_factor=float(action.overcommit_factor))
    if action.low_space_percent is not None:
        check_low_space(action.low_space_percent)
        wanted = replace(wanted, low_space_percent=action.low_space_percent)
    async with engine_errors(), Undo() as undo:
        stored = context.with_path(await context.store.replace_volume(wanted))
        undo.push(lambda: context.store.replace_volume(current))
        if wanted.low_space_percent != current.low_space_percent:
            places = await context.places()
            on_it = [
                target
                for target in await context.store.targets()
                if any(lun.volume == current.name for lun in target.luns)
            ]
            await context.engine.apply(Change(put=tuple(target_spec(target, places) for target in on_it)))
        return stored


async def delete_volume(context: Context, action: DeleteVolume) -> Volume:
    """Carry out DeleteVolume."""
    current = await _existing(context, action.name)
    if current.name == DEFAULT_VOLUME:
        raise ConflictError(Fault.VOLUME_IN_USE, "the volume 'default' is always there", ("name",), (DEFAULT_VOLUME,))
    holders = await context.store.volume_targets(current.name)
    if holders:
        shown = ", ".join(holders[:10]) + (", ..." if len(holders) > 10 else "")
        raise ConflictError(
            Fault.VOLUME_IN_USE,
            f"the volume {current.name!r} holds {len(holders)} share(s): {shown}; delete them first",
            ("name",),
            holders,
        )
    await context.store.remove_volume(current.name)
    return current


async def report_volume(context: Context, volume: Volume, committed_bytes: int) -> VolumeReport:
    """The volume now."""
    try:
        usage = await context.engine.volume_usage(volume.path)
    except EngineError as error:
        return VolumeReport(volume=volume, committed_bytes=committed_bytes, usage=None, error=str(error))
    return VolumeReport(volume=volume, committed_bytes=committed_bytes, usage=usage)


async def _existing(context: Context, name: str) -> Volume:
    for volume in await context.volumes():
        if volume.name == name:
            return volume
    raise NotFoundError("volume", repr(name), ("name",))
