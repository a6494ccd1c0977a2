"""The configuration as a whole: a backup of it, restoring one, and applying a document. For administrators."""

import json
from datetime import UTC, datetime
from typing import Any, Final

from nicegui import ui

from lunaport.service.actions import ApplyDocument, ExportBackup, ImportBackup
from lunaport.web.forms import answered, confirm, dialog_form, file_field, js, link_button, tell
from lunaport.web.markup import Html, badge, join, tag
from lunaport.web.page import Page

SEND_S: Final = 600.0
SHOWN_MAX: Final = 100


def save_backup(page: Page) -> None:
    """Everything that is configured, as an encrypted file."""
    with dialog_form("Save a backup") as form:
        text = "Everything that is configured, secrets and keys too, but no data of disks. Without the passphrase "
        ui.html(tag("p", text, "nobody reads it: keep both, apart from each other.", class_="soft"), sanitize=False)
        passphrase = form.secret("Passphrase", "passphrase", hint="12 characters at least")
        again = form.secret("The same again", "again")

        async def work() -> None:
            if passphrase.value != again.value:
                again.error = "That is another one"
                return
            backup = await page.perform(ExportBackup(passphrase=passphrase.value))
            day = datetime.fromtimestamp(backup["created_at"], UTC).strftime("%Y-%m-%d")
            ui.download.content(json.dumps(backup).encode(), f"lunaport-{day}.backup", "application/json")
            form.dialog.close()
            tell("The backup is saved where your browser puts files")

        form.foot("Save", work)
    form.dialog.open()


def restore_backup(page: Page) -> None:
    """Put a backup in place of all that is configured; first say what that would do."""
    with dialog_form("Restore a backup", wide=True) as form:
        text = "It takes the place of all that is configured: shares, users, passwords. No data of disks is removed."
        ui.html(tag("p", text, class_="soft"), sanitize=False)
        file = file_field(form, "Backup", "backup", accept=".backup,.json")
        passphrase = form.secret("Its passphrase", "passphrase")
        missing = form.choice(
            "Disks whose file is not there", {"wait": "Wait until it is there", "create": "Become new, empty disks"},
            "missing", value="wait",
        )  # fmt: skip
        shown = ui.html("", sanitize=False).props('aria-live="polite"').classes("plan")

        async def send(*, plan: bool) -> dict[str, Any] | None:
            await page.check_role(ImportBackup)
            around = {"passphrase": passphrase.value, "missing": missing.value, "plan": plan, "replace": not plan}
            script = f"return await lunaport.sendDocument({js(file)}, 'POST', 'config/import', {js(around)})"
            return answered(form, await ui.run_javascript(script, timeout=SEND_S))

        async def look() -> None:
            answer = await send(plan=True)
            if answer is not None:
                shown.set_content(import_plan(answer))

        async def work() -> None:
            answer = await send(plan=False)
            if answer is not None:
                form.dialog.close()
                with page.main:
                    tell(f"The backup is restored: {answer['targets']} shares, {answer['users']} users")

        def ask() -> None:
            text = "What is configured now is gone then, and the passwords are those of the backup."
            confirm("Restore it?", text, "Restore", form.guarded(work))

        link_button("Show what it would do", form.guarded(look))
        form.foot("Restore", _later(ask), danger=True)
    form.dialog.open()


def _later(ask: Any) -> Any:
    async def do() -> None:
        ask()

    return do


def import_plan(answer: dict[str, Any]) -> Html:
    """What a restore would do."""
    head = (
        f"Of Lunaport {answer['program']}, {answer['created_at'][:16].replace('T', ' ')}: {answer['targets']} shares, "
        f"{answer['volumes']} volumes, {answer['users']} users."
    )
    rows = [tag("li", badge("replaced", "warn"), tag("span", each, class_="grow")) for each in answer["replaces"]]
    rows += [
        tag(
            "li",
            badge(each["state"].replace("_", " "), "good" if each["state"] == "present" else "warn"),
            tag(
                "span",
                f"{each['target']} LUN {each['lun']} ",
                tag("span", each["advice"], class_="soft"),
                class_="grow",
            ),
        )
        for each in answer["luns"]
    ]
    rows += [tag("li", badge("volume", "bad"), tag("span", each, class_="grow")) for each in answer["volume_problems"]]
    return join((tag("p", head), _shortened(rows)))


def apply_document(page: Page) -> None:
    """Make what a document says: all of it, or nothing; first say what that would do."""
    with dialog_form("Apply a configuration", wide=True) as form:
        text = (
            "What its sections name becomes what they say; what is left out of the document stays. All of it is done, "
            "or nothing. The form is that of API v1 (JSON)."
        )
        ui.html(tag("p", text, class_="soft"), sanitize=False)
        file = file_field(form, "Document", accept=".json")
        prune = ui.switch("What its sections do not name goes", value=False)
        shown = ui.html("", sanitize=False).props('aria-live="polite"').classes("plan")

        async def send(*, plan: bool) -> dict[str, Any] | None:
            await page.check_role(ApplyDocument)
            path = f"config?plan={str(plan).lower()}&prune={str(bool(prune.value)).lower()}"
            script = f"return await lunaport.sendDocument({js(file)}, 'PUT', {js(path)}, null)"
            return answered(form, await ui.run_javascript(script, timeout=SEND_S))

        async def look() -> None:
            answer = await send(plan=True)
            if answer is not None:
                shown.set_content(apply_plan(answer))

        async def work() -> None:
            answer = await send(plan=False)
            if answer is not None:
                form.dialog.close()
                count = len(answer["steps"])
                with page.main:
                    tell(f"It is so now; {count} thing{'' if count == 1 else 's'} had to be done")

        link_button("Show what it would do", form.guarded(look))
        form.foot("Apply", work)
    form.dialog.open()


def apply_plan(answer: dict[str, Any]) -> Html:
    """What applying would do."""
    kinds = {"create": "good", "update": "warn", "delete": "bad"}
    rows = [
        tag(
            "li",
            badge(each["action"], kinds.get(each["action"], "")),
            tag("span", f"{each['kind']} {each['name']} ", tag("span", _changes(each), class_="soft"), class_="grow"),
        )
        for each in answer["steps"]
    ]
    return _shortened(rows) if rows else tag("p", "Nothing: it is so already.")


def _changes(step: dict[str, Any]) -> str:
    fields = ", ".join(each["field"] for each in step["changes"][:6])
    return " · ".join(filter(None, (fields, step["note"])))


def _shortened(rows: list[Html]) -> Html:
    more = [tag("li", f"and {len(rows) - SHOWN_MAX} more")] if len(rows) > SHOWN_MAX else []
    return tag("ul", *rows[:SHOWN_MAX], *more, class_="list")
