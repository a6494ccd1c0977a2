"""The iSCSI service: on or off, portals, discovery, iSNS, draining."""

from collections.abc import Sequence

from nicegui import ui
from starlette.requests import Request

from lunaport.model.iscsi_service import ServiceChange
from lunaport.model.user import Role
from lunaport.service.actions import UpdateService
from lunaport.service.nas import PortalReport
from lunaport.web import facts
from lunaport.web.forms import button, confirm, dialog_form, tell
from lunaport.web.frame import head
from lunaport.web.markup import Html, act, ago, badge, tag
from lunaport.web.markup import facts as fact_list
from lunaport.web.page import Live, Page, Site, open_page
from lunaport.web.portal_dialogs import portal_row, put_portal, remove_portal, reset_portals
from lunaport.web.share_fields import ChapFields, whole_number
from lunaport.web.work_list import work_card


def register(site: Site) -> None:
    """Tell NiceGUI of the page."""

    @ui.page("/service")
    async def service(request: Request) -> None:
        page = await open_page(site, request, "Service", "/service")
        if page is None:
            return

        async def clicked(what: str, which: str) -> None:
            if what == "portal":
                put_portal(page)
            elif what == "regroup":
                group, _, address = which.partition(" ")
                put_portal(page, address, whole_number(group))
            elif what == "unportal":
                remove_portal(page, which)
            elif what == "reset":
                reset_portals(page)

        with page.main:
            with ui.element("div").classes("head"):
                ui.html(head("Service"), sanitize=False).classes("grow")
                if page.may(Role.ADMIN):
                    with ui.element("div").classes("tools"):
                        button("Change", lambda: edit(page), kind="primary")
                        button("Drain", lambda: drain(page))
            live = Live(await draw(page)).on_click(clicked)

        async def update() -> None:
            live.show(await draw(page))

        page.every_moment(update)


async def draw(page: Page) -> Html:
    """What it does."""
    service, status = await page.nas.service(), await page.nas.engine_status()
    reports: Sequence[PortalReport] = status.portals
    if not service.enabled:
        reports = [
            PortalReport(host=each.host, port=each.port, group=each.group, listening=False, error="switched off")
            for each in await page.nas.configured_portals()
        ]
    portals = [portal_row(page, each) for each in reports]
    work = [each for each in await page.nas.work() if each.kind == "drain" and not each.target]
    servers = [
        tag(
            "li",
            tag("span", each.address, " ", tag("span", each.error, class_="soft"), class_="grow"),
            ago(each.confirmed_at) if each.confirmed_at else "",
            badge(each.state, {"registered": "good", "failing": "bad"}.get(each.state, "warn")),
        )
        for each in await page.nas.isns_servers()
    ]  # fmt: skip
    pairs = [
        ("iSCSI", badge("on", "good") if service.enabled else badge("off", "warn")),
        ("Port of all portals", service.port or "each portal's own"),
        ("Discovery", "tells everyone of all shares" if service.discovery_open else "tells each what he may use"),
        ("Discovery CHAP", service.discovery_one_way.username if service.discovery_one_way.enabled else "off"),
        ("Draining", "yes: nobody is let in" if service.draining else "no"),
        ("Engine", badge("running", "good") if status.available else badge("does not answer", "bad")),
        ("Running since", ago(status.since) if status.available else "-"),
    ]
    nothing = tag("p", "Nothing listens.", class_="soft")
    tools: object = ""
    if page.may(Role.ADMIN):
        back = act("Those of the start", "reset", name="Back to the portals of the start")
        tools = tag("span", act("Add a portal", "portal"), back if service.portals is not None else "", class_="tools")
    isns = tag("ul", *servers, class_="list") if servers else tag("p", "Switched off.", class_="soft")
    return tag(
        "div",
        work_card(work, {}),
        facts.card("Service", fact_list(pairs), width="w5"),
        tag(
            "div",
            facts.card("Portals", tag("ul", *portals, class_="list") if portals else nothing, note=tools),
            facts.card("iSNS", isns),
            class_="w7 pile",
        ),
        class_="grid",
    )


async def edit(page: Page) -> None:
    """Change it, live."""
    service = await page.nas.service()
    with dialog_form("Service") as form:
        with ui.element("div").classes("fields"):
            enabled = form.add(ui.switch("iSCSI is on", value=service.enabled), "enabled")
            port = form.text(
                "Port", "port", value=str(service.port or ""), hint="Empty: each portal's own", inputmode="numeric"
            )
            opened = form.add(
                ui.switch("Discovery tells everyone of all shares", value=service.discovery_open), "discovery_open"
            )
            one_way = ChapFields(
                form, "Discovery asks for CHAP", ("discovery", "one_way"), service.discovery_one_way, on=False,
                user="discovery",
            )  # fmt: skip
            mutual = ChapFields(
                form, "The NAS proves itself in discovery (mutual CHAP)", ("discovery", "mutual"),
                service.discovery_mutual, on=False,
            )  # fmt: skip
            isns = form.add(ui.switch("Register with iSNS", value=service.isns), "isns")
            address = form.text(
                "iSNS servers", "isns_address", value=service.isns_address, hint="host or host:port, commas between"
            )

        async def work() -> None:
            change = ServiceChange(
                enabled=enabled.value, port=port.value.strip(), discovery_open=opened.value, isns=isns.value,
                isns_address=address.value.strip(), discovery_one_way=one_way.change(),
                discovery_mutual=mutual.change(),
            )  # fmt: skip
            await page.perform(UpdateService(change=change, revisions=frozenset({service.revision})))
            form.dialog.close()
            tell("The service is as you want it")

        form.foot("Save", work)
    form.dialog.open()


async def drain(page: Page) -> None:
    """Begin or end it."""
    draining = (await page.nas.service()).draining

    async def work() -> None:
        await page.perform(UpdateService(change=ServiceChange(draining=not draining)))
        tell("Initiators are let in again" if draining else "Initiators are asked to log out")

    if draining:
        confirm("Let initiators in again?", "Draining ends.", "Let in", work)
    else:
        confirm(
            "Drain the NAS?",
            "All initiators are asked to log out, and nobody is let in until you end it.",
            "Drain",
            work,
        )
