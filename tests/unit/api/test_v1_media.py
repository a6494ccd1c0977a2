"""`/api/v1/.../medium` and `/api/v1/volumes/{name}/images`."""

import asyncio
from collections.abc import AsyncIterator

import httpx
import pytest

from lunaport.api import guard, v1_media
from lunaport.model.image import IMAGE_BYTES_MAX
from tests.unit.api.http import NAME, TARGETS, v1_errors
from tests.unit.service.stand import Stand

pytestmark = pytest.mark.anyio

IMAGES = "/api/v1/volumes/default/images"
MEDIUM = f"{TARGETS}/1/luns/1/medium"
NOTHING = {"image": "", "size_bytes": 0, "loaded": False, "tray_open": False, "locked_by": []}


@pytest.fixture
async def made(client: httpx.AsyncClient) -> httpx.AsyncClient:
    """A client of a NAS with a drive at LUN 1 and an image."""
    assert (await client.put(f"{IMAGES}/a.iso", content=bytes(4096))).status_code == 201
    luns = [{"size_bytes": 512}, {"lun": 1, "device_type": "cdrom"}]
    assert (await client.post(TARGETS, json={"name": "disk", "luns": luns})).status_code == 201
    return client


async def test_an_image_is_sent_and_removed(client: httpx.AsyncClient) -> None:
    large = bytes(guard.BODY_BYTES_MAX * 2)
    sent = await client.put(f"{IMAGES}/d%C3%A9bian%201.iso", content=large)
    assert (sent.status_code, sent.json()["name"], sent.json()["size_bytes"]) == (201, "débian 1.iso", len(large))
    assert [each["name"] for each in (await client.get(IMAGES)).json()["items"]] == ["débian 1.iso"]
    again = await client.put(f"{IMAGES}/d%C3%A9bian%201.iso", content=b"x")
    assert (again.status_code, v1_errors(again)[0]["code"]) == (409, "image_taken")
    assert (await client.delete(f"{IMAGES}/d%C3%A9bian%201.iso")).status_code == 204
    gone = await client.delete(f"{IMAGES}/d%C3%A9bian%201.iso")
    assert (gone.status_code, v1_errors(gone)[0]["field"]) == (404, "name")


@pytest.mark.parametrize(
    ("url", "headers", "status", "field", "code"),
    [
        (f"{IMAGES}/.a", {}, 422, "name", "image_invalid"),
        (f"{IMAGES}/a%00", {}, 422, "name", "image_invalid"),
        ("/api/v1/volumes/none/images/a", {}, 404, "volume", "not_found"),
        (f"{IMAGES}/a", {"Content-Length": str(IMAGE_BYTES_MAX + 1)}, 413, "size_bytes", "image_too_large"),
        (f"{IMAGES}/a", {"Content-Length": str(1 << 40)}, 413, "size_bytes", "image_too_large"),
        (f"{IMAGES}/a", {"Content-Length": "-1"}, 422, "Content-Length", "parameter_invalid"),
        (f"{IMAGES}/a", {"Content-Length": "7"}, 408, "", "body_timeout"),
    ],
)
async def test_what_is_not_taken(
    client: httpx.AsyncClient, url: str, headers: dict[str, str], status: int, field: str, code: str
) -> None:
    response = await client.put(url, content=b"abc", headers=headers)
    (error,) = v1_errors(response)
    assert (response.status_code, error["field"], error["code"]) == (status, field, code)
    assert (await client.get(IMAGES)).json()["items"] == []


async def test_a_length_is_needed(client: httpx.AsyncClient) -> None:
    async def content() -> AsyncIterator[bytes]:
        yield b"abc"

    response = await client.put(f"{IMAGES}/a.iso", content=content())
    assert (response.status_code, v1_errors(response)[0]["field"]) == (422, "Content-Length")


