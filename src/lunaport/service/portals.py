"""Portals while the NAS runs: the wire first, then the database, as for the service as a whole.

Until somebody sets a portal here, those of the command line count; the first change takes them over.
"""

from dataclasses import replace

from lunaport.model.errors import Fault, InvalidError
from lunaport.model.iscsi_service import IscsiService, with_portals
from lunaport.model.portal import GROUP_DEFAULT, Portal, make_portal, parse_address
from lunaport.service.actions import PutPortal, RemovePortal, ResetPortals, SetPortals
from lunaport.service.context import Context, check_revision
from lunaport.service.desired import configured_portals
from lunaport.service.errors import ConflictError, NotFoundError
from lunaport.service.iscsi_service import carry_out


async def put_portal(context: Context, action: PutPortal) -> Portal:
    """Carry out PutPortal."""
    current = await context.store.service()
    portals = list(configured_portals(current, context.config.portals))
    address = parse_address(action.portal)
    before = next((each for each in portals if each.address == address), None)
    group = action.group
    if group is None:
        group = before.group if before is not None else GROUP_DEFAULT
    portal = make_portal(action.portal, group)
    if before is None:
        portals.append(portal)
    else:
        portals[portals.index(before)] = portal
    try:
        wanted = with_portals(current, tuple(portals))
    except InvalidError as error:
        raise InvalidError([replace(each, path=("portal",)) for each in error.problems]) from None
    await carry_out(context, current, wanted)
    return portal


async def remove_portal(context: Context, action: RemovePortal) -> Portal:
    """Carry out RemovePortal."""
    current = await context.store.service()
    portals = configured_portals(current, context.config.portals)
    address = parse_address(action.portal)
    gone = next((each for each in portals if each.address == address), None)
    if gone is None:
        raise NotFoundError("portal", str(address), ("portal",))
    left = tuple(each for each in portals if each is not gone)
    if not left:
        reason = f"{gone} is the last portal; to serve nothing switch the service off"
        raise ConflictError(Fault.PORTAL_LAST, reason, ("portal",), (str(gone),))
    await carry_out(context, current, with_portals(current, left))
    return gone


async def set_portals(context: Context, action: SetPortals) -> IscsiService:
    """Carry out SetPortals."""
    current = await context.store.service()
    check_revision(current.revision, action.revisions)
    return await carry_out(context, current, with_portals(current, action.portals))


async def reset_portals(context: Context, action: ResetPortals) -> IscsiService:
    """Carry out ResetPortals."""
    del action  # it holds nothing
    current = await context.store.service()
    return await carry_out(context, current, replace(current, portals=None))
