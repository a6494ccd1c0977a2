"""The description: all routes, all references, in the words of OpenAPI 3.0; and the page that shows it."""

import re
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from lunaport.api.openapi import to_3_0
from tests.unit.api.http import SERVICE, SHARES, TARGETS

pytestmark = pytest.mark.anyio


def nodes(node: Any) -> Iterator[dict[str, Any]]:
    """Every object within."""
    if isinstance(node, dict):
        yield node
        for value in node.values():
            yield from nodes(value)
    elif isinstance(node, list):
        for value in node:
            yield from nodes(value)


@pytest.fixture
async def document(stranger: httpx.AsyncClient) -> dict[str, Any]:
    described: dict[str, Any] = (await stranger.get("/api/v1/openapi.json")).json()
    return described


async def test_every_route_says_what_its_guard_may_answer(document: dict[str, Any]) -> None:
    for path, operations in document["paths"].items():
        for verb, operation in operations.items():
            if path == "/api/v1/health":
                continue
            wanted = {"401", "500"} if path.startswith("/index.php") else {"401", "429", "500", "503"}
            if verb != "get":
                wanted |= {"403"}
            assert wanted <= operation["responses"].keys(), (verb, path, wanted - operation["responses"].keys())


async def test_every_route_is_there(document: dict[str, Any]) -> None:
    verbs = {path: set(operations) for path, operations in document["paths"].items()}
    assert verbs == {
        SHARES: {"get", "post", "put", "delete"},
        SERVICE: {"get", "put"},
        TARGETS: {"get", "post"},
        f"{TARGETS}/{{target_id}}": {"get", "put", "patch", "delete"},
        f"{TARGETS}/{{target_id}}/luns": {"get", "post"},
        f"{TARGETS}/{{target_id}}/luns/{{lun}}": {"get", "patch", "delete"},
        f"{TARGETS}/{{target_id}}/luns/{{lun}}/medium": {"get", "put", "delete"},
        "/api/v1/volumes/{name}/images": {"get"},
        "/api/v1/volumes/{name}/images/{image}": {"put", "delete"},
        "/api/v1/volumes": {"get", "post"},
        "/api/v1/volumes/{name}": {"get", "patch", "delete"},
        "/api/v1/service": {"get", "put", "patch"},
        "/api/v1/portals": {"get", "put", "delete"},
        "/api/v1/portals/{portal}": {"put", "delete"},
        "/api/v1/sessions": {"get"},
        "/api/v1/users": {"get", "post"},
        "/api/v1/users/{name}": {"get", "patch", "delete"},
        "/api/v1/tokens": {"get", "post"},
        "/api/v1/tokens/{token_id}": {"delete"},
        "/api/v1/me": {"get"},
        "/api/v1/me/password": {"put"},
        "/api/v1/audit": {"get"},
        "/api/v1/audit/export": {"get"},
        "/api/v1/config": {"get", "put"},
        "/api/v1/config/export": {"post"},
        "/api/v1/config/import": {"post"},
        "/api/v1/sessions/{session_id}": {"get", "delete"},
        "/api/v1/login-failures": {"get"},
        "/api/v1/targets/{target_id}/connect": {"get"},
        "/api/v1/trash": {"get"},
        "/api/v1/trash/{target_id}/restore": {"post"},
        "/api/v1/drain": {"get", "put"},
        "/api/v1/targets/{target_id}/drain": {"get", "put"},
        "/api/v1/blocks": {"get"},
        "/api/v1/blocks/{initiator}": {"put", "delete"},
        "/api/v1/events": {"get"},
        "/api/v1/health": {"get"},
        "/api/v1/problems": {"get"},
        "/api/v1/work": {"get"},
        "/api/v1/targets/{target_id}/reservations": {"get"},
    }


async def test_it_is_openapi_3_0(document: dict[str, Any]) -> None:
    assert document["openapi"] == "3.0.3"
    for node in nodes(document):
        assert node.get("type") != "null"
        assert not isinstance(node.get("exclusiveMinimum"), int | float) or isinstance(node["exclusiveMinimum"], bool)
        if "$ref" in node:
            name = re.fullmatch(r"#/components/schemas/(\w+)", node["$ref"])
            assert name, node
            assert name[1] in document["components"]["schemas"]


async def test_every_operation_is_described(document: dict[str, Any]) -> None:
    names = []
    for operations in document["paths"].values():
        for verb, operation in operations.items():
            names.append(operation["operationId"])
            assert operation["description"]
            assert operation["tags"]
            assert ("requestBody" in operation) == (
                verb in {"post", "put", "patch"} or operation["operationId"] == "nas_delete_share"
            )
            assert all(response["description"] for response in operation["responses"].values())
    assert len(set(names)) == len(names)
    assert document["paths"]["/api/v1/health"]["get"]["security"] == []
    assert document["security"] == [{"basic": []}, {"token": []}]


def test_null_becomes_nullable() -> None:
    assert to_3_0({"anyOf": [{"type": "string"}, {"type": "null"}], "default": None, "title": "x"}) == {
        "type": "string",
        "title": "x",
        "nullable": True,
    }
    assert to_3_0({"anyOf": [{"$ref": "#/x"}, {"type": "null"}]}) == {"allOf": [{"$ref": "#/x"}], "nullable": True}
    assert to_3_0([{"const": 0}]) == [{"enum": [0]}]


async def test_the_page_needs_no_internet(stranger: httpx.AsyncClient) -> None:
    home = await stranger.get("/")
    assert (home.status_code, home.headers["Location"]) == (307, "/api/docs")
    page = await stranger.get("/api/docs")
    assert "default-src 'none'" in page.headers["Content-Security-Policy"]
    assert "//" not in page.text
    for link in re.findall(r'(?:src|href)="([^"]+)"', page.text):
        asset = await stranger.get(link)
        assert asset.status_code == 200, link
        assert asset.content
    start = await stranger.get("/api/docs/start.js")
    assert "/api/v1/openapi.json" in start.text
    assert (await stranger.get("/favicon.ico")).headers["Content-Type"] == "image/png"
    assert (await stranger.get("/api/docs/../../../etc/passwd")).status_code in {401, 404}
    assert (await stranger.get("/api/docs/index.html")).status_code == 404
