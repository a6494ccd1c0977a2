"""The frame around every page: where one is, where one can go, who one is."""

from typing import Final

from nicegui import ui

from lunaport.model.user import Actor, Role
from lunaport.web.markup import Html, badge, join, tag

_STROKE: Final = 'fill="none" stroke="currentColor" stroke-width="1.7" stroke-linecap="round" stroke-linejoin="round"'


def icon(shape: str) -> Html:
    """An icon of lines in a square of 24."""
    return Html(f'<svg viewBox="0 0 24 24" aria-hidden="true" {_STROKE}>{shape}</svg>')


_SHARES: Final = (
    '<rect x="4" y="4" width="16" height="7" rx="2"/><rect x="4" y="13" width="16" height="7" rx="2"/>'
    '<path d="M8 7.5h.01M8 16.5h.01"/>'
)
_VOLUMES: Final = (
    '<ellipse cx="12" cy="6" rx="8" ry="3"/>'
    '<path d="M4 6v12c0 1.7 3.6 3 8 3s8-1.3 8-3V6M4 12c0 1.7 3.6 3 8 3s8-1.3 8-3"/>'
)
_SERVICE: Final = (
    '<circle cx="12" cy="12" r="3"/><path d="M12 3v3M12 18v3M3 12h3M18 12h3M5.6 5.6l2.2 2.2M16.2 16.2l2.2 2.2'
    'M5.6 18.4l2.2-2.2M16.2 7.8l2.2-2.2"/>'
)
_USERS: Final = (
    '<circle cx="9" cy="8" r="3.5"/>'
    '<path d="M3 20c0-3.3 2.7-6 6-6s6 2.7 6 6M16 5a3.5 3.5 0 0 1 0 6.6M18 14.4c1.9.9 3 3 3 5.6"/>'
)
_SETTINGS: Final = (
    '<path d="M4 7h9M17 7h3M4 17h3M11 17h9"/><circle cx="15" cy="7" r="2"/><circle cx="9" cy="17" r="2"/>'
)
PLACES: Final = (
    ("/", "Overview", '<path d="M4 13h6V4H4zM14 20h6V4h-6zM4 20h6v-4H4z"/>', Role.VIEWER),
    ("/shares", "Shares", _SHARES, Role.VIEWER),
    ("/sessions", "Sessions", '<path d="M7 8h10M7 8l3-3M7 8l3 3M17 16H7M17 16l-3-3M17 16l-3 3"/>', Role.VIEWER),
    ("/volumes", "Volumes", _VOLUMES, Role.VIEWER),
    ("/service", "Service", _SERVICE, Role.VIEWER),
    ("/users", "Users", _USERS, Role.VIEWER),
    ("/audit", "Audit", '<path d="M6 3h9l4 4v14H6zM14 3v5h5M9 13h7M9 17h5"/>', Role.ADMIN),
    ("/settings", "Settings", _SETTINGS, Role.VIEWER),
)


def draw(actor: Actor, place: str) -> ui.element:
    """Draw the frame; returns its main part."""
    links = [
        tag("a", icon(shape), tag("span", name), href=path, aria_current="page" if path == place else None)
        for path, name, shape, role in PLACES
        if actor.role.allows(role)
    ]
    brand = tag(
        "a", Html('<img src="/_lunaport/icon.svg" alt="" width="30" height="30">'), "Lunaport", href="/", class_="brand"
    )
    # Which of the two words is seen depends on the colours of now, which may be those of the system.
    theme_button = tag(
        "button",
        tag("span", "Dark", class_="when-light"),
        tag("span", "Light", class_="when-dark"),
        tag("span", " colours", class_="sr"),
        type="button",
        class_="button small",
        data_theme=True,
    )
    leave = tag("form", tag("button", "Log out", type="submit", class_="button small"), method="post", action="/logout")
    who = tag(
        "div",
        tag("div", tag("strong", actor.user), badge(actor.role), class_="name"),
        tag("div", theme_button, leave, class_="row"),
        class_="who",
    )
    frame = ui.element("div").classes("frame")
    with frame:
        side = join((brand, tag("nav", *links, aria_label="Pages"), who))
        ui.html(side, sanitize=False, tag="header").classes("side")
        return ui.element("main").classes("main").props('id="main"')


def head(title: object, *more: object, back: tuple[str, str] | None = None) -> Html:
    """The head of a page."""
    crumb = tag("a", f"← {back[1]}", href=back[0], class_="crumb") if back else Html()
    return tag("div", crumb, tag("h1", title), *more, class_="grow")
