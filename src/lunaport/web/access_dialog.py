"""The dialog of who may use a share: its rules, and CHAP users beside the one of the share.

Rules and users are replaced as a whole, as in API v1; a secret that is left empty stays as it is.
"""

from typing import Any

from nicegui import ui

from lunaport.model.access import AccessChange, AccessRule
from lunaport.model.chap import Credential, CredentialChange
from lunaport.model.target import Target, TargetChange
from lunaport.service.actions import UpdateTarget
from lunaport.web import facts
from lunaport.web.forms import Form, button, dialog_form, tell
from lunaport.web.markup import tag
from lunaport.web.page import Page
from lunaport.web.share_fields import SecretField, numbers, words


async def edit_access(page: Page, target: Target) -> None:
    """Change who may use a share, live."""
    with dialog_form(f"Who may use {facts.short(target.name)}", wide=True) as form:
        single = form.switch(
            "One initiator at a time", "access", "single_initiator", value=target.access.single_initiator
        )
        text = (
            "The first rule that fits an initiator says what it may do. Without rules everybody may who proves the "
            "secret. A session that may not go on ends."
        )
        ui.html(tag("h3", "Rules"), sanitize=False)
        ui.html(tag("p", text, class_="hint"), sanitize=False)
        rules = Rows(form, RuleRow, "Add a rule", [(each,) for each in target.access.rules], ("access", "rules"))
        ui.html(tag("h3", "More CHAP users"), sanitize=False)
        text = "Beside the CHAP user of the share, each for some initiators or for all."
        ui.html(tag("p", text, class_="hint"), sanitize=False)
        users = Rows(form, UserRow, "Add a CHAP user", [(each,) for each in target.credentials], ("credentials",))

        async def work() -> None:
            rules.take_in()
            users.take_in()
            change = TargetChange(
                access=AccessChange(rules=tuple(rules.values()), single_initiator=single.value),
                credentials=tuple(users.values()),
            )
            await page.perform(UpdateTarget(target_id=target.id, change=change, revisions=frozenset({target.revision})))
            form.dialog.close()
            tell("Access is as you want it")

        form.foot("Save", work)
    form.dialog.open()


class Rows:
    """Things of one kind below each other, which can be added, moved and removed. `path`: of their list."""

    def __init__(self, form: Form, kind: Any, label: str, now: list[tuple[Any, ...]], path: tuple[str, ...]) -> None:
        self.form = form
        self.kind = kind
        self.path = path
        self.rows: list[Any] = []
        self.box = ui.element("div").classes("fields")
        for each in now:
            self.add(*each)
        with ui.element("div").classes("tools"):
            button(label, self.add, kind="small")

    def add(self, *now: Any) -> None:
        """One more."""
        with self.box, ui.element("div").classes("fieldset") as element:
            row = self.kind(self.form, *now)
            with ui.element("div").classes("tools"):
                button("Up", lambda: self.move(row), kind="small")
                button("Remove", lambda: self.remove(row), kind="small danger")
        row.element = element
        self.rows.append(row)

    def move(self, row: Any) -> None:
        """Before the one before it."""
        at = self.rows.index(row)
        if at:
            self.rows[at - 1], self.rows[at] = row, self.rows[at - 1]
            row.element.move(target_index=at - 1)

    def remove(self, row: Any) -> None:
        """Take it out."""
        self.rows.remove(row)
        row.element.delete()

    def take_in(self) -> None:
        """Tell the form where each stands now, so that what is wrong is said there."""
        self.form.forget(*self.path)
        for index, row in enumerate(self.rows):
            for name, field in row.fields().items():
                self.form.add(field, *self.path, index, name)

    def values(self) -> list[Any]:
        """What they say."""
        return [row.value() for row in self.rows]


class RuleRow:
    """A rule."""

    element: ui.element

    def __init__(self, form: Form, now: AccessRule | None = None) -> None:
        rule = now or AccessRule()
        with ui.element("div").classes("fields two"):
            self.initiators = form.text(
                "Initiators", value=", ".join(rule.initiators), hint="Names or patterns with * and ?; empty: all"
            )
            self.networks = form.text(
                "Networks", value=", ".join(rule.networks), hint="192.0.2.0/24, 2001:db8::/64; empty: anywhere"
            )
            luns = "" if rule.luns is None else ", ".join(map(str, rule.luns))
            self.luns = form.text("LUNs", value=luns, hint="Which it sees; empty: all")
            groups = ", ".join(map(str, rule.portal_groups))
            self.groups = form.text("Portal groups", value=groups, hint="By which it has to come; empty: any")
        self.read_only = ui.switch("May only read", value=rule.read_only)

    def fields(self) -> dict[str, Any]:
        """By their names in the model."""
        return {
            "initiators": self.initiators,
            "networks": self.networks,
            "luns": self.luns,
            "portal_groups": self.groups,
        }

    def value(self) -> AccessRule:
        """What it says."""
        return AccessRule(
            initiators=words(self.initiators.value),
            networks=words(self.networks.value),
            portal_groups=numbers(self.groups.value),
            read_only=self.read_only.value,
            luns=numbers(self.luns.value) if self.luns.value.strip() else None,
        )


class UserRow:
    """A CHAP user."""

    element: ui.element

    def __init__(self, form: Form, now: Credential | None = None) -> None:
        with ui.element("div").classes("fields two"):
            self.user = form.text("CHAP user", value=now.username if now else "", autocomplete="off")
            self.secret = SecretField(form, "Secret", kept=now is not None, fresh=now is None)
        who = ", ".join(now.initiators) if now else ""
        self.initiators = form.text("For these initiators", value=who, hint="Names or patterns; empty: all")
        self.secret.buttons()

    def fields(self) -> dict[str, Any]:
        """By their names in the model."""
        return {"username": self.user, "secret": self.secret.field, "initiators": self.initiators}

    def value(self) -> CredentialChange:
        """What it says."""
        return CredentialChange(
            username=self.user.value.strip(), secret=self.secret.value, initiators=words(self.initiators.value)
        )
