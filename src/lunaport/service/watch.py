"""From what happens in the engine, and what actions do, to events."""

import asyncio
import logging
from typing import Any, Final

from lunaport.engine.interface import Engine, EngineError, EventMark
from lunaport.model.block import Block
from lunaport.model.iscsi_service import IscsiService
from lunaport.model.portal import Portal
from lunaport.model.target import Target
from lunaport.model.volume import Volume
from lunaport.service import actions
from lunaport.service.events import EventHub

LOG = logging.getLogger(__name__)

RETRY_S: Final = 0.5

KINDS: Final[dict[type[actions.Action[Any]], str]] = {
    actions.CreateTarget: "target_created",
    actions.UpdateTarget: "target_changed",
    actions.DeleteTarget: "target_deleted",
    actions.RestoreTarget: "target_restored",
    actions.CreateLun: "lun_created",
    actions.UpdateLun: "lun_changed",
    actions.DeleteLun: "lun_deleted",
    actions.CreateVolume: "volume_created",
    actions.UpdateVolume: "volume_changed",
    actions.DeleteVolume: "volume_deleted",
    actions.UpdateService: "service_changed",
    actions.PutPortal: "portal_changed",
    actions.RemovePortal: "portal_removed",
    actions.SetPortals: "service_changed",
    actions.ResetPortals: "service_changed",
    actions.BlockInitiator: "initiator_blocked",
    actions.UnblockInitiator: "initiator_unblocked",
    actions.ImportBackup: "configuration_imported",
    actions.ApplyDocument: "configuration_applied",
}


def tell_action(events: EventHub, action: actions.Action[Any], result: object) -> None:
    """An action has been carried out."""
    kind = KINDS.get(type(action))
    if kind is None:
        return
    facts: dict[str, str] = {}
    match result:
        case Target():
            facts = {"id": str(result.id), "target": result.name}
        case actions.TargetLun(target=target, lun=lun):
            facts = {"id": str(target.id), "target": target.name, "lun": str(lun)}
        case Volume():
            facts = {"volume": result.name}
        case IscsiService():
            facts = {"enabled": str(result.enabled).lower()}
        case Portal():
            facts = {"portal": str(result), "group": str(result.group)}
        case Block():
            facts = {"initiator": result.initiator}
    events.publish(kind, facts)


async def follow_engine(engine: Engine, events: EventHub) -> None:
    """Publish what happens in the engine, for ever."""
    mark = EventMark()
    away = False
    while True:
        try:
            batch = await engine.events(mark)
        except EngineError as error:
            if mark.run and not away:
                away = True
                events.publish("engine_unavailable", {"reason": str(error)})
            await asyncio.sleep(RETRY_S)
            continue
        if mark.run and batch.mark.run != mark.run:
            events.publish("engine_restarted")
        away = False
        if batch.lost:
            events.publish("events_lost", {"count": str(batch.lost)})
        for event in batch.events:
            events.publish(event.kind, event.facts, event.at)
        mark = batch.mark
