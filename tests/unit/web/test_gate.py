"""The way in to the page: strangers, forms from elsewhere, roles that end. No NiceGUI here: the site is a double."""

import importlib
import re
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from starlette.responses import HTMLResponse, PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from lunaport.model.user import Actor, Role
from lunaport.service.actions import CreateUser, DeleteUser, UpdateUser
from lunaport.service.actor import CURRENT, SCOPE_KEY
from lunaport.service.auth import Authenticator
from lunaport.service.nas import Nas
from lunaport.web.gate import LOGIN_BYTES_MAX, PAGES, Gate, from_here, is_page
from lunaport.web.headers import cookies_of
from lunaport.web.login_page import login_page, safe_next
from lunaport.web.tickets import Tickets
from tests.unit.api.http import PASSWORD, PlainHasher
from tests.unit.service.conftest import nas, stand, template
from tests.unit.service.stand import Stand

__all__ = ["nas", "stand", "template"]

pytestmark = pytest.mark.anyio

URL = "http://nas"
HERE = {"origin": URL}
PAGE = "<html><script>one()</script><script type='module'>two()</script>&lt;script></html>"


async def site(scope: Scope, receive: Receive, send: Send) -> None:
    """Says who looks."""
    if scope["type"] == "websocket":
        await send({"type": "websocket.accept"})
        return
    actor = CURRENT.get()
    headers = {"x-who": f"{actor.user} {actor.role} {actor.way} {actor.address}"}
    await HTMLResponse(PAGE, headers=headers)(scope, receive, send)


@pytest.fixture
async def gate(nas: Nas, stand: Stand) -> Gate:
    """The gate around a site and an API that are doubles."""
    assert stand.store is not None
    authenticator = Authenticator(stand.store, PlainHasher(), key=bytes(32), clock=lambda: stand.now)
    await authenticator.make_admin(PASSWORD, 0.0)

    async def load(_: Gate) -> ASGIApp:
        return site

    tickets = Tickets(bytes(32), lambda: stand.now)
    return Gate(PlainTextResponse("the API"), authenticator, tickets, load)


@pytest.fixture
async def browser(gate: Gate) -> AsyncIterator[httpx.AsyncClient]:
    """A browser that keeps cookies."""
    async with httpx.AsyncClient(transport=httpx.ASGITransport(gate), base_url=URL) as client:
        yield client
    await gate.close()


async def log_in(
    browser: httpx.AsyncClient, name: str = "admin", password: str = PASSWORD, **more: str
) -> httpx.Response:
    """Send the form."""
    return await browser.post("/login", data={"name": name, "password": password, **more}, headers=HERE)


async def test_strangers_are_led_to_the_form(browser: httpx.AsyncClient) -> None:
    answer = await browser.get("/shares?page=2")
    assert (answer.status_code, answer.headers["location"]) == (303, "/login?next=/shares%3Fpage%3D2")
    assert (await browser.get("/_nicegui/1/x.js")).status_code == 401
    assert (await browser.get("/api/v1/health")).text == "the API"
    form = await browser.get("/login?next=/shares")
    assert 'value="/shares"' in form.text
    assert form.headers["cache-control"] == "no-store"
    assert (await browser.get("/_lunaport/page.css")).status_code == 200
    assert (await browser.get("/_lunaport/gate.py")).status_code == 404


async def test_who_logs_in_sees_the_page_as_himself(browser: httpx.AsyncClient) -> None:
    answer = await log_in(browser, next="/volumes")
    assert (answer.status_code, answer.headers["location"]) == (303, "/volumes")
    page = await browser.get("/")
    assert page.headers["x-who"] == "admin admin page 127.0.0.1"
    await browser.post("/logout", headers=HERE)
    assert (await browser.get("/")).status_code == 303


async def test_every_script_of_a_page_carries_its_nonce(browser: httpx.AsyncClient) -> None:
    await log_in(browser)
    first, second = await browser.get("/"), await browser.get("/")
    nonces = []
    for page in (first, second):
        nonce = page.headers["content-security-policy"].partition("'nonce-")[2].partition("'")[0]
        assert page.text.count(f'<script nonce="{nonce}"') == 2
        assert "&lt;script>" in page.text
        assert int(page.headers["content-length"]) == len(page.content)
        nonces.append(nonce)
    assert nonces[0] != nonces[1]


