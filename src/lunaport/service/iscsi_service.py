"""Switching the iSCSI service and moving its port: the wire first, then the database.

The engine may find that a port cannot be opened; only what it could open is stored. After a crash in between, the next
start opens what is stored, which is what the caller last had an answer for.
"""

from dataclasses import replace

from lunaport.engine.interface import Change
from lunaport.model.iscsi_service import IscsiService, merge_service
from lunaport.service.actions import UpdateService
from lunaport.service.context import Context, Undo, check_revision, engine_errors
from lunaport.service.desired import portal_specs


async def update_service(context: Context, action: UpdateService) -> IscsiService:
    """Carry out UpdateService."""
    current = await context.store.service()
    check_revision(current.revision, action.revisions)
    wanted = merge_service(current, action.change)
    if wanted == replace(current, revision=wanted.revision):
        return current
    before = portal_specs(current, context.config.portals)
    after = portal_specs(wanted, context.config.portals)
    async with engine_errors(), Undo() as undo:
        if after != before:
            await context.engine.apply(Change(portals=after))
            undo.push(lambda: context.engine.apply(Change(portals=before)))
        return await context.store.put_service(wanted)
