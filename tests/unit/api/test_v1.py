"""API v1: nested documents, entity tags, pages, errors by field."""

from dataclasses import asdict, replace
from typing import Any

import httpx
import pytest

from lunaport.api.v1_words import make_cursor, parse_cursor
from lunaport.engine.interface import EngineUnavailableError, StorageError, Trouble
from lunaport.model.errors import DatabaseFailedError
from lunaport.model.lun import LunKind
from lunaport.service.registration import IsnsServerReport
from tests.unit.api.http import NAME, TARGETS, Json, v1_errors
from tests.unit.service.stand import Stand
from tests.unit.service.test_nas import SESSION

pytestmark = pytest.mark.anyio

ONE_WAY = {"enabled": True, "username": "alice", "secret": "alice-secret-1"}
SHORT = ONE_WAY | {"secret": "short"}
NEW: Json = {"name": "disk", "luns": [{"size_bytes": 1 << 30}]}
FULL = NEW | {
    "header_digest": True,
    "data_digest": True,
    "luns": [{"lun": 0, "size_bytes": 1 << 30, "volume": "default"}],
    "chap": {"one_way": ONE_WAY, "mutual": {"enabled": True, "username": "nas", "secret": "nas-secret-123"}},
}
NO_CHAP = {"enabled": False, "username": "", "secret": {"set": False, "changed_at": None}}
NOW = "1970-01-12T13:46:40Z"
ANSWER = {
    "id": 1,
    "name": NAME,
    "header_digest": True,
    "data_digest": True,
    "luns": [
        {"lun": 0, "uuid": f"{1:032x}", "size_bytes": 1 << 30, "volume": "default", "image": ""} | asdict(LunKind())
    ],
    "chap": {
        "one_way": {
            "enabled": True,
            "username": "alice",
            "secret": {"set": True, "changed_at": NOW},
            "old_secret_valid_until": None,
        },
        "mutual": {"enabled": True, "username": "nas", "secret": {"set": True, "changed_at": NOW}},
        "credentials": [],
    },
    "limits": {"iops": 0, "bytes_per_second": 0},
    "portal_groups": [],
    "isns": True,
    "draining": False,
    "access": {"rules": [], "single_initiator": False},
    "warnings": ["there are no access rules: every initiator that knows a user name and secret may use this target"],
    "created_at": NOW,
    "revision": 3,
}


async def test_create_and_read(client: httpx.AsyncClient) -> None:
    response = await client.post(TARGETS, json=FULL)
    assert (response.status_code, response.json()) == (201, ANSWER)
    assert (response.headers["Location"], response.headers["ETag"]) == (f"{TARGETS}/1", '"r3"')
    read = await client.get(response.headers["Location"])
    assert (read.json(), read.headers["ETag"]) == (ANSWER, '"r3"')
    assert (await client.get(TARGETS)).json() == {"items": [ANSWER], "next_cursor": None}


async def test_put_may_be_repeated_and_keeps_the_secrets(client: httpx.AsyncClient, stand: Stand) -> None:
    await client.post(TARGETS, json=FULL)
    body = NEW | {"chap": {"one_way": {"enabled": True, "username": "bob"}}}
    first = await client.put(f"{TARGETS}/1", json=body)
    assert first.status_code == 200
    assert first.json()["header_digest"] is False
    assert first.json()["chap"]["mutual"]["enabled"] is False
    assert stand.engine.targets[NAME].credentials[0].secret == "alice-secret-1"
    second = await client.put(f"{TARGETS}/1", json=body)
    assert (second.json(), second.headers["ETag"]) == (first.json(), first.headers["ETag"])


