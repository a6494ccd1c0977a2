"""The dialogs of a share: making, connecting, editing, growing, deleting."""

from typing import Any, Final

from nicegui import ui

from lunaport.model.access import AccessChange, AccessRule
from lunaport.model.chap import ChapChange
from lunaport.model.connect import Endpoint, endpoint_of, ways_to_connect
from lunaport.model.errors import InvalidError
from lunaport.model.limits import LimitsChange
from lunaport.model.lun import LunChange
from lunaport.model.name import parse_name
from lunaport.model.secret import new_secret
from lunaport.model.size import parse_size
from lunaport.model.target import Target, TargetChange
from lunaport.service.actions import CreateTarget, DeleteTarget, UpdateTarget
from lunaport.web import facts
from lunaport.web.forms import Form, button, confirm, copybox, dialog_form, tell
from lunaport.web.markup import size, tag
from lunaport.web.page import Page

GROW_FACTOR_MAX: Final = 4


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


class ShareFields:
    """The fields that making and editing have in common."""

    def __init__(self, form: Form, target: Target | None) -> None:
        self.target = target
        one_way = target.one_way if target else None
        self.chap = ui.switch("Initiators log in by CHAP", value=one_way.enabled if one_way else True)
        with ui.element("div").classes("fieldset").bind_visibility_from(self.chap, "value"):
            with ui.element("div").classes("fields two"):
                self.user = form.text(
                    "CHAP user", "one_way", "username", value=one_way.username if one_way else "", autocomplete="off"
                )
                kept = bool(one_way and one_way.secret)
                self.secret = form.secret(
                    "CHAP secret", "one_way", "secret", value="" if target else new_secret(),
                    hint="Left empty: stays as it is" if kept else "12 to 16 characters",
                )  # fmt: skip
            with ui.element("div").classes("tools"):
                button("Generate", self.generate, kind="small")
                button("Copy", self.copy, kind="small")
        form.add(self.chap, "one_way", "enabled")

    def generate(self) -> None:
        """Put a new secret in."""
        self.secret.value = new_secret()

    def copy(self) -> None:
        """Put the secret into the clipboard."""
        ui.clipboard.write(self.secret.value)
        tell("The secret is in the clipboard")

    def one_way(self) -> ChapChange:
        """What the fields say."""
        if not self.chap.value:
            return ChapChange(enabled=False)
        return ChapChange(enabled=True, username=self.user.value.strip(), secret=self.secret.value or None)


class MoreFields:
    """What is folded away."""

    def __init__(self, form: Form, target: Target | None) -> None:
        mutual, access = (target.mutual, target.access) if target else (None, None)
        limits = target.limits if target else None
        with ui.element("div").classes("tools"):
            self.header = ui.switch("Header digest", value=target.header_digest if target else False)
            self.data = ui.switch("Data digest", value=target.data_digest if target else False)
            self.single = ui.switch("One initiator at a time", value=access.single_initiator if access else False)
        with ui.element("div").classes("fields two"):
            rule = access.rules[0] if access and access.rules else AccessRule()
            self.initiators = form.text(
                "Only these initiators", "access", "rules", value=", ".join(rule.initiators),
                hint="Names or patterns, commas between; empty: all",
            )  # fmt: skip
            self.networks = form.text("Only from", "access", "rules", 0, "networks", value=", ".join(rule.networks),
                                      hint="192.0.2.0/24, 2001:db8::/64; empty: anywhere")  # fmt: skip
        self.many_rules = bool(access and (len(access.rules) > 1 or rule.read_only or rule.luns is not None))
        if self.many_rules:
            self.initiators.disable()
            self.networks.disable()
            ui.html(
                tag("p", "This share has rules of its own kind; they are changed in API v1.", class_="hint"),
                sanitize=False,
            )
        self.mutual = ui.switch("The share proves itself too (mutual CHAP)", value=mutual.enabled if mutual else False)
        with ui.element("div").classes("fields two").bind_visibility_from(self.mutual, "value"):
            self.mutual_user = form.text(
                "Its user", "mutual", "username", value=mutual.username if mutual else "", autocomplete="off"
            )
            self.mutual_secret = form.secret(
                "Its secret", "mutual", "secret", hint="12 to 16 characters, another than above"
            )
        form.add(self.mutual, "mutual", "enabled")
        with ui.element("div").classes("fields two"):
            commands = str(limits.iops) if limits and limits.iops else ""
            self.iops = form.text("Commands a second at most", "limits", "iops", value=commands, hint="Empty: no limit")
            per_second = f"{limits.bytes_per_second}" if limits and limits.bytes_per_second else ""
            self.bytes = form.text(
                "Bytes a second at most",
                "limits",
                "bytes_per_second",
                value=per_second,
                hint="Such as 100M; empty: no limit",
            )

    def change(self) -> dict[str, Any]:
        """What the fields say. Raises InvalidError."""
        rules = None
        if not self.many_rules:
            rule = AccessRule(initiators=words(self.initiators.value), networks=words(self.networks.value))
            rules = () if rule == AccessRule() else (rule,)
        mutual = ChapChange(enabled=False)
        if self.mutual.value:
            mutual = ChapChange(
                enabled=True, username=self.mutual_user.value.strip(), secret=self.mutual_secret.value or None
            )
        iops = self.iops.value.strip()
        return {
            "header_digest": self.header.value,
            "data_digest": self.data.value,
            "access": AccessChange(rules=rules, single_initiator=self.single.value),
            "mutual": mutual,
            "limits": LimitsChange(
                iops=int(iops) if iops.isascii() and iops.isdigit() and len(iops) < 15 else 0 if not iops else -1,
                bytes_per_second=parse_size(self.bytes.value) if self.bytes.value.strip() else 0,
            ),
        }


