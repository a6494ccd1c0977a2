"""What every request passes before a route sees it: does he ask too often, who is it, does he speak for himself, may
he, is the body small.

In this order, so that an unknown caller makes the NAS hold nothing. Refused bodies are read to a bounded end and thrown
away: a caller who is still sending gets to see the answer. Beyond that the connection closes with the answer. Images of
discs are files and not held: their route reads them piece by piece, with bounds of its own. Also the
HTTP edge of the exception rules: whatever gets this far is logged and answered without detail. Plain ASGI, because it
must hold for routes that do not exist too.
"""

import asyncio
import base64
import binascii
import logging
import math
import time
from typing import Final
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from lunaport.api.answers import NAS_PREFIX, RequestError, answer, is_nas, refuse
from lunaport.api.permissions import IMAGES, SAFE_METHODS, needed_role
from lunaport.model.errors import DatabaseFailedError, Fault
from lunaport.model.user import Actor, Role
from lunaport.service.actor import CURRENT, SCOPE_KEY
from lunaport.service.auth import Authenticator, BusyError, ThrottledError
from lunaport.service.pace import REQUESTS_PER_S_DEFAULT, Pace

LOG = logging.getLogger(__name__)

BODY_BYTES_MAX: Final = 1 << 20
CONFIG_BYTES_MAX: Final = 36 << 20
"""Of a body that is a configuration as a whole. Only administrators may send one."""
CONFIG_PREFIX: Final = "/api/v1/config"
BODY_TIMEOUT_S: Final = 30.0
DRAIN_BYTES_MAX: Final = 64 << 20
DRAIN_TIMEOUT_S: Final = 5.0
CREDENTIALS_CHARS_MAX: Final = 1024
PUBLIC_PATHS: Final = frozenset({"/", "/favicon.ico", "/api/v1/health", "/api/v1/openapi.json", "/api/docs"})
API_PREFIXES: Final = ("/api/", NAS_PREFIX)
PUBLIC_PREFIX: Final = "/api/docs/"
NOBODY: Final = Actor(user="", role=Role.VIEWER, way="none")
"""Who reads what is public."""
_CHALLENGE: Final = {"WWW-Authenticate": 'Basic realm="Lunaport", charset="UTF-8"'}


def parse_basic(header: str) -> tuple[str, str] | None:
    """Name and password of an Authorization header (RFC 7617); None when it holds none."""
    scheme, _, encoded = header.partition(" ")
    if scheme.lower() != "basic" or len(encoded) > CREDENTIALS_CHARS_MAX:
        return None
    try:
        name, colon, password = base64.b64decode(encoded.strip(), validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError, ValueError):
        return None
    return (name, password) if colon else None


def parse_bearer(header: str) -> str | None:
    """The token of an Authorization header (RFC 6750); None when it holds none."""
    scheme, _, token = header.partition(" ")
    if scheme.lower() != "bearer" or not 0 < len(token.strip()) <= CREDENTIALS_CHARS_MAX or not token.isascii():
        return None
    return token.strip()


def is_public(path: str) -> bool:
    """Whether the path may be read without a password: health, and the documentation of the interfaces."""
    return path in PUBLIC_PATHS or path.startswith(PUBLIC_PREFIX)


def check_origin(method: str, headers: Headers) -> None:
    """Refuse changes that a page of another site asks a browser for: it would send the user's password along."""
    origin = headers.get("origin")
    if method in SAFE_METHODS or origin is None:
        return
    try:
        host = urlsplit(origin).netloc
    except ValueError:
        host = ""
    if not host or host.lower() != headers.get("host", "").lower():
        raise refuse(Fault.FORBIDDEN, "the request comes from a page of another site")


def body_bytes_max(path: str) -> int:
    """How large a body may be."""
    return CONFIG_BYTES_MAX if path == CONFIG_PREFIX or path.startswith(f"{CONFIG_PREFIX}/") else BODY_BYTES_MAX


async def read_body(receive: Receive, headers: Headers, bytes_max: int = BODY_BYTES_MAX) -> bytes:
    """The whole body. Raises RequestError when it is too large or too slow."""
    too_large = refuse(Fault.BODY_TOO_LARGE, f"the body is larger than {bytes_max} bytes")
    declared = headers.get("content-length", "")
    if declared.isascii() and declared.isdigit() and int(declared[:20]) > bytes_max:
        raise too_large
    body = bytearray()
    try:
        async with asyncio.timeout(BODY_TIMEOUT_S):
            while True:
                message = await receive()
                if message["type"] != "http.request":
                    break
                body += message.get("body", b"")
                if len(body) > bytes_max:
                    raise too_large
                if not message.get("more_body", False):
                    break
    except TimeoutError:
        raise refuse(Fault.BODY_TIMEOUT, f"the body did not arrive within {BODY_TIMEOUT_S:g} seconds") from None
    return bytes(body)


async def drain(receive: Receive) -> bool:
    """Read on and throw away, within bounds; whether the end has come."""
    total = 0
    try:
        async with asyncio.timeout(DRAIN_TIMEOUT_S):
            while total <= DRAIN_BYTES_MAX:
                message = await receive()
                total += len(message.get("body", b""))
                if message["type"] != "http.request" or not message.get("more_body", False):
                    return True
    except TimeoutError:
        pass
    return False


