"""The overview: how the NAS is, what it does, who is there, what needs attention."""

from collections.abc import Sequence

from nicegui import ui
from starlette.requests import Request

from lunaport.model.address import HostPort
from lunaport.model.audit import AuditEntry
from lunaport.model.user import Role
from lunaport.service.errors import ServiceError
from lunaport.service.nas import EngineStatus, SessionReport
from lunaport.web import facts
from lunaport.web.frame import head
from lunaport.web.markup import Html, ago, badge, bar, duration, empty, join, link, number, rate, size, table, tag
from lunaport.web.page import Live, Page, Site, open_page
from lunaport.web.work_list import work_card

CHANGES_SHOWN = 8
SESSIONS_SHOWN = 6
BUSIEST_SHOWN = 6
LOCAL = frozenset({"127.0.0.1", "::1", "localhost"})


def register(site: Site) -> None:
    """Tell NiceGUI of the page."""

    @ui.page("/")
    async def overview(request: Request) -> None:
        page = await open_page(site, request, "Overview", "/")
        if page is None:
            return
        with page.main:
            live = Live(await draw(page))

        async def update() -> None:
            live.show(await draw(page))

        page.every_moment(update)


async def draw(page: Page) -> Html:
    """The whole page."""
    nas, watching = page.nas, page.watching
    status = await nas.engine_status()
    targets = await page.site.targets()
    try:
        sessions = [each for each in await nas.sessions() if each.target]
    except ServiceError:
        sessions = []
    concerns = await facts.concerns(nas, status, targets, secure=page.secure, local=page.host in LOCAL)
    past = watching.whole
    known = {each.name: each for each in targets}
    parts = [
        tag("div", head("Overview"), state(status), class_="head"),
        tiles(page, status, len(targets), len(sessions)),
        work_card(await nas.work(), known),
        facts.card("Needs attention", facts.concern_list(concerns), width="w7"),
        facts.card("Volumes", await volumes(page, status), width="w5"),
        *facts.charts(past),
        facts.card("Busiest shares", busiest(page), width="w6"),
        facts.card("Connected", connected(sessions, page), width="w6", note=link("All sessions", "/sessions")),
    ]
    if page.may(Role.ADMIN):
        entries = await nas.audit(count_max=CHANGES_SHOWN)
        parts.append(facts.card("Last changes", changes(entries), note=link("Audit log", "/audit")))
    return join((parts[0], parts[1], tag("div", *parts[2:], class_="grid")))


def state(status: EngineStatus) -> Html:
    """In a word."""
    if not status.available:
        return badge("Not serving", "bad")
    listening = sum(each.listening for each in status.portals)
    if not status.portals:
        return badge("Switched off", "warn")
    return badge("Serving", "good") if listening == len(status.portals) else badge("Partly serving", "warn")


def tiles(page: Page, status: EngineStatus, targets: int, sessions: int) -> Html:
    """The main numbers."""
    now, total = page.watching.whole.now, page.watching.whole.counters
    portals = ", ".join(str(HostPort(host=each.host, port=each.port)) for each in status.portals)
    return tag(
        "div",
        tile("Throughput", rate(now.bytes), f"read {rate(now.bytes_read)} · write {rate(now.bytes_written)}"),
        tile("Commands", f"{number(now.commands)}/s", f"{total.outstanding} under way"),
        tile("Latency", duration(now.latency) if now.latency else "-", "mean of two seconds"),
        tile("Shares", str(targets), f"{sessions} session{'' if sessions == 1 else 's'}"),
        tile("Portals", str(len(status.portals)), portals or "none"),
        class_="tiles",
    )


def tile(label: str, value: str, more: str) -> Html:
    """A number."""
    return tag(
        "div",
        tag("div", label, class_="label"),
        tag("div", value, class_="value"),
        tag("div", more, class_="more"),
        class_="tile",
    )


async def volumes(page: Page, status: EngineStatus) -> Html:
    """How full they are, and what iSNS says."""
    rows = []
    for report in await page.nas.volumes() if status.available else ():
        name = link(report.volume.name, "/volumes", class_="name")
        if report.usage is None:
            rows.append(tag("li", tag("span", name, class_="grow"), badge("does not answer", "bad")))
            continue
        total, free = report.usage.total_bytes, report.usage.free_bytes
        filled = 1 - free / total if total else 0.0
        text = f"{size(free)} free of {size(total)}, {size(report.committed_bytes)} promised"
        rows.append(
            tag("li", tag("div", name, " ", tag("span", text, class_="soft"), bar(filled, f"{report.volume.name} full"),
                          class_="grow"))
        )  # fmt: skip
    for server in await page.nas.isns_servers():
        kind = {"registered": "good", "failing": "bad"}.get(server.state, "warn")
        rows.append(tag("li", tag("span", f"iSNS {server.address}", class_="grow"), badge(server.state, kind)))
    return tag("ul", *rows, class_="list")


def busiest(page: Page) -> Html:
    """The shares that do most."""
    found = page.watching.busiest(BUSIEST_SHOWN)
    ids = {target.name: target for target in page.site.known_targets()}
    rows = [
        (
            facts.share_link(ids[name]) if name in ids else name,
            rate(now.bytes_read),
            rate(now.bytes_written),
            f"{number(now.commands)}/s",
            duration(now.latency) if now.latency else "-",
        )
        for name, now in found
    ]
    if not rows:
        return empty("It is quiet", "What shares do shows up here the moment they do it.")
    columns = ("Share", "Read", "Written", "Commands", "Latency")
    return table("Busiest shares", columns, rows, numbers=(1, 2, 3, 4))


def connected(sessions: list[SessionReport], page: Page) -> Html:
    """Who is there."""
    if not sessions:
        return empty(
            "Nobody is connected", join(("Open a ", link("share", "/shares"), " to see how to connect to it."))
        )
    ids = {target.name: target for target in page.site.known_targets()}
    rows = [
        (
            join((each.initiator_alias or each.initiator, tag("span", each.address, class_="under"))),
            facts.share_link(ids[each.target]) if each.target in ids else facts.short(each.target),
            rate(each.rates.bytes_read + each.rates.bytes_written),
        )
        for each in sorted(sessions, key=lambda each: -(each.rates.bytes_read + each.rates.bytes_written))
    ]
    more = len(rows) - SESSIONS_SHOWN
    shown = table("Connected initiators", ("Initiator", "Share", "Rate"), rows[:SESSIONS_SHOWN], numbers=(2,))
    return join((shown, tag("p", f"and {more} more", class_="hint") if more > 0 else ""))


def changes(entries: Sequence[AuditEntry]) -> Html:
    """The last entries of the audit log."""
    rows = [
        tag(
            "li",
            tag("span", tag("b", each.user or "the NAS"), f" {each.action.replace('_', ' ')} ",
                tag("span", each.subject, class_="soft"), class_="grow"),
            "" if each.outcome == "done" else badge(each.outcome, "warn"),
            ago(each.at),
        )
        for each in entries
    ]  # fmt: skip
    return tag("ul", *rows, class_="list") if rows else tag("p", "Nothing has been changed yet.", class_="soft")
