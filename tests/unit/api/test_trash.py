"""The trash and the ways to connect, in API v1."""

import httpx
import pytest

from tests.unit.api.http import NAME, TARGETS, v1_errors

pytestmark = pytest.mark.anyio

DISK = {
    "name": "disk",
    "luns": [{"size_bytes": 1 << 30}],
    "chap": {"one_way": {"enabled": True, "username": "alice", "secret": "alice-secret-1"}},
}


async def test_a_deleted_target_is_seen_and_restored(client: httpx.AsyncClient) -> None:
    made = (await client.post(TARGETS, json=DISK)).json()
    assert (await client.get("/api/v1/trash")).json() == {"items": []}
    await client.delete(f"{TARGETS}/{made['id']}")
    (item,) = (await client.get("/api/v1/trash")).json()["items"]
    assert (item["id"], item["name"], item["luns"][0]["size_bytes"]) == (made["id"], NAME, 1 << 30)
    restored = await client.post(f"/api/v1/trash/{made['id']}/restore", json={})
    assert restored.status_code == 200
    assert restored.json() | {"revision": 0} == made | {"revision": 0}
    again = await client.post(f"/api/v1/trash/{made['id']}/restore", json={})
    assert (again.status_code, v1_errors(again)[0]["code"]) == (404, "not_found")


async def test_another_name_is_given(client: httpx.AsyncClient) -> None:
    made = (await client.post(TARGETS, json=DISK)).json()
    await client.delete(f"{TARGETS}/{made['id']}")
    await client.post(TARGETS, json=DISK)
    path = f"/api/v1/trash/{made['id']}/restore"
    taken = await client.post(path, json={})
    assert (taken.status_code, v1_errors(taken)[0]["field"]) == (409, "name")
    wrong = await client.post(path, json={"name": "not a name"})
    assert (wrong.status_code, v1_errors(wrong)[0]["field"]) == (422, "name")
    assert (await client.post(path, json={"name": "other"})).json()["name"].endswith(":other")


async def test_the_ways_to_connect(client: httpx.AsyncClient) -> None:
    made = (await client.post(TARGETS, json=DISK)).json()
    ways = (await client.get(f"{TARGETS}/{made['id']}/connect")).json()["items"]
    assert ways[0]["key"] == "linux"
    assert f"-T {NAME} -p 127.0.0.1:3260" in ways[0]["text"]
    assert "alice-secret-1" not in str(ways)
    elsewhere = (await client.get(f"{TARGETS}/{made['id']}/connect", params={"host": "nas.example"})).json()["items"]
    assert "-p nas.example:3260" in elsewhere[0]["text"]
    assert (await client.get(f"{TARGETS}/99/connect")).status_code == 404
