"""Users, tokens and the audit log through HTTP; and every route with every role, and with none."""

import csv
import io
import json
import re
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.routing import BaseRoute, Route

from lunaport.api.app import make_api
from lunaport.api.guard import is_public
from lunaport.api.permissions import SAFE_METHODS, needed_role
from lunaport.api.v1_audit import csv_line
from lunaport.model.user import Role
from lunaport.service import throttle
from lunaport.service.nas import Nas
from tests.unit.api.http import BASE_URL, NEW, SERVICE, SHARES, TARGETS, nas_errors, v1_errors
from tests.unit.service.stand import Stand

pytestmark = pytest.mark.anyio

USERS, TOKENS, ME, AUDIT = "/api/v1/users", "/api/v1/tokens", "/api/v1/me", "/api/v1/audit"


@pytest.fixture(autouse=True)
def quick_hashes(stand: Stand, monkeypatch: pytest.MonkeyPatch) -> None:
    """The hashes of the users made here cost nothing either."""
    monkeypatch.setattr("lunaport.service.auth.Argon2Hasher.hash", lambda _, password: f"hash of {password}")
    monkeypatch.setattr(
        "lunaport.service.auth.Argon2Hasher.verify", lambda _, hashed, password: hashed == f"hash of {password}"
    )


async def add(client: httpx.AsyncClient, role: str) -> httpx.BasicAuth:
    response = await client.post(USERS, json={"name": f"the-{role}", "password": f"{role}-password", "role": role})
    assert response.status_code == 201, response.text
    return httpx.BasicAuth(f"the-{role}", f"{role}-password")


@asynccontextmanager
async def bearer(transport: httpx.ASGITransport, token: str) -> AsyncIterator[httpx.AsyncClient]:
    headers = {"Authorization": f"Bearer {token}"}
    async with httpx.AsyncClient(transport=transport, base_url=BASE_URL, headers=headers) as made:
        yield made


async def test_users_are_added_changed_and_removed(client: httpx.AsyncClient) -> None:
    response = await client.post(USERS, json={"name": "carol", "password": "carols-password", "role": "viewer"})
    assert (response.status_code, response.headers["Location"]) == (201, f"{USERS}/carol")
    assert set(response.json()) == {"name", "role", "created_at"}
    assert [user["name"] for user in (await client.get(USERS)).json()["items"]] == ["admin", "carol"]
    assert (await client.patch(f"{USERS}/carol", json={"role": "operator"})).json()["role"] == "operator"
    assert (await client.get(f"{USERS}/carol")).json()["role"] == "operator"
    assert (await client.delete(f"{USERS}/carol")).status_code == 204
    assert (await client.get(f"{USERS}/carol")).status_code == 404
    response = await client.delete(f"{USERS}/admin")
    assert (response.status_code, v1_errors(response)[0]["code"]) == (409, "user_last_admin")
    assert v1_errors(response)[0]["blockers"] == ["admin"]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"name": "Carol", "password": "carols-password", "role": "viewer"}, "name"),
        ({"name": "carol", "password": "short", "role": "viewer"}, "password"),
        ({"name": "carol", "password": "carols-password", "role": "king"}, "role"),
        ({"name": "carol", "password": "carols-password"}, "role"),
        ({"name": "carol", "password": "carols-password", "role": "viewer", "x": 1}, "x"),
    ],
)
async def test_what_is_no_user(client: httpx.AsyncClient, body: dict[str, Any], field: str) -> None:
    response = await client.post(USERS, json=body)
    assert (response.status_code, v1_errors(response)[0]["field"]) == (422, field)
    assert "carols-password" not in response.text


async def test_a_token_works_until_it_is_removed(client: httpx.AsyncClient, transport: httpx.ASGITransport) -> None:
    made = await client.post(TOKENS, json={"name": "script", "role": "viewer", "days": 1})
    assert made.status_code == 201
    text = made.json()["token"]
    listed = (await client.get(TOKENS)).json()["items"]
    assert [each["name"] for each in listed] == ["script"]
    assert "token" not in listed[0]
    async with bearer(transport, text) as script:
        assert (await script.get(ME)).json() == {"name": "admin", "role": "viewer", "way": "token script"}
        assert (await script.get(TARGETS)).status_code == 200
        refused = await script.post(SHARES, json=NEW)
        assert (refused.status_code, nas_errors(refused)[0]["code"]) == (403, 1905)
        assert (await client.delete(made.headers["Location"])).status_code == 204
        response = await script.get(TARGETS)
        assert (response.status_code, v1_errors(response)[0]["message"]) == (401, "the token is wrong or has expired")


