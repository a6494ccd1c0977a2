"""What every page has: who looks at it, its frame, its live parts, and the way to change something.

A change goes through the same actions as API v1's, needs the same role, and is in the audit log under the name of who
is logged in. Before each the ticket is looked at again: who has logged out, or lost his role, changes nothing more.
"""

import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar

from nicegui import ui
from nicegui.events import GenericEventArguments
from starlette.requests import Request

from lunaport.model.errors import InvalidError
from lunaport.model.target import Target
from lunaport.model.user import Actor, Role
from lunaport.service import actions
from lunaport.service.actions import Action
from lunaport.service.actor import CURRENT
from lunaport.service.errors import ServiceError
from lunaport.service.nas import Nas
from lunaport.web import frame
from lunaport.web.gate import Gate
from lunaport.web.headers import THEME_COOKIE
from lunaport.web.loading import SiteConfig
from lunaport.web.markup import Html
from lunaport.web.tickets import Ticket
from lunaport.web.watching import INTERVAL_S, Watching

Result = TypeVar("Result")

ROLES: Final[dict[type[Action[Any]], Role]] = {
    actions.CreateTarget: Role.OPERATOR,
    actions.UpdateTarget: Role.OPERATOR,
    actions.DeleteTarget: Role.OPERATOR,
    actions.RestoreTarget: Role.OPERATOR,
    actions.CreateLun: Role.OPERATOR,
    actions.UpdateLun: Role.OPERATOR,
    actions.DeleteLun: Role.OPERATOR,
    actions.InsertMedium: Role.OPERATOR,
    actions.EjectMedium: Role.OPERATOR,
    actions.DeleteImage: Role.OPERATOR,
    actions.CloseSession: Role.OPERATOR,
    actions.ChangeOwnPassword: Role.VIEWER,
    actions.CreateToken: Role.VIEWER,
    actions.DeleteToken: Role.VIEWER,
}
"""The least role for an action; what is not listed is for administrators, as in `api.permissions`."""
CLICKED: Final = (
    "(e) => { const b = e.target.closest('[data-do]'); if (b) { e.preventDefault(); emit(b.dataset.do, "
    "b.dataset.id ?? ''); } }"
)


class NotAllowedError(Exception):
    """The one who looks at the page may not do that, or is not logged in any more."""


@dataclass(slots=True, kw_only=True)
class Site:
    """What all pages share."""

    nas: Nas
    gate: Gate
    config: SiteConfig
    watching: Watching
    _targets: tuple[int, list[Target]] = field(default=(-1, []))

    async def targets(self) -> list[Target]:
        """All targets, read again when something has changed."""
        changes = self.nas.changes
        if self._targets[0] != changes:
            self._targets = (changes, list(await self.nas.targets()))
        return self._targets[1]

    def known_targets(self) -> list[Target]:
        """As they were when they were read last."""
        return self._targets[1]


class Live:
    """A part of a page that changes in place."""

    def __init__(self, html: Html) -> None:
        self._html: str = html
        self.element = ui.html(html, sanitize=False).classes("live")

    def show(self, html: Html) -> None:
        """Change what is seen."""
        if html != self._html:
            self._html = html
            self.element.client.run_javascript(f"lunaport.put({json.dumps(self.element.html_id)}, {json.dumps(html)})")

    def on_click(self, handler: Callable[[str, str], Awaitable[None]]) -> "Live":
        """Call with `data-do` and `data-id` of what was clicked."""

        async def clicked(event: GenericEventArguments) -> None:
            what, which = event.args
            try:
                await handler(str(what)[:64], str(which)[:256])
            except (InvalidError, ServiceError, NotAllowedError) as error:
                ui.notify(str(error), type="negative", position="top", timeout=4000)

        self.element.on("click", clicked, js_handler=CLICKED)
        return self


class Page:
    """One page in one browser."""

    def __init__(self, site: Site, request: Request, ticket: Ticket, actor: Actor) -> None:
        self.site = site
        self.nas = site.nas
        self.watching = site.watching
        self.actor = actor
        self.secure = request.url.scheme == "https"
        self.host = request.url.hostname or "127.0.0.1"
        self._ticket = ticket
        self.main: ui.element

    def may(self, role: Role) -> bool:
        """Whether who looks has this role."""
        return self.actor.role.allows(role)

    async def still_there(self) -> bool:
        """Look at the ticket again; where it is not valid any more, lead to the login."""
        actor = await self.site.gate.actor(self._ticket, self.actor.address)
        if actor is None:
            ui.navigate.to("/login")
            return False
        self.actor = actor
        return True

    async def perform(self, action: Action[Result]) -> Result:
        """Carry an action out. Raises InvalidError, ServiceError, NotAllowedError."""
        await self.check_role(type(action))
        before = CURRENT.set(self.actor)
        try:
            return await self.nas.perform(action)
        finally:
            CURRENT.reset(before)

    async def check_role(self, kind: type[Action[Any]]) -> None:
        """Raise NotAllowedError unless who looks may carry out such an action now."""
        if not await self.still_there():
            raise NotAllowedError("You are not logged in any more.")
        needed = ROLES.get(kind, Role.ADMIN)
        if not self.may(needed):
            raise NotAllowedError(f"You are {self.actor.role}; this needs the role {needed}.")

    def as_actor(self) -> "ActorContext":
        """For looking at what depends on who looks."""
        return ActorContext(self.actor)

    def every_moment(self, update: Callable[[], Awaitable[None]]) -> None:
        """Call `update` whenever there is something new, as long as the page is open."""

        async def tick() -> None:
            if await self.still_there():
                await update()

        ui.timer(INTERVAL_S, tick, immediate=False)


class ActorContext:
    """Sets who acts."""

    def __init__(self, actor: Actor) -> None:
        self._actor = actor

    def __enter__(self) -> None:
        self._token = CURRENT.set(self._actor)

    def __exit__(self, *_: object) -> None:
        CURRENT.reset(self._token)


async def open_page(site: Site, request: Request, title: str, place: str) -> Page | None:
    """The page with its frame; None where the login has ended in between. The content goes into `page.main`."""
    secure = request.url.scheme == "https"
    ticket = site.gate.ticket(request.headers, secure=secure)
    address = request.client.host if request.client else ""
    actor = await site.gate.actor(ticket, address)
    if ticket is None or actor is None:
        ui.navigate.to("/login")
        return None
    ui.page_title(f"{title} · Lunaport")
    theme = request.cookies.get(THEME_COOKIE, "")
    ui.dark_mode({"dark": True, "light": False}.get(theme))
    page = Page(site, request, ticket, actor)
    page.main = frame.draw(actor, place)
    return page
