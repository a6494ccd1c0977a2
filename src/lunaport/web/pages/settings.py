"""What the NAS was started with, and where to go from here."""

import platform

from nicegui import ui
from starlette.requests import Request

from lunaport import __version__
from lunaport.web import facts
from lunaport.web.frame import head
from lunaport.web.markup import Html, badge, tag
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
                ui.html(draw(page), sanitize=False)


def draw(page: Page) -> Html:
    """The cards."""
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
    links = [
        ("API v1, to be tried out", "/api/docs"),
        ("OpenAPI description", "/api/v1/openapi.json"),
        ("Metrics for Prometheus", "/metrics"),
    ]
    rows = [tag("li", tag("a", text, href=href, class_="grow")) for text, href in links]
    why = "These are set when the NAS is started: by options of lunaport serve, variables LUNAPORT_..., or a file."
    return tag(
        "div",
        facts.card("This NAS", fact_list(program), width="w7"),
        facts.card("For programs", tag("ul", *rows, class_="list"), width="w5"),
        tag("p", why, class_="hint"),
        class_="grid",
    )
