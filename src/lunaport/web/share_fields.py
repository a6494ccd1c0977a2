"""Fields that several dialogs of shares have in common: CHAP, what is folded away, what kind of disk it is."""

import time
from dataclasses import replace
from typing import Any, Final

from nicegui import ui

from lunaport.model.access import AccessChange, AccessRule
from lunaport.model.chap import Chap, ChapChange
from lunaport.model.errors import InvalidError, Path
from lunaport.model.limits import LimitsChange
from lunaport.model.lun import BLOCK_SIZES, CDROM, DISK, LunKind
from lunaport.model.secret import new_secret
from lunaport.model.size import parse_size
from lunaport.model.target import Target
from lunaport.web.forms import Form, button, js, tell
from lunaport.web.markup import tag

HOURS_MAX: Final = 9000
ONE_WAY: Final = ("one_way",)
MUTUAL: Final = ("mutual",)


def words(text: str) -> tuple[str, ...]:
    """What stands between commas or spaces."""
    return tuple(text.replace(",", " ").split())


def numbers(text: str) -> tuple[int, ...]:
    """Numbers between commas or spaces; -1, which is refused where it is used, for what is none."""
    return tuple(whole_number(each) for each in words(text))


def whole_number(text: str) -> int:
    """A number; -1, which is refused where it is used, for what is none. 0 for nothing."""
    text = text.strip()
    if not text:
        return 0
    return int(text) if text.isascii() and text.isdigit() and len(text) < 15 else -1


def size_at(text: str, *path: str | int) -> int:
    """A size, 0 for nothing. Raises InvalidError at `path`."""
    try:
        return parse_size(text) if text.strip() else 0
    except InvalidError as error:
        raise InvalidError([replace(each, path=path) for each in error.problems]) from None


class SecretField:
    """A secret with the buttons that make and copy one."""

    def __init__(self, form: Form, label: str, *path: str | int, kept: bool = False, fresh: bool = False) -> None:
        self.field = form.secret(
            label, *path, value=new_secret() if fresh else "",
            hint="Left empty: stays as it is" if kept else "12 to 16 characters",
        )  # fmt: skip

    @property
    def value(self) -> str | None:
        """What stands there; None: nothing."""
        return self.field.value or None

    def buttons(self) -> None:
        """Generate and copy."""
        with ui.element("div").classes("tools"):
            button("Generate", self.generate, kind="small")
            button("Copy", self.copy, kind="small")

    def generate(self) -> None:
        """Put a new secret in."""
        self.field.value = new_secret()

    def copy(self) -> None:
        """Put the secret into the clipboard."""
        ui.run_javascript(f"lunaport.copy({js(self.field.value)})")
        tell("The secret is in the clipboard")


class ChapFields:
    """One direction of CHAP: on or off, user, secret, and how long the secret before stays valid."""

    def __init__(self, form: Form, label: str, path: Path, now: Chap | None, *, on: bool, user: str = "") -> None:
        kept = bool(now and now.secret)
        self.enabled = form.switch(label, *path, "enabled", value=now.enabled if now else on)
        with ui.element("div").classes("fieldset").bind_visibility_from(self.enabled, "value"):
            with ui.element("div").classes("fields two"):
                whose = "Its" if path[-1:] == MUTUAL else "CHAP"
                self.user = form.text(
                    f"{whose} user", *path, "username", value=(now.username if now else "") or user, autocomplete="off"
                )
                self.secret = SecretField(form, f"{whose} secret", *path, "secret", kept=kept, fresh=on and not kept)
            self.secret.buttons()
            self.hours = None
            if kept:
                self.hours = form.text(
                    "The secret of now stays valid for hours", *path, "old_secret_valid_until", inputmode="numeric",
                    hint="Empty: it ends with the new one. So initiators can change over one by one",
                )  # fmt: skip
            if now and now.old is not None and now.old.valid_until > time.time():
                until = time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(now.old.valid_until))
                ui.html(tag("p", f"The secret before is valid until {until}.", class_="hint"), sanitize=False)

    @property
    def given(self) -> str:
        """The secret, where CHAP is on."""
        return (self.secret.value or "") if self.enabled.value else ""

    def change(self) -> ChapChange:
        """What the fields say."""
        if not self.enabled.value:
            return ChapChange(enabled=False)
        until = None
        if self.hours is not None and self.hours.value.strip():
            until = time.time() + 3600 * min(HOURS_MAX, max(0, whole_number(self.hours.value)))
        return ChapChange(
            enabled=True,
            username=self.user.value.strip(),
            secret=self.secret.value,
            old_secret_valid_until=until,
        )


