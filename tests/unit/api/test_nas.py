"""The NAS API: every field and verb, and every bad input with its status, code and words."""

import asyncio
import json
from collections import Counter
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lunaport.engine.interface import EngineUnavailableError
from tests.unit.api.http import ALICE, NAME, NEW, SERVICE, SHARES, THE_NAS, Json, nas_errors
from tests.unit.service.engine_double import FILE_BYTES_MAX
from tests.unit.service.stand import Stand

pytestmark = pytest.mark.anyio

FULL = NEW | {
    "volume": "default",
    "header-digest": True,
    "data-digest": True,
    "one-way-chap": ALICE,
    "mutual-chap": THE_NAS,
}
ANSWER = {
    "id": 1,
    "target": NAME,
    "size": "1073741824",
    "volume": "default",
    "header-digest": True,
    "data-digest": True,
    "one-way-chap": {"enabled": True, "username": "alice", "password": ""},
    "mutual-chap": {"enabled": True, "username": "nas", "password": ""},
}


async def shares(client: httpx.AsyncClient) -> list[Json]:
    response = await client.get(SHARES)
    assert response.status_code == 200
    listed: list[Json] = response.json()
    return listed


async def put(client: httpx.AsyncClient, body: Any, path: str = SHARES) -> httpx.Response:
    return await client.put(path, json=body)


async def delete(client: httpx.AsyncClient, body: Any) -> httpx.Response:
    return await client.request("DELETE", SHARES, json=body)


async def test_a_share_from_beginning_to_end(client: httpx.AsyncClient, stand: Stand) -> None:
    assert await shares(client) == []
    response = await client.post(SHARES, json=FULL)
    assert (response.status_code, response.json()) == (200, ANSWER)
    assert list(response.json()) == list(ANSWER), "in the order of the seed"
    assert await shares(client) == [ANSWER]
    grown = ANSWER | {"size": "2147483648"}
    response = await put(client, {"id": 1, "size": "2G"})
    assert (response.status_code, response.json()) == (200, grown)
    response = await delete(client, {"id": 1})
    assert (response.status_code, response.json()) == (200, grown)
    assert await shares(client) == []
    assert stand.engine.targets == {}


async def test_the_least_that_makes_a_share(client: httpx.AsyncClient) -> None:
    response = await client.post(SHARES, json=NEW)
    off = {"enabled": False, "username": "", "password": ""}
    assert response.json() == ANSWER | {
        "header-digest": False,
        "data-digest": False,
        "one-way-chap": off,
        "mutual-chap": off,
    }


async def test_an_array_of_one_and_any_content_type(client: httpx.AsyncClient) -> None:
    response = await client.post(SHARES, content=json.dumps([NEW]), headers={"Content-Type": "text/plain"})
    assert response.status_code == 200
    assert (await put(client, [{"id": "1", "header-digest": True}])).json()["header-digest"] is True
    assert (await delete(client, [{"id": 1}])).status_code == 200


async def test_an_answer_can_be_sent_back(client: httpx.AsyncClient, stand: Stand) -> None:
    share = (await client.post(SHARES, json=FULL)).json()
    before = dict(stand.engine.targets)
    assert (await put(client, share)).json() == share
    assert stand.engine.targets == before
    assert (await delete(client, share)).json() == share


@pytest.mark.parametrize("left_out", [{}, {"password": ""}, {"password": "", "username": "alice"}])
async def test_a_password_that_is_left_out_stays(client: httpx.AsyncClient, stand: Stand, left_out: Json) -> None:
    await client.post(SHARES, json=FULL)
    assert (await put(client, {"id": 1, "one-way-chap": left_out})).status_code == 200
    assert stand.engine.targets[NAME].credentials[0].secret == "alice-secret-1"


async def test_every_field_can_be_edited(client: httpx.AsyncClient, stand: Stand) -> None:
    await client.post(SHARES, json=FULL)
    response = await put(
        client,
        {
            "id": 1,
            "target": "other",
            "size": "3G",
            "volume": "",
            "header-digest": False,
            "data-digest": False,
            "one-way-chap": {"username": "bob", "password": "bob-secret-12"},
            "mutual-chap": {"enabled": False},
        },
    )
    assert response.status_code == 200
    (spec,) = stand.engine.targets.values()
    assert spec.name == "iqn.2026-11.io.lunaport:other"
    assert (spec.header_digest, spec.data_digest, spec.mutual) == (False, False, None)
    assert (spec.credentials[0].username, spec.credentials[0].secret) == ("bob", "bob-secret-12")
    assert spec.luns[0].size_bytes == 3 << 30


