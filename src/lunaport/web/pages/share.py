"""One share: what it does, who uses it, how it is set, what happened to it."""

from typing import Final

from nicegui import ui
from starlette.requests import Request

from lunaport.model.audit import AuditFilter
from lunaport.model.target import Target
from lunaport.model.user import Role
from lunaport.service.errors import NotFoundError, ServiceError
from lunaport.web import facts
from lunaport.web.forms import button
from lunaport.web.frame import head
from lunaport.web.markup import Html, ago, badge, empty, join, number, size, table, tag
from lunaport.web.markup import facts as fact_list
from lunaport.web.page import Live, Page, Site, open_page
from lunaport.web.pages.shares import share_state
from lunaport.web.session_list import close_session, negotiated, session_table
from lunaport.web.share_dialogs import connect_dialog, delete_share, edit_share, grow_share
from lunaport.web.watching import Past

HISTORY_SHOWN: Final = 10
REFUSED_SHOWN: Final = 10


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
                ui.html(empty("There is no such share", tag("a", "All shares", href="/shares")), sanitize=False)
                return
            await build(page, target)


async def build(page: Page, target: Target) -> None:
    """Draw it."""
    ui.page_title(f"{facts.short(target.name)} · Lunaport")

    async def clicked(what: str, which: str) -> None:
        if what == "close":
            close_session(page, which)

    with ui.element("div").classes("head"):
        ui.html(
            head(facts.short(target.name), tag("p", target.name, class_="sub mono"), back=("/shares", "Shares")),
            sanitize=False,
        ).classes("grow")
        with ui.element("div").classes("tools"):
            button("Connect to it", lambda: connect_dialog(page, target), kind="primary")
            if page.may(Role.OPERATOR):
                button("Edit", lambda: edit_share(page, target))
                button("Grow", lambda: grow_share(page, target))
                button("Delete", lambda: delete_share(page, target), kind="danger")
    live = Live(await draw(page, target)).on_click(clicked)

    async def update() -> None:
        live.show(await draw(page, target))

    page.every_moment(update)


async def draw(page: Page, target: Target) -> Html:
    """The whole page below its head."""
    past = page.watching.targets.get(target.name, Past())
    try:
        sessions = [each for each in await page.nas.sessions() if each.target == target.name]
    except ServiceError:
        sessions = []
    refused = [each for each in await facts.refused_logins(page.nas) if each.target == target.name][:REFUSED_SHOWN]
    [used] = await page.nas.used_bytes([target])
    none = "No login to this share was refused."
    parts = [
        facts.card("Throughput", facts.traffic(past), width="w4", note="5 minutes"),
        facts.card("Commands", facts.commands(past), width="w4", note="5 minutes"),
        facts.card("Latency", facts.latency(past), width="w4", note="5 minutes"),
        facts.card("Sessions", join((session_table(page, sessions, None), negotiated(sessions)))),
        facts.card("Settings", settings(target, used, past), width="w6", note=share_state(target, len(sessions))),
        facts.card("Access", access(target), width="w6"),
        facts.card("Disks", disks(target)),
        facts.card("Refused logins", facts.refusal_list(refused, none), width="w6"),
    ]
    if page.may(Role.ADMIN):
        parts.append(facts.card("History", await history(page, target), width="w6"))
    return tag("div", *parts, class_="grid")


def settings(target: Target, used: int | None, past: Past) -> Html:
    """How it is set."""
    limits, counters = target.limits, past.counters
    conflicts = counters.failures.get("reservation_conflict", 0)
    digests = (("header", target.header_digest), ("data", target.data_digest))
    bounds = (
        f"{limits.iops} commands/s" if limits.iops else "",
        f"{size(limits.bytes_per_second)}/s" if limits.bytes_per_second else "",
    )
    pairs: list[tuple[object, object]] = [
        ("Size", size(sum(lun.size_bytes for lun in target.luns))),
        ("Really used", "not known" if used is None else size(used)),
        ("CHAP", target.one_way.username if target.one_way.enabled else "off"),
        ("Mutual CHAP", target.mutual.username if target.mutual.enabled else "off"),
        ("Digests", " and ".join(name for name, on in digests if on) or "off"),
        ("Limits", ", ".join(filter(None, bounds)) or "none"),
        ("Commands so far", number(counters.reads + counters.writes + counters.others)),
        ("Reservation conflicts", conflicts),
        ("Made", ago(target.created_at)),
    ]  # fmt: skip
    return fact_list(pairs)


def access(target: Target) -> Html:
    """Who may use it."""
    if not target.access.rules:
        text = "Everyone who proves the CHAP secret." if target.asks_for_chap else "Everyone who reaches the NAS."
        rows = [tag("li", tag("span", text, class_="grow"))]
    else:
        rows = []
        for rule in target.access.rules:
            who, where = ", ".join(rule.initiators) or "every initiator", ", ".join(rule.networks) or "anywhere"
            limit = badge(f"LUN {', '.join(map(str, rule.luns))}") if rule.luns is not None else ""
            reads = badge("may only read") if rule.read_only else ""
            rows.append(tag("li", tag("span", f"{who} from {where}", class_="grow"), reads, limit))
    if target.access.single_initiator:
        rows.append(tag("li", tag("span", "One initiator at a time.", class_="grow")))
    rows += [
        tag("li", tag("span", f"CHAP user {each.username}", class_="grow"), ", ".join(each.initiators))
        for each in target.credentials
    ]
    return tag("ul", *rows, class_="list")


def disks(target: Target) -> Html:
    """Its LUNs."""
    rows = [
        (
            lun.lun,
            size(lun.size_bytes),
            lun.volume,
            f"{lun.kind.block_size_bytes} bytes",
            ", ".join(
                word
                for word, on in (
                    ("read-only", lun.kind.read_only),
                    ("encrypted", lun.kind.encrypted),
                    ("removable", lun.kind.removable),
                    ("write-through", not lun.kind.write_cache),
                    ("no UNMAP", not lun.kind.unmap),
                )
                if on
            )
            or "usual",
            tag("span", lun.uuid, class_="mono"),
        )
        for lun in target.luns
    ]
    return table("Disks", ("LUN", "Size", "Volume", "Blocks", "Kind", "Identifier"), rows, numbers=(1,))


async def history(page: Page, target: Target) -> Html:
    """What was changed in it."""
    with page.as_actor():
        entries = await page.nas.audit(count_max=HISTORY_SHOWN, wanted=AuditFilter(subject=f"target {target.name}"))
    rows = [
        tag(
            "li",
            tag("span", tag("b", each.user or "the NAS"), f" {each.action.replace('_', ' ')} ",
                tag("span", ", ".join(each.changes)[:120], class_="soft"), class_="grow"),
            ago(each.at),
        )
        for each in entries
    ]  # fmt: skip
    return tag("ul", *rows, class_="list") if rows else tag("p", "Nothing has been changed yet.", class_="soft")