async def test_ones_own_password(client: httpx.AsyncClient, stranger: httpx.AsyncClient) -> None:
    carol = await add(client, "viewer")
    body = {"present": "viewer-password", "password": "a-better-one"}
    wrong = await stranger.put(f"{ME}/password", json={**body, "present": "no"}, auth=carol)
    assert (wrong.status_code, v1_errors(wrong)[0]["field"]) == (403, "present")
    assert (await stranger.put(f"{ME}/password", json=body, auth=carol)).status_code == 204
    assert (await stranger.get(ME, auth=carol)).status_code == 401
    assert (await stranger.get(ME, auth=("the-viewer", "a-better-one"))).status_code == 200


async def test_the_audit_log(client: httpx.AsyncClient) -> None:
    await client.post(SHARES, json={**NEW, "one-way-chap": {"enabled": True, "username": "a", "password": "x" * 12}})
    await client.put(SERVICE, json={"port": "860"})
    page = (await client.get(AUDIT, params={"limit": "1"})).json()
    (newest,) = page["items"]
    assert (newest["action"], newest["user"], newest["way"]) == ("update_service", "admin", "password")
    assert newest["changes"]["port"] == {"before": None, "after": 860}
    older = (await client.get(AUDIT, params={"cursor": page["next_cursor"]})).json()
    assert [entry["action"] for entry in older["items"]] == ["create_target"]
    assert older["next_cursor"] is None
    mine = (await client.get(AUDIT, params={"subject": "service", "user": "admin"})).json()["items"]
    assert mine == [newest]
    exported = await client.get(f"{AUDIT}/export")
    assert exported.headers["content-type"] == "application/x-ndjson"
    assert [json.loads(line)["action"] for line in exported.text.splitlines()] == ["update_service", "create_target"]
    assert "x" * 12 not in exported.text
    assert (await client.get(AUDIT, params={"limit": "0"})).status_code == 422


async def test_the_audit_log_as_a_table(client: httpx.AsyncClient) -> None:
    await client.put(SERVICE, json={"port": "860"})
    await client.post(SHARES, json={**NEW, "target": "=1+1"})
    exported = await client.get(f"{AUDIT}/export", params={"format": "csv"})
    assert exported.headers["content-type"].startswith("text/csv")
    refused, service = csv.DictReader(io.StringIO(exported.text, newline=""))
    assert (service["action"], service["user"], service["outcome"]) == ("update_service", "admin", "done")
    assert json.loads(service["changes"])["port"] == {"before": None, "after": 860}
    assert (refused["action"], refused["outcome"]) == ("create_target", "refused")
    assert set(service) == {*newest_entry(await client.get(AUDIT))}
    for parameters, count in (({"action": "update_service"}, 1), ({"since": "2100-01-01T00:00:00Z"}, 0)):
        text = (await client.get(f"{AUDIT}/export", params={**parameters, "format": "ndjson"})).text
        assert len(text.splitlines()) == count
    for parameters, field in (({"format": "xml"}, "format"), ({"since": "soon"}, "since"), ({"until": "1"}, "until")):
        response = await client.get(f"{AUDIT}/export", params=parameters)
        assert (response.status_code, v1_errors(response)[0]["field"]) == (422, field)


def newest_entry(page: httpx.Response) -> dict[str, Any]:
    entry: dict[str, Any] = page.json()["items"][0]
    return entry


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@x", "\tx", "\rx"])
async def test_no_cell_is_a_formula(text: str) -> None:
    assert next(csv.reader([csv_line([text, 'a "b", c'])])) == [f"'{text}", 'a "b", c']


