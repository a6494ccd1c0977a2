"""The dialogs of a share: making, connecting, editing, growing, deleting."""

from typing import Final

from nicegui import ui

from lunaport.model.connect import Endpoint, endpoint_of, ways_to_connect
from lunaport.model.errors import InvalidError
from lunaport.model.lun import LunChange
from lunaport.model.name import parse_name
from lunaport.model.target import Target, TargetChange
from lunaport.model.volume import DEFAULT_VOLUME
from lunaport.service.actions import CreateTarget, DeleteTarget, UpdateTarget
from lunaport.web import facts
from lunaport.web.forms import button, confirm, copybox, dialog_form, tell
from lunaport.web.markup import tag
from lunaport.web.page import Page
from lunaport.web.share_fields import ONE_WAY, ChapFields, KindFields, MoreFields

DISK: Final = ("luns", 0)
"""Where the fields of the disk of a new share stand in the model."""


async def endpoint(page: Page, target: Target, *, secret: str = "", mutual_secret: str = "") -> Endpoint:
    """Where initiators find a share."""
    host, port = await page.nas.reach(page.host.strip("[]"))
    return endpoint_of(target, host, port, secret=secret, mutual_secret=mutual_secret)


async def show_ways(page: Page, target: Target, *, secret: str = "", mutual_secret: str = "") -> None:
    """The ways to connect, as tabs."""
    ways = ways_to_connect(await endpoint(page, target, secret=secret, mutual_secret=mutual_secret))
    with ui.tabs().props("dense align=left no-caps inline-label outside-arrows mobile-arrows") as tabs:
        made = {way.key: ui.tab(way.key, label=way.title) for way in ways}
    with ui.tab_panels(tabs, value=made[ways[0].key]).classes("w-full").props("keep-alive"):
        for way in ways:
            with ui.tab_panel(made[way.key]):
                copybox(way.text, f"way-{way.key}-{target.id}")
                ui.html(tag("p", way.note, class_="hint", style="margin-top:8px"), sanitize=False)


async def connect_dialog(
    page: Page, target: Target, *, secret: str = "", mutual_secret: str = "", fresh: bool = False
) -> None:
    """Connect to it."""
    title = f"{facts.short(target.name)} is ready. Connect to it" if fresh else f"Connect to {facts.short(target.name)}"
    with dialog_form(title, wide=True) as form:
        if secret:
            ui.html(
                tag("p", "The secret stands in the lines below. It is not shown again: copy it now.", class_="notice"),
                sanitize=False,
            )
        elif target.asks_for_chap:
            ui.html(tag("p", "Put the CHAP secret in place of the word in capitals.", class_="hint"), sanitize=False)
        await show_ways(page, target, secret=secret, mutual_secret=mutual_secret)
        with ui.element("div").classes("foot"):
            if fresh:
                button("Open the share", lambda: ui.navigate.to(f"/shares/{target.id}"))
            button("Done", form.dialog.close, kind="primary")
    form.dialog.open()


async def create_share(page: Page) -> None:
    """Make a share, then say how to connect to it."""
    volumes = [each.volume.name for each in await page.nas.volumes()]
    with dialog_form("New share") as form:
        with ui.element("div").classes("fields"):
            name = form.text("Name", "name", autocomplete="off", spellcheck="false")
            name.props["autofocus"] = True
            preview = ui.html("", sanitize=False).props('aria-live="polite"')
            with ui.element("div").classes("fields two"):
                wanted = form.text("Size", *DISK, "size", value="10G", hint="Thin: it takes what is written to it")
                first = DEFAULT_VOLUME if DEFAULT_VOLUME in volumes else volumes[0]
                volume = form.choice("Volume", volumes, *DISK, "volume", value=first)
            chap = ChapFields(form, "Initiators log in by CHAP", ONE_WAY, None, on=True, user="initiator")
            with ui.expansion("Access, digests, limits").props("dense"), ui.element("div").classes("fields"):
                more = MoreFields(form, None)
            with ui.expansion("Kind of disk").props("dense"), ui.element("div").classes("fields"):
                kind = KindFields(form, *DISK, drives=False)

        def show_name() -> None:
            try:
                full = parse_name(name.value.strip(), page.site.config.iqn_prefix) if name.value.strip() else ""
            except InvalidError:
                full = ""
            preview.set_content(
                tag("p", "Initiators will know it as ", tag("b", full), class_="preview") if full else ""
            )

        name.on_value_change(show_name)

        async def work() -> None:
            secret, mutual_secret = chap.given, more.mutual.given
            disk = LunChange(lun=0, size=wanted.value.strip(), volume=volume.value, kind=kind.kind())
            change = TargetChange(name=name.value.strip(), luns=(disk,), one_way=chap.change(), **more.change())
            target = await page.perform(CreateTarget(change=change))
            form.dialog.close()
            with page.main:
                await connect_dialog(page, target, secret=secret, mutual_secret=mutual_secret, fresh=True)

        form.foot("Create", work)
    form.dialog.open()


async def edit_share(page: Page, target: Target) -> None:
    """Change a share, live."""
    with dialog_form(f"Edit {facts.short(target.name)}") as form:
        with ui.element("div").classes("fields"):
            name = form.text("Name", "name", value=target.name, hint="Another name ends its sessions")
            chap = ChapFields(form, "Initiators log in by CHAP", ONE_WAY, target.one_way, on=True)
            more = MoreFields(form, target)

        async def work() -> None:
            change = TargetChange(
                name=name.value.strip() if name.value.strip() != target.name else None,
                one_way=chap.change(),
                **more.change(),
            )
            await page.perform(UpdateTarget(target_id=target.id, change=change, revisions=frozenset({target.revision})))
            form.dialog.close()
            tell("The share is as you want it")

        form.foot("Save", work)
    form.dialog.open()


async def drain_share(page: Page, target: Target) -> None:
    """Begin or end to drain it."""
    begins = not target.draining

    async def work() -> None:
        await page.perform(UpdateTarget(target_id=target.id, change=TargetChange(draining=begins)))
        tell("Initiators are asked to log out" if begins else "Initiators are let in again")

    name = facts.short(target.name)
    if begins:
        text = "Its initiators are asked to log out, and nobody is let in until you end it. You need not wait for it."
        confirm(f"Drain {name}?", text, "Drain", work)
    else:
        confirm(f"Let initiators in to {name} again?", "Draining ends.", "Let in", work)


def delete_share(page: Page, target: Target) -> None:
    """Delete a share, after its name was typed."""

    async def work() -> None:
        await page.perform(DeleteTarget(target_id=target.id))
        ui.navigate.to("/shares")

    days = page.site.config.trash_days
    confirm(
        f"Delete {facts.short(target.name)}?",
        f"Its sessions end at once. Its data stays in the trash for {days:g} days and can be restored from there.",
        "Delete",
        work,
        typed=facts.short(target.name),
    )
