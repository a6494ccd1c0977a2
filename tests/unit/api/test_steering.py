"""Sessions, refused logins, draining, blocks, limits and events in API v1."""

import json
from dataclasses import replace

import httpx
import pytest

from lunaport.api.v1_events import serialize
from lunaport.engine.interface import EngineUnavailableError, Rates, RefusedLogin
from lunaport.service.events import Event
from lunaport.service.nas import Nas
from tests.unit.api.http import NAME, TARGETS, Json, v1_errors
from tests.unit.service.stand import Stand
from tests.unit.service.test_nas import SESSION

pytestmark = pytest.mark.anyio

DISK = {"name": "disk", "luns": [{"size_bytes": 1 << 30}]}
REFUSED = RefusedLogin(
    at=1.0,
    reason="unknown_target",
    detail="asked for an unknown target",
    initiator="iqn.2026-11.test:me",
    target="iqn.2026-11.test:none",
    address="192.0.2.1:5000",
    portal="192.0.2.9:3260",
)


async def test_a_session_by_its_id(client: httpx.AsyncClient, stand: Stand) -> None:
    rates = Rates(commands=10.04, bytes_read=5.0, bytes_written=0.0)
    stand.engine.reports.append(replace(SESSION, rates=rates, latency=(0, 3, 0, 1)))
    item = (await client.get(f"/api/v1/sessions/{SESSION.id}")).json()
    assert item["rates"] == {"commands": 10.0, "bytes_read": 5.0, "bytes_written": 0.0}
    assert item["latency"] == [{"below_us": 32.768, "count": 3}, {"below_us": None, "count": 1}]
    missing = await client.get("/api/v1/sessions/nothing")
    assert (missing.status_code, v1_errors(missing)[0]["code"]) == (404, "not_found")


async def test_sessions_in_pages_and_by_who_they_are(client: httpx.AsyncClient, stand: Stand) -> None:
    stand.engine.reports += [
        replace(SESSION, id=f"{tsih}-0", tsih=tsih, initiator=f"iqn.2026-11.test:{tsih % 2}") for tsih in (3, 1, 2)
    ]
    first = (await client.get("/api/v1/sessions", params={"limit": "2"})).json()
    second = (await client.get("/api/v1/sessions", params={"limit": "2", "cursor": first["next_cursor"]})).json()
    assert [item["tsih"] for item in first["items"] + second["items"]] == [1, 2, 3]
    assert second["next_cursor"] is None
    odd = (await client.get("/api/v1/sessions", params={"initiator": "iqn.2026-11.test:1"})).json()
    assert [item["tsih"] for item in odd["items"]] == [1, 3]
    none = (await client.get("/api/v1/sessions", params={"target": "iqn.2026-11.test:none"})).json()
    assert none == {"items": [], "next_cursor": None}
    for parameters in ({"limit": "0"}, {"limit": "x"}, {"cursor": "x"}):
        response = await client.get("/api/v1/sessions", params=parameters)
        assert (response.status_code, v1_errors(response)[0]["code"]) == (422, "parameter_invalid")


async def test_a_session_is_closed(client: httpx.AsyncClient, stand: Stand) -> None:
    stand.engine.reports.append(SESSION)
    assert (await client.delete(f"/api/v1/sessions/{SESSION.id}")).status_code == 204
    assert stand.engine.reports == []
    assert (await client.delete(f"/api/v1/sessions/{SESSION.id}")).status_code == 404
    stand.engine.failures["close_session"] = EngineUnavailableError("gone")
    assert (await client.delete(f"/api/v1/sessions/{SESSION.id}")).status_code == 503


async def test_refused_logins(client: httpx.AsyncClient, stand: Stand) -> None:
    stand.engine.refused = [REFUSED, replace(REFUSED, initiator="", target="")]
    found = (await client.get("/api/v1/login-failures")).json()["items"]
    assert len(found) == 2
    assert found[0] == {
        "at": "1970-01-01T00:00:01Z",
        "reason": "unknown_target",
        "detail": "asked for an unknown target",
        "initiator": "iqn.2026-11.test:me",
        "target": "iqn.2026-11.test:none",
        "address": "192.0.2.1:5000",
        "portal": "192.0.2.9:3260",
    }
    mine = await client.get("/api/v1/login-failures", params={"initiator": "iqn.2026-11.test:me"})
    assert len(mine.json()["items"]) == 1
    assert (await client.get("/api/v1/login-failures", params={"target": "x"})).json() == {"items": []}
    assert (await client.get("/api/v1/login-failures", params={"limit": "9999"})).status_code == 422


