"""The way in to the page, and around it: what is for the page goes there with a valid ticket only, all else to the API.

A stranger gets the login form and its style, nothing else. Logging in goes by the same check, with the same waiting
after wrong passwords, as the API's. Requests that change something, and web sockets, must come from a page of this
very NAS. Nothing of NiceGUI is loaded before somebody looks at the login form.
"""

import asyncio
import hashlib
import importlib.resources
import math
import re
import secrets
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Final
from urllib.parse import parse_qs, quote, urlsplit

from starlette.datastructures import Headers
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from lunaport.model.user import Actor
from lunaport.service.actor import CURRENT, SCOPE_KEY
from lunaport.service.auth import Authenticator, BusyError, ThrottledError
from lunaport.service.pace import Pace
from lunaport.web.headers import (
    THEME_COOKIE,
    cookie_name,
    cookies_of,
    security_headers,
    session_cookie,
    with_nonce,
)
from lunaport.web.login_page import login_page, safe_next
from lunaport.web.tickets import LIFE_S, Ticket, Tickets

PAGES: Final = ("/", "/shares", "/volumes", "/service", "/sessions", "/users", "/audit", "/settings")
OURS: Final = "/_lunaport/"
"""Style, script and icon: the same for everybody."""
API: Final = "/_lunaport/api/"
"""For what browsers send and take as files: requests of API v1, with the cookie in place of a password."""
FILES: Final = re.compile(r"/api/v1/(?:config|config/import|audit/export|volumes/[^/]+/images/[^/]+)")
NICEGUI: Final = ("/_nicegui/", "/_nicegui_ws/")
LOGIN_BYTES_MAX: Final = 4096
LOGIN_TIMEOUT_S: Final = 10.0
ASSETS: Final = {"page.css": "text/css", "page.js": "text/javascript", "icon.svg": "image/svg+xml"}
SAFE_METHODS: Final = frozenset({"GET", "HEAD"})

MakeSite = Callable[["Gate"], Awaitable[ASGIApp]]


