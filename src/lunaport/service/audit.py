"""The audit log: every action that somebody asks for is written down before it runs and after it ended.

Before, so that a crash in between leaves a trace; after, with what changed. What the NAS does by itself (TidyUp) is not
asked for by anybody and is found in the ordinary log.
"""

import logging
import re
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final, TypeVar

from lunaport.model.audit import AuditEntry, Outcome, differences, masked, without_nothing
from lunaport.model.block import Block
from lunaport.model.document import ApplyReport
from lunaport.model.errors import DatabaseFailedError, InvalidError
from lunaport.model.portal import Portal, parse_address
from lunaport.model.target import Target
from lunaport.model.user import Token, User
from lunaport.model.volume import Volume
from lunaport.service import actions
from lunaport.service.actions import Action, NewToken, TargetLun
from lunaport.service.actor import CURRENT
from lunaport.service.context import Context
from lunaport.service.desired import configured_portals
from lunaport.service.errors import ServiceError

LOG = logging.getLogger(__name__)

Result = TypeVar("Result")

UNRECORDED: Final[tuple[type[Action[Any]], ...]] = (
    actions.TidyUp,
    actions.PlanImport,
    actions.PlanDocument,
)
_ON_TARGETS: Final = (
    actions.UpdateTarget,
    actions.DeleteTarget,
    actions.CreateLun,
    actions.UpdateLun,
    actions.DeleteLun,
)
_HUMPS: Final = re.compile(r"(?<=[a-z])(?=[A-Z])")
_REMOVING: Final = ("delete_", "unblock_", "remove_")


def name_of(action: Action[Any]) -> str:
    """The name of an action in the log: `create_target`."""
    return _HUMPS.sub("_", type(action).__name__).lower()


async def _before(context: Context, action: Action[Any]) -> object:
    """What the action will change, as it is now; None when it is something new."""
    if isinstance(action, _ON_TARGETS):
        return await context.store.target(action.target_id)
    if isinstance(action, actions.UpdateVolume | actions.DeleteVolume):
        return next((volume for volume in await context.volumes() if volume.name == action.name), None)
    if isinstance(action, actions.UpdateService | actions.SetPortals | actions.ResetPortals):
        return await context.store.service()
    if isinstance(action, actions.PutPortal | actions.RemovePortal):
        portals = configured_portals(await context.store.service(), context.config.portals)
        try:
            address = parse_address(action.portal)
        except InvalidError:
            return None
        return next((each for each in portals if each.address == address), None)
    if isinstance(action, actions.BlockInitiator | actions.UnblockInitiator):
        return next((each for each in await context.store.blocks() if each.initiator == action.initiator), None)
    if isinstance(action, actions.UpdateUser | actions.DeleteUser):
        return await context.store.user(action.name)
    if isinstance(action, actions.ChangeOwnPassword):
        return await context.store.user(CURRENT.get().user)
    return None


def _subject(action: Action[Any], thing: object) -> str:
    """What it is about, in a form that can be searched for."""
    if isinstance(thing, Target):
        return f"target {thing.name}"
    if isinstance(thing, Volume):
        return f"volume {thing.name}"
    if isinstance(thing, User):
        return f"user {thing.name}"
    if isinstance(thing, Token):
        return f"token {thing.user}/{thing.name}"
    if isinstance(thing, Block):
        return f"initiator {thing.initiator}"
    if isinstance(action, actions.CloseSession):
        return f"session {action.session_id}"
    if isinstance(thing, Portal):
        return f"portal {thing}"
    if isinstance(action, actions.UpdateService | actions.SetPortals | actions.ResetPortals):
        return "service"
    return name_of(action).partition("_")[2]


def _after(action: Action[Any], result: object) -> object:
    if isinstance(result, TargetLun):
        return result.target
    if name_of(action).startswith(_REMOVING) or isinstance(action, actions.ExportBackup):
        return None
    return result.token if isinstance(result, NewToken) else result


def steps_told(report: ApplyReport) -> dict[str, tuple[Any, Any]]:
    """Everything that a document changed, by the thing and its field."""
    found: dict[str, tuple[Any, Any]] = {}
    for step in report.steps:
        thing = f"{step.kind} {step.name}".strip()
        if not step.changes:
            found[thing] = ("there", None) if step.action == "delete" else (None, "there")
        found |= {f"{thing}: {path}": both for path, both in step.changes.items()}
    return found


async def recorded(context: Context, action: Action[Result], run: Callable[[], Awaitable[Result]]) -> Result:
    """Run an action and write it down."""
    if isinstance(action, UNRECORDED):
        return await run()
    actor = CURRENT.get()
    before = await _before(context, action)
    entry = AuditEntry(
        id=0,
        at=context.clock(),
        user=actor.user,
        way=actor.way,
        address=actor.address,
        action=name_of(action),
        subject=_subject(action, before),
        request=without_nothing(masked(action)),
        outcome=Outcome.BEGUN,
        changes={},
    )
    entry_id = await context.store.begin_audit(entry)

    async def end(outcome: Outcome, subject: str, changes: Mapping[str, object], error: str) -> None:
        try:
            await context.store.end_audit(entry_id, outcome, subject=subject, changes=changes, error=error)
        except DatabaseFailedError as error:
            LOG.warning("audit entry %d cannot be ended: %s", entry_id, error)
        except Exception:  # the action itself has ended, and that is what the caller has to be told
            LOG.exception("audit entry %d cannot be ended", entry_id)

    try:
        result = await run()
    except DatabaseFailedError as error:
        await end(Outcome.FAILED, entry.subject, {}, str(error))
        raise
    except (InvalidError, ServiceError) as error:
        await end(Outcome.REFUSED, entry.subject, {}, str(error))
        raise
    except Exception:
        await end(Outcome.FAILED, entry.subject, {}, "an internal error; the log tells more")
        raise
    after = _after(action, result)
    changes = steps_told(result) if isinstance(result, ApplyReport) else differences(before, after)
    await end(Outcome.DONE, _subject(action, after or before or result), changes, "")
    return result
