"""`/api/v1/targets/{id}/reservations` and `/api/v1/work`."""

import asyncio
from collections.abc import AsyncIterator

import httpx
import pytest

from lunaport.engine.interface import EngineUnavailableError
from lunaport.engine.unit_state import Registration, ReservationReport, WorkReport
from tests.unit.api.http import NAME, TARGETS, v1_errors
from tests.unit.service.stand import Stand

pytestmark = pytest.mark.anyio

NODE = "iqn.2026-11.test:node"
WORK = "/api/v1/work"
HELD = ReservationReport(
    lun=0,
    type="write_exclusive",
    generation=2,
    persistent=True,
    count=1,
    registrations=(
        Registration(initiator=NODE, port=f"{NODE},i,0x1", portal_group=1, key="000000000000000a", holder=True),
    ),
)


async def test_reservations_of_a_target(client: httpx.AsyncClient, stand: Stand) -> None:
    await client.post(TARGETS, json={"name": "disk", "luns": [{"size_bytes": 512}]})
    assert (await client.get(f"{TARGETS}/1/reservations")).json() == {"items": []}
    stand.engine.reserved[NAME] = [HELD]
    (item,) = (await client.get(f"{TARGETS}/1/reservations")).json()["items"]
    assert (item["type"], item["generation"], item["persistent"], item["lost"]) == ("write_exclusive", 2, True, False)
    (registration,) = item["registrations"]
    assert (registration["initiator"], registration["key"], registration["holder"]) == (NODE, "000000000000000a", True)
    missing = await client.get(f"{TARGETS}/7/reservations")
    assert (missing.status_code, v1_errors(missing)[0]["code"]) == (404, "not_found")


async def test_work_of_the_engine(client: httpx.AsyncClient, stand: Stand) -> None:
    assert (await client.get(WORK)).json() == {"items": []}
    stand.engine.under_way = [
        WorkReport(kind="copy", target=NAME, lun=3, done_bytes=1, total_bytes=4, initiator=NODE),
        WorkReport(kind="drain", sessions=2),
    ]
    copy, drain = (await client.get(WORK)).json()["items"]
    assert (copy["kind"], copy["target"], copy["lun"], copy["done_bytes"], copy["by"]) == ("copy", NAME, 3, 1, NODE)
    assert (drain["kind"], drain["target"], drain["lun"], drain["sessions"]) == ("drain", "", None, 2)
    stand.engine.failures["work"] = EngineUnavailableError("gone")
    assert (await client.get(WORK)).json() == {"items": []}


async def test_an_image_on_its_way_is_work(client: httpx.AsyncClient) -> None:
    half, rest = asyncio.Event(), asyncio.Event()

    async def pieces() -> AsyncIterator[bytes]:
        yield bytes(512)
        half.set()
        await rest.wait()
        yield bytes(512)

    sending = asyncio.create_task(
        client.put("/api/v1/volumes/default/images/a.iso", content=pieces(), headers={"Content-Length": "1024"})
    )
    await half.wait()
    (item,) = (await client.get(WORK)).json()["items"]
    assert (item["kind"], item["volume"], item["image"], item["by"]) == ("image", "default", "a.iso", "admin")
    assert (item["done_bytes"], item["total_bytes"]) == (512, 1024)
    rest.set()
    assert (await sending).status_code == 201
    assert (await client.get(WORK)).json() == {"items": []}