async def test_a_target_is_drained(client: httpx.AsyncClient, stand: Stand) -> None:
    await client.post(TARGETS, json=DISK)
    stand.engine.reports += [replace(SESSION, target=NAME), replace(SESSION, target="iqn.2026-11.test:other")]
    answer = await client.put(f"{TARGETS}/1/drain", json={"draining": True})
    assert (answer.status_code, answer.json()) == (200, {"draining": True, "sessions": 1})
    assert stand.engine.targets[NAME].draining
    assert (await client.get(f"{TARGETS}/1")).json()["draining"] is True
    # A whole document says nothing of draining: it stays.
    assert (await client.put(f"{TARGETS}/1", json=DISK)).json()["draining"] is True
    await client.put(f"{TARGETS}/1/drain", json={"draining": False})
    assert (await client.get(f"{TARGETS}/1/drain")).json() == {"draining": False, "sessions": 1}
    assert (await client.put(f"{TARGETS}/9/drain", json={"draining": True})).status_code == 404


async def test_the_nas_is_drained(client: httpx.AsyncClient, stand: Stand) -> None:
    stand.engine.reports += [SESSION, replace(SESSION, target="")]
    answer = await client.put("/api/v1/drain", json={"draining": True})
    assert answer.json() == {"draining": True, "sessions": 1}
    assert stand.engine.draining
    assert (await client.put("/api/v1/service", json={"enabled": True})).status_code == 200
    assert (await client.get("/api/v1/drain")).json()["draining"] is True
    await stand.restart()
    assert stand.engine.draining


@pytest.mark.parametrize("body", [{}, {"draining": "yes"}, {"draining": None}, {"draining": True, "x": 1}])
async def test_a_drain_that_is_none(client: httpx.AsyncClient, body: Json) -> None:
    assert (await client.put("/api/v1/drain", json=body)).status_code == 422


async def test_an_initiator_is_blocked(client: httpx.AsyncClient, stand: Stand) -> None:
    body = {"until": "2030-01-01T01:00:00+01:00", "note": "why"}
    answer = await client.put("/api/v1/blocks/IQN.2026-11.test:a", json=body)
    expected = {
        "initiator": "iqn.2026-11.test:a",
        "until": "2030-01-01T00:00:00Z",
        "note": "why",
        "created_at": "1970-01-12T13:46:40Z",
        "created_by": "admin",
    }
    assert (answer.status_code, answer.json()) == (200, expected)
    assert (await client.get("/api/v1/blocks")).json() == {"items": [expected]}
    assert (await client.delete("/api/v1/blocks/iqn.2026-11.test:a")).status_code == 204
    assert (await client.delete("/api/v1/blocks/iqn.2026-11.test:a")).status_code == 404
    assert stand.engine.blocks == ()


@pytest.mark.parametrize(
    ("name", "body", "field"),
    [
        ("short", {}, "initiator"),
        ("iqn.2026-11.test:a", {"until": "2001-01-01T00:00:00Z"[:3]}, "until"),
        ("iqn.2026-11.test:a", {"until": "2030-01-01T00:00:00"}, "until"),
        ("iqn.2026-11.test:a", {"until": "1969-01-01T00:00:00Z"}, "until"),
        ("iqn.2026-11.test:a", {"until": "9999-12-31T23:59:59-12:00"}, "until"),
        ("iqn.2026-11.test:a", {"until": "0001-01-01T00:00:00+14:00"}, "until"),
        ("iqn.2026-11.test:a", {"until": 5}, "until"),
        ("iqn.2026-11.test:a", {"note": "x" * 201}, "note"),
        ("iqn.2026-11.test:a", {"initiator": "x"}, "initiator"),
    ],
)
async def test_a_block_that_is_none(client: httpx.AsyncClient, name: str, body: Json, field: str) -> None:
    response = await client.put(f"/api/v1/blocks/{name}", json=body)
    assert (response.status_code, v1_errors(response)[0]["field"]) == (422, field)