async def test_patch_changes_what_it_names(client: httpx.AsyncClient, stand: Stand) -> None:
    await client.post(TARGETS, json=FULL)
    response = await client.patch(f"{TARGETS}/1", json={"luns": [{"lun": 0, "size_bytes": 2 << 30}]})
    assert response.json()["luns"][0]["size_bytes"] == 2 << 30
    assert response.json()["chap"] == ANSWER["chap"]
    stand.now += 60
    body = {"chap": {"one_way": {"secret": "another-secret"}}}
    changed = (await client.patch(f"{TARGETS}/1", json=body)).json()["chap"]
    assert changed["one_way"]["secret"]["changed_at"] == "1970-01-12T13:47:40Z"
    assert changed["mutual"]["secret"]["changed_at"] == NOW


@pytest.mark.parametrize("tag", ['"r1"', 'W/"r3"', "r3", '"x"', '""', '"r1", "r2"', '"r' + "9" * 30 + '"'])
async def test_only_what_was_read_is_changed(client: httpx.AsyncClient, tag: str) -> None:
    await client.post(TARGETS, json=FULL)
    headers = {"If-Match": tag}
    for response in (
        await client.put(f"{TARGETS}/1", json=NEW, headers=headers),
        await client.patch(f"{TARGETS}/1", json={}, headers=headers),
        await client.delete(f"{TARGETS}/1", headers=headers),
    ):
        assert (response.status_code, v1_errors(response)[0]["code"]) == (412, "stale")


@pytest.mark.parametrize("tag", ['"r3"', "*", '"r1", "r3"'])
async def test_what_was_read_can_be_deleted(client: httpx.AsyncClient, tag: str) -> None:
    await client.post(TARGETS, json=FULL)
    response = await client.delete(f"{TARGETS}/1", headers={"If-Match": tag})
    assert (response.status_code, response.content) == (204, b"")
    assert (await client.get(f"{TARGETS}/1")).status_code == 404


async def test_pages(client: httpx.AsyncClient) -> None:
    for number in range(1, 6):
        await client.post(TARGETS, json=NEW | {"name": f"d{number}"})
    seen: list[int] = []
    cursor: str | None = ""
    while cursor is not None:
        page = (await client.get(TARGETS, params={"limit": 2} | ({"cursor": cursor} if cursor else {}))).json()
        assert len(page["items"]) <= 2
        seen += [item["id"] for item in page["items"]]
        cursor = page["next_cursor"]
    assert seen == [1, 2, 3, 4, 5]
    named = (await client.get(TARGETS, params={"name": "iqn.2026-11.io.lunaport:d4"})).json()
    assert [item["id"] for item in named["items"]] == [4]


@pytest.mark.parametrize(
    ("parameters", "field"),
    [
        ({"limit": "0"}, "limit"),
        ({"limit": "1001"}, "limit"),
        ({"limit": "x"}, "limit"),
        ({"cursor": "x"}, "cursor"),
        ({"cursor": "\u00e4"}, "cursor"),
        ({"cursor": "aWQ6eA"}, "cursor"),
    ],
)
async def test_bad_parameters(client: httpx.AsyncClient, parameters: dict[str, str], field: str) -> None:
    response = await client.get(TARGETS, params=parameters)
    (error,) = v1_errors(response)
    assert (response.status_code, error["field"], error["code"]) == (422, field, "parameter_invalid")


def test_cursor() -> None:
    assert parse_cursor(make_cursor(12345)) == 12345


def lun(**change: Any) -> Json:
    return NEW | {"luns": [{"size_bytes": 1 << 30} | change]}


