"""The audit log: who changed what, when, from where."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from urllib.parse import urlencode

from nicegui import ui
from starlette.requests import Request

from lunaport.model.audit import AuditEntry, AuditFilter
from lunaport.model.user import Role
from lunaport.web.frame import head
from lunaport.web.markup import Html, act, ago, badge, empty, join, link, table, tag
from lunaport.web.page import Live, Page, Site, open_page

PAGE_COUNT: Final = 50
SEARCH_CHARS_MAX: Final = 256
FIELDS: Final[tuple[tuple[str, str, dict[str, Any]], ...]] = (
    ("User", "user", {}),
    ("Action", "action", {"placeholder": "update_target"}),
    ("Subject", "subject", {"placeholder": "target iqn.2026-11.io.lunaport:disk"}),
    ("From day", "since", {"type": "date", "stack-label": True}),
    ("To day", "until", {"type": "date", "stack-label": True}),
)


class AuditLog:
    """The log, a page at a time."""

    def __init__(self, page: Page, subject: str) -> None:
        self.page = page
        self.wanted = {name: "" for _, name, _ in FIELDS} | {"subject": subject[:SEARCH_CHARS_MAX]}
        self.before: list[int] = []

    async def build(self) -> None:
        """Draw it."""
        allowed = self.page.may(Role.ADMIN)
        ui.html(tag("div", head("Audit"), class_="head"), sanitize=False)
        with ui.element("section").classes("card").props('aria-label="Audit log"'):
            if allowed:
                with ui.element("div").classes("filters"):
                    for label, name, props in FIELDS:
                        field = ui.input(label, value=self.wanted[name], on_change=self.setter(name))
                        field.props("outlined dense clearable debounce=300")
                        for each, value in props.items():
                            field.props[each] = value
            self.live = Live(await self.draw()).on_click(self.clicked)
        self.page.every_moment(self.update)

    def setter(self, name: str):  # type: ignore[no-untyped-def]
        """What is called when a field changes."""

        async def changed(event: object) -> None:
            self.wanted[name] = str(getattr(event, "value", "") or "")[:SEARCH_CHARS_MAX].strip()
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

    @property
    def filter(self) -> AuditFilter:
        """What is looked for; days are those of UTC, both of them whole."""
        wanted = self.wanted
        return AuditFilter(
            user=wanted["user"] or None,
            action=wanted["action"] or None,
            subject=wanted["subject"] or None,
            since=day(wanted["since"]),
            until=day(wanted["until"], days=1),
        )

    def export(self, form: str) -> str:
        """Where all that is looked for can be had as a file."""
        found = {"format": form}
        found |= {name: self.wanted[name] for name in ("user", "action", "subject") if self.wanted[name]}
        times = {"since": self.filter.since, "until": self.filter.until}
        found |= {name: datetime.fromtimestamp(at, UTC).isoformat() for name, at in times.items() if at is not None}
        return f"/_lunaport/api/v1/audit/export?{urlencode(found)}"

    async def draw(self) -> Html:
        """A page of it."""
        if not self.page.may(Role.ADMIN):
            return empty("For administrators", "The audit log needs the role admin.")
        found = await self.page.nas.audit(
            before_id=self.before[-1] if self.before else None, count_max=PAGE_COUNT + 1, wanted=self.filter
        )
        shown = found[:PAGE_COUNT]
        if not shown:
            searched = any(self.wanted.values())
            text = "No entry is like that." if searched else "Every change that somebody asks for is put down here."
            return empty("Nothing there", text)
        foot = (
            link("Save as CSV", self.export("csv"), download="audit.csv"),
            link("Save as JSON lines", self.export("ndjson"), download="audit.ndjson"),
            act("Newer", "newer", off=not self.before),
            act("Older", "older", shown[-1].id, off=len(found) <= PAGE_COUNT),
        )
        columns = ("When", "Who", "What", "Outcome", "Changes")
        return join((table("Audit log", columns, [row(each) for each in shown]), tag("div", *foot, class_="pager")))


def day(text: str, *, days: int = 0) -> float | None:
    """The beginning of a day as a field for days gives it, or that of days later; None for what is none."""
    try:
        return (datetime.fromisoformat(text).replace(tzinfo=UTC) + timedelta(days=days)).timestamp()
    except (ValueError, OverflowError):
        return None


def row(entry: AuditEntry) -> tuple[object, ...]:
    """An entry."""
    changes = "\n".join(f"{path}: {short(before)} → {short(after)}" for path, (before, after) in entry.changes.items())
    detail = entry.error or changes
    outcome = badge(entry.outcome, "good" if entry.outcome == "done" else "warn")
    count = len(entry.changes)
    summary = "why" if entry.error else f"{count} field{'' if count == 1 else 's'}"
    return (
        ago(entry.at),
        join((tag("b", entry.user or "the NAS"), tag("span", f"{entry.way} {entry.address}", class_="under"))),
        join((entry.action.replace("_", " "), tag("span", entry.subject, class_="under"))),
        outcome,
        tag("details", tag("summary", summary), tag("pre", detail)) if detail else "",
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
                await AuditLog(page, request.query_params.get("subject", "")).build()