async def test_limits(client: httpx.AsyncClient, stand: Stand) -> None:
    limits = {"iops": 100, "bytes_per_second": 1 << 30}
    made = await client.post(TARGETS, json=DISK | {"limits": limits})
    assert made.json()["limits"] == limits
    assert stand.engine.targets[NAME].limits.iops == 100
    patched = await client.patch(f"{TARGETS}/1", json={"limits": {"iops": 0}})
    assert patched.json()["limits"] == {"iops": 0, "bytes_per_second": 1 << 30}
    assert (await client.put(f"{TARGETS}/1", json=DISK)).json()["limits"] == {"iops": 0, "bytes_per_second": 0}
    response = await client.patch(f"{TARGETS}/1", json={"limits": {"iops": 3, "bytes_per_second": -1}})
    fields = [error["field"] for error in v1_errors(response)]
    assert (response.status_code, fields) == (422, ["limits.iops", "limits.bytes_per_second"])


async def test_the_service_is_changed_in_part(client: httpx.AsyncClient) -> None:
    assert (await client.patch("/api/v1/service", json={"port": 860})).json()["port"] == 860
    patched = (await client.patch("/api/v1/service", json={"enabled": False})).json()
    assert (patched["enabled"], patched["port"]) == (False, 860)
    assert (await client.patch("/api/v1/service", json={"port": 0})).json()["port"] is None
    opened = (await client.patch("/api/v1/service", json={"discovery": {"open": True}})).json()
    assert (opened["discovery"]["open"], opened["enabled"]) == (True, False)
    chap = {"one_way": {"enabled": True, "username": "finder", "secret": "finder-secret-1"}}
    guarded = (await client.patch("/api/v1/service", json={"discovery": {"chap": chap}})).json()["discovery"]
    assert (guarded["open"], guarded["chap"]["one_way"]["enabled"]) == (True, True)
    kept = (await client.patch("/api/v1/service", json={"discovery": {"open": False}})).json()["discovery"]
    assert kept == guarded | {"open": False}
    assert (await client.patch("/api/v1/service", json={"port": 70000})).status_code == 422


async def test_events_are_a_stream(client: httpx.AsyncClient, nas: Nas, monkeypatch: pytest.MonkeyPatch) -> None:
    await client.post(TARGETS, json=DISK)
    await client.delete(f"{TARGETS}/1")
    nas.events.close()  # so that the stream has an end
    response = await client.get("/api/v1/events", headers={"Last-Event-ID": "another.1"})
    assert response.headers["content-type"].startswith("text/event-stream")
    assert response.headers["cache-control"] == "no-store"
    greeting, *blocks = response.text.strip().split("\n\n")
    assert greeting == "retry: 2000"
    fields = [dict(line.split(": ", 1) for line in block.split("\n")) for block in blocks]
    assert [each["event"] for each in fields] == ["missed", "target_created", "target_deleted"]
    assert "id" not in fields[0]
    assert json.loads(fields[1]["data"])["target"] == NAME
    last = fields[1]["id"]
    again = await client.get("/api/v1/events", headers={"Last-Event-ID": last})
    assert again.text.count("event: ") == 1


async def test_too_many_listen(client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lunaport.service.events.LISTENER_COUNT_MAX", 0)
    response = await client.get("/api/v1/events")
    assert (response.status_code, response.headers["Retry-After"]) == (503, "10")


async def test_events_need_a_password(stranger: httpx.AsyncClient) -> None:
    assert (await stranger.get("/api/v1/events")).status_code == 401


def test_a_fact_cannot_break_a_line() -> None:
    wire = serialize(Event(kind="login_refused", at=1.0, id="a.1", facts={"detail": "a\nevent: b\r\n\r\n\u2028"}))
    assert wire.count(b"\n") == 4
    assert b"\r" not in wire
