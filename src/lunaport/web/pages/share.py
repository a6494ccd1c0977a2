"""One share: what it does, who uses it, how it is set, what happened to it."""

from collections.abc import Awaitable, Callable
from typing import Final

from nicegui import ui
from starlette.requests import Request

from lunaport.model.target import Target
from lunaport.model.user import Role
from lunaport.service.errors import NotFoundError, ServiceError
from lunaport.web import facts
from lunaport.web.access_dialog import edit_access
from lunaport.web.forms import button, tell
from lunaport.web.frame import head
from lunaport.web.lun_dialogs import add_lun, change_lun, change_medium, grow_lun, remove_lun
from lunaport.web.markup import Html, act, badge, empty, tag
from lunaport.web.page import Live, Page, Site, open_page
from lunaport.web.pages.shares import share_state
from lunaport.web.reservation_list import reservation_list
from lunaport.web.session_list import close_session, session_table
from lunaport.web.share_dialogs import connect_dialog, delete_share, drain_share, edit_share
from lunaport.web.share_parts import access, disks, history, history_link, settings
from lunaport.web.watching import Past
from lunaport.web.work_list import work_card

SHARE_DIALOGS: Final = {
    "connect": connect_dialog,
    "edit": edit_share,
    "drain": drain_share,
    "access": edit_access,
    "add": add_lun,
}
LUN_DIALOGS: Final = {"grow": grow_lun, "change": change_lun, "remove": remove_lun}
REFUSED_SHOWN: Final = 10
SESSIONS_SHOWN: Final = 50


def register(site: Site) -> None:
    """Tell NiceGUI of the page."""

    @ui.page("/shares/{target_id}")
    async def share(request: Request, target_id: str) -> None:
        page = await open_page(site, request, "Share", "/shares")
        if page is None:
            return
        target = None
        if target_id.isascii() and target_id.isdigit() and len(target_id) < 19:
            try:
                target = await site.nas.target(int(target_id))
            except NotFoundError:
                target = None
        with page.main:
            if target is None:
                text = "It was deleted, or never was. What was deleted can be restored from the trash for some days."
                head_ = tag("div", head("No such share", back=("/shares", "Shares")), class_="head")
                ui.html(head_, sanitize=False)
                ui.html(tag("section", empty("There is no such share", text), class_="card"), sanitize=False)
                return
            await ShareView(page, target).build()


class ShareView:
    """The page of a share. `target` is as it is now: whoever changes it, and wherever, is seen here."""

    def __init__(self, page: Page, target: Target) -> None:
        self.page = page
        self.target = target
        self.gone = False

    async def build(self) -> None:
        """Draw it."""
        page = self.page
        ui.page_title(f"{facts.short(self.target.name)} · Lunaport")
        with ui.element("div").classes("head"):
            self.head = Live(self.draw_head())
            self.head.element.classes("grow")
            with ui.element("div").classes("tools"):
                button("Connect to it", self.opener("connect"), kind="primary")
                if page.may(Role.OPERATOR):
                    for label, what in (("Edit", "edit"), ("Grow", "grow"), ("Drain", "drain")):
                        button(label, self.opener(what))
                    button("Delete", self.opener("delete"), kind="danger")
        self.body = Live(await self.draw()).on_click(self.clicked)
        page.every_moment(self.update)

    async def update(self) -> None:
        """Draw it again, as it is now."""
        found = next((each for each in await self.page.site.targets() if each.id == self.target.id), None)
        self.gone = found is None
        self.target = found or self.target
        self.head.show(self.draw_head())
        self.body.show(await self.draw())

    def opener(self, what: str) -> Callable[[], Awaitable[None]]:
        """What opens a dialog of the share as a whole."""

        async def open_() -> None:
            await self.clicked(what, "")

        return open_

    async def clicked(self, what: str, which: str) -> None:
        """Do what a button says, on the share as it is now."""
        await self.update()
        page, target = self.page, self.target
        if what == "close":
            close_session(page, which)
        elif what in SHARE_DIALOGS:
            await SHARE_DIALOGS[what](page, target)
        elif what == "delete":
            delete_share(page, target)
        elif what == "grow" and not which:
            grow_lun(page, target, target.disk)
        else:
            lun = next((each for each in target.luns if str(each.lun) == which), None)
            if lun is None:
                tell("That disk is not there any more", good=False)
            elif what == "medium":
                await change_medium(page, target, lun)
            elif what in LUN_DIALOGS:
                LUN_DIALOGS[what](page, target, lun)

    def draw_head(self) -> Html:
        """Its name."""
        sessions = self.page.watching.counters(self.target.name).sessions
        state = badge("deleted", "bad") if self.gone else share_state(self.target, sessions)
        return head(
            facts.short(self.target.name),
            tag("p", tag("span", self.target.name, class_="sub mono"), " ", state),
            back=("/shares", "Shares"),
        )

    async def draw(self) -> Html:
        """The whole page below its head."""
        page, target = self.page, self.target
        past = page.watching.targets.get(target.name, Past())
        try:
            sessions = [each for each in await page.nas.sessions() if each.target == target.name]
            reserved = reservation_list(await page.nas.reservations(target))
        except ServiceError as error:
            sessions, reserved = [], tag("p", str(error), class_="problem")
        refused = [each for each in await facts.refused_logins(page.nas) if each.target == target.name]
        work = [each for each in await page.nas.work() if each.target == target.name]
        [used] = await page.nas.used_bytes([target])
        none = "No login to this share was refused."
        may = page.may(Role.OPERATOR)
        shown = sessions[:SESSIONS_SHOWN]
        many = f"{len(shown)} of {len(sessions)}" if len(sessions) > len(shown) else ""
        parts = [
            work_card(work, {}),
            *facts.charts(past),
            facts.card("Sessions", session_table(page, shown, None), note=many),
            facts.card("Disks", disks(target, may=may), note=act("Add a disk", "add") if may else ""),
            facts.card("Reservations", reserved),
            facts.card("Settings", settings(target, used, past), width="w6"),
            facts.card("Access", access(target), note=act("Change access", "access") if may else "", width="w6"),
            facts.card("Refused logins", facts.refusal_list(refused[:REFUSED_SHOWN], none), width="w6"),
            facts.card("History", await history(page, target), width="w6", note=history_link(page, target)),
        ]
        return tag("div", *parts, class_="grid")