class Gate:
    """The outermost ASGI application. `load`: makes the site when it is first wanted."""

    def __init__(
        self, api: ASGIApp, authenticator: Authenticator, tickets: Tickets, load: MakeSite, pace: Pace | None = None
    ) -> None:
        self._api = api
        self._pace = pace or Pace(0, time.monotonic)
        self._authenticator = authenticator
        self._tickets = tickets
        self._load = load
        self._site: ASGIApp | None = None
        self._loading = asyncio.Lock()
        self._preload: asyncio.Task[ASGIApp] | None = None
        self.cleanup = AsyncExitStack()
        folder = importlib.resources.files("lunaport.web") / "assets"
        self._assets = {name: (folder / name).read_bytes() for name in ASSETS}

    async def close(self) -> None:
        """End what runs for the page."""
        if self._preload is not None:
            self._preload.cancel()
            await asyncio.wait({self._preload})
        await self.cleanup.aclose()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one connection scope."""
        if scope["type"] not in {"http", "websocket"} or not is_page(scope["path"]):
            await self._api(scope, receive, send)
            return
        secure = scope.get("scheme") in {"https", "wss"}
        headers = Headers(scope=scope)
        wait_s = math.ceil(self._pace.take(_address(scope)))
        if wait_s and scope["type"] == "http":
            response = Response("Too many requests from your address.", 429, {"Retry-After": str(wait_s)})
            await response(scope, receive, send)
            return
        if scope["type"] == "websocket":
            await self._handle_socket(scope, receive, send, headers, secure=secure)
            return
        if scope["path"].startswith(API):
            await self._handle_file(scope, receive, send, headers, secure=secure)
            return
        nonce = secrets.token_urlsafe(16)
        await self._handle(scope, receive, _sender(send, nonce, secure=secure), headers, secure=secure)

    async def _handle(self, scope: Scope, receive: Receive, send: Send, headers: Headers, *, secure: bool) -> None:
        path, method = scope["path"], scope["method"]
        response: Response
        if path.startswith(OURS):
            response = self._asset(path.removeprefix(OURS), scope["query_string"])
        elif method not in SAFE_METHODS and not from_here(headers):
            response = Response("The request comes from a page of another site.", 403)
        elif path == "/login":
            response = await self._login(scope, receive, headers, secure=secure)
        elif path == "/logout":
            response = self._logout(method, headers, secure=secure)
        else:
            actor = await self.actor(self.ticket(headers, secure=secure), _address(scope))
            if actor is not None:
                await self._serve(scope, receive, send, actor)
                return
            if path.startswith(NICEGUI):
                response = Response("Log in first.", 401)
            else:
                wanted = path + ("?" + scope["query_string"].decode("latin-1") if scope["query_string"] else "")
                response = RedirectResponse(f"/login?next={quote(safe_next(wanted))}", 303)
        await response(scope, receive, send)

    async def _handle_file(self, scope: Scope, receive: Receive, send: Send, headers: Headers, *, secure: bool) -> None:
        path = "/api/" + scope["path"].removeprefix(API)
        if not FILES.fullmatch(path):
            await Response(status_code=404)(scope, receive, send)
            return
        if scope["method"] not in SAFE_METHODS and not from_here(headers):
            await Response("The request comes from a page of another site.", 403)(scope, receive, send)
            return
        actor = await self.actor(self.ticket(headers, secure=secure), _address(scope))
        if actor is None:
            await Response("Log in first.", 401)(scope, receive, send)
            return
        await self._api({**scope, "path": path, "raw_path": quote(path).encode(), SCOPE_KEY: actor}, receive, send)

    async def _handle_socket(
        self, scope: Scope, receive: Receive, send: Send, headers: Headers, *, secure: bool
    ) -> None:
        actor = None
        if from_here(headers):
            actor = await self.actor(self.ticket(headers, secure=secure), _address(scope))
        if actor is None:
            await receive()
            await send({"type": "websocket.close", "code": 1008})
            return
        await self._serve(scope, receive, send, actor)

    async def _serve(self, scope: Scope, receive: Receive, send: Send, actor: Actor) -> None:
        site = await self.site()
        before = CURRENT.set(actor)
        try:
            await site(scope, receive, send)
        finally:
            CURRENT.reset(before)

    async def site(self) -> ASGIApp:
        """The page's application, made when it is first wanted."""
        async with self._loading:
            if self._site is None:
                self._site = await self._load(self)
            return self._site

    # Who it is

    def ticket(self, headers: Headers, *, secure: bool) -> Ticket | None:
        """The valid ticket of a request."""
        return self._tickets.read(cookies_of(headers).get(cookie_name(secure=secure), ""))

    async def actor(self, ticket: Ticket | None, address: str) -> Actor | None:
        """Who has this ticket, with the role of now; nobody when it is not valid any more."""
        if ticket is None or self._tickets.is_over(ticket):
            return None
        user = await self._authenticator.user(ticket.user)
        if user is None or self._tickets.proof(user.password_hash) != ticket.proof:
            return None
        return Actor(user=user.name, role=user.role, way="page", address=address)

    async def _login(self, scope: Scope, receive: Receive, headers: Headers, *, secure: bool) -> Response:
        theme = cookies_of(headers).get(THEME_COOKIE, "")
        if scope["method"] in SAFE_METHODS:
            asked = parse_qs(scope["query_string"].decode("latin-1")).get("next", ["/"])[0]
            if self._site is None and self._preload is None:
                self._preload = asyncio.create_task(self.site())  # while the password is being typed
            return HTMLResponse(login_page(after=safe_next(asked), theme=theme), headers={"Cache-Control": "no-store"})
        form = await _read_form(receive, headers)
        if form is None:
            return HTMLResponse(login_page(problem="That was no login.", theme=theme), 400)
        name, password, after = form.get("name", ""), form.get("password", ""), safe_next(form.get("next", "/"))
        status, wait = 401, {}
        try:
            actor = await self._authenticator.verify(name, password, _address(scope))
            problem = "User name or password are wrong."
        except BusyError:
            actor, status, problem = None, 503, "Too many logins at once; try again in a moment."
        except ThrottledError as error:
            seconds = math.ceil(error.wait_s)
            actor, status, wait = None, 429, {"Retry-After": str(seconds)}
            problem = f"Too many wrong passwords; try again in {seconds} s."
        user = await self._authenticator.user(name) if actor is not None else None
        if user is None:
            page = login_page(problem=problem, name=name[:63], after=after, theme=theme)
            return HTMLResponse(page, status, {"Cache-Control": "no-store", **wait})
        ticket = self._tickets.issue(user.name, user.password_hash)
        response = RedirectResponse(after, 303)
        response.headers.append("Set-Cookie", session_cookie(ticket, secure=secure, life_s=LIFE_S))
        return response

    def _logout(self, method: str, headers: Headers, *, secure: bool) -> Response:
        if method != "POST":
            return RedirectResponse("/", 303)
        ticket = self.ticket(headers, secure=secure)
        if ticket is not None:
            self._tickets.end(ticket)
        response = RedirectResponse("/login", 303)
        response.headers.append("Set-Cookie", session_cookie("", secure=secure, life_s=0))
        return response

    def asset_url(self, name: str) -> str:
        """Where an asset is: browsers keep it until it is another one."""
        return f"{OURS}{name}?{_mark(self._assets[name])}"

    def _asset(self, name: str, query: bytes) -> Response:
        content = self._assets.get(name)
        if content is None:
            return Response(status_code=404)
        kept = "max-age=31536000, immutable" if query.decode("latin-1") == _mark(content) else "max-age=300"
        return Response(content, media_type=ASSETS[name], headers={"Cache-Control": kept})


