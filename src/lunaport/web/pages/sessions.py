"""Who is connected, who could not be, who is kept out."""

import time
from dataclasses import dataclass, replace
from typing import Final

from nicegui import ui
from starlette.requests import Request

from lunaport.model.user import Role
from lunaport.service.actions import BlockInitiator, UnblockInitiator
from lunaport.service.errors import ServiceError
from lunaport.service.nas import SessionReport
from lunaport.web import facts
from lunaport.web.forms import button, confirm, dialog_form, tell
from lunaport.web.frame import head
from lunaport.web.markup import Html, act, ago, empty, join, pager, tag
from lunaport.web.page import Live, Page, Site, open_page
from lunaport.web.session_list import close_session, session_table
from lunaport.web.share_fields import whole_number

PAGE_COUNT: Final = 50
REFUSED_SHOWN: Final = 50
SEARCH_CHARS_MAX: Final = 128


@dataclass(frozen=True, slots=True)
class View:
    """What part of the sessions is looked at."""

    search: str = ""
    page: int = 0


def register(site: Site) -> None:
    """Tell NiceGUI of the page."""

    @ui.page("/sessions")
    async def sessions(request: Request) -> None:
        page = await open_page(site, request, "Sessions", "/sessions")
        if page is not None:
            with page.main:
                await SessionList(page).build()


class SessionList:
    """The sessions, a page at a time; below them who is kept out and who was refused."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.view = View()

    async def build(self) -> None:
        """Draw it."""
        page = self.page
        with ui.element("div").classes("head"):
            ui.html(head("Sessions"), sanitize=False).classes("grow")
            if page.may(Role.ADMIN):
                button("Block an initiator", lambda: block(page))
        with ui.element("section").classes("card").props('aria-label="Sessions"'):
            search = ui.input("Search initiator, share, address or CHAP user", on_change=self.search)
            search.props("outlined dense clearable debounce=250 type=search").classes("search")
            self.list = Live(await self.draw()).on_click(self.clicked)
        self.rest = Live(await self.draw_rest()).on_click(self.clicked)
        page.every_moment(self.update)

    async def update(self) -> None:
        """Draw it again."""
        self.list.show(await self.draw())
        self.rest.show(await self.draw_rest())

    async def search(self, event: object) -> None:
        """Look for something else."""
        text = str(getattr(event, "value", "") or "")[:SEARCH_CHARS_MAX].strip().lower()
        self.view = View(search=text)
        await self.update()

    async def clicked(self, what: str, which: str) -> None:
        """A page, or a thing in a list."""
        if what == "close":
            close_session(self.page, which)
        elif what == "unblock":
            unblock(self.page, which)
        elif what == "block":
            block(self.page, which)
        elif what == "page":
            self.view = replace(self.view, page=self.view.page + (1 if which == "next" else -1))
            await self.update()

    async def draw(self) -> Html:
        """The sessions that are looked for, the busiest first."""
        try:
            found: list[SessionReport] = [each for each in await self.page.nas.sessions() if self.fits(each)]
        except ServiceError as error:
            return tag("p", str(error), class_="problem")
        targets = {each.name: each for each in await self.page.site.targets()}
        found.sort(key=lambda each: (-each.rates.bytes_read - each.rates.bytes_written, each.tsih))
        last = max(0, (len(found) - 1) // PAGE_COUNT)
        self.view = replace(self.view, page=min(max(0, self.view.page), last))
        first = self.view.page * PAGE_COUNT
        shown = found[first : first + PAGE_COUNT]
        if not shown and self.view.search:
            return empty("Nothing fits", "No session has that in its initiator, share, address or CHAP user.")
        if not shown:
            return session_table(self.page, (), targets)
        parts = (
            session_table(self.page, shown, targets),
            pager(first, len(shown), len(found), PAGE_COUNT, "session"),
        )
        return join(parts)

    def fits(self, session: SessionReport) -> bool:
        """Whether a session is looked for."""
        words = (session.initiator, session.initiator_alias, session.target, session.address, session.chap_user)
        return not self.view.search or any(self.view.search in word.lower() for word in words)

    async def draw_rest(self) -> Html:
        """Who is kept out, and who was refused."""
        page = self.page
        parts = []
        blocks = await page.nas.blocks()
        if blocks:
            may = page.may(Role.ADMIN)
            rows = [
                tag(
                    "li",
                    tag("span", tag("b", each.initiator), " ", tag("span", each.note, class_="soft"), class_="grow"),
                    tag("span", until(each.until), class_="soft"),
                    ago(each.created_at),
                    act("Let in again", "unblock", each.initiator, name=f"Let {each.initiator} in again")
                    if may
                    else "",
                )
                for each in blocks
            ]
            parts.append(facts.card("Kept out", tag("ul", *rows, class_="list")))
        refused = (await facts.refused_logins(page.nas))[:REFUSED_SHOWN]
        none = "No login was refused since the engine started."
        parts.append(facts.card("Refused logins", facts.refusal_list(refused, none), name="refused"))
        return join(parts)


def until(at: float | None) -> str:
    """Until when, for people."""
    return "for good" if at is None else time.strftime("until %Y-%m-%d %H:%M UTC", time.gmtime(at))


def block(page: Page, initiator: str = "") -> None:
    """Keep an initiator out."""
    with dialog_form("Keep an initiator out") as form:
        name = form.text(
            "Initiator", "initiator", value=initiator, autocomplete="off",
            hint="Its full name, such as iqn.1993-08.org.debian:01:abc",
        )  # fmt: skip
        hours = form.text("For hours", "until", hint="Empty: for good", inputmode="numeric")
        note = form.text("Why", "note", hint="For whoever looks at it later")

        async def work() -> None:
            end = time.time() + 3600 * whole_number(hours.value) if hours.value.strip() else None
            action = BlockInitiator(initiator=name.value.strip(), until=end, note=note.value.strip())
            await page.perform(action)
            form.dialog.close()
            tell("It is kept out, and its sessions have ended")

        form.foot("Block", work, danger=True)
    form.dialog.open()


def unblock(page: Page, initiator: str) -> None:
    """Let an initiator in again, after asking."""

    async def work() -> None:
        await page.perform(UnblockInitiator(initiator=initiator))
        tell(f"{initiator} may come again")

    confirm("Let it in again?", f"{initiator} may log in to the shares that it may use.", "Let in", work)