@pytest.mark.parametrize("origin", [None, "http://elsewhere", "null", "http://nas.elsewhere", "http://[", ""])
async def test_forms_from_elsewhere_are_refused(browser: httpx.AsyncClient, origin: str | None) -> None:
    headers = {} if origin is None else {"origin": origin}
    answer = await browser.post("/login", data={"name": "admin", "password": PASSWORD}, headers=headers)
    assert answer.status_code == 403
    assert "set-cookie" not in answer.headers


async def test_a_wrong_password_says_so_and_waits_in_the_end(browser: httpx.AsyncClient) -> None:
    answer = await log_in(browser, password='wrong"<b>', name='admin"><b>')
    assert answer.status_code == 401
    assert "User name or password are wrong." in answer.text
    assert "<b>" not in answer.text
    for _ in range(30):
        answer = await log_in(browser, password="wrong-password")
    assert (answer.status_code, int(answer.headers["retry-after"]) > 0) == (429, True)
    assert (await log_in(browser)).status_code == 429, "the right one waits too"


async def test_a_login_that_is_no_small_form_is_refused(browser: httpx.AsyncClient) -> None:
    for content, kind in ((b"{}", "application/json"), (b"name=" + b"a" * LOGIN_BYTES_MAX, None), (b"\xff", None)):
        headers = HERE | {"content-type": kind or "application/x-www-form-urlencoded"}
        answer = await browser.post("/login", content=content, headers=headers)
        assert answer.status_code in {400, 401}
        assert "set-cookie" not in answer.headers


async def test_role_password_and_life_of_the_user_count_at_once(
    browser: httpx.AsyncClient, gate: Gate, nas: Nas
) -> None:
    await nas.perform(CreateUser(name="olga", password="password-of-it", role=Role.OPERATOR))
    user = await gate._authenticator.user("olga")
    assert user is not None
    browser.cookies.set("lunaport", gate._tickets.issue("olga", user.password_hash))
    assert (await browser.get("/")).headers["x-who"].startswith("olga operator")
    await nas.perform(UpdateUser(name="olga", role=Role.VIEWER))
    assert (await browser.get("/")).headers["x-who"].startswith("olga viewer")
    await nas.perform(UpdateUser(name="olga", password="another-password"))
    assert (await browser.get("/")).status_code == 303
    user = await gate._authenticator.user("olga")
    assert user is not None
    browser.cookies.clear()
    browser.cookies.set("lunaport", gate._tickets.issue("olga", user.password_hash))
    assert (await browser.get("/")).status_code == 200
    await nas.perform(DeleteUser(name="olga"))
    assert (await browser.get("/")).status_code == 303


async def test_cookies_are_for_https_alone_where_that_is_served(gate: Gate) -> None:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(gate), base_url="https://nas") as client:
        answer = await client.post(
            "/login", data={"name": "admin", "password": PASSWORD}, headers={"origin": "https://nas"}
        )
        cookie = answer.headers["set-cookie"]
        assert cookie.startswith("__Host-lunaport=")
        assert "; Secure" in cookie
        assert "HttpOnly" in cookie
        assert "SameSite=Strict" in cookie
        assert "strict-transport-security" in answer.headers
    await gate.close()


async def socket(gate: Gate, path: str = "/_nicegui_ws/socket.io/", **headers: str) -> list[Message]:
    """What a web socket is answered."""
    sent: list[Message] = []

    async def receive() -> Message:
        return {"type": "websocket.connect"}

    async def send(message: Any) -> None:
        sent.append(message)

    scope: Scope = {
        "type": "websocket",
        "scheme": "ws",
        "path": path,
        "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
        "client": ("192.0.2.1", 1),
    }
    await gate(scope, receive, send)
    return sent


async def test_web_sockets_need_a_ticket_and_a_page_from_here(gate: Gate, browser: httpx.AsyncClient) -> None:
    await log_in(browser)
    cookie = f"lunaport={browser.cookies['lunaport']}"
    refused: list[Message] = [{"type": "websocket.close", "code": 1008}]
    assert await socket(gate, host="nas", origin=URL) == refused
    assert await socket(gate, host="nas", cookie=cookie) == refused
    assert await socket(gate, host="nas", cookie=cookie, origin="http://elsewhere") == refused
    assert await socket(gate, host="nas", cookie=cookie, origin=URL) == [{"type": "websocket.accept"}]


