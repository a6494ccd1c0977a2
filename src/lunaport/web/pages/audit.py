"""The audit log: who changed what, when, from where."""

import json
from typing import Final

from nicegui import ui
from starlette.requests import Request

from lunaport.model.audit import AuditEntry, AuditFilter
from lunaport.model.user import Role
from lunaport.web.frame import head
from lunaport.web.markup import Html, ago, badge, empty, join, table, tag
from lunaport.web.page import Live, Page, Site, open_page

PAGE_COUNT: Final = 50
SEARCH_CHARS_MAX: Final = 256


class AuditLog:
    """The log, a page at a time."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.user = ""
        self.subject = ""
        self.before: list[int] = []

    async def build(self) -> None:
        """Draw it."""
        ui.html(tag("div", head("Audit"), class_="head"), sanitize=False)
        with ui.element("section").classes("card").props('aria-label="Audit log"'):
            with ui.element("div").classes("tools"):
                for label, name in (("User", "user"), ("Subject, such as target iqn...", "subject")):
                    field = ui.input(label, on_change=self.setter(name)).props("outlined dense clearable debounce=300")
                    field.classes("search")
            self.live = Live(await self.draw()).on_click(self.clicked)
        self.page.every_moment(self.update)

    def setter(self, name: str):  # type: ignore[no-untyped-def]
        """What is called when a field changes."""

        async def changed(event: object) -> None:
            setattr(self, name, str(getattr(event, "value", "") or "")[:SEARCH_CHARS_MAX].strip())
            self.before = []
            await self.update()

        return changed

    async def update(self) -> None:
        """Draw it again."""
        self.live.show(await self.draw())

    async def clicked(self, what: str, which: str) -> None:
        """Older or newer."""
        if what == "older" and which.isdigit():
            self.before.append(int(which))
        elif what == "newer" and self.before:
            self.before.pop()
        await self.update()

    async def draw(self) -> Html:
        """A page of it."""
        if not self.page.may(Role.ADMIN):
            return empty("For administrators", "The audit log needs the role admin.")
        wanted = AuditFilter(user=self.user or None, subject=self.subject or None)
        found = await self.page.nas.audit(
            before_id=self.before[-1] if self.before else None, count_max=PAGE_COUNT + 1, wanted=wanted
        )
        shown = found[:PAGE_COUNT]
        if not shown:
            return empty("Nothing there", "Every change that somebody asks for is put down here.")
        rows = [row(each) for each in shown]
        newer = tag("button", "Newer", type="button", class_="button small", data_do="newer", disabled=not self.before)
        older = tag("button", "Older", type="button", class_="button small", data_do="older", data_id=shown[-1].id,
                    disabled=len(found) <= PAGE_COUNT)  # fmt: skip
        return join(
            (
                table("Audit log", ("When", "Who", "What", "Outcome", "Changes"), rows),
                tag("div", newer, older, class_="pager"),
            )
        )


def row(entry: AuditEntry) -> tuple[object, ...]:
    """An entry."""
    changes = "\n".join(f"{path}: {short(before)} → {short(after)}" for path, (before, after) in entry.changes.items())
    detail = entry.error or changes
    outcome = badge(entry.outcome, "good" if entry.outcome == "done" else "warn")
    return (
        ago(entry.at),
        join((tag("b", entry.user or "the NAS"), tag("span", f"{entry.way} {entry.address}", class_="under"))),
        join((entry.action.replace("_", " "), tag("span", entry.subject, class_="under"))),
        outcome,
        tag("details", tag("summary", f"{len(entry.changes)} fields" if not entry.error else "why"), tag("pre", detail))
        if detail
        else "",
    )


def short(value: object) -> str:
    """A value in few characters."""
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 80 else f"{text[:77]}..."


def register(site: Site) -> None:
    """Tell NiceGUI of the page."""

    @ui.page("/audit")
    async def audit(request: Request) -> None:
        page = await open_page(site, request, "Audit", "/audit")
        if page is not None:
            with page.main:
                await AuditLog(page).build()