@pytest.mark.parametrize(
    ("body", "status", "errors"),
    [
        ([], 400, [("", "body_not_object")]),
        ([NEW], 400, [("", "body_not_object")]),
        ({}, 422, [("name", "missing_field"), ("luns", "missing_field")]),
        (NEW | {"id": 1, "x": 2}, 422, [("id", "unknown_field"), ("x", "unknown_field")]),
        (NEW | {"header_digest": 1}, 422, [("header_digest", "wrong_type")]),
        (NEW | {"luns": []}, 422, [("luns", "wrong_type")]),
        (NEW | {"luns": [{}]}, 422, [("luns[0].size_bytes", "missing_field")]),
        (lun(lun=16384), 422, [("luns[0].lun", "wrong_type")]),
        (NEW | {"luns": [{"size_bytes": 1}, {"size_bytes": 1}]}, 422, [("luns[1].lun", "luns_invalid")]),
        (lun(block_size_bytes=1000), 422, [("luns[0].block_size_bytes", "lun_kind_invalid")]),
        (lun(serial="ä"), 422, [("luns[0].serial", "lun_kind_invalid")]),
        (lun(size_bytes="1G"), 422, [("luns[0].size_bytes", "wrong_type")]),
        (lun(size_bytes=True), 422, [("luns[0].size_bytes", "wrong_type")]),
        (lun(size_bytes=0), 422, [("luns[0].size_bytes", "size_not_positive")]),
        (lun(size_bytes=1 << 70), 422, [("luns[0].size_bytes", "size_too_large")]),
        (lun(size_bytes=1 << 60), 409, [("luns[0].size_bytes", "volume_full")]),
        (lun(volume="nowhere"), 422, [("luns[0].volume", "volume_unknown")]),
        (NEW | {"name": "a b"}, 422, [("name", "name_invalid")]),
        (NEW | {"chap": {"one_way": SHORT}}, 422, [("chap.one_way.secret", "chap_secret_invalid")]),
        (NEW | {"chap": {"mutual": ONE_WAY}}, 422, [("chap.mutual.enabled", "chap_mutual_alone")]),
        (NEW | {"chap": {"one_way": {"password": "x"}}}, 422, [("chap.one_way.password", "unknown_field")]),
    ],
)  # fmt: skip
async def test_bad_input(client: httpx.AsyncClient, body: Any, status: int, errors: list[tuple[str, str]]) -> None:
    response = await client.post(TARGETS, json=body)
    assert response.status_code == status, response.text
    assert [(error["field"], error["code"]) for error in v1_errors(response)] == errors
    assert "alice-secret" not in response.text
    assert (await client.get(TARGETS)).json()["items"] == []


async def test_no_secret_is_told_when_its_type_is_wrong(client: httpx.AsyncClient) -> None:
    body = NEW | {"chap": {"one_way": {"enabled": True, "username": "a", "secret": ["alice-secret-1"]}}}
    response = await client.post(TARGETS, json=body)
    assert response.status_code == 422
    assert "alice" not in response.text


async def test_a_conflict_names_what_is_in_the_way(client: httpx.AsyncClient) -> None:
    await client.post(TARGETS, json=NEW)
    response = await client.post(TARGETS, json=NEW)
    (error,) = v1_errors(response)
    assert (response.status_code, error["code"], error["blockers"]) == (409, "name_taken", [NAME])


@pytest.mark.parametrize("target_id", ["99", "x", "-1", "1" * 40, "%00"])
async def test_an_unknown_target(client: httpx.AsyncClient, target_id: str) -> None:
    for response in (
        await client.get(f"{TARGETS}/{target_id}"),
        await client.put(f"{TARGETS}/{target_id}", json=NEW),
        await client.patch(f"{TARGETS}/{target_id}", json={}),
        await client.delete(f"{TARGETS}/{target_id}"),
    ):
        assert (response.status_code, v1_errors(response)[0]["code"]) == (404, "not_found")


