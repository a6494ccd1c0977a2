"""What the commands make of answers, also of those that a Lunaport does not give."""

import json
from collections.abc import Callable
from dataclasses import replace

import httpx
import pytest

from lunaport.cli.client import Client, segment
from lunaport.cli.connection import Connection
from lunaport.cli.errors import CliError, Exit

CONNECTION = Connection(url="http://nas", user="admin", password="only-for-tests", token="", ca="")
Answering = Callable[[httpx.Request], httpx.Response]


def client(answering: Answering) -> Client:
    """A client whose requests are answered by a function."""
    return Client(CONNECTION, httpx.MockTransport(answering))


def failure(answering: Answering, **options: str) -> CliError:
    """How a call ends."""
    with pytest.raises(CliError) as caught:
        client(answering).call("PATCH", "/targets/1", {}, options=options)
    assert "only-for-tests" not in str(caught.value)
    return caught.value


def errors(status: int, *problems: tuple[str, str]) -> httpx.Response:
    """An answer of API v1."""
    found = [{"field": field, "code": "x", "message": message, "blockers": []} for field, message in problems]
    return httpx.Response(status, json={"errors": found})


def test_an_answer() -> None:
    assert client(lambda _: httpx.Response(200, json={"id": 1})).call("GET", "/targets/1") == {"id": 1}
    assert client(lambda _: httpx.Response(204)).call("DELETE", "/targets/1") is None


def test_a_change_says_what_was_read() -> None:
    seen: list[httpx.Request] = []

    def answering(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(200, json={})

    client(answering).call("PATCH", "/targets/1", {"a": 1}, revision=7)
    assert seen[0].headers["If-Match"] == '"r7"'
    assert seen[0].url.path == "/api/v1/targets/1"
    assert json.loads(seen[0].content) == {"a": 1}


def test_a_token_stands_for_its_user() -> None:
    seen: list[httpx.Request] = []

    def answering(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(401, json={})

    own = replace(CONNECTION, password="", token="token-for-tests")
    with pytest.raises(CliError, match="the token is wrong or has expired") as caught:
        Client(own, httpx.MockTransport(answering)).call("GET", "/targets")
    assert seen[0].headers["Authorization"] == "Bearer token-for-tests"
    assert "token-for-tests" not in f"{caught.value}{own}"


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (400, Exit.USAGE),
        (403, Exit.REFUSED),
        (404, Exit.NOT_FOUND),
        (409, Exit.CONFLICT),
        (412, Exit.CONFLICT),
        (422, Exit.USAGE),
        (500, Exit.FAILED),
        (503, Exit.FAILED),
    ],
)
def test_the_exit_code_of_a_status(status: int, code: Exit) -> None:
    assert failure(lambda _: errors(status, ("", "no"))).code is code


def test_every_wrong_field_is_told_at_its_option() -> None:
    error = failure(lambda _: errors(422, ("name", "is empty"), ("x", "is odd"), ("", "all")), name="--name")
    assert error.lines == ("--name: is empty", "x: is odd", "all")


@pytest.mark.parametrize(
    "response",
    [
        httpx.Response(200, text="<html>"),
        httpx.Response(502, text="<html>"),
        httpx.Response(404, json=[1]),
        httpx.Response(500, json={"errors": 5}),
    ],
)
def test_what_is_no_lunaport(response: httpx.Response) -> None:
    assert "is it a Lunaport?" in str(failure(lambda _: response))


def test_where_it_leads_to_is_told() -> None:
    error = failure(lambda _: httpx.Response(307, headers={"location": "https://nas:8443/"}))
    assert "https://nas:8443/" in str(error)


@pytest.mark.parametrize(
    "raised", [httpx.ConnectError("refused"), httpx.ReadTimeout("slow"), httpx.RemoteProtocolError("odd")]
)
def test_no_answer(raised: httpx.TransportError) -> None:
    def answering(_: httpx.Request) -> httpx.Response:
        raise raised

    error = failure(answering)
    assert error.code is Exit.UNREACHABLE
    assert "http://nas does not answer" in str(error)


def test_all_pages() -> None:
    def answering(request: httpx.Request) -> httpx.Response:
        start = int(request.url.params.get("cursor", "0"))
        cursor = str(start + 1) if start < 2 else None
        return httpx.Response(200, json={"items": [{"id": start}], "next_cursor": cursor})

    assert [each["id"] for each in client(answering).pages("/targets")] == [0, 1, 2]


def test_a_text_is_one_step_of_a_path() -> None:
    assert segment("iqn.2026-11.a:b/../c?d") == "iqn.2026-11.a:b%2F..%2Fc%3Fd"


@pytest.mark.parametrize(
    ("url", "error", "told", "advice"),
    [
        (
            "https://nas",
            "[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: self-signed certificate (_ssl.c:992)",
            "is not trusted",
            "--ca",
        ),
        (
            "https://nas",
            (
                "[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: Hostname mismatch, certificate is not"
                " valid for 'nas'. (_ssl.c:992)"
            ),
            "is for other names: certificate is not valid for 'nas'.",
            "--url",
        ),
        (
            "https://nas",
            "[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: certificate has expired (_ssl.c:992)",
            "has expired",
            "lunaport doctor",
        ),
        ("https://nas", "[SSL: WRONG_VERSION_NUMBER] wrong version number", "does not speak HTTPS", "http://nas"),
        ("http://nas", "[Errno 111] Connection refused", "does not answer", "is the NAS running there?"),
    ],
)
def test_a_nas_that_cannot_be_reached_is_told_with_what_helps(url: str, error: str, told: str, advice: str) -> None:
    def answering(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError(error, request=request)

    with pytest.raises(CliError) as caught:
        Client(replace(CONNECTION, url=url), httpx.MockTransport(answering)).call("GET", "/targets")
    assert caught.value.code == Exit.UNREACHABLE
    first, second = caught.value.lines
    assert told in first
    assert advice in second


def test_plain_http_where_https_is_spoken() -> None:
    def answering(request: httpx.Request) -> httpx.Response:
        raise httpx.RemoteProtocolError("Server disconnected without sending a response.", request=request)

    with pytest.raises(CliError) as caught:
        client(answering).call("GET", "/targets")
    assert "https://nas" in caught.value.lines[1]