def _mark(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:16]


def is_page(path: str) -> bool:
    """Whether the page answers here."""
    if path in PAGES or path in {"/login", "/logout", "/favicon.ico"} or path.startswith((OURS, *NICEGUI)):
        return True
    return any(path.startswith(f"{each}/") for each in PAGES[1:])


def from_here(headers: Headers) -> bool:
    """Whether the request comes from a page of this NAS: browsers say so in Origin, and no page can change that."""
    try:
        origin = urlsplit(headers.get("origin", "")).netloc
    except ValueError:
        return False
    return bool(origin) and origin.lower() == headers.get("host", "").lower()


def _address(scope: Scope) -> str:
    return str(scope["client"][0]) if scope.get("client") else ""


def _sender(send: Send, nonce: str, *, secure: bool) -> Send:
    """A `send` that adds our headers, and the nonce to the scripts of a page, which comes in one piece."""
    held: list[Message] = []

    async def send_guarded(message: Message) -> None:
        if message["type"] == "http.response.start":
            names = {name for name, _ in security_headers(nonce, secure=secure)}
            kept = [(name, value) for name, value in message["headers"] if name.lower() not in names]
            message["headers"] = kept + security_headers(nonce, secure=secure)
            if any(name.lower() == b"content-type" and value.startswith(b"text/html") for name, value in kept):
                held.append(message)
                return
            await send(message)
            return
        if not held or message["type"] != "http.response.body":
            await send(message)
            return
        held.append(message)
        if message.get("more_body", False):
            return
        start, body = held[0], b"".join(each.get("body", b"") for each in held[1:])
        held.clear()
        body = with_nonce(body, nonce)
        start["headers"] = [pair for pair in start["headers"] if pair[0].lower() != b"content-length"]
        start["headers"].append((b"content-length", str(len(body)).encode()))
        await send(start)
        await send({"type": "http.response.body", "body": body})

    return send_guarded


async def _read_form(receive: Receive, headers: Headers) -> dict[str, str] | None:
    """The fields of a form; None for what is no small form."""
    if headers.get("content-type", "").partition(";")[0].strip().lower() != "application/x-www-form-urlencoded":
        return None
    body = b""
    try:
        async with asyncio.timeout(LOGIN_TIMEOUT_S):
            while True:
                message = await receive()
                body += message.get("body", b"")
                if message["type"] != "http.request" or len(body) > LOGIN_BYTES_MAX:
                    return None
                if not message.get("more_body", False):
                    break
    except TimeoutError:
        return None
    try:
        fields = parse_qs(body.decode(), max_num_fields=8, keep_blank_values=True)
    except ValueError:
        return None
    return {name: values[0] for name, values in fields.items()}
