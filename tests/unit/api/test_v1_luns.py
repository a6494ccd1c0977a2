"""`/api/v1/targets/{id}/luns`."""

from typing import Any

import httpx
import pytest

from lunaport.engine.interface import EngineUnavailableError
from tests.unit.api.http import TARGETS, v1_errors
from tests.unit.service.stand import Stand

pytestmark = pytest.mark.anyio

LUNS = f"{TARGETS}/1/luns"
NEW = {"name": "disk", "luns": [{"size_bytes": 1 << 20}]}


@pytest.fixture
async def made(client: httpx.AsyncClient) -> httpx.AsyncClient:
    """A client of a NAS with a target."""
    assert (await client.post(TARGETS, json=NEW)).status_code == 201
    return client


async def test_a_life(made: httpx.AsyncClient) -> None:
    response = await made.post(LUNS, json={"size_bytes": 1000, "vendor": "ACME"})
    answer = response.json()
    assert (response.status_code, response.headers["Location"]) == (201, f"{LUNS}/1")
    assert (answer["lun"], answer["size_bytes"], answer["vendor"], answer["volume"]) == (1, 1024, "ACME", "default")
    tag = response.headers["ETag"]
    read = await made.get(f"{LUNS}/1")
    assert (read.json(), read.headers["ETag"]) == (answer, tag)
    assert [each["lun"] for each in (await made.get(LUNS)).json()["items"]] == [0, 1]
    changed = await made.patch(f"{LUNS}/1", json={"size_bytes": 2048, "read_only": True}, headers={"If-Match": tag})
    assert changed.json() == answer | {"size_bytes": 2048, "read_only": True}
    stale = await made.patch(f"{LUNS}/1", json={"size_bytes": 4096}, headers={"If-Match": tag})
    assert stale.status_code == 412
    assert (await made.delete(f"{LUNS}/1", headers={"If-Match": tag})).status_code == 412
    assert (await made.delete(f"{LUNS}/1")).status_code == 204
    assert (await made.get(f"{LUNS}/1")).status_code == 404
    target = (await made.get(f"{TARGETS}/1")).json()
    assert [each["lun"] for each in target["luns"]] == [0]


@pytest.mark.parametrize(
    ("body", "status", "field", "code"),
    [
        ({}, 422, "size_bytes", "missing_field"),
        ({"size_bytes": "1G"}, 422, "size_bytes", "wrong_type"),
        ({"size_bytes": 0}, 422, "size_bytes", "size_not_positive"),
        ({"size_bytes": 1, "lun": 16384}, 422, "lun", "wrong_type"),
        ({"size_bytes": 1, "lun": 0}, 409, "lun", "lun_taken"),
        ({"size_bytes": 1, "volume": "nowhere"}, 422, "volume", "volume_unknown"),
        ({"size_bytes": 1 << 60}, 409, "size_bytes", "volume_full"),
        ({"size_bytes": 1, "block_size_bytes": 7}, 422, "block_size_bytes", "lun_kind_invalid"),
        ({"size_bytes": 1, "colour": "red"}, 422, "colour", "unknown_field"),
    ],
)
async def test_what_is_not_added(made: httpx.AsyncClient, body: Any, status: int, field: str, code: str) -> None:
    response = await made.post(LUNS, json=body)
    (error,) = v1_errors(response)
    assert (response.status_code, error["field"], error["code"]) == (status, field, code)


async def test_what_is_not_changed(made: httpx.AsyncClient) -> None:
    for body, status, code in (
        ({"size_bytes": 512}, 422, "size_shrinks"),
        ({"block_size_bytes": 4096}, 422, "unknown_field"),
        ({"lun": 3}, 422, "unknown_field"),
    ):
        response = await made.patch(f"{LUNS}/0", json=body)
        assert (response.status_code, v1_errors(response)[0]["code"]) == (status, code)
    response = await made.delete(f"{LUNS}/0")
    assert (response.status_code, v1_errors(response)[0]["code"]) == (409, "lun_last")


@pytest.mark.parametrize("number", ["5", "x", "-1", "1" * 40, "%00"])
async def test_a_lun_there_is_not(made: httpx.AsyncClient, number: str) -> None:
    for response in (
        await made.get(f"{LUNS}/{number}"),
        await made.patch(f"{LUNS}/{number}", json={}),
        await made.delete(f"{LUNS}/{number}"),
    ):
        assert (response.status_code, v1_errors(response)[0]["code"]) == (404, "not_found")


async def test_an_engine_that_does_not_answer(made: httpx.AsyncClient, stand: Stand) -> None:
    stand.engine.failures["apply"] = EngineUnavailableError("restarting")
    response = await made.post(LUNS, json={"size_bytes": 1})
    assert (response.status_code, v1_errors(response)[0]["code"]) == (503, "engine_unavailable")
    assert len((await made.get(LUNS)).json()["items"]) == 1


async def test_a_whole_target_adds_luns_and_loses_none(made: httpx.AsyncClient) -> None:
    luns = [{"lun": 0, "size_bytes": 1 << 20}, {"lun": 9, "size_bytes": 512}]
    for _ in range(2):
        response = await made.put(f"{TARGETS}/1", json=NEW | {"luns": luns})
        assert [each["lun"] for each in response.json()["luns"]] == [0, 9]
    response = await made.put(f"{TARGETS}/1", json=NEW)
    assert (response.status_code, v1_errors(response)[0]["code"]) == (422, "luns_invalid")
