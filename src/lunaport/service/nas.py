"""The NAS as its interfaces see it: `perform` for what changes something, plain methods for what only looks.

Invariants: actions run one at a time, in the order they came; none runs before the engine has taken the desired state;
when `perform` returns, the database is durable and the wire serves it.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import replace
from typing import Any, Final, TypeVar, cast

from lunaport.engine.interface import (
    Counters,
    EngineCounters,
    EngineError,
    EngineStatus,
    MediumReport,
    MemoryUse,
    PortalReport,
    PortalSpec,
    RefusedLogin,
    SessionReport,
)
from lunaport.engine.unit_state import ReservationReport
from lunaport.model.address import ISCSI_PORT
from lunaport.model.audit import AuditEntry, AuditFilter
from lunaport.model.backup import Configuration
from lunaport.model.block import Block
from lunaport.model.image import Image
from lunaport.model.iscsi_service import IscsiService
from lunaport.model.portal import Portal
from lunaport.model.target import Target
from lunaport.model.trash import TrashedTarget
from lunaport.model.user import Role, Token, User
from lunaport.service import actions
from lunaport.service.actions import Action
from lunaport.service.actor import CURRENT
from lunaport.service.apply import apply_document, plan_document
from lunaport.service.audit import recorded
from lunaport.service.backup import export_backup, import_backup, plan_import
from lunaport.service.blocks import block_initiator, standing_blocks, unblock_initiator
from lunaport.service.context import Context, engine_errors
from lunaport.service.desired import configured_portals, portal_specs
from lunaport.service.errors import NotFoundError, UnavailableError
from lunaport.service.events import EventHub
from lunaport.service.images import Uploads, delete_image, list_images
from lunaport.service.iscsi_service import update_service
from lunaport.service.luns import create_lun, delete_lun, update_lun
from lunaport.service.media import eject_medium, insert_medium
from lunaport.service.portals import put_portal, remove_portal, reset_portals, set_portals
from lunaport.service.problems import Problems, find_problems, watch_database
from lunaport.service.registration import IsnsServerReport, RegisteredTarget, Registration
from lunaport.service.serving import whole_state
from lunaport.service.sessions import close_session
from lunaport.service.targets import create_target, delete_target, update_target
from lunaport.service.tidy import tidy_up
from lunaport.service.trash import restore_target
from lunaport.service.users import (
    change_own_password,
    create_token,
    create_user,
    delete_token,
    delete_user,
    update_user,
)
from lunaport.service.volumes import VolumeReport, create_volume, delete_volume, report_volume, update_volume
from lunaport.service.watch import follow_engine, tell_action
from lunaport.service.work import Kind, Work, WorkBook

LOG = logging.getLogger(__name__)

UPLOADS_MAX = 4
"""Images that are taken in at a time."""
EVERYWHERE: Final = frozenset({"0.0.0.0", "::", ""})  # noqa: S104 - compared with, not bound to

__all__ = [
    "Counters",
    "EngineCounters",
    "EngineStatus",
    "IsnsServerReport",
    "MemoryUse",
    "Nas",
    "PortalReport",
    "Problems",
    "RefusedLogin",
    "ReservationReport",
    "SessionReport",
    "Work",
]

Result = TypeVar("Result")

_HANDLERS: Mapping[type[Action[Any]], Callable[[Context, Any], Awaitable[Any]]] = {
    actions.CreateTarget: create_target,
    actions.UpdateTarget: update_target,
    actions.DeleteTarget: delete_target,
    actions.RestoreTarget: restore_target,
    actions.CreateLun: create_lun,
    actions.UpdateLun: update_lun,
    actions.DeleteLun: delete_lun,
    actions.InsertMedium: insert_medium,
    actions.EjectMedium: eject_medium,
    actions.DeleteImage: delete_image,
    actions.CreateVolume: create_volume,
    actions.UpdateVolume: update_volume,
    actions.DeleteVolume: delete_volume,
    actions.UpdateService: update_service,
    actions.PutPortal: put_portal,
    actions.RemovePortal: remove_portal,
    actions.SetPortals: set_portals,
    actions.ResetPortals: reset_portals,
    actions.CreateUser: create_user,
    actions.UpdateUser: update_user,
    actions.ChangeOwnPassword: change_own_password,
    actions.DeleteUser: delete_user,
    actions.CreateToken: create_token,
    actions.DeleteToken: delete_token,
    actions.BlockInitiator: block_initiator,
    actions.UnblockInitiator: unblock_initiator,
    actions.CloseSession: close_session,
    actions.ExportBackup: export_backup,
    actions.PlanImport: plan_import,
    actions.ImportBackup: import_backup,
    actions.PlanDocument: plan_document,
    actions.ApplyDocument: apply_document,
    actions.TidyUp: tidy_up,
}


_LONG: Final[Mapping[type[Action[Any]], Kind]] = {actions.ImportBackup: "restore", actions.ApplyDocument: "apply"}
"""What may take long."""


class Nas:
    """All use cases. `start` first; until it has returned, actions raise UnavailableError."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._lock = asyncio.Lock()
        self._started = False
        self._uploads = Uploads(UPLOADS_MAX)
        self._problems_since: dict[str, float] = {}
        self._work = WorkBook(context.clock)
        self.changes = 0
        """Grows with every action: what was read before may have changed."""
        self.events = EventHub(f"{int(context.clock() * 1e6):x}", context.clock)

    async def start(self, prepare: Callable[[], Awaitable[None]] | None = None) -> None:
        """Give the engine the desired state, then tidy up. Raises EngineError; may be called again after that.

        The engine comes first, for a control process that was killed finds it still serving what is to be undone.
        `prepare` runs last: what has to be done before the NAS says that it serves.
        """
        context = self._context
        async with self._lock:
            await context.engine.make_volume(context.config.default_volume_path)
            await context.engine.start(await whole_state(context))
            await tidy_up(context, actions.TidyUp())
            if prepare is not None:
                await prepare()
            self._started = True
        context.registrar.changed()

    async def perform(self, action: Action[Result]) -> Result:
        """Carry an action out. Raises InvalidError, ServiceError."""
        handler, kind = _HANDLERS[type(action)], _LONG.get(type(action))
        running = nullcontext() if kind is None else self._work.running(kind, by=CURRENT.get().user)
        async with self._lock:
            if not self._started:
                raise UnavailableError
            with running:
                result = cast("Result", await recorded(self._context, action, lambda: handler(self._context, action)))
            self.changes += 1
            tell_action(self.events, action, result)
        self._context.registrar.changed()
        return result

    async def upload_image(self, action: actions.UploadImage, pieces: AsyncIterator[bytes]) -> Image:
        """Take an image in, beside all other actions. Raises InvalidError, ServiceError, and what `pieces` raises."""
        if not self._started:
            raise UnavailableError
        if self._uploads.full:
            raise UnavailableError(f"{UPLOADS_MAX} images are on their way already; try again later")
        with self._work.running(
            "image", volume=action.volume, image=action.name, total_bytes=action.size_bytes, by=CURRENT.get().user
        ) as running:
            counted = running.count(pieces)
            image = await recorded(self._context, action, lambda: self._uploads.run(self._context, action, counted))
        tell_action(self.events, action, image)
        return image

    async def images(self, volume: str) -> Sequence[Image]:
        """The images of a volume, by name. Raises NotFoundError."""
        return await list_images(self._context, volume)

    async def medium(self, target: Target, lun: int) -> MediumReport | None:
        """The medium of a LUN as it is now; None where there is none to take out, or the LUN is not served."""
        async with engine_errors():
            return await self._context.engine.medium(target.name, lun)

    async def follow_engine(self) -> None:
        """Publish what happens in the engine, for ever."""
        await follow_engine(self._context.engine, self.events)

    @property
    def is_started(self) -> bool:
        """Whether the engine has taken the desired state."""
        return self._started

    async def targets(
        self, *, after_id: int = 0, count_max: int | None = None, name: str | None = None
    ) -> Sequence[Target]:
        """Targets in the order of their ids."""
        return await self._context.store.targets(after_id=after_id, count_max=count_max, name=name)

    async def target(self, target_id: int) -> Target:
        """A target. Raises NotFoundError."""
        target = await self._context.store.target(target_id)
        if target is None:
            raise NotFoundError("target with the id", target_id, ("id",))
        return target

    async def trash(self) -> Sequence[TrashedTarget]:
        """Deleted targets that can be restored."""
        return await self._context.store.trashed()

    async def used_bytes(self, targets: Sequence[Target]) -> list[int | None]:
        """What the files of each target really occupy; None where that cannot be known now."""
        places = await self._context.places()
        paths = [places.path(lun.volume, lun.file) for target in targets for lun in target.luns]
        try:
            used = iter(await self._context.engine.file_usage(paths))
        except EngineError:
            return [None] * len(targets)
        sums = [[next(used) for _ in target.luns] for target in targets]
        return [None if -1 in each else sum(each) for each in sums]

    async def volumes(self) -> Sequence[VolumeReport]:
        """All volumes by name, with how full they are."""
        committed = await self._context.store.committed_bytes()
        return [
            await report_volume(self._context, volume, committed.get(volume.name, 0))
            for volume in await self._context.volumes()
        ]

    async def volume(self, name: str) -> VolumeReport:
        """A volume. Raises NotFoundError."""
        for volume in await self._context.volumes():
            if volume.name == name:
                committed = await self._context.store.committed_bytes()
                return await report_volume(self._context, volume, committed.get(name, 0))
        raise NotFoundError("volume", repr(name), ("name",))

    async def service(self) -> IscsiService:
        """The service object."""
        return await self._context.store.service()

    async def users(self) -> Sequence[User]:
        """All users by name."""
        return await self._context.store.users()

    async def user(self, name: str) -> User:
        """A user. Raises NotFoundError."""
        user = await self._context.store.user(name)
        if user is None:
            raise NotFoundError("user", repr(name), ("name",))
        return user

    async def tokens(self) -> Sequence[Token]:
        """The tokens that the caller may see: his own, as administrator all."""
        actor = CURRENT.get()
        return [
            token
            for token in await self._context.store.tokens()
            if token.user == actor.user or actor.role is Role.ADMIN
        ]

    async def audit(
        self, *, before_id: int | None = None, count_max: int, wanted: AuditFilter | None = None
    ) -> Sequence[AuditEntry]:
        """The audit log, the newest entry first."""
        return await self._context.store.audit(before_id=before_id, count_max=count_max, wanted=wanted or AuditFilter())

    async def configuration(self) -> Configuration:
        """All that is configured; paths of volumes are absolute."""
        found = await self._context.store.configuration()
        return replace(
            found,
            volumes=tuple(self._context.with_path(volume) for volume in found.volumes),
            blocks=tuple(await self.blocks()),
        )

    async def portals(self) -> Sequence[PortalSpec]:
        """The addresses that shall be listened on now."""
        return portal_specs(await self.service(), self._context.config.portals)

    async def configured_portals(self) -> Sequence[Portal]:
        """The portals as configured, be the service on or off."""
        return configured_portals(await self.service(), self._context.config.portals)

    async def portal_groups(self) -> Collection[int]:
        """The tags of the portal groups that are configured."""
        return {portal.group for portal in await self.configured_portals()}

    async def reach(self, host: str) -> tuple[str, int]:
        """Where initiators find the NAS: its first portal, or at `host` where that listens everywhere."""
        portals = await self.portals()
        if not portals:
            return host, ISCSI_PORT
        first = portals[0]
        return (host if first.host in EVERYWHERE else first.host), first.port

    async def registration(self) -> Registration:
        """What shall be registered with iSNS servers now: a portal that cannot be opened is left out."""
        service = await self.service()
        entity = f"lunaport-{await self._context.store.nas_uuid()}"
        if not service.isns_servers:
            return Registration(entity=entity)
        reports = (await self.engine_status()).portals
        closed = {(each.host, each.port) for each in reports if not each.listening}
        portals = portal_specs(service, self._context.config.portals)
        return Registration(
            entity=entity,
            servers=service.isns_servers,
            portals=tuple(each for each in portals if (each.host, each.port) not in closed),
            targets=tuple(
                RegisteredTarget(name=name, portal_groups=groups)
                for name, groups in await self._context.store.isns_targets()
            ),
        )

    async def isns_servers(self) -> Sequence[IsnsServerReport]:
        """How it stands with every iSNS server that is configured."""
        known = {each.address: each for each in self._context.registrar.servers()}
        servers = [str(each) for each in (await self.service()).isns_servers]
        return [known.get(each) or IsnsServerReport(address=each) for each in servers]

    async def sessions(self) -> Sequence[SessionReport]:
        """Every session now. Raises UnavailableError."""
        async with engine_errors():
            return await self._context.engine.sessions()

    async def session(self, session_id: str) -> SessionReport:
        """A session. Raises NotFoundError, UnavailableError."""
        for session in await self.sessions():
            if session.id == session_id:
                return session
        raise NotFoundError("session", repr(session_id), ("id",))

    async def refused_logins(self) -> Sequence[RefusedLogin]:
        """The last logins that were refused, the newest first. Raises UnavailableError."""
        async with engine_errors():
            return await self._context.engine.refused_logins()

    async def reservations(self, target: Target) -> Sequence[ReservationReport]:
        """The LUNs of a target that are reserved or have registrations. Raises UnavailableError."""
        async with engine_errors():
            return await self._context.engine.reservations(target.name)

    async def work(self) -> Sequence[Work]:
        """What is under way that takes long; only what is known here while the engine does not answer."""
        try:
            return self._work.all(await self._context.engine.work())
        except EngineError:
            return self._work.all(())

    async def counters(self) -> EngineCounters:
        """What was done since the engine started. Raises UnavailableError."""
        async with engine_errors():
            return await self._context.engine.counters()

    async def blocks(self) -> Sequence[Block]:
        """The initiators that are blocked now, by name."""
        return await standing_blocks(self._context)

    async def problems(self) -> Problems:
        """What does not work now."""
        return await find_problems(
            self._context, await self.engine_status(), self._problems_since, started=self._started
        )

    async def look_after_database(self) -> None:
        """See whether the database is whole, for ever; its failures and their end are told as events."""
        await watch_database(self._context, self.events)

    async def engine_status(self) -> EngineStatus:
        """The engine now."""
        return await self._context.engine.status()
