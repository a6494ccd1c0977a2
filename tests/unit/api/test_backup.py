"""Backup and restore through HTTP."""

import json
from typing import Any

import httpx
import pytest

from lunaport.api import guard
from lunaport.service import backup_file
from tests.unit.api.http import ALICE, NEW, SHARES, v1_errors
from tests.unit.service.stand import Stand

pytestmark = pytest.mark.anyio

EXPORT, IMPORT = "/api/v1/config/export", "/api/v1/config/import"
PASSPHRASE = {"passphrase": "correct horse battery"}


async def exported(client: httpx.AsyncClient) -> dict[str, Any]:
    response = await client.post(EXPORT, json=PASSPHRASE)
    assert response.status_code == 200
    found: dict[str, Any] = response.json()
    return found


async def test_there_and_back(client: httpx.AsyncClient, stand: Stand) -> None:
    await client.post(SHARES, json={**NEW, "one-way-chap": ALICE})
    response = await client.post(EXPORT, json=PASSPHRASE)
    assert response.headers["Content-Disposition"].startswith('attachment; filename="lunaport-1970-01-')
    backup = response.json()
    assert "alice" not in response.text
    refused = await client.post(IMPORT, json={**PASSPHRASE, "backup": backup})
    (error,) = v1_errors(refused)
    assert (refused.status_code, error["field"], error["code"]) == (409, "replace", "config_present")
    assert error["blockers"] == ["target iqn.2026-11.io.lunaport:disk"]
    shares = (await client.get(SHARES)).json()
    await client.post(SHARES, json={**NEW, "target": "later"})
    plan = await client.post(IMPORT, json={**PASSPHRASE, "backup": backup, "plan": True})
    assert plan.json()["applied"] is False
    assert len((await client.get(SHARES)).json()) == 2
    done = await client.post(IMPORT, json={**PASSPHRASE, "backup": backup, "replace": True, "missing": "create"})
    report = done.json()
    assert (done.status_code, report["applied"], report["targets"]) == (200, True, 1)
    assert [(each["lun"], each["state"], each["advice"]) for each in report["luns"]] == [(0, "present", "")]
    assert len(report["left"]) == 1
    assert (await client.get(SHARES)).json() == shares


@pytest.mark.parametrize(
    ("change", "field", "code"),
    [
        ({"passphrase": "an other passphrase"}, "passphrase", "backup_passphrase"),
        ({"backup": {}}, "backup", "backup_invalid"),
        ({"backup": {"format": "lunaport-backup", "version": 9}}, "backup", "backup_newer"),
        ({"backup": None}, "backup", "wrong_type"),
        ({"missing": "ignore"}, "missing", "wrong_type"),
        ({"force": True}, "force", "unknown_field"),
    ],
)
async def test_what_is_wrong_is_named(client: httpx.AsyncClient, change: dict[str, Any], field: str, code: str) -> None:
    body = {**PASSPHRASE, "backup": await exported(client), **change}
    response = await client.post(IMPORT, json=body)
    (error,) = v1_errors(response)
    assert (response.status_code, error["field"], error["code"]) == (422, field, code)
    assert "correct horse" not in response.text


async def test_a_passphrase_that_is_too_short(client: httpx.AsyncClient) -> None:
    response = await client.post(EXPORT, json={"passphrase": "short"})
    assert (response.status_code, v1_errors(response)[0]["field"]) == (422, "passphrase")


async def test_a_configuration_may_be_larger_than_other_bodies(
    client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    large = json.dumps({**PASSPHRASE, "backup": {"format": "x" * guard.BODY_BYTES_MAX}})
    assert (await client.post(IMPORT, content=large)).status_code == 422
    assert (await client.post("/api/v1/targets", content=large)).status_code == 413
    monkeypatch.setattr(guard, "CONFIG_BYTES_MAX", len(large) - 1)
    assert (await client.post(IMPORT, content=large)).status_code == 413
    assert guard.body_bytes_max("/api/v1/configuration") == guard.BODY_BYTES_MAX
    assert backup_file.CONTENT_BYTES_MAX * 4 / 3 < 36 << 20, "every backup fits into the body that restores it"