async def test_no_route_of_the_page_is_there_for_strangers(gate: Gate, browser: httpx.AsyncClient) -> None:
    """Every route that NiceGUI has, and every page of ours, asked for by every verb and as a web socket."""
    nicegui: Any = importlib.import_module("nicegui")
    found = {re.sub(r"\{[^}]*\}", "x", getattr(route, "path", "")) for route in nicegui.app.routes}
    # What is mounted takes all that lies below.
    places = {f"{each}/x" if each.count("/") == 1 else each for each in found if each.startswith("/_nicegui")}
    places |= set(PAGES)
    assert len(places) > len(PAGES) + 3, places
    for place in sorted(places):
        assert is_page(place)
        for verb in ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"):
            answer = await browser.request(verb, place, headers=HERE)
            assert answer.status_code in {303, 401}, (verb, place)
            assert "x-who" not in answer.headers, (verb, place)
        assert await socket(gate, place, host="nas", origin=URL) == [{"type": "websocket.close", "code": 1008}]


async def test_files_go_to_the_api_with_the_cookie(browser: httpx.AsyncClient, gate: Gate) -> None:
    asked: list[tuple[str, str, object]] = []

    async def api(scope: Scope, receive: Receive, send: Send) -> None:
        asked.append((scope["method"], scope["path"], scope.get(SCOPE_KEY)))
        await PlainTextResponse("the API")(scope, receive, send)

    gate._api = api
    image = "/_lunaport/api/v1/volumes/default/images/a%20b.iso"
    assert (await browser.put(image, headers=HERE)).status_code == 401
    await log_in(browser)
    assert (await browser.put(image)).status_code == 403, "no page of this NAS asks"
    assert (await browser.put(image, headers={"origin": "http://elsewhere"})).status_code == 403
    for path in ("v1/users", "v1/config/", "v1/volumes/a/images/b/c", "v1/../v1/users", "v2/config", ""):
        assert (await browser.get(f"/_lunaport/api/{path}")).status_code == 404
    assert asked == []
    assert (await browser.put(image, headers=HERE)).text == "the API"
    assert (await browser.get("/_lunaport/api/v1/audit/export?format=csv")).text == "the API"
    assert [each[:2] for each in asked] == [
        ("PUT", "/api/v1/volumes/default/images/a b.iso"),
        ("GET", "/api/v1/audit/export"),
    ]
    actor = asked[0][2]
    assert isinstance(actor, Actor)
    assert (actor.user, actor.way) == ("admin", "page")


async def test_assets_are_kept_until_they_are_others(browser: httpx.AsyncClient, gate: Gate) -> None:
    url = gate.asset_url("page.css")
    assert "immutable" in (await browser.get(url)).headers["cache-control"]
    assert (await browser.get(url.partition("?")[0])).headers["cache-control"] == "max-age=300"
    assert (await browser.get(f"{url}x")).headers["cache-control"] == "max-age=300"


@pytest.mark.parametrize(
    ("text", "where"),
    [("/shares/1?a=b", "/shares/1?a=b"), ("//elsewhere", "/"), ("http://elsewhere", "/"), ("/\\elsewhere", "/"),
     ("/login", "/"), ("/_nicegui/x", "/"), ("/a\nb", "/"), ("/" + "a" * 600, "/")],
)  # fmt: skip
def test_where_a_login_may_lead_to(text: str, where: str) -> None:
    assert safe_next(text) == where


def test_what_is_the_page() -> None:
    assert all(map(is_page, ("/", "/shares", "/shares/1", "/login", "/_nicegui_ws/socket.io/", "/favicon.ico")))
    assert not any(map(is_page, ("/api/v1/targets", "/index.php/iscsi_shares/api", "/metrics", "/sharesx", "/x")))


def test_the_form_escapes_what_it_shows() -> None:
    page = login_page(problem="<b>", name='"><b>', after='"><b>', theme='"><b>')
    assert "<b>" not in page


def test_small_helpers() -> None:
    from starlette.datastructures import Headers

    assert cookies_of(Headers({"cookie": 'a=1; b="2"; a=3; c'})) == {"a": "1", "b": "2"}
    assert from_here(Headers({"origin": "http://NAS:80", "host": "nas:80"}))