BAD: dict[str, tuple[str, Any, int, int, str]] = {
    "array of two": ("POST", [NEW, NEW], 400, 1002, "2 elements"),
    "empty array": ("POST", [], 400, 1002, "0 elements"),
    "a string": ("POST", "disk", 400, 1002, "a string"),
    "digest no boolean": ("POST", NEW | {"header-digest": "yes"}, 400, 1103, "header-digest: is a string;"),
    "digest a number": ("POST", NEW | {"data-digest": 1}, 400, 1103, "data-digest: is an integer"),
    "target a number": ("POST", NEW | {"target": 5}, 400, 1103, "target: is an integer"),
    "target null": ("POST", NEW | {"target": None}, 400, 1103, "target: is null"),
    "size a boolean": ("POST", NEW | {"size": True}, 400, 1103, "size: is a boolean"),
    "size a fraction": ("POST", NEW | {"size": 1.5}, 400, 1103, "size: is a number with a fraction"),
    "chap an array": ("POST", NEW | {"one-way-chap": []}, 400, 1103, "one-way-chap: is an array"),
    "chap enabled null": ("POST", NEW | {"one-way-chap": {"enabled": None}}, 400, 1103, "one-way-chap.enabled"),
    "unknown field": ("POST", NEW | {"header_digest": True}, 400, 1101, "header_digest: is not a field"),
    "unknown field within": ("POST", NEW | {"mutual-chap": {"secret": ""}}, 400, 1101, "mutual-chap.secret: is not a"),
    "target missing": ("POST", {"size": "1G"}, 400, 1102, "target: is missing"),
    "size missing": ("POST", {"target": "disk"}, 400, 1102, "size: is missing"),
    "id in POST": ("POST", NEW | {"id": 7}, 400, 1104, "id: is given by the NAS"),
    "id 0 in POST": ("POST", NEW | {"id": 0}, 400, 1104, "id: is given by the NAS"),
    "not an IQN": ("POST", NEW | {"target": "iqn.never:x"}, 400, 1201, "right would be iqn.2026-11.io.lunaport:disk1"),
    "target empty": ("POST", NEW | {"target": ""}, 400, 1201, "target: is empty"),
    "target with a space": ("POST", NEW | {"target": "a b"}, 400, 1201, "target: the character ' '"),
    "size 0": ("POST", NEW | {"size": "0"}, 400, 1302, "size: '0' is not more than 0"),
    "size negative": ("POST", NEW | {"size": -5}, 400, 1302, "size: -5 is not more than 0"),
    "size no number": ("POST", NEW | {"size": "NaN"}, 400, 1301, "size: 'NaN' is not a size"),
    "size too large": ("POST", NEW | {"size": "8E"}, 400, 1303, "size: '8E' is too large"),
    "size beyond a file": ("POST", NEW | {"size": FILE_BYTES_MAX + 1}, 409, 1402, "size: asks for"),
    "unknown volume": ("POST", NEW | {"volume": "nowhere"}, 400, 1401, "volume: 'nowhere' is not a volume"),
    "secret of 11": ("POST", NEW | {"one-way-chap": ALICE | {"password": "s" * 11}}, 400, 1502, "is 11 bytes long"),
    "secret of 17": ("POST", NEW | {"one-way-chap": ALICE | {"password": "s" * 17}}, 400, 1502, "12 to 16 bytes"),
    "no username": ("POST", NEW | {"one-way-chap": ALICE | {"username": ""}}, 400, 1503, "one-way-chap.username"),
    "username of 256": ("POST", NEW | {"one-way-chap": ALICE | {"username": "u" * 256}}, 400, 1501, "is 256 bytes"),
    "no password": ("POST", NEW | {"one-way-chap": ALICE | {"password": ""}}, 400, 1503, "one-way-chap.password:"),
    "mutual alone": ("POST", NEW | {"mutual-chap": THE_NAS}, 400, 1504, "mutual-chap.enabled: is true, but"),
    "equal secrets": (
        "POST", NEW | {"one-way-chap": ALICE, "mutual-chap": THE_NAS | {"password": "alice-secret-1"}}, 400, 1505,
        "mutual-chap.password: is the same",
    ),
    "PUT without id": ("PUT", {"size": "2G"}, 400, 1102, "id: is missing"),
    "PUT with id null": ("PUT", {"id": None}, 400, 1102, "id: is missing"),
    "PUT with an odd id": ("PUT", {"id": "one"}, 400, 1103, "id: is not an id"),
    "PUT with a negative id": ("PUT", {"id": -1}, 400, 1103, "id: is not an id"),
    "PUT with a huge id": ("PUT", {"id": 10**30}, 400, 1103, "id: is not an id"),
    "PUT with id true": ("PUT", {"id": True}, 400, 1103, "id: is a boolean"),
    "PUT unknown id": ("PUT", {"id": 99, "size": "2G"}, 404, 1801, "id: there is no share with the id 99"),
    "DELETE without id": ("DELETE", {}, 400, 1102, "id: is missing"),
    "DELETE unknown id": ("DELETE", {"id": 99}, 404, 1801, "id: there is no share with the id 99"),
    "DELETE unknown field": ("DELETE", {"id": 99, "force": True}, 400, 1101, "force: is not a field"),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD)
