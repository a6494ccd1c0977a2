"""The iSCSI service: on or off, port, discovery, iSNS, draining."""

from nicegui import ui
from starlette.requests import Request

from lunaport.model.address import HostPort
from lunaport.model.iscsi_service import ServiceChange
from lunaport.model.user import Role
from lunaport.service.actions import UpdateService
from lunaport.web import facts
from lunaport.web.forms import button, confirm, dialog_form, tell
from lunaport.web.frame import head
from lunaport.web.markup import Html, ago, badge, join, tag
from lunaport.web.markup import facts as fact_list
from lunaport.web.page import Live, Page, Site, open_page


def register(site: Site) -> None:
    """Tell NiceGUI of the page."""

    @ui.page("/service")
    async def service(request: Request) -> None:
        page = await open_page(site, request, "Service", "/service")
        if page is None:
            return
        with page.main:
            with ui.element("div").classes("head"):
                ui.html(head("Service"), sanitize=False).classes("grow")
                if page.may(Role.ADMIN):
                    with ui.element("div").classes("tools"):
                        button("Change", lambda: edit(page), kind="primary")
                        button("Drain", lambda: drain(page))
            live = Live(await draw(page))

        async def update() -> None:
            live.show(await draw(page))

        page.every_moment(update)


async def draw(page: Page) -> Html:
    """What it does."""
    service, status = await page.nas.service(), await page.nas.engine_status()
    portals = [
        tag(
            "li",
            tag("span", str(HostPort(host=each.host, port=each.port)), class_="grow mono"),
            tag("span", each.error, class_="soft"),
            badge("listening", "good") if each.listening else badge("not listening", "bad"),
        )
        for each in status.portals
    ]  # fmt: skip
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
        ("Port", service.port or "each portal's own"),
        ("Discovery", "tells everyone of all shares" if service.discovery_open else "tells each what he may use"),
        ("Discovery CHAP", service.discovery_one_way.username if service.discovery_one_way.enabled else "off"),
        ("Draining", "yes: nobody is let in" if service.draining else "no"),
        ("Engine", badge("running", "good") if status.available else badge("does not answer", "bad")),
        ("Running since", ago(status.since) if status.available else "-"),
    ]
    nothing = tag("p", "Nothing listens.", class_="soft")
    return tag(
        "div",
        facts.card("Service", fact_list(pairs), width="w6"),
        join(
            (
                facts.card("Portals", tag("ul", *portals, class_="list") if portals else nothing, width="w6"),
                facts.card(
                    "iSNS",
                    tag("ul", *servers, class_="list") if servers else tag("p", "Switched off.", class_="soft"),
                    width="w6",
                ),
            )
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
            isns = form.add(ui.switch("Register with iSNS", value=service.isns), "isns")
            address = form.text(
                "iSNS servers", "isns_address", value=service.isns_address, hint="host or host:port, commas between"
            )

        async def work() -> None:
            change = ServiceChange(
                enabled=enabled.value, port=port.value.strip(), discovery_open=opened.value, isns=isns.value,
                isns_address=address.value.strip(),
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
