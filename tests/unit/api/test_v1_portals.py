"""`/api/v1/portals`, and what targets say of portal groups."""

import httpx
import pytest

from lunaport.engine.interface import PortalSpec
from tests.unit.api.http import TARGETS, Json, v1_errors
from tests.unit.service.stand import Stand

pytestmark = pytest.mark.anyio

PORTALS = "/api/v1/portals"
OWN = [("127.0.0.1:3260", 1), ("[::1]:3261", 1)]


def shown(answer: Json) -> list[tuple[str, int]]:
    return [(each["portal"], each["group"]) for each in answer["items"]]


async def test_those_of_the_command_line_until_somebody_sets_one(client: httpx.AsyncClient, stand: Stand) -> None:
    answer = (await client.get(PORTALS)).json()
    assert (answer["source"], shown(answer)) == ("command_line", OWN)
    made = await client.put(f"{PORTALS}/[2001:db8::7]:860", json={"group": 2})
    assert made.status_code == 200
    assert (made.json()["portal"], made.json()["group"], made.json()["listening"]) == ("[2001:db8::7]:860", 2, True)
    answer = (await client.get(PORTALS)).json()
    assert (answer["source"], shown(answer)) == ("stored", [*OWN, ("[2001:db8::7]:860", 2)])
    assert stand.engine.portals[2] == PortalSpec(host="2001:db8::7", port=860, group=2)
    assert (await client.put(f"{PORTALS}/[2001:db8::7]:860", json={})).json()["group"] == 2
    assert (await client.delete(f"{PORTALS}/[2001:db8::7]:860")).status_code == 204
    assert (await client.delete(f"{PORTALS}/[2001:db8::7]:860")).status_code == 404
    assert (await client.delete(PORTALS)).json()["source"] == "command_line"


async def test_all_at_once(client: httpx.AsyncClient, stand: Stand) -> None:
    tag = (await client.get(PORTALS)).headers["etag"]
    body = {"items": [{"portal": "[::]"}, {"portal": "192.0.2.7:860", "group": 2}]}
    put = await client.put(PORTALS, json=body, headers={"If-Match": tag})
    assert (put.status_code, shown(put.json())) == (200, [("[::]:3260", 1), ("192.0.2.7:860", 2)])
    assert (await client.put(PORTALS, json=body, headers={"If-Match": tag})).status_code == 412
    assert (await client.patch("/api/v1/service", json={"port": 99})).status_code == 200
    answer = (await client.get(PORTALS)).json()
    assert [each["listening"] for each in answer["items"]] == [True, True]
    await client.patch("/api/v1/service", json={"enabled": False})
    answer = (await client.get(PORTALS)).json()
    assert [each["listening"] for each in answer["items"]] == [False, False]
    assert stand.engine.portals == ()


@pytest.mark.parametrize(
    ("items", "field", "code"),
    [
        ([], "items", "portal_invalid"),
        ([{"portal": "nonsense nonsense"}], "items[0].portal", "portal_invalid"),
        ([{"portal": "::1"}, {"portal": "192.0.2.7", "group": 0}], "items[1].group", "portal_group_invalid"),
        ([{"portal": "::1"}, {"portal": "::"}], "items[1]", "portal_invalid"),
        ([{"portal": "::1", "what": 1}], "items[0].what", "unknown_field"),
    ],
)
async def test_what_is_wrong_is_told_where(client: httpx.AsyncClient, items: list[Json], field: str, code: str) -> None:
    answer = await client.put(PORTALS, json={"items": items})
    assert answer.status_code == 422
    assert (v1_errors(answer)[0]["field"], v1_errors(answer)[0]["code"]) == (field, code)


async def test_what_is_in_the_way(client: httpx.AsyncClient, stand: Stand) -> None:
    assert v1_errors(await client.put(f"{PORTALS}/no address", json={}))[0]["field"] == "portal"
    stand.engine.taken_ports.add(861)
    assert (await client.put(f"{PORTALS}/192.0.2.7:861", json={})).status_code == 409
    assert (await client.delete(f"{PORTALS}/[::1]:3261")).status_code == 204
    last = await client.delete(f"{PORTALS}/127.0.0.1:3260")
    assert (last.status_code, v1_errors(last)[0]["code"]) == (409, "portal_last")


async def test_a_target_that_nobody_can_reach_says_so(client: httpx.AsyncClient) -> None:
    body = {"name": "far", "luns": [{"size_bytes": 1 << 20}], "portal_groups": [2], "isns": False}
    made = (await client.post(TARGETS, json=body)).json()
    assert (made["portal_groups"], made["isns"]) == ([2], False)
    assert "nobody can log in" in made["warnings"][1]
    await client.put(f"{PORTALS}/192.0.2.7", json={"group": 2})
    assert len((await client.get(f"{TARGETS}/{made['id']}")).json()["warnings"]) == 1
    patched = await client.patch(f"{TARGETS}/{made['id']}", json={"portal_groups": []})
    assert (patched.json()["portal_groups"], patched.json()["isns"]) == ([], False)