async def test_volumes(client: httpx.AsyncClient, stand: Stand) -> None:
    body = {"name": "fast", "path": "/srv/fast", "overcommit_factor": 2}
    response = await client.post("/api/v1/volumes", json=body)
    answer = response.json()
    assert (response.status_code, response.headers["Location"]) == (201, "/api/v1/volumes/fast")
    assert answer == {
        "name": "fast",
        "path": "/srv/fast",
        "overcommit_factor": 2.0,
        "low_space_percent": 10,
        "committed_bytes": 0,
        "usage": {"total_bytes": 1 << 40, "free_bytes": 1 << 40, "used_bytes": 0},
        "error": "",
    }
    assert [item["name"] for item in (await client.get("/api/v1/volumes")).json()["items"]] == ["default", "fast"]
    assert (await client.get("/api/v1/volumes/fast")).json() == answer
    patched = await client.patch("/api/v1/volumes/fast", json={"overcommit_factor": 3})
    assert patched.json()["overcommit_factor"] == 3
    patched = await client.patch("/api/v1/volumes/fast", json={"low_space_percent": 0})
    assert (patched.json()["overcommit_factor"], patched.json()["low_space_percent"]) == (3, 0)
    (error,) = v1_errors(await client.patch("/api/v1/volumes/fast", json={"low_space_percent": 91}))
    assert error["field"] == "low_space_percent"
    await client.post(TARGETS, json=lun(volume="fast"))
    response = await client.delete("/api/v1/volumes/fast")
    (error,) = v1_errors(response)
    assert (response.status_code, error["code"], error["blockers"]) == (409, "volume_in_use", [NAME])
    await client.delete(f"{TARGETS}/1")
    assert (await client.delete("/api/v1/volumes/fast")).status_code == 204
    assert (await client.delete("/api/v1/volumes/fast")).status_code == 404
    assert len(stand.engine.files) == 1


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        ({"name": "a", "path": "relative"}, ["path"]),
        ({"name": "A", "path": "/", "overcommit_factor": 0}, ["name", "path", "overcommit_factor"]),
        ({"name": "a", "path": "/data/volumes/default/x"}, ["path"]),
        ({"name": "a"}, ["path"]),
        ({"name": "a", "path": "/a", "overcommit_factor": "2"}, ["overcommit_factor"]),
    ],
)
async def test_bad_volumes(client: httpx.AsyncClient, body: Json, fields: list[str]) -> None:
    response = await client.post("/api/v1/volumes", json=body)
    assert response.status_code == 422
    assert [error["field"] for error in v1_errors(response)] == fields


async def test_a_volume_that_does_not_answer(client: httpx.AsyncClient, stand: Stand) -> None:
    stand.engine.failures["volume_usage"] = StorageError("i/o", "/x", "bad disk")
    answer = (await client.get("/api/v1/volumes/default")).json()
    assert (answer["usage"], answer["error"]) == (None, "/x: bad disk")


async def test_the_service(client: httpx.AsyncClient, stand: Stand) -> None:
    response = await client.get("/api/v1/service")
    answer = {
        "enabled": True,
        "port": None,
        "isns": {"enabled": False, "address": "", "servers": []},
        "discovery": {
            "open": False,
            "chap": {"one_way": NO_CHAP | {"old_secret_valid_until": None}, "mutual": NO_CHAP},
        },
        "portals": [
            {"portal": "127.0.0.1:3260", "group": 1, "listening": True, "error": "", "since": None},
            {"portal": "[::1]:3261", "group": 1, "listening": True, "error": "", "since": None},
        ],
        "revision": 1,
    }
    assert (response.json(), response.headers["ETag"]) == (answer, '"r1"')
    body = {"enabled": True, "port": 860, "isns": {"address": "192.0.2.1"}}
    changed = await client.put("/api/v1/service", json=body, headers={"If-Match": '"r1"'})
    assert (changed.status_code, changed.json()["port"]) == (200, 860)
    opened = await client.put("/api/v1/service", json=body | {"discovery": {"open": True}})
    assert opened.json()["discovery"]["open"] is True
    assert (await client.put("/api/v1/service", json=body)).json()["discovery"]["open"] is False, "its default"
    stale = await client.put("/api/v1/service", json=body | {"enabled": False}, headers={"If-Match": '"r1"'})
    assert stale.status_code == 412
    stand.engine.taken_ports.add(861)
    taken = await client.put("/api/v1/service", json={"enabled": True, "port": 861})
    assert (taken.status_code, v1_errors(taken)[0]["field"]) == (409, "port")


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"enabled": True, "port": 0}, "port"),
        ({"enabled": True, "port": "860"}, "port"),
        ({"enabled": True, "isns": {"enabled": True}}, "isns.address"),
        ({"enabled": True, "isns": {"address": "?"}}, "isns.address"),
        ({"enabled": True, "discovery": {"open": "yes"}}, "discovery.open"),
        ({"enabled": True, "discovery": {"closed": True}}, "discovery.closed"),
        ({}, "enabled"),
    ],
)
async def test_bad_input_for_the_service(client: httpx.AsyncClient, body: Json, field: str) -> None:
    response = await client.put("/api/v1/service", json=body)
    assert (response.status_code, v1_errors(response)[0]["field"]) == (422, field)


