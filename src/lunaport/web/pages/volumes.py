"""Volumes: how full they are, and taking, changing and forgetting them."""

from nicegui import ui
from starlette.requests import Request

from lunaport.model.user import Role
from lunaport.model.volume import DEFAULT_VOLUME, OVERCOMMIT_FACTOR_DEFAULT
from lunaport.service.actions import CreateVolume, DeleteVolume, UpdateVolume
from lunaport.service.volumes import VolumeReport
from lunaport.web.forms import button, confirm, dialog_form, tell
from lunaport.web.frame import head
from lunaport.web.markup import Html, badge, bar, facts, join, size, tag
from lunaport.web.page import Live, Page, Site, open_page


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
    cards = []
    for report in await page.nas.volumes():
        name = report.volume.name
        count = sum(any(lun.volume == name for lun in each.luns) for each in targets)
        cards.append(card(report, count, may=page.may(Role.ADMIN)))
    return tag("div", *cards, class_="grid")


def card(report: VolumeReport, count: int, *, may: bool) -> Html:
    """A volume."""
    volume, usage = report.volume, report.usage
    if usage is None:
        filled = tag("p", f"It does not answer: {report.error}", class_="problem")
    else:
        part = 1 - usage.free_bytes / usage.total_bytes if usage.total_bytes else 0.0
        text = f"{part * 100:.0f} % of {size(usage.total_bytes)} is taken, {size(usage.free_bytes)} free"
        filled = join((bar(part, f"{volume.name} full"), tag("p", text, class_="soft", style="margin:6px 0 12px")))
    buttons: object = ""
    if may:
        forget_button = tag(
            "button", "Forget", type="button", class_="button small danger", data_do="forget", data_id=volume.name
        )
        change = tag("button", "Change", type="button", class_="button small", data_do="edit", data_id=volume.name)
        buttons = tag(
            "div",
            change,
            forget_button if volume.name != DEFAULT_VOLUME else "",
            class_="tools",
            style="margin-top:14px",
        )
    pairs = [
        ("Directory", tag("span", volume.path, class_="mono")),
        ("Shares", count),
        ("Promised", size(report.committed_bytes)),
        ("Occupied", size(usage.used_bytes) if usage else "not known"),
        ("May promise", f"{volume.overcommit_factor:g} times its size"),
    ]
    state = badge("ready", "good") if usage else badge("does not answer", "bad")
    return tag(
        "section",
        tag("h2", volume.name, tag("span", state, class_="hint")),
        filled,
        facts(pairs),
        buttons,
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

        async def work() -> None:
            await page.perform(
                CreateVolume(name=name.value.strip(), path=path.value.strip(), overcommit_factor=parse(factor.value))
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

        async def work() -> None:
            await page.perform(UpdateVolume(name=name, overcommit_factor=parse(factor.value)))
            form.dialog.close()

        form.foot("Save", work)
    form.dialog.open()


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