class MoreFields:
    """What is folded away when a share is made. Who may use one that is there has a dialog of its own."""

    def __init__(self, form: Form, target: Target | None) -> None:
        limits = target.limits if target else None
        self.access = None if target else SimpleAccess(form)
        with ui.element("div").classes("tools"):
            self.header = ui.switch("Header digest", value=target.header_digest if target else False)
            self.data = ui.switch("Data digest", value=target.data_digest if target else False)
        self.mutual = ChapFields(
            form, "The share proves itself too (mutual CHAP)", MUTUAL, target.mutual if target else None, on=False
        )
        with ui.element("div").classes("fields two"):
            commands = str(limits.iops) if limits and limits.iops else ""
            self.iops = form.text(
                "Commands a second at most", "limits", "iops", value=commands, hint="Empty: no limit",
                inputmode="numeric",
            )  # fmt: skip
            per_second = f"{limits.bytes_per_second}" if limits and limits.bytes_per_second else ""
            self.bytes = form.text(
                "Bytes a second at most", "limits", "bytes_per_second", value=per_second,
                hint="Such as 100M; empty: no limit",
            )  # fmt: skip
            groups = ", ".join(map(str, target.portal_groups)) if target else ""
            self.groups = form.text(
                "Portal groups", "portal_groups", value=groups, hint="Through which it is served; empty: all"
            )
            self.isns = ui.switch("Registered with iSNS, if there is any", value=target.isns if target else True)

    def change(self) -> dict[str, Any]:
        """What the fields say. Raises InvalidError."""
        found: dict[str, Any] = {
            "header_digest": self.header.value,
            "data_digest": self.data.value,
            "mutual": self.mutual.change(),
            "limits": LimitsChange(
                iops=whole_number(self.iops.value),
                bytes_per_second=size_at(self.bytes.value, "limits", "bytes_per_second"),
            ),
            "portal_groups": numbers(self.groups.value),
            "isns": self.isns.value,
        }
        if self.access is not None:
            found["access"] = self.access.change()
        return found


class SimpleAccess:
    """One rule, which is what most shares need."""

    def __init__(self, form: Form) -> None:
        with ui.element("div").classes("fields two"):
            self.initiators = form.text(
                "Only these initiators", "access", "rules", hint="Names or patterns, commas between; empty: all"
            )
            self.networks = form.text(
                "Only from", "access", "rules", 0, "networks", hint="192.0.2.0/24, 2001:db8::/64; empty: anywhere"
            )
        self.single = ui.switch("One initiator at a time", value=False)

    def change(self) -> AccessChange:
        """What the fields say."""
        rule = AccessRule(initiators=words(self.initiators.value), networks=words(self.networks.value))
        return AccessChange(rules=() if rule == AccessRule() else (rule,), single_initiator=self.single.value)


class KindFields:
    """What kind of disk initiators see; most of it is chosen once. `path`: what stands before the names of fields."""

    def __init__(self, form: Form, *path: str | int, drives: bool) -> None:
        usual = LunKind()
        types = {DISK: "Disk", CDROM: "CD-ROM drive"} if drives else {DISK: "Disk"}
        self.device = form.choice("Type", types, *path, "device_type", value=DISK) if drives else None
        with ui.element("div").classes("fields two") as disk:
            self.block = form.choice(
                "Blocks", {each: f"{each} bytes" for each in BLOCK_SIZES}, *path, "block_size_bytes",
                value=usual.block_size_bytes,
            )  # fmt: skip
            self.serial = form.text("Serial number", *path, "serial", hint="Empty: one of its own")
        with ui.element("div").classes("tools") as switches:
            self.encrypted = form.switch("Encrypted", *path, "encrypted")
            self.read_only = form.switch("Read-only", *path, "read_only")
            self.write_cache = form.switch("Write cache", *path, "write_cache", value=usual.write_cache)
            self.unmap = form.switch("Gives space back (UNMAP)", *path, "unmap", value=usual.unmap)
            self.removable = form.switch("Removable", *path, "removable")
        self.size: Any = None
        self._hidden = (disk, switches)
        if self.device is not None:
            self.device.on_value_change(self.show)

    @property
    def is_drive(self) -> bool:
        """Whether it shall be a CD-ROM drive."""
        return self.device is not None and self.device.value == CDROM

    def show(self) -> None:
        """A drive has none of what disks have."""
        for each in (*self._hidden, self.size):
            if each is not None:
                each.set_visibility(not self.is_drive)

    def kind(self) -> dict[str, Any]:
        """What differs from a usual disk."""
        if self.is_drive:
            return {"device_type": CDROM}
        chosen = {
            "block_size_bytes": self.block.value,
            "serial": self.serial.value.strip(),
            "encrypted": self.encrypted.value,
            "read_only": self.read_only.value,
            "write_cache": self.write_cache.value,
            "unmap": self.unmap.value,
            "removable": self.removable.value,
        }
        usual = LunKind()
        return {name: value for name, value in chosen.items() if value != getattr(usual, name)}