async def test_bad_input(client: httpx.AsyncClient, case: str) -> None:
    method, body, status, code, words = BAD[case]
    response = await client.request(method, SHARES, json=body)
    assert response.status_code == status, response.text
    errors = nas_errors(response)
    assert errors[0]["code"] == code
    assert words in errors[0]["message"]
    assert "secret-1" not in response.text
    assert "sssss" not in response.text
    assert await shares(client) == []


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "the body is empty"),
        (b"{", "the body is not JSON"),
        (b"not json", "the body is not JSON"),
        (b'{"target": "a", "size": NaN}', "NaN is not JSON"),
        (b'{"target": "a", "size": -Infinity}', "-Infinity is not JSON"),
        (b'{"target": "a", "target": "b"}', "the field 'target' appears twice"),
        (b"[" * 100_000, "nested too deep"),
        (b'{"a":' * 100_000, "nested too deep"),
        (b"\xff\xfe", "not UTF-8"),
        (b'{"target": "\\ud800"}', "surrogate"),
        (b'{"one-way-chap": {"password": ["\\udc00"]}}', "surrogate"),
        (b'{"\\ud800": 1}', "surrogate"),
        (b'{"size": ' + b"9" * 5000 + b"}", "a number that is too long"),
    ],
)
async def test_what_is_not_json(client: httpx.AsyncClient, content: bytes, words: str) -> None:
    response = await client.post(SHARES, content=content)
    assert response.status_code == 400
    (error,) = nas_errors(response)
    assert (error["code"], words in error["message"]) == (1001, True), error


async def test_null_is_no_object(client: httpx.AsyncClient) -> None:
    response = await client.post(SHARES, content=b"null")
    assert (response.status_code, nas_errors(response)[0]["code"]) == (400, 1002)


async def test_everything_that_is_wrong_is_told_at_once(client: httpx.AsyncClient) -> None:
    response = await client.post(SHARES, json={"size": "0", "one-way-chap": {"enabled": True, "password": "x"}})
    assert [error["code"] for error in nas_errors(response)] == [1102, 1302, 1502, 1503]


async def test_a_thousand_unknown_fields_are_a_short_answer(client: httpx.AsyncClient) -> None:
    response = await client.post(SHARES, json={"x" * 500 + str(number): 0 for number in range(1000)})
    assert len(nas_errors(response)) == 20
    assert len(response.content) < 10_000


async def test_a_name_is_taken_once(client: httpx.AsyncClient) -> None:
    await client.post(SHARES, json=NEW)
    for name in ("disk", "DISK", NAME):
        response = await client.post(SHARES, json=NEW | {"target": name})
        assert response.status_code == 409
        assert nas_errors(response)[0]["code"] == 1202
        assert NAME in nas_errors(response)[0]["message"]


async def test_two_hundred_at_once_and_one_wins(client: httpx.AsyncClient) -> None:
    responses = await asyncio.gather(*(client.post(SHARES, json=NEW) for _ in range(200)))
    assert Counter(response.status_code for response in responses) == {200: 1, 409: 199}
    assert len(await shares(client)) == 1


async def test_it_never_shrinks_and_both_sizes_are_told(client: httpx.AsyncClient) -> None:
    await client.post(SHARES, json=NEW)
    response = await put(client, {"id": 1, "size": "512M"})
    (error,) = nas_errors(response)
    assert (response.status_code, error["code"]) == (400, 1304)
    assert "536870912" in error["message"]
    assert "1073741824" in error["message"]


async def test_beyond_the_largest_file(client: httpx.AsyncClient, stand: Stand) -> None:
    stand.engine.total_bytes = 1 << 60
    response = await client.post(SHARES, json=NEW | {"size": FILE_BYTES_MAX + 512})
    assert (response.status_code, nas_errors(response)[0]["code"]) == (400, 1303)
    assert nas_errors(response)[0]["message"].startswith("size: ")


async def test_a_share_cannot_move(client: httpx.AsyncClient) -> None:
    await client.post("/api/v1/volumes", json={"name": "fast", "path": "/srv/fast"})
    await client.post(SHARES, json=NEW)
    response = await put(client, {"id": 1, "volume": "fast"})
    assert (response.status_code, nas_errors(response)[0]["code"]) == (409, 1403)
    assert "cannot move" in nas_errors(response)[0]["message"]


