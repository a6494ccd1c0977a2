"""What every request passes: the password, the origin, the size of the body; and what happens when all fails."""

import asyncio
import base64
from collections.abc import AsyncIterator

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.types import Message, Receive, Scope, Send

from lunaport.api import guard
from lunaport.api.guard import BODY_BYTES_MAX, Guard, parse_basic
from lunaport.service.auth import Authenticator, BusyError
from tests.unit.api.http import NEW, PASSWORD, SERVICE, SHARES, TARGETS, PlainHasher, nas_errors, v1_errors
from tests.unit.service.stand import Stand

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("auth", [None, ("admin", "wrong"), ("root", PASSWORD), ("admin", ""), ("", "")])
@pytest.mark.parametrize("path", [SHARES, SERVICE, TARGETS, "/index.php/nothing", "/api/v1/nothing"])
async def test_without_the_password_there_is_nothing(
    stranger: httpx.AsyncClient, auth: tuple[str, str] | None, path: str
) -> None:
    response = await stranger.get(path, auth=auth)
    assert response.status_code == 401
    assert response.headers["WWW-Authenticate"] == 'Basic realm="Lunaport", charset="UTF-8"'
    errors = nas_errors(response) if path.startswith("/index.php") else v1_errors(response)
    assert errors[0]["code"] in {1901, "unauthorized"}


@pytest.mark.parametrize(
    "header", ["", "Basic", "Basic !!!", "Basic YQ==", "Bearer x", "Basic /w==", "Basic " + "A" * 2000]
)
async def test_a_header_that_is_none(stranger: httpx.AsyncClient, header: str) -> None:
    assert (await stranger.get(SHARES, headers={"Authorization": header})).status_code == 401


@given(name=st.text(max_size=20).filter(lambda name: ":" not in name), password=st.text(max_size=20))
def test_basic_round_trip(name: str, password: str) -> None:
    encoded = base64.b64encode(f"{name}:{password}".encode()).decode()
    assert parse_basic(f"Basic {encoded}") == (name, password)


@given(st.text(max_size=60))
def test_any_header_is_none_or_two_texts(header: str) -> None:
    parsed = parse_basic(header)
    assert parsed is None or len(parsed) == 2


@pytest.mark.parametrize("path", ["/api/v1/health", "/api/docs", "/api/v1/openapi.json", "/favicon.ico"])
async def test_what_needs_no_password(stranger: httpx.AsyncClient, path: str) -> None:
    assert (await stranger.get(path)).status_code == 200


async def test_answers_are_not_kept(client: httpx.AsyncClient) -> None:
    response = await client.get(SHARES)
    assert response.headers["Cache-Control"] == "no-store"
    assert response.headers["X-Content-Type-Options"] == "nosniff"


async def test_no_answer_is_a_page_of_somebody_else(client: httpx.AsyncClient, stranger: httpx.AsyncClient) -> None:
    for response in (await client.get(SHARES), await stranger.get(TARGETS), await client.get("/api/v1/nothing")):
        assert response.headers["X-Frame-Options"] == "DENY"
        assert response.headers["Referrer-Policy"] == "no-referrer"
        assert response.headers["Cross-Origin-Resource-Policy"] == "same-origin"
        assert response.headers["Content-Security-Policy"] == "default-src 'none'; frame-ancestors 'none'"
        assert "Access-Control-Allow-Origin" not in response.headers
        assert "Server" not in response.headers


@pytest.mark.parametrize(
    ("origin", "status"), [("http://nas", 200), ("http://evil.example", 403), ("null", 403), ("http://[", 403)]
)
async def test_a_page_of_another_site_changes_nothing(client: httpx.AsyncClient, origin: str, status: int) -> None:
    response = await client.post(SHARES, json=NEW, headers={"Origin": origin})
    assert response.status_code == status
    assert (await client.get(SHARES, headers={"Origin": origin})).status_code == 200


async def test_a_body_of_ten_megabytes(client: httpx.AsyncClient) -> None:
    response = await client.post(SHARES, content=b" " * 10_000_000)
    assert (response.status_code, nas_errors(response)[0]["code"]) == (413, 1003)
    response = await client.post(TARGETS, content=b" " * 10_000_000)
    assert (response.status_code, v1_errors(response)[0]["code"]) == (413, "body_too_large")


@pytest.mark.parametrize(
    ("length", "status"), [(BODY_BYTES_MAX - 1, 200), (BODY_BYTES_MAX, 200), (BODY_BYTES_MAX + 1, 413)]
)
async def test_the_limit_holds_for_chunks_too(client: httpx.AsyncClient, length: int, status: int) -> None:
    body = b'{"target": "disk", "size": "1G"}'.ljust(length)

    async def chunks() -> AsyncIterator[bytes]:
        for start in range(0, length, 65536):
            yield body[start : start + 65536]

    assert (await client.post(SHARES, content=chunks())).status_code == status