async def test_the_state_of_isns_servers(client: httpx.AsyncClient, stand: Stand) -> None:
    stand.registrar.reports.append(
        IsnsServerReport(address="192.0.2.1:3205", state="registered", targets=2, portals=1, registered_since=1.0)
    )
    isns = {"enabled": True, "address": "192.0.2.1, 192.0.2.2:99"}
    response = await client.put("/api/v1/service", json={"enabled": True, "isns": isns})
    assert response.status_code == 200
    answer = response.json()["isns"]
    assert {key: answer[key] for key in isns} == isns
    first, second = answer["servers"]
    assert (first["address"], first["state"], first["targets"]) == ("192.0.2.1:3205", "registered", 2)
    assert (first["registered_since"], first["confirmed_at"]) == ("1970-01-01T00:00:01Z", None)
    assert (second["address"], second["state"], second["error"]) == ("192.0.2.2:99", "registering", "")
    off = await client.put("/api/v1/service", json={"enabled": True, "isns": isns | {"enabled": False}})
    assert off.json()["isns"] == isns | {"enabled": False, "servers": []}


async def test_sessions(client: httpx.AsyncClient, stand: Stand) -> None:
    stand.engine.reports.append(replace(SESSION, negotiated={"HeaderDigest": "CRC32C"}, bytes_read=5))
    (item,) = (await client.get("/api/v1/sessions")).json()["items"]
    assert item["negotiated"] == {"HeaderDigest": "CRC32C"}
    assert (item["since"], item["bytes_read"], item["initiator"]) == ("1970-01-01T00:00:01Z", 5, "iqn.2026-11.test:me")
    stand.engine.failures["sessions"] = EngineUnavailableError("gone")
    response = await client.get("/api/v1/sessions")
    assert (response.status_code, v1_errors(response)[0]["code"]) == (503, "engine_unavailable")


async def test_health(stranger: httpx.AsyncClient, stand: Stand) -> None:
    response = await stranger.get("/api/v1/health")
    assert response.status_code == 200
    well = {"status": "ok", "engine": True, "portals": 2, "portals_listening": 2, "database": True, "problems": 0}
    assert response.json() == well
    stand.engine.troubles = (Trouble(kind="disk", subject="a LUN 0", reason="the file was removed", since=5.0),)
    response = await stranger.get("/api/v1/health")
    assert (response.status_code, response.json()) == (200, well | {"status": "degraded", "problems": 1})
    stand.engine.available = False
    response = await stranger.get("/api/v1/health")
    assert (response.status_code, response.json()["status"]) == (503, "unavailable")


async def test_problems_are_named_to_who_may_know(
    client: httpx.AsyncClient, stranger: httpx.AsyncClient, stand: Stand
) -> None:
    assert (await client.get("/api/v1/problems")).json() == {"items": [], "count": 0}
    stand.engine.troubles = (Trouble(kind="disk", subject="a LUN 0", reason="the file was removed", since=0.0),)
    assert (await client.get("/api/v1/problems")).json() == {
        "items": [
            {"kind": "disk", "subject": "a LUN 0", "reason": "the file was removed", "since": "1970-01-01T00:00:00Z"}
        ],
        "count": 1,
    }
    assert (await stranger.get("/api/v1/problems")).status_code == 401