async def test_an_engine_that_is_away(client: httpx.AsyncClient, stand: Stand) -> None:
    stand.engine.failures["create_file"] = EngineUnavailableError("restarting")
    response = await client.post(SHARES, json=NEW)
    assert (response.status_code, nas_errors(response)[0]["code"]) == (500, 2002)


async def test_the_service(client: httpx.AsyncClient, stand: Stand) -> None:
    start = {"id": 1, "enabled": True, "port": "", "isns": False, "isns-address": ""}
    assert (await client.get(SERVICE)).json() == [start]
    response = await put(client, {"port": "860", "isns-address": "192.0.2.7:3205"}, SERVICE)
    changed = start | {"port": "860", "isns-address": "192.0.2.7:3205"}
    assert (response.status_code, response.json()) == (200, changed)
    assert {portal.port for portal in stand.engine.portals} == {860}
    with_isns = await put(client, {"isns": True}, SERVICE)
    assert (with_isns.status_code, with_isns.json()) == (200, changed | {"isns": True})
    assert (await put(client, {"isns": False}, SERVICE)).json() == changed
    assert (await put(client, [changed | {"enabled": False}], SERVICE)).json()["enabled"] is False
    assert not stand.engine.portals
    assert (await client.get(SERVICE)).json() == [changed | {"enabled": False}]


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"port": "0"}, 400, 1701),
        ({"port": "65536"}, 400, 1701),
        ({"port": "abc"}, 400, 1701),
        ({"port": 0}, 400, 1701),
        ({"port": True}, 400, 1103),
        ({"enabled": "no"}, 400, 1103),
        ({"isns": True}, 400, 1705),
        ({"isns-address": "not an address"}, 400, 1703),
        ({"isns-address": "192.0.2.7:99999"}, 400, 1703),
        ({"isns-address": "[::1"}, 400, 1703),
        ({"isns_address": ""}, 400, 1101),
        ({"id": 2}, 404, 1801),
        ({"id": "x"}, 400, 1103),
        ([{}, {}], 400, 1002),
    ],
)
async def test_bad_input_for_the_service(client: httpx.AsyncClient, body: Any, status: int, code: int) -> None:
    before = (await client.get(SERVICE)).json()
    response = await put(client, body, SERVICE)
    assert (response.status_code, nas_errors(response)[0]["code"]) == (status, code)
    assert (await client.get(SERVICE)).json() == before


async def test_a_port_that_is_taken(client: httpx.AsyncClient, stand: Stand) -> None:
    stand.engine.taken_ports.add(860)
    before = stand.engine.portals
    response = await put(client, {"port": "860"}, SERVICE)
    (error,) = nas_errors(response)
    assert (response.status_code, error["code"]) == (409, 1702)
    assert "127.0.0.1:860" in error["message"]
    assert "already in use" in error["message"]
    assert stand.engine.portals == before


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("PATCH", SHARES, "DELETE, GET, POST, PUT"),
        ("OPTIONS", SHARES, "DELETE, GET, POST, PUT"),
        ("POST", SERVICE, "GET, PUT"),
        ("DELETE", SERVICE, "GET, PUT"),
    ],
)
async def test_a_wrong_verb(client: httpx.AsyncClient, method: str, path: str, allowed: str) -> None:
    response = await client.request(method, path)
    assert (response.status_code, response.headers["Allow"]) == (405, allowed)
    assert nas_errors(response)[0]["code"] == 1804


@pytest.mark.parametrize("path", ["/index.php/other/api", f"{SHARES}/", "/index.php/"])
async def test_nothing_there(client: httpx.AsyncClient, path: str) -> None:
    response = await client.get(path)
    assert (response.status_code, nas_errors(response)[0]["code"]) == (404, 1801)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
CHAP = st.dictionaries(st.sampled_from(["enabled", "username", "password"]), JSON, max_size=3)
OBJECT = st.fixed_dictionaries(
    {},
    optional={
        "id": JSON,
        "target": JSON,
        "size": JSON | st.sampled_from(["1G", "0", "1.5T"]),
        "volume": JSON,
        "header-digest": JSON,
        "one-way-chap": JSON | CHAP,
        "mutual-chap": JSON | CHAP,
        "enabled": JSON,
        "port": JSON,
        "isns": JSON,
        "isns-address": JSON,
    },
)


@settings(max_examples=80, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(method=st.sampled_from(["POST", "PUT", "DELETE"]), path=st.sampled_from([SHARES, SERVICE]), body=OBJECT | JSON)
async def test_any_json_is_done_or_refused_in_the_right_shape(
    client: httpx.AsyncClient, method: str, path: str, body: Any
) -> None:
    response = await client.request(method, path, json=body)
    assert response.status_code in {200, 400, 404, 405, 409}
    if response.status_code != 200:
        nas_errors(response)