def words(text: str) -> tuple[str, ...]:
    """What stands between commas or spaces."""
    return tuple(text.replace(",", " ").split())


async def create_share(page: Page) -> None:
    """Make a share, then say how to connect to it."""
    volumes = [each.volume.name for each in await page.nas.volumes()]
    with dialog_form("New share") as form:
        with ui.element("div").classes("fields"):
            name = form.text("Name", "name", autocomplete="off", spellcheck="false")
            name.props["autofocus"] = True
            preview = ui.html("", sanitize=False).props('aria-live="polite"')
            with ui.element("div").classes("fields two"):
                wanted = form.text("Size", "size", value="10G", hint="Thin: it takes what is written to it")
                volume = form.add(
                    ui.select(volumes, value="default" if "default" in volumes else volumes[0], label="Volume").props(
                        "outlined"
                    ),
                    "volume",
                )
            fields = ShareFields(form, None)
            fields.user.value = "initiator"
            with ui.expansion("Digests, access, limits").props("dense"), ui.element("div").classes("fields"):
                more = MoreFields(form, None)

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
            secret = fields.secret.value if fields.chap.value else ""
            change = TargetChange(
                name=name.value.strip(),
                size=wanted.value.strip(),
                volume=volume.value,
                one_way=fields.one_way(),
                **more.change(),
            )
            target = await page.perform(CreateTarget(change=change))
            mutual_secret = more.mutual_secret.value if more.mutual.value else ""
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
            fields = ShareFields(form, target)
            more = MoreFields(form, target)

        async def work() -> None:
            change = TargetChange(
                name=name.value.strip() if name.value.strip() != target.name else None,
                one_way=fields.one_way(),
                **more.change(),
            )
            await page.perform(UpdateTarget(target_id=target.id, change=change, revisions=frozenset({target.revision})))
            form.dialog.close()
            ui.navigate.reload()

        form.foot("Save", work)
    form.dialog.open()


async def grow_share(page: Page, target: Target) -> None:
    """Make the disk larger while it is in use."""
    disk = target.disk
    step = max(1 << 20, disk.size_bytes // 64)
    with dialog_form(f"Grow {facts.short(target.name)}") as form:
        ui.html(
            tag(
                "p",
                f"It has {size(disk.size_bytes)} now. It can grow while it is in use, and cannot shrink.",
                class_="soft",
            ),
            sanitize=False,
        )
        wanted = form.text("New size", "size", value=size(disk.size_bytes).replace(" ", ""))
        form.add(wanted, "luns")
        slider = ui.slider(min=disk.size_bytes, max=disk.size_bytes * GROW_FACTOR_MAX, step=step, value=disk.size_bytes)
        slider.props('aria-label="New size, by sliding"')

        def slid() -> None:
            wanted.value = size(slider.value).replace(" ", "")

        slider.on_value_change(slid)

        async def work() -> None:
            exact = parse_size(wanted.value.strip())
            if exact < disk.size_bytes and exact > disk.size_bytes * 0.94:
                exact = disk.size_bytes  # as shown, rounded
            change = TargetChange(luns=(LunChange(lun=disk.lun, size=exact),))
            await page.perform(UpdateTarget(target_id=target.id, change=change, revisions=frozenset({target.revision})))
            form.dialog.close()
            tell(f"{facts.short(target.name)} has {size(exact)} now; initiators have been told")
            ui.navigate.reload()

        form.foot("Grow", work)
    form.dialog.open()


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