async def test_wrong_passwords_cost_time(
    client: httpx.AsyncClient, stranger: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(throttle, "FREE_FAILURES", 2)
    assert (await client.get(ME)).status_code == 200
    for _ in range(2):
        assert (await stranger.get(ME, auth=("admin", "wrong"))).status_code == 401
    response = await stranger.get(ME, auth=("admin", "wrong"))
    assert (response.status_code, response.headers["Retry-After"]) == (429, "1")
    response = await stranger.get(SHARES, auth=("admin", "wrong"))
    assert (response.status_code, nas_errors(response)[0]["code"]) == (401, 1904)
    assert (await client.get(ME)).status_code == 200, "who is known does not wait"


def routes(nas: Nas) -> set[tuple[str, str]]:
    """Verb and path of every route of the application, described or not, but for those that are open to all."""
    found = set()
    for route in plain(make_api(nas).routes):
        for verb in (route.methods or set()) - {"HEAD"}:
            if verb != "GET" or not is_public(route.path.replace("{name}", "x")):
                found.add((verb, route.path))
    return found


def plain(some: Iterable[BaseRoute]) -> Iterator[Route]:
    """Routes, those of included routers too. What is neither would be missing from the tests: it fails them."""
    for route in some:
        inner = getattr(route, "original_router", None)
        if inner is not None:
            yield from plain(inner.routes)
        else:
            assert isinstance(route, Route), f"{route}: not a plain route"
            yield route


def filled(path: str) -> str:
    """A path with something in its parameters."""
    return re.sub(r"\{\w*id\}", "77", path).replace("{name}", "zz")


def table() -> dict[tuple[str, str], Role]:
    """docs/security.md: which route needs which role."""
    page = (Path(__file__).parents[3] / "docs" / "security.md").read_text()
    rows = re.findall(r"^\| `(\w+) (\S+)` \| `?(\w+)`? \|$", page, re.MULTILINE)
    return {(verb, path): Role(role) for verb, path, role in rows if role != "nobody"}


async def test_no_route_is_left_out_of_the_table(nas: Nas) -> None:
    every = routes(nas)
    assert len(every) > 60
    wanted = table()
    assert wanted.keys() == every, f"docs/security.md: {sorted(wanted.keys() ^ every)}"
    assert {key: needed_role(*key) for key in every} == wanted


async def test_every_route_with_every_role_and_with_none(
    client: httpx.AsyncClient, stranger: httpx.AsyncClient, nas: Nas
) -> None:
    nas.events.close()  # so that the stream of events has an end
    callers = {Role(role): await add(client, role) for role in ("viewer", "operator", "admin")}
    for method, path in sorted((verb, filled(path)) for verb, path in routes(nas)):
        assert (await stranger.request(method, path)).status_code == 401, (method, path)
        for role, auth in callers.items():
            response = await stranger.request(method, path, auth=auth, content=b"nothing")
            allowed = role.allows(needed_role(method, path))
            assert (response.status_code != 403) == allowed, (method, path, role, response.text)
            assert response.status_code != 500, (method, path, role, response.text)


@pytest.mark.parametrize(
    ("method", "path", "role"),
    [
        ("GET", TARGETS, Role.VIEWER),
        ("GET", "/api/v1/nothing", Role.VIEWER),
        ("POST", SHARES, Role.OPERATOR),
        ("DELETE", f"{TARGETS}/1", Role.OPERATOR),
        ("PUT", SERVICE, Role.ADMIN),
        ("PUT", "/api/v1/service", Role.ADMIN),
        ("POST", "/api/v1/volumes", Role.ADMIN),
        ("POST", "/api/v1/targetsx", Role.ADMIN),
        ("POST", "/api/v1/nothing", Role.ADMIN),
        ("GET", USERS, Role.ADMIN),
        ("GET", f"{AUDIT}/export", Role.ADMIN),
        ("POST", TOKENS, Role.VIEWER),
        ("PUT", f"{ME}/password", Role.VIEWER),
    ],
)
async def test_what_needs_what(method: str, path: str, role: Role) -> None:
    assert needed_role(method, path) is role
    assert method in SAFE_METHODS or needed_role("GET", path).allows(Role.VIEWER)