class Caller:
    """Plays an HTTP server: gives messages, keeps what is sent."""

    def __init__(self, *messages: Message) -> None:
        self.messages = list(messages)
        self.sent: list[Message] = []

    async def receive(self) -> Message:
        if not self.messages:
            await asyncio.Event().wait()
        return self.messages.pop(0)

    async def send(self, message: Message) -> None:
        self.sent.append(message)


SCOPE: Scope = {
    "type": "http",
    "method": "POST",
    "path": SHARES,
    "raw_path": SHARES.encode(),
    "query_string": b"",
    "headers": [(b"authorization", b"Basic " + base64.b64encode(f"admin:{PASSWORD}".encode()))],
}


CLOSES = (b"connection", b"close")


async def broken(scope: Scope, receive: Receive, send: Send) -> None:
    raise RuntimeError("the secret is alice-secret-1")


async def broken_late(scope: Scope, receive: Receive, send: Send) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    raise RuntimeError


@pytest.fixture
async def authenticator(stand: Stand) -> Authenticator:
    await stand.start()
    assert stand.store is not None
    made = Authenticator(stand.store, PlainHasher(), key=bytes(32))
    await made.make_admin(PASSWORD, 0.0)
    return made


async def test_a_body_that_does_not_come(authenticator: Authenticator, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guard, "BODY_TIMEOUT_S", 0.02)
    monkeypatch.setattr(guard, "DRAIN_TIMEOUT_S", 0.02)
    caller = Caller({"type": "http.request", "body": b"{", "more_body": True})
    await Guard(broken, authenticator)(SCOPE, caller.receive, caller.send)
    assert caller.sent[0]["status"] == 408
    assert CLOSES in caller.sent[0]["headers"]
    assert b"1004" in caller.sent[1]["body"]


async def test_a_body_without_an_end_is_not_read_for_ever(authenticator: Authenticator) -> None:
    chunk: Message = {"type": "http.request", "body": bytes(1 << 20), "more_body": True}
    caller = Caller(*[chunk] * 100)
    await Guard(broken, authenticator)(SCOPE, caller.receive, caller.send)
    assert caller.sent[0]["status"] == 413
    assert CLOSES in caller.sent[0]["headers"]
    assert caller.messages


async def test_who_sent_all_of_a_refused_body_keeps_the_connection(authenticator: Authenticator) -> None:
    chunk: Message = {"type": "http.request", "body": bytes(1 << 20), "more_body": True}
    caller = Caller(chunk, chunk, {**chunk, "more_body": False})
    await Guard(broken, authenticator)(SCOPE, caller.receive, caller.send)
    assert caller.sent[0]["status"] == 413
    assert CLOSES not in caller.sent[0]["headers"]


async def test_an_unexpected_error_tells_no_detail(
    authenticator: Authenticator, caplog: pytest.LogCaptureFixture
) -> None:
    caller = Caller({"type": "http.request", "body": b"", "more_body": False})
    await Guard(broken, authenticator)(SCOPE, caller.receive, caller.send)
    assert caller.sent[0]["status"] == 500
    assert b"alice" not in caller.sent[1]["body"]
    assert b"2003" in caller.sent[1]["body"]
    assert "unexpected error while answering" in caplog.text


async def test_an_answer_that_breaks_off_is_not_answered_twice(authenticator: Authenticator) -> None:
    caller = Caller({"type": "http.request", "body": b"", "more_body": False})
    await Guard(broken_late, authenticator)(SCOPE, caller.receive, caller.send)
    assert [message["type"] for message in caller.sent] == ["http.response.start"]


async def test_a_websocket_is_closed(authenticator: Authenticator) -> None:
    caller = Caller()
    await Guard(broken, authenticator)({"type": "websocket", "path": SHARES}, caller.receive, caller.send)
    assert caller.sent == [{"type": "websocket.close", "code": 1008}]


async def test_too_many_logins(stranger: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch) -> None:
    async def busy(self: Authenticator, name: str, password: str, address: str) -> None:
        raise BusyError

    monkeypatch.setattr(Authenticator, "verify", busy)
    response = await stranger.get(TARGETS, auth=("admin", "x"))
    assert (response.status_code, response.headers["Retry-After"]) == (503, "1")
    assert (await stranger.get(SHARES, auth=("admin", "x"))).status_code == 500
