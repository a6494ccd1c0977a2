"""Switching the iSCSI service, moving its port, opening discovery: the wire first, then the database.

The engine may find that a port cannot be opened; only what it could open is stored. After a crash in between, the next
start opens what is stored, which is what the caller last had an answer for.
"""

from dataclasses import replace

from lunaport.engine.interface import Change
from lunaport.model.iscsi_service import IscsiService, merge_service
from lunaport.service.actions import UpdateService
from lunaport.service.context import Context, Undo, check_revision, engine_errors
from lunaport.service.desired import discovery_spec, portal_specs


async def update_service(context: Context, action: UpdateService) -> IscsiService:
    """Carry out UpdateService."""
    current = await context.store.service()
    check_revision(current.revision, action.revisions)
    return await carry_out(context, current, merge_service(current, action.change, now=context.clock()))


async def carry_out(context: Context, current: IscsiService, wanted: IscsiService) -> IscsiService:
    """From one valid service object to the next; returns it as it is stored. Raises ServiceError, InvalidError."""
    if wanted == replace(current, revision=wanted.revision):
        return current
    before, after = _wire(context, current), _wire(context, wanted)
    async with engine_errors(), Undo() as undo:
        if after != before:
            # What stays is left out: the engine need not look at it.
            await context.engine.apply(_difference(before, after))
            undo.push(lambda: context.engine.apply(_difference(after, before)))
        return await context.store.put_service(wanted)


def _wire(context: Context, service: IscsiService) -> Change:
    """All that the engine is told of the service."""
    return Change(
        portals=portal_specs(service, context.config.portals),
        discovery=discovery_spec(service),
        draining=service.draining,
    )


def _difference(before: Change, after: Change) -> Change:
    return Change(
        portals=None if after.portals == before.portals else after.portals,
        discovery=None if after.discovery == before.discovery else after.discovery,
        draining=None if after.draining == before.draining else after.draining,
    )
