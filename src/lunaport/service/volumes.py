"""Taking, changing and forgetting volumes. Nothing here removes a file."""

from dataclasses import dataclass, replace

from lunaport.engine.interface import EngineError, VolumeUsage
from lunaport.model.errors import Fault
from lunaport.model.volume import DEFAULT_VOLUME, Volume, check_apart, check_factor, make_volume
from lunaport.service.actions import CreateVolume, DeleteVolume, UpdateVolume
from lunaport.service.context import Context, engine_errors
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
    volume = make_volume(action.name, action.path, action.overcommit_factor)
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
    check_factor(action.overcommit_factor)
    stored = await context.store.replace_volume(replace(current, overcommit_factor=float(action.overcommit_factor)))
    return context.with_path(stored)


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