def replay(body: bytes, receive: Receive) -> Receive:
    """A `receive` that gives the body in one piece, then whatever comes."""
    given = False

    async def receive_again() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return receive_again


class Guard:
    """The outermost ASGI application."""

    def __init__(self, app: ASGIApp, authenticator: Authenticator, pace: Pace | None = None) -> None:
        self._app = app
        self._authenticator = authenticator
        self._pace = pace or Pace(REQUESTS_PER_S_DEFAULT, time.monotonic)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one connection scope."""
        if scope["type"] == "http":
            await self._handle(scope, receive, send)
        elif scope["type"] == "lifespan":
            await self._app(scope, receive, send)
        else:
            await send({"type": "websocket.close", "code": 1008})

    async def _handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        started = False
        path: str = scope["path"]

        async def send_marked(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                headers = MutableHeaders(scope=message)
                headers.setdefault("Cache-Control", "no-store")
                headers["X-Content-Type-Options"] = "nosniff"
                headers["X-Frame-Options"] = "DENY"
                headers["Referrer-Policy"] = "no-referrer"
                headers["Cross-Origin-Resource-Policy"] = "same-origin"
                if path.startswith(API_PREFIXES):
                    # What an API answers is no page, whatever a browser takes it for.
                    headers.setdefault("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
            await send(message)

        response: Response
        try:
            headers = Headers(scope=scope)
            self._check_pace(path, address_of(scope))
            actor = await self._check_caller(scope, headers)
            check_origin(scope["method"], headers)
            if not is_public(path):
                check_role(actor, scope["method"], path)
            if scope["method"] != "PUT" or not IMAGES.match(path):
                receive = replay(await read_body(receive, headers, body_bytes_max(path)), receive)
        except RequestError as error:
            ended = await drain(receive)
            response = answer(path, error.problems, own_words=True, headers=error.headers)
            if not ended:
                # The server closes after this answer; otherwise it would read on for as long as the caller sends.
                response.headers["Connection"] = "close"
            await response(scope, receive, send_marked)
            return
        before = CURRENT.set(actor)
        try:
            await self._app(scope, receive, send_marked)
        except Exception:
            LOG.exception("unexpected error while answering %s %s", scope["method"], path)
            if not started:
                problem = refuse(Fault.INTERNAL, "an internal error; the log of the NAS tells more").problems
                response = answer(path, problem)
                await response(scope, receive, send_marked)
        finally:
            CURRENT.reset(before)

    def _check_pace(self, path: str, address: str) -> None:
        """Raise RequestError when the address asks too often."""
        wait_s = math.ceil(self._pace.take(address))
        if not wait_s:
            return
        if self._pace.is_news(address):
            LOG.warning("too many requests from %s: it has to wait", address)
        fault = Fault.BUSY if is_nas(path) else Fault.THROTTLED
        message = f"too many requests from your address; try again in {wait_s} s"
        raise refuse(fault, message, headers={"Retry-After": str(wait_s)})

    async def _check_caller(self, scope: Scope, headers: Headers) -> Actor:
        """Who asks. Raises RequestError unless he is known, or the path is public."""
        if is_public(scope["path"]):
            return NOBODY
        known = scope.get(SCOPE_KEY)
        if isinstance(known, Actor):
            return known
        address = address_of(scope)
        header = headers.get("authorization", "")
        credentials, token = parse_basic(header), parse_bearer(header)
        if credentials is None and token is None:
            raise refuse(
                Fault.UNAUTHORIZED,
                "a user name and a password are needed (HTTP Basic), or a token (Bearer)",
                headers=_CHALLENGE,
            )
        try:
            if credentials is not None:
                actor = await self._authenticator.verify(*credentials, address)
            else:
                actor = await self._authenticator.verify_token(token or "", address)
        except BusyError:
            raise refuse(
                Fault.BUSY, "too many logins at once; try again in a moment", headers={"Retry-After": "1"}
            ) from None
        except ThrottledError as error:
            wait_s = math.ceil(error.wait_s)
            if self._pace.is_news(address):
                LOG.warning("too many wrong passwords from %s: it has to wait %d s", address, wait_s)
            raise refuse(
                Fault.THROTTLED,
                f"too many wrong passwords; try again in {wait_s} s",
                headers={"Retry-After": str(wait_s)},
            ) from None
        except DatabaseFailedError as error:
            raise RequestError(error.problems) from None
        if actor is None:
            message = (
                "user name or password are wrong" if credentials is not None else "the token is wrong or has expired"
            )
            raise refuse(Fault.UNAUTHORIZED, message, headers=_CHALLENGE)
        return actor


def address_of(scope: Scope) -> str:
    """Where a request comes from."""
    return str(scope["client"][0]) if scope.get("client") else ""


def check_role(actor: Actor, method: str, path: str) -> None:
    """Raise RequestError when this is not for this caller."""
    needed = needed_role(method, path)
    if not actor.role.allows(needed):
        raise refuse(Fault.ROLE_TOO_LOW, f"you are {actor.role}; this needs the role {needed}")
