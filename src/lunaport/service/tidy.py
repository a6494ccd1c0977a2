"""What a crash or a failing disk left unfinished, and the end of what lies in the trash."""

from lunaport.engine.interface import EngineError
from lunaport.model.trash import TrashedTarget
from lunaport.service.actions import TidyUp
from lunaport.service.context import LOG, Context
from lunaport.service.targets import move_to_trash, roll_back_creation, roll_back_lun

DAY_S = 86400.0


async def tidy_up(context: Context, action: TidyUp) -> int:
    """Carry out TidyUp. Never raises for the engine's sake: what cannot be done now is done next time."""
    del action  # it holds nothing
    for unfinished in await context.store.in_creation():
        await roll_back_creation(context, unfinished)
    for _, lun in await context.store.unfinished_luns():
        await roll_back_lun(context, lun)
    removed = 0
    now, watch = context.clock(), context.clock_watch
    jumped_s = watch.look(now)
    if jumped_s:
        LOG.warning("the clock has jumped forward by %.0f s: what is in the trash stays so much longer", jumped_s)
        await context.store.shift_trash(jumped_s, now)
    kept_from = now - context.config.trash_days * DAY_S
    for trashed in await context.store.trashed():
        if not trashed.is_moved:
            await move_to_trash(context, trashed)
        elif trashed.trashed_at <= kept_from and (watch.is_steady or not context.config.trash_days):
            removed += await _purge(context, trashed)
    if watch.is_steady:
        await context.store.forget_audit(now - context.config.audit_days * DAY_S)
    return removed


async def _purge(context: Context, trashed: TrashedTarget) -> int:
    places = await context.places()
    try:
        for lun in trashed.luns:
            await context.engine.remove_file(places.path(lun.volume, lun.file))
    except EngineError as error:
        LOG.warning("the trash of %s cannot be emptied yet: %s", trashed.name, error)
        return 0
    await context.store.forget_target(trashed.id)
    LOG.info("removed the files of %s, deleted %.0f days ago", trashed.name, context.config.trash_days)
    return len(trashed.luns)