async def test_a_database_that_fails_is_told_as_such(
    client: httpx.AsyncClient, stand: Stand, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(*_: object, **__: object) -> None:
        raise DatabaseFailedError("it is full; make room")

    monkeypatch.setattr(stand.store, "begin_audit", fail)
    response = await client.post(TARGETS, json={"name": "a", "luns": [{"size_bytes": 512}]})
    assert (response.status_code, v1_errors(response)[0]["code"]) == (503, "database_failed")
    assert v1_errors(response)[0]["message"] == "it is full; make room"
    monkeypatch.setattr(stand.store, "user", fail)
    response = await client.get(TARGETS, auth=("somebody", "else"))
    assert (response.status_code, v1_errors(response)[0]["code"]) == (503, "database_failed")


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("PUT", TARGETS, "GET, POST"),
        ("POST", f"{TARGETS}/1", "DELETE, GET, PATCH, PUT"),
        ("DELETE", "/api/v1/service", "GET, PATCH, PUT"),
        ("POST", "/api/v1/health", "GET"),
    ],
)
async def test_a_wrong_verb(client: httpx.AsyncClient, method: str, path: str, allowed: str) -> None:
    response = await client.request(method, path)
    assert (response.status_code, response.headers["Allow"]) == (405, allowed)
    assert v1_errors(response)[0]["code"] == "method_not_allowed"


async def test_nothing_there(client: httpx.AsyncClient) -> None:
    response = await client.get("/api/v1/nothing")
    assert (response.status_code, v1_errors(response)[0]["code"]) == (404, "not_found")


async def test_encryption_is_told_and_cannot_change(client: httpx.AsyncClient) -> None:
    document = {"name": "vault", "luns": [{"size_bytes": 1 << 30, "encrypted": True}]}
    created = await client.post(TARGETS, json=document)
    assert created.json()["luns"][0]["encrypted"] is True
    assert "key" not in created.text
    url = f"{TARGETS}/{created.json()['id']}"
    assert (await client.put(url, json=document)).status_code == 200
    refused = await client.patch(url, json={"luns": [{"size_bytes": 1 << 30, "encrypted": False}]})
    assert refused.status_code == 409
    (error,) = refused.json()["errors"]
    assert (error["field"], error["code"]) == ("luns[0].encrypted", "lun_kind_fixed")


async def test_luns_of_several_kinds(client: httpx.AsyncClient) -> None:
    kind = {"block_size_bytes": 4096, "read_only": True, "vendor": "ACME", "serial": "S-1"}
    luns = [{"lun": 4, "size_bytes": 5000} | kind, {"lun": 1, "size_bytes": 512, "removable": True}]
    made = await client.post(TARGETS, json=NEW | {"luns": luns})
    assert made.status_code == 201, made.text
    first, second = made.json()["luns"]
    assert (first["lun"], first["removable"], first["size_bytes"]) == (1, True, 512)
    assert second.items() >= (kind | {"lun": 4, "size_bytes": 8192, "unmap": True}).items()
    again = await client.put(f"{TARGETS}/{made.json()['id']}", json=NEW | {"luns": luns})
    assert (again.status_code, again.json()["luns"]) == (200, made.json()["luns"])
    other = await client.patch(
        f"{TARGETS}/{made.json()['id']}", json={"luns": [{"lun": 4, "size_bytes": 8192, "vendor": "OTHER"}]}
    )
    assert other.status_code == 409
    assert [(each["field"], each["code"]) for each in v1_errors(other)] == [("luns[0].vendor", "lun_kind_fixed")]
