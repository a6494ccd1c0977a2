"""What the NAS was started with, and where to go from here."""

import platform

from nicegui import ui
from starlette.requests import Request

from lunaport import __version__
from lunaport.model.user import Role
from lunaport.web import facts
from lunaport.web.config_dialogs import apply_document, restore_backup, save_backup
from lunaport.web.forms import button
from lunaport.web.frame import head
from lunaport.web.markup import Html, badge, join, tag
from lunaport.web.markup import facts as fact_list
from lunaport.web.page import Page, Site, open_page


def register(site: Site) -> None:
    """Tell NiceGUI of the page."""

    @ui.page("/settings")
    async def settings(request: Request) -> None:
        page = await open_page(site, request, "Settings", "/settings")
        if page is not None:
            with page.main:
                ui.html(tag("div", head("Settings"), class_="head"), sanitize=False)
                with ui.element("div").classes("grid"):
                    ui.html(draw(page), sanitize=False).classes("w7")
                    with ui.element("div").classes("w5 pile"):
                        ui.html(links(), sanitize=False)
                        if page.may(Role.ADMIN):
                            whole(page)


def draw(page: Page) -> Html:
    """What the NAS was started with."""
    config = page.site.config
    https = badge("this page comes by HTTPS", "good") if page.secure else badge("this page came without HTTPS", "warn")
    program = [
        ("Version", __version__),
        ("Python", platform.python_version()),
        ("Data", tag("span", config.data_dir, class_="mono")),
        ("Addresses", ", ".join(config.http_urls)),
        ("HTTPS", https),
        ("Names begin with", tag("span", config.iqn_prefix, class_="mono")),
        ("Trash is kept", f"{config.trash_days:g} days"),
        ("Audit log is kept", f"{config.audit_days:g} days"),
    ]
    why = "These are set when the NAS is started: by options of lunaport serve, variables LUNAPORT_... or a file."
    return facts.card("This NAS", join((fact_list(program), tag("p", why, class_="hint", style="margin-top:14px"))))


def links() -> Html:
    """What programs use."""
    found = [
        ("API v1, to be tried out", "/api/docs"),
        ("OpenAPI description", "/api/v1/openapi.json"),
        ("Metrics for Prometheus", "/metrics"),
    ]
    rows = [tag("li", tag("a", text, href=href, class_="grow")) for text, href in found]
    return facts.card("For programs", tag("ul", *rows, class_="list"))


def whole(page: Page) -> None:
    """The configuration as a whole."""
    with ui.element("section").classes("card stack"):
        ui.html(tag("h2", "Backup and configuration"), sanitize=False)
        text = "A backup is one encrypted file with all that is configured. A document says what shall be, readably."
        ui.html(tag("p", text, class_="hint"), sanitize=False)
        with ui.element("div").classes("tools"):
            button("Save a backup", lambda: save_backup(page), kind="small")
            button("Restore a backup", lambda: restore_backup(page), kind="small")
        with ui.element("div").classes("tools"):
            ui.html(
                tag("a", "Save as a document", href="/_lunaport/api/v1/config", download="lunaport-config.json",
                    class_="button small"),
                sanitize=False,
            )  # fmt: skip
            button("Apply a document", lambda: apply_document(page), kind="small")