async def test_an_image_that_stops_coming(client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(v1_media, "PIECE_TIMEOUT_S", 0.05)

    async def content() -> AsyncIterator[bytes]:
        yield b"abc"
        await asyncio.sleep(3600)

    response = await client.put(f"{IMAGES}/a.iso", content=content(), headers={"Content-Length": "6"})
    assert (response.status_code, v1_errors(response)[0]["code"]) == (408, "body_timeout")
    assert (await client.get(IMAGES)).json()["items"] == []


async def test_who_may_not_change_targets_sends_no_image(
    client: httpx.AsyncClient, stand: Stand, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lunaport.service.auth.Argon2Hasher.hash", lambda _, password: f"hash of {password}")
    await client.post("/api/v1/users", json={"name": "the-viewer", "password": "viewer-password", "role": "viewer"})
    await client.post(
        "/api/v1/users", json={"name": "the-operator", "password": "operator-password", "role": "operator"}
    )
    refused = await client.put(f"{IMAGES}/a.iso", content=b"abc", auth=("the-viewer", "viewer-password"))
    assert (refused.status_code, v1_errors(refused)[0]["code"]) == (403, "role_too_low")
    assert stand.engine.discs == {}
    assert (await client.get(IMAGES, auth=("the-viewer", "viewer-password"))).status_code == 200
    sent = await client.put(f"{IMAGES}/a.iso", content=b"abc", auth=("the-operator", "operator-password"))
    assert sent.status_code == 201
    volume = {"name": "x", "path": "/x"}
    assert (
        await client.post("/api/v1/volumes", json=volume, auth=("the-operator", "operator-password"))
    ).status_code == 403


async def test_a_medium_goes_in_and_out(made: httpx.AsyncClient) -> None:
    assert (await made.get(MEDIUM)).json() == NOTHING
    inserted = await made.put(MEDIUM, json={"image": "a.iso"})
    there = NOTHING | {"image": "a.iso", "size_bytes": 4096, "loaded": True}
    assert (inserted.status_code, inserted.json()) == (200, there)
    lun = (await made.get(f"{TARGETS}/1/luns/1")).json()
    assert (lun["device_type"], lun["image"], lun["size_bytes"], lun["block_size_bytes"]) == (
        "cdrom", "a.iso", 4096, 2048,
    )  # fmt: skip
    kept = await made.delete(f"{IMAGES}/a.iso")
    assert (kept.status_code, v1_errors(kept)[0]["code"]) == (409, "image_in_use")
    target = (await made.get(f"{TARGETS}/1")).json()
    same = {key: target[key] for key in ("name", "luns")}
    for each in same["luns"]:
        del each["uuid"]
    assert (await made.put(f"{TARGETS}/1", json=same)).status_code == 200, "what was answered can be sent back"
    ejected = await made.delete(MEDIUM)
    assert (ejected.status_code, ejected.json()) == (200, NOTHING)


async def test_a_medium_that_is_kept_in(made: httpx.AsyncClient, stand: Stand) -> None:
    await made.put(MEDIUM, json={"image": "a.iso"})
    stand.engine.locks[NAME, 1] = ("iqn.2026-11.test:host",)
    for response in (await made.delete(MEDIUM), await made.put(MEDIUM, json={"image": "a.iso"})):
        (error,) = v1_errors(response)
        assert (response.status_code, error["code"], error["field"]) == (409, "medium_locked", "image")
        assert error["blockers"] == ["iqn.2026-11.test:host"]
    assert (await made.put(MEDIUM, json={"image": "a.iso", "force": True})).status_code == 200
    assert (await made.delete(MEDIUM, params={"force": "true"})).status_code == 200


async def test_what_is_no_medium(made: httpx.AsyncClient) -> None:
    for body, status, field, code in (
        ({}, 422, "image", "missing_field"),
        ({"image": "b.iso"}, 422, "image", "image_unknown"),
        ({"image": "../a.iso"}, 422, "image", "image_invalid"),
        ({"image": 1}, 422, "image", "wrong_type"),
        ({"disc": "a.iso"}, 422, "disc", "unknown_field"),
    ):
        response = await made.put(MEDIUM, json=body)
        (error,) = v1_errors(response)
        assert (response.status_code, error["field"], error["code"]) == (status, field, code)
    wrong = await made.delete(MEDIUM, params={"force": "yes"})
    assert (wrong.status_code, v1_errors(wrong)[0]["field"]) == (422, "force")
    fixed = await made.delete(MEDIUM.replace("luns/1", "luns/0"))
    assert (fixed.status_code, v1_errors(fixed)[0]["code"]) == (409, "medium_fixed")
    for number in ("7", "x"):
        path = MEDIUM.replace("luns/1", f"luns/{number}")
        for response in (await made.get(path), await made.put(path, json={"image": "a.iso"}), await made.delete(path)):
            assert response.status_code == 404


async def test_a_drive_has_no_size_of_its_own(made: httpx.AsyncClient) -> None:
    response = await made.post(f"{TARGETS}/1/luns", json={"device_type": "cdrom", "size_bytes": 512})
    assert (response.status_code, v1_errors(response)[0]["field"]) == (422, "size_bytes")
    disk = await made.post(f"{TARGETS}/1/luns", json={"device_type": "disk"})
    assert (disk.status_code, v1_errors(disk)[0]["field"]) == (422, "size_bytes")
