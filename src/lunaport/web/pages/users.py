"""Users and tokens: one's own, and for administrators everybody's."""

import time
from typing import Final

from nicegui import ui
from starlette.requests import Request

from lunaport.model.user import Role
from lunaport.service.actions import (
    ChangeOwnPassword,
    CreateToken,
    CreateUser,
    DeleteToken,
    DeleteUser,
    UpdateUser,
)
from lunaport.web import facts
from lunaport.web.forms import button, confirm, copybox, dialog_form, tell
from lunaport.web.frame import head
from lunaport.web.markup import Html, act, ago, badge, empty, table, tag
from lunaport.web.page import Live, Page, Site, open_page

ROLES: Final = {
    Role.VIEWER: "Viewer: looks",
    Role.OPERATOR: "Operator: works with shares",
    Role.ADMIN: "Administrator: everything",
}


def register(site: Site) -> None:
    """Tell NiceGUI of the page."""

    @ui.page("/users")
    async def users(request: Request) -> None:
        page = await open_page(site, request, "Users and tokens", "/users")
        if page is None:
            return

        async def clicked(what: str, which: str) -> None:
            if what == "edit":
                await edit_user(page, which)
            elif what == "delete":
                delete_user(page, which)
            elif what == "revoke" and which.isdigit():
                revoke(page, int(which))

        with page.main:
            with ui.element("div").classes("head"):
                ui.html(head("Users and tokens"), sanitize=False).classes("grow")
                with ui.element("div").classes("tools"):
                    if page.may(Role.ADMIN):
                        button("New user", lambda: new_user(page), kind="primary")
                    button("New token", lambda: new_token(page))
                    button("My password", lambda: own_password(page))
            live = Live(await draw(page)).on_click(clicked)

        async def update() -> None:
            live.show(await draw(page))

        page.every_moment(update)


async def draw(page: Page) -> Html:
    """The tables."""
    parts = []
    if page.may(Role.ADMIN):
        people = [
            (
                tag("span", each.name, class_="name"),
                badge(each.role),
                ago(each.created_at),
                tag(
                    "div",
                    act("Change", "edit", each.name, name=f"Change {each.name}"),
                    act("Delete", "delete", each.name, kind="danger", name=f"Delete {each.name}"),
                    class_="tools",
                    style="justify-content:flex-end",
                ),
            )
            for each in await page.nas.users()
        ]
        parts.append(facts.card("Users", table("Users", ("Name", "Role", "Since", "Change"), people)))
    with page.as_actor():
        tokens = await page.nas.tokens()
    rows = [
        (
            tag("span", each.name, class_="name"),
            each.user,
            badge(each.role),
            ago(each.created_at),
            "never" if each.expires_at is None else tag("span", until(each.expires_at)),
            act("Remove", "revoke", each.id, kind="danger", name=f"Remove the token {each.name}"),
        )
        for each in tokens
    ]
    nothing = empty(
        "There are no tokens", "A token stands for its user in scripts and in Prometheus, with a role of its own."
    )
    parts.append(
        facts.card(
            "Tokens", table("Tokens", ("Name", "User", "Role", "Made", "Expires", ""), rows) if rows else nothing
        )
    )
    return tag("div", *parts, class_="grid")


def until(at: float) -> str:
    """A day."""
    return time.strftime("%Y-%m-%d", time.gmtime(at))


def new_user(page: Page) -> None:
    """Add a user."""
    with dialog_form("New user") as form:
        name = form.text("Name", "name", autocomplete="off")
        password = form.secret("Password", "password", hint="8 characters at least")
        role = form.add(ui.select(ROLES, value=Role.OPERATOR, label="Role").props("outlined"), "role")

        async def work() -> None:
            await page.perform(CreateUser(name=name.value.strip(), password=password.value, role=role.value))
            form.dialog.close()
            tell(f"{name.value.strip()} can log in")

        form.foot("Add", work)
    form.dialog.open()


async def edit_user(page: Page, name: str) -> None:
    """Change role or password."""
    user = await page.nas.user(name)
    with dialog_form(f"Change {name}") as form:
        role = form.add(ui.select(ROLES, value=user.role, label="Role").props("outlined"), "role")
        password = form.secret("New password", "password", hint="Empty: stays as it is")

        async def work() -> None:
            await page.perform(UpdateUser(name=name, password=password.value or None, role=role.value))
            form.dialog.close()
            tell(f"{name} is changed")

        form.foot("Save", work)
    form.dialog.open()


def delete_user(page: Page, name: str) -> None:
    """Remove a user."""

    async def work() -> None:
        await page.perform(DeleteUser(name=name))
        tell(f"{name} is gone")

    confirm(f"Delete {name}?", "His tokens go with him.", "Delete", work, typed=name)


def own_password(page: Page) -> None:
    """Give oneself another password."""
    with dialog_form("My password") as form:
        present = form.secret("Password of now", "present")
        password = form.secret("New password", "password", hint="8 characters at least")

        async def work() -> None:
            await page.perform(ChangeOwnPassword(present=present.value, password=password.value))
            form.dialog.close()
            ui.navigate.to("/login")

        form.foot("Change", work)
    form.dialog.open()


def new_token(page: Page) -> None:
    """Make a token and show its text once."""
    allowed = {role: text for role, text in ROLES.items() if page.may(role)}
    with dialog_form("New token") as form:
        name = form.text("Name", "name", autocomplete="off", hint="What it is for, such as prometheus")
        role = form.add(ui.select(allowed, value=Role.VIEWER, label="Role").props("outlined"), "role")
        days = form.text("Expires after days", "days", hint="Empty: never", inputmode="numeric")

        async def work() -> None:
            text = days.value.strip()
            made = await page.perform(CreateToken(name=name.value.strip(), role=role.value, days=parse_days(text)))
            form.dialog.close()
            with page.main, dialog_form(f"The token {made.token.name}") as shown:
                ui.html(tag("p", "It is shown only now: copy it.", class_="notice"), sanitize=False)
                copybox(made.text, f"token-{made.token.id}")
                with ui.element("div").classes("foot"):
                    button("Done", shown.dialog.close, kind="primary")
            shown.dialog.open()

        form.foot("Make", work)
    form.dialog.open()


def parse_days(text: str) -> float | None:
    """A number of days; -1, which is refused, for what is none."""
    if not text:
        return None
    try:
        return float(text)
    except ValueError:
        return -1.0


def revoke(page: Page, token_id: int) -> None:
    """Remove a token."""

    async def work() -> None:
        await page.perform(DeleteToken(token_id=token_id))
        tell("The token is gone")

    confirm("Remove the token?", "Whoever uses it is refused from now on.", "Remove", work)
