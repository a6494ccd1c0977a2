"""All shares: searched, sorted and paged by the server, so that it stays quick with thousands."""

from dataclasses import dataclass, replace
from typing import Final

from nicegui import ui
from starlette.requests import Request

from lunaport.model.target import Target
from lunaport.model.user import Role
from lunaport.service.actions import RestoreTarget
from lunaport.web import facts
from lunaport.web.forms import button, confirm, tell
from lunaport.web.frame import head
from lunaport.web.markup import Html, act, ago, badge, empty, join, pager, rate, size, table, tag
from lunaport.web.page import Live, Page, Site, open_page
from lunaport.web.share_dialogs import create_share

PAGE_COUNT: Final = 25
SEARCH_CHARS_MAX: Final = 128
SORTS: Final = {"name": "Share", "size": "Size", "volume": "Volume", "rate": "Rate"}


@dataclass(frozen=True, slots=True)
class View:
    """What part of the list is looked at."""

    search: str = ""
    sort: str = "name"
    down: bool = False
    page: int = 0


def register(site: Site) -> None:
    """Tell NiceGUI of the page."""

    @ui.page("/shares")
    async def shares(request: Request) -> None:
        page = await open_page(site, request, "Shares", "/shares")
        if page is not None:
            with page.main:
                await ShareList(page).build()


class ShareList:
    """The list, and the trash below it."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.view = View()
        self.count = 0

    async def build(self) -> None:
        """Draw it."""
        page = self.page
        with ui.element("div").classes("head"):
            ui.html(head("Shares"), sanitize=False).classes("grow")
            if page.may(Role.OPERATOR):
                button("New share", lambda: create_share(page), kind="primary")
        with ui.element("section").classes("card").props('aria-label="Shares"'):
            search = ui.input("Search name, volume or CHAP user", on_change=self.search)
            search.props("outlined dense clearable debounce=250 type=search").classes("search")
            self.list = Live(await self.draw()).on_click(self.clicked)
        self.trash = Live(await self.draw_trash()).on_click(self.clicked)
        page.every_moment(self.update)

    async def update(self) -> None:
        """Draw it again."""
        self.list.show(await self.draw())
        self.trash.show(await self.draw_trash())

    async def search(self, event: object) -> None:
        """Look for something else."""
        text = str(getattr(event, "value", "") or "")[:SEARCH_CHARS_MAX].strip().lower()
        self.view = replace(self.view, search=text, page=0)
        await self.update()

    async def clicked(self, what: str, which: str) -> None:
        """A heading, a page, or a thing in the trash."""
        if what == "sort" and which in SORTS:
            down = not self.view.down if which == self.view.sort else which in {"size", "rate"}
            self.view = replace(self.view, sort=which, down=down, page=0)
        elif what == "page":
            self.view = replace(self.view, page=self.view.page + (1 if which == "next" else -1))
        elif what == "restore" and which.isdigit():
            self.restore(int(which))
            return
        await self.update()

    def restore(self, target_id: int) -> None:
        """Take a share out of the trash, after asking."""

        async def work() -> None:
            target = await self.page.perform(RestoreTarget(target_id=target_id))
            tell(f"{facts.short(target.name)} is back")
            await self.update()

        confirm("Restore the share?", "It comes back with its data, its settings and its name.", "Restore", work)

    async def draw(self) -> Html:
        """The table."""
        found = self.chosen(await self.page.site.targets())
        last = max(0, (len(found) - 1) // PAGE_COUNT)
        self.view = replace(self.view, page=min(max(0, self.view.page), last))
        first = self.view.page * PAGE_COUNT
        shown = found[first : first + PAGE_COUNT]
        if not shown:
            if self.view.search:
                return empty("Nothing fits", "No share has that in its name, volume or CHAP user.")
            return empty("There are no shares yet", "A share is a disk for initiators. Making one takes a moment.")
        used = await self.page.nas.used_bytes(shown)
        rows = [self.row(target, taken) for target, taken in zip(shown, used, strict=True)]
        columns = (
            self.heading("name"), self.heading("size", number=True), "Used", self.heading("volume"), "State",
            "Sessions", self.heading("rate", number=True),
        )  # fmt: skip
        return join(
            (
                table("Shares", columns, rows, numbers=(1, 2, 5, 6)),
                pager(first, len(shown), len(found), PAGE_COUNT, "share"),
            )
        )

    def chosen(self, targets: list[Target]) -> list[Target]:
        """Those that are looked for, in order."""
        view, watching = self.view, self.page.watching
        found = [each for each in targets if fits(each, view.search)] if view.search else list(targets)
        keys = {
            "name": lambda each: facts.short(each.name),
            "size": lambda each: sum(lun.size_bytes for lun in each.luns),
            "volume": lambda each: (each.disk.volume, each.name),
            "rate": lambda each: watching.now(each.name).bytes,
        }
        found.sort(key=keys[view.sort], reverse=view.down)
        return found

    def heading(self, name: str, *, number: bool = False) -> Html:
        """A heading that sorts."""
        here = name == self.view.sort
        arrow = (" ↓" if self.view.down else " ↑") if here else ""
        order = ("descending" if self.view.down else "ascending") if here else None
        sorter = tag("a", SORTS[name], arrow, href="#", role="button", data_do="sort", data_id=name)
        return tag("th", sorter, scope="col", role="columnheader", aria_sort=order, class_="num" if number else None)

    def row(self, target: Target, used: int | None) -> tuple[object, ...]:
        """A share."""
        counters, now = self.page.watching.counters(target.name), self.page.watching.now(target.name)
        return (
            join((facts.share_link(target), tag("span", target.name, class_="under hide-phone"))),
            size(sum(lun.size_bytes for lun in target.luns)),
            "-" if used is None else size(used),
            target.disk.volume,
            share_state(target, counters.sessions),
            counters.sessions,
            rate(now.bytes) if now.bytes else "-",
        )

    async def draw_trash(self) -> Html:
        """What was deleted and can come back."""
        found = await self.page.nas.trash()
        if not found:
            return Html()
        may = self.page.may(Role.OPERATOR)
        rows = []
        for each in sorted(found, key=lambda each: -each.trashed_at):
            name = facts.short(each.name)
            text = tag("span", size(sum(lun.size_bytes for lun in each.luns)), class_="soft")
            button = act("Restore", "restore", each.id, name=f"Restore {name}") if may else ""
            rows.append(tag("li", tag("span", tag("b", name), " ", text, class_="grow"), ago(each.trashed_at), button))
        days = f"{self.page.site.config.trash_days:g} days"
        return facts.card("Trash", tag("ul", *rows, class_="list"), note=f"emptied after {days}")


def share_state(target: Target, sessions: int) -> Html:
    """In a word."""
    if target.draining:
        return badge("draining", "warn")
    if facts.is_open(target):
        return badge("open to all", "warn")
    return badge("in use", "good") if sessions else badge("ready")


def fits(target: Target, search: str) -> bool:
    """Whether a share is looked for."""
    words = (target.name, target.one_way.username, *(lun.volume for lun in target.luns))
    return any(search in word.lower() for word in words)
