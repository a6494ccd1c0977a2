"""Volumes: how full they are, and taking, changing and forgetting them."""

from nicegui import ui
from starlette.requests import Request

from lunaport.model.user import Role
from lunaport.model.volume import DEFAULT_VOLUME, LOW_SPACE_PERCENT_DEFAULT, OVERCOMMIT_FACTOR_DEFAULT
from lunaport.service.actions import CreateVolume, DeleteVolume, UpdateVolume
from lunaport.service.errors import ServiceError
from lunaport.service.volumes import VolumeReport
from lunaport.web.forms import Form, button, confirm, dialog_form, tell
from lunaport.web.frame import head
from lunaport.web.image_dialogs import delete, image_list, take_in
from lunaport.web.markup import Html, act, badge, bar, facts, join, size, tag
from lunaport.web.page import Live, Page, Site, open_page
from lunaport.web.share_fields import whole_number
from lunaport.web.work_list import work_card


def register(site: Site) -> None:
    """Tell NiceGUI of the page."""

    @ui.page("/volumes")
    async def volumes(request: Request) -> None:
        page = await open_page(site, request, "Volumes", "/volumes")
        if page is None:
            return

        async def clicked(what: str, which: str) -> None:
            if what == "edit":
                await edit(page, which)
            elif what == "forget":
                forget(page, which)
            elif what == "image":
                take_in(page, which)
            elif what == "unimage":
                volume, _, name = which.partition("/")
                delete(page, volume, name)

        with page.main:
            with ui.element("div").classes("head"):
                ui.html(head("Volumes"), sanitize=False).classes("grow")
                if page.may(Role.ADMIN):
                    button("Add a volume", lambda: add(page), kind="primary")
            live = Live(await draw(page)).on_click(clicked)

        async def update() -> None:
            live.show(await draw(page))

        page.every_moment(update)


async def draw(page: Page) -> Html:
    """A card for each."""
    targets = await page.site.targets()
    work = [each for each in await page.nas.work() if each.kind == "image"]
    cards = [work_card(work, {})]
    for report in await page.nas.volumes():
        name = report.volume.name
        count = sum(any(lun.volume == name for lun in each.luns) for each in targets)
        cards.append(card(report, count, await images(page, report), page))
    return tag("div", *cards, class_="grid")


async def images(page: Page, report: VolumeReport) -> Html:
    """What lies in the folder of images."""
    if report.usage is None:
        return Html()
    try:
        found = await page.nas.images(report.volume.name)
    except ServiceError as error:
        return tag("p", str(error), class_="problem")
    return image_list(report.volume.name, found, may=page.may(Role.OPERATOR))


def card(report: VolumeReport, count: int, discs: Html, page: Page) -> Html:
    """A volume."""
    volume, usage = report.volume, report.usage
    if usage is None:
        filled = tag("p", f"It does not answer: {report.error}", class_="problem")
    else:
        part = 1 - usage.free_bytes / usage.total_bytes if usage.total_bytes else 0.0
        text = f"{part * 100:.0f} % of {size(usage.total_bytes)} is taken, {size(usage.free_bytes)} free"
        filled = join((bar(part, f"{volume.name} full"), tag("p", text, class_="soft", style="margin:6px 0 12px")))
    buttons: object = ""
    if page.may(Role.ADMIN):
        forgetting = act("Forget", "forget", volume.name, kind="danger", name=f"Forget {volume.name}")
        buttons = tag(
            "div",
            act("Change", "edit", volume.name, name=f"Change {volume.name}"),
            forgetting if volume.name != DEFAULT_VOLUME else "",
            class_="tools",
            style="margin-top:14px",
        )
    taking = act("Take an image in", "image", volume.name) if usage and page.may(Role.OPERATOR) else ""
    low = f"when no more than {volume.low_space_percent} % is free"
    pairs = [
        ("Directory", tag("span", volume.path, class_="mono")),
        ("Shares", count),
        ("Promised", size(report.committed_bytes)),
        ("Occupied", size(usage.used_bytes) if usage else "not known"),
        ("May promise", f"{volume.overcommit_factor:g} times its size"),
        ("Initiators are told", low if volume.low_space_percent else "never that space gets scarce"),
    ]
    state = badge("ready", "good") if usage else badge("does not answer", "bad")
    return tag(
        "section",
        tag("h2", volume.name, tag("span", state, class_="hint")),
        filled,
        facts(pairs),
        buttons,
        tag("div", tag("h3", "Images"), taking, class_="split") if discs else "",
        discs,
        class_="card w6",
    )


def add(page: Page) -> None:
    """Take a directory."""
    with dialog_form("Add a volume") as form:
        name = form.text("Name", "name", autocomplete="off")
        path = form.text("Directory", "path", hint="Absolute, such as /srv/fast. It is made when it is not there")
        factor = form.text(
            "May promise, times its size",
            "overcommit_factor",
            value=f"{OVERCOMMIT_FACTOR_DEFAULT:g}",
            inputmode="decimal",
        )

        low = low_space(form, LOW_SPACE_PERCENT_DEFAULT)

        async def work() -> None:
            await page.perform(
                CreateVolume(
                    name=name.value.strip(),
                    path=path.value.strip(),
                    overcommit_factor=parse(factor.value),
                    low_space_percent=whole_number(low.value),
                )
            )
            form.dialog.close()
            tell(f"Volume {name.value.strip()} is there")

        form.foot("Add", work)
    form.dialog.open()


async def edit(page: Page, name: str) -> None:
    """Set how far it may be overpromised."""
    report = await page.nas.volume(name)
    with dialog_form(f"Change {name}") as form:
        factor = form.text(
            "May promise, times its size",
            "overcommit_factor",
            value=f"{report.volume.overcommit_factor:g}",
            inputmode="decimal",
        )

        low = low_space(form, report.volume.low_space_percent)

        async def work() -> None:
            await page.perform(
                UpdateVolume(
                    name=name, overcommit_factor=parse(factor.value), low_space_percent=whole_number(low.value)
                )
            )
            form.dialog.close()

        form.foot("Save", work)
    form.dialog.open()


def low_space(form: Form, percent: int) -> ui.input:
    """When initiators are told that its space gets scarce."""
    return form.text(
        "Initiators are told at % free", "low_space_percent", value=str(percent), hint="0: never", inputmode="numeric"
    )


def forget(page: Page, name: str) -> None:
    """Forget it."""

    async def work() -> None:
        await page.perform(DeleteVolume(name=name))
        tell(f"Volume {name} is forgotten; its files are where they were")

    confirm(f"Forget {name}?", "No file is removed. Shares on it have to be deleted first.", "Forget", work, typed=name)


def parse(text: str) -> float:
    """A number; -1, which is refused where it is used, for what is none."""
    try:
        return float(text.strip())
    except ValueError:
        return -1.0
