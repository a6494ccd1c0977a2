"""The dialogs of the disks of a share: adding, growing, changing and removing one, and what lies in drives."""

from nicegui import ui

from lunaport.model.lun import Lun, LunChange
from lunaport.model.size import parse_size
from lunaport.model.target import Target
from lunaport.model.volume import DEFAULT_VOLUME
from lunaport.service.actions import CreateLun, DeleteLun, EjectMedium, InsertMedium, UpdateLun
from lunaport.web import facts
from lunaport.web.forms import confirm, dialog_form, link_button, tell
from lunaport.web.markup import size, tag, typed_size
from lunaport.web.page import Page
from lunaport.web.share_fields import KindFields, whole_number

GROW_FACTOR_MAX = 4


async def add_lun(page: Page, target: Target) -> None:
    """Add a disk or a drive, live."""
    volumes = [each.volume.name for each in await page.nas.volumes()]
    with dialog_form(f"Add a disk to {facts.short(target.name)}") as form:
        with ui.element("div").classes("fields"):
            with ui.element("div").classes("fields two"):
                wanted = form.text("Size", "size", value="10G", hint="Thin: it takes what is written to it")
                number = form.text("LUN", "lun", hint="Empty: the lowest free one", inputmode="numeric")
            first = DEFAULT_VOLUME if DEFAULT_VOLUME in volumes else volumes[0]
            volume = form.choice("Volume", volumes, "volume", value=first)
            kind = KindFields(form, drives=True)
            kind.size = wanted

        async def work() -> None:
            change = LunChange(
                lun=whole_number(number.value) if number.value.strip() else None,
                size=None if kind.is_drive else wanted.value.strip(),
                volume=volume.value,
                kind=kind.kind(),
            )
            done = await page.perform(
                CreateLun(target_id=target.id, change=change, revisions=frozenset({target.revision}))
            )
            form.dialog.close()
            tell(f"LUN {done.lun} is there; initiators have been told")

        form.foot("Add", work)
    form.dialog.open()


def change_lun(page: Page, target: Target, lun: Lun) -> None:
    """Read-only or not, write cache on or off; and larger."""
    with dialog_form(f"Change LUN {lun.lun} of {facts.short(target.name)}") as form:
        with ui.element("div").classes("fields"):
            wanted = form.text("Size", "size", value=typed_size(lun.size_bytes), hint="It can grow, and cannot shrink")
            read_only = form.switch("Read-only", "read_only", value=lun.kind.read_only)
            write_cache = form.switch("Write cache", "write_cache", value=lun.kind.write_cache)
            text = "Without the write cache every write is durable before it is answered."
            ui.html(tag("p", text, class_="hint"), sanitize=False)

        async def work() -> None:
            kind = {"read_only": read_only.value, "write_cache": write_cache.value}
            change = LunChange(size=wanted.value.strip(), kind=kind)
            revisions = frozenset({target.revision})
            await page.perform(UpdateLun(target_id=target.id, lun=lun.lun, change=change, revisions=revisions))
            form.dialog.close()
            tell(f"LUN {lun.lun} is as you want it; initiators have been told")

        form.foot("Save", work)
    form.dialog.open()


def grow_lun(page: Page, target: Target, lun: Lun) -> None:
    """Make a disk larger while it is in use."""
    name = facts.short(target.name) if len(target.luns) == 1 else f"LUN {lun.lun} of {facts.short(target.name)}"
    step = max(1 << 20, lun.size_bytes // 64)
    with dialog_form(f"Grow {name}") as form:
        text = f"It has {size(lun.size_bytes)} now. It can grow while it is in use, and cannot shrink."
        ui.html(tag("p", text, class_="soft"), sanitize=False)
        wanted = form.text("New size", "size", value=typed_size(lun.size_bytes))
        slider = ui.slider(min=lun.size_bytes, max=lun.size_bytes * GROW_FACTOR_MAX, step=step, value=lun.size_bytes)
        slider.props('aria-label="New size, by sliding"')

        def slid() -> None:
            # Whole MiB, which are short to read; the size of now exactly.
            exact = int(slider.value)
            wanted.value = typed_size(exact >> 20 << 20 if exact > lun.size_bytes else lun.size_bytes)

        slider.on_value_change(slid)

        async def work() -> None:
            exact = parse_size(wanted.value.strip())
            change = LunChange(size=exact)
            revisions = frozenset({target.revision})
            await page.perform(UpdateLun(target_id=target.id, lun=lun.lun, change=change, revisions=revisions))
            form.dialog.close()
            tell(f"{name} has {size(exact)} now; initiators have been told")

        form.foot("Grow", work)
    form.dialog.open()


def remove_lun(page: Page, target: Target, lun: Lun) -> None:
    """Take a disk off a share, after its number was typed."""

    async def work() -> None:
        revisions = frozenset({target.revision})
        await page.perform(DeleteLun(target_id=target.id, lun=lun.lun, revisions=revisions))
        tell(f"LUN {lun.lun} is removed; initiators have been told")

    days = page.site.config.trash_days
    confirm(
        f"Remove LUN {lun.lun}?",
        f"What initiators do with it ends. Its data stays in the trash for {days:g} days.",
        "Remove",
        work,
        typed=str(lun.lun),
    )


async def change_medium(page: Page, target: Target, lun: Lun) -> None:
    """Put an image into a drive or take it out; take the medium of a removable disk out, or put it back in."""
    medium = await page.nas.medium(target, lun.lun)
    loaded = medium.loaded if medium else True
    images = [each.name for each in await page.nas.images(lun.volume)] if lun.kind.is_drive else []
    with dialog_form(f"The medium of LUN {lun.lun}") as form:
        state = f"{lun.medium.image or 'The medium'} lies in it." if loaded else "It is empty: the medium is out."
        ui.html(tag("p", state, class_="soft"), sanitize=False)
        if medium and medium.locked_by:
            text = f"{', '.join(medium.locked_by)} keeps it in."
            ui.html(tag("p", text, class_="notice"), sanitize=False)
        image = None
        if lun.kind.is_drive and images:
            chosen = lun.medium.image if lun.medium.image in images else images[0]
            image = form.choice(f"Image of the volume {lun.volume}", images, "image", value=chosen)
        elif lun.kind.is_drive:
            text = f"The volume {lun.volume} holds no image yet; the page of volumes takes one in."
            ui.html(tag("p", text, class_="hint"), sanitize=False)
        force = ui.switch("Also when an initiator keeps it in", value=False)

        async def eject() -> None:
            await page.perform(EjectMedium(target_id=target.id, lun=lun.lun, force=force.value))
            form.dialog.close()
            tell("The medium is out; initiators have been told")

        async def insert() -> None:
            name = image.value if image is not None else ""
            await page.perform(InsertMedium(target_id=target.id, lun=lun.lun, image=name, force=force.value))
            form.dialog.close()
            tell("The medium is in; initiators have been told")

        if image is not None or (not lun.kind.is_drive and not loaded):
            if loaded:
                link_button("Take it out", form.guarded(eject))
            form.foot("Put it in", insert)
        else:
            form.foot("Take it out", eject)
    form.dialog.open()
