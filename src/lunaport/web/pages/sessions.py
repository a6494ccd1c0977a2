"""Who is connected, who could not be, who is kept out."""

from typing import Final

from nicegui import ui
from starlette.requests import Request

from lunaport.model.user import Role
from lunaport.service.actions import BlockInitiator, UnblockInitiator
from lunaport.service.errors import ServiceError
from lunaport.service.nas import SessionReport
from lunaport.web import facts
from lunaport.web.forms import button, dialog_form, tell
from lunaport.web.frame import head
from lunaport.web.markup import Html, act, ago, join, tag
from lunaport.web.page import Live, Page, Site, open_page
from lunaport.web.session_list import close_session, session_table

SHOWN_MAX: Final = 200


def register(site: Site) -> None:
    """Tell NiceGUI of the page."""

    @ui.page("/sessions")
    async def sessions(request: Request) -> None:
        page = await open_page(site, request, "Sessions", "/sessions")
        if page is None:
            return

        async def clicked(what: str, which: str) -> None:
            if what == "close":
                close_session(page, which)
            elif what == "unblock":
                await page.perform(UnblockInitiator(initiator=which))
                tell(f"{which} may come again")

        with page.main:
            with ui.element("div").classes("head"):
                ui.html(head("Sessions"), sanitize=False).classes("grow")
                if page.may(Role.ADMIN):
                    button("Block an initiator", lambda: block(page))
            live = Live(await draw(page)).on_click(clicked)

        async def update() -> None:
            live.show(await draw(page))

        page.every_moment(update)


async def draw(page: Page) -> Html:
    """The tables."""
    try:
        found: list[SessionReport] = list(await page.nas.sessions())
    except ServiceError as error:
        return tag("p", str(error), class_="problem")
    targets = {each.name: each for each in await page.site.targets()}
    found.sort(key=lambda each: (-each.rates.bytes_read - each.rates.bytes_written, each.tsih))
    note = f"the {SHOWN_MAX} busiest of {len(found)}" if len(found) > SHOWN_MAX else ""
    parts = [facts.card("Connected", session_table(page, found[:SHOWN_MAX], targets), note=note)]
    blocks = await page.nas.blocks()
    if blocks:
        may = page.may(Role.ADMIN)
        rows = [
            tag(
                "li",
                tag("span", tag("b", each.initiator), " ", tag("span", each.note, class_="soft"), class_="grow"),
                ago(each.created_at),
                act("Let in again", "unblock", each.initiator) if may else "",
            )
            for each in blocks
        ]
        parts.append(facts.card("Kept out", tag("ul", *rows, class_="list")))
    refused = (await facts.refused_logins(page.nas))[:50]
    parts.append(
        facts.card(
            "Refused logins",
            facts.refusal_list(refused, "No login was refused since the engine started."),
            name="refused",
        )
    )
    return join(parts)


def block(page: Page) -> None:
    """Keep an initiator out."""
    with dialog_form("Keep an initiator out") as form:
        name = form.text("Initiator", "initiator", hint="Its full name, such as iqn.1993-08.org.debian:01:abc")
        note = form.text("Why", "note", hint="For whoever looks at it later")

        async def work() -> None:
            await page.perform(BlockInitiator(initiator=name.value.strip(), note=note.value.strip()))
            form.dialog.close()
            tell("It is kept out, and its sessions have ended")

        form.foot("Block", work, danger=True)
    form.dialog.open()
