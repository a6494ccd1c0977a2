"""The whole configuration as one document: nothing of the model is forgotten, and what is shown is what is taken."""

from dataclasses import fields
from typing import Any

import httpx
import pytest

from lunaport.model.access import Access, AccessRule
from lunaport.model.backup import Configuration
from lunaport.model.block import Block
from lunaport.model.chap import Chap, Credential
from lunaport.model.iscsi_service import IscsiService
from lunaport.model.limits import Limits
from lunaport.model.lun import Lun, LunKind
from lunaport.model.target import Target
from lunaport.model.user import User
from lunaport.model.volume import Volume
from tests.unit.api.http import v1_errors
from tests.unit.service.stand import Stand

pytestmark = pytest.mark.anyio

CONFIG = "/api/v1/config"
SECRETS = ("alice-secret-1", "nas-secret-123", "bobs-secret-12", "finders-secret", "carols-password")

LEFT_OUT: dict[type, dict[str, str]] = {
    Configuration: {
        "nas_uuid": "given once, by the NAS",
        "trashed": "what was, not what shall be",
        "tokens": "their text is told once, and only a hash is kept",
    },
    Target: {"id": "given by the NAS", "created_at": "follows", "revision": "follows"},
    Lun: {
        "uuid": "given by the NAS",
        "file": "follows from the uuid",
        "state": "follows",
        "key": "given by the NAS; `encrypted` asks for one",
        "medium": "is put in and taken out while it runs; FULL's LUN is a disk",
    },
    LunKind: {"device_type": "FULL's LUN is a disk"},
    Chap: {"secret_changed_at": "follows", "old": "ends by itself"},
    Credential: {"secret_changed_at": "follows", "old": "ends by itself"},
    Volume: {"revision": "follows"},
    IscsiService: {"revision": "follows"},
    Block: {"created_at": "follows", "created_by": "follows"},
    User: {"created_at": "follows"},
}
"""What of the model a document does not hold, and why. Whoever adds a field decides: here, or in FULL."""

FULL: dict[str, Any] = {
    "version": 1,
    "service": {
        "enabled": True,
        "port": 4000,
        "portals": [{"portal": "127.0.0.1:3260", "group": 1}, {"portal": "[::1]:3260", "group": 7}],
        "isns": {"enabled": True, "address": "192.0.2.1"},
        "discovery": {
            "open": True,
            "chap": {
                "one_way": {"enabled": True, "username": "finder", "secret": "finders-secret"},
                "mutual": {"enabled": True, "username": "found", "secret": "nas-secret-123"},
            },
        },
        "draining": True,
    },
    "volumes": [
        {"name": "default", "overcommit_factor": 3.0, "low_space_percent": 0},
        {"name": "fast", "path": "/srv/fast", "overcommit_factor": 2.0, "low_space_percent": 25},
    ],
    "targets": [
        {
            "name": "iqn.2026-11.io.lunaport:full",
            "header_digest": True,
            "data_digest": True,
            "luns": [
                {
                    "lun": 5,
                    "size_bytes": 1 << 20,
                    "volume": "fast",
                    "encrypted": True,
                    "block_size_bytes": 4096,
                    "physical_block_size_bytes": 8192,
                    "read_only": True,
                    "removable": True,
                    "write_cache": False,
                    "unmap": False,
                    "vendor": "ACME",
                    "product": "THING",
                    "serial": "S-1",
                }
            ],
            "chap": {
                "one_way": {"enabled": True, "username": "alice", "secret": "alice-secret-1"},
                "mutual": {"enabled": True, "username": "nas", "secret": "nas-secret-123"},
                "credentials": [{"username": "bob", "secret": "bobs-secret-12", "initiators": ["iqn.2026-11.test:b"]}],
            },
            "access": {
                "rules": [
                    {
                        "initiators": ["iqn.2026-11.test:*"],
                        "networks": ["192.0.2.0/24"],
                        "portal_groups": [7],
                        "read_only": True,
                        "luns": [5],
                    }
                ],
                "single_initiator": True,
            },
            "limits": {"iops": 500, "bytes_per_second": 1 << 20},
            "portal_groups": [1, 7],
            "isns": False,
            "draining": True,
        }
    ],
    "blocks": [{"initiator": "iqn.2026-11.test:evil", "until": "2100-01-01T00:00:00+00:00", "note": "why"}],
    "users": [
        {"name": "admin", "role": "admin"},
        {"name": "carol", "role": "operator", "password": "carols-password"},
    ],
}


def without_secrets(document: Any) -> Any:
    """As it is shown."""
    if isinstance(document, dict):
        return {key: without_secrets(each) for key, each in document.items() if key not in ("secret", "password")}
    return [without_secrets(each) for each in document] if isinstance(document, list) else document


async def put(client: httpx.AsyncClient, document: Any, **parameters: str) -> dict[str, Any]:
    """The answer of a PUT that succeeds."""
    response = await client.put(CONFIG, json=document, params=parameters)
    assert response.status_code == 200, response.text
    for secret in SECRETS:
        assert secret not in response.text
    found: dict[str, Any] = response.json()
    return found


async def test_what_is_asked_for_is_shown_and_changes_nothing_again(client: httpx.AsyncClient) -> None:
    plan = await put(client, FULL, plan="true")
    assert (plan["applied"], (await client.get("/api/v1/targets")).json()["items"]) == (False, [])
    done = await put(client, FULL)
    assert done == {**plan, "applied": True}
    assert (await put(client, FULL))["steps"] == []
    shown = await client.get(CONFIG)
    assert shown.json() == without_secrets(FULL)
    for secret in SECRETS:
        assert secret not in shown.text
    again = await put(client, shown.json(), prune="true")
    assert (again["steps"], again["kept"]) == ([], [])


async def test_everything_of_the_model_is_in_the_document(client: httpx.AsyncClient, stand: Stand) -> None:
    """Every field either differs from its default after FULL, or is left out with a reason."""
    await put(client, FULL)
    assert stand.store is not None
    found = await stand.store.configuration()
    (target,) = found.targets
    default = Target(id=0, name="")
    lun = Lun(lun=0, uuid="", volume="default", file="", size_bytes=0)
    fast = next(each for each in found.volumes if each.name == "fast")
    carol = next(each for each in found.users if each.name == "carol")
    pairs: list[tuple[Any, Any]] = [
        (target, default),
        (target.luns[0], lun),
        (target.luns[0].kind, LunKind()),
        (target.one_way, Chap()),
        (target.mutual, Chap()),
        (target.credentials[0], Credential(username="", secret="", secret_changed_at=0)),
        (target.access, Access()),
        (target.access.rules[0], AccessRule()),
        (target.limits, Limits()),
        (found.service, IscsiService(enabled=False)),
        (found.service.discovery_one_way, Chap()),
        (found.service.discovery_mutual, Chap()),
        (fast, Volume(name="", path="")),
        (found.blocks[0], Block(initiator="")),
        (carol, User(name="", password_hash="", created_at=0.0)),
    ]
    for value, usual in pairs:
        for each in fields(value):
            said = each.name in LEFT_OUT.get(type(value), {})
            if not said:
                differs = getattr(value, each.name) != getattr(usual, each.name)
                assert differs, f"{type(value).__name__}.{each.name}: put it into FULL, or into LEFT_OUT with a reason"
    sections = {each.name for each in fields(Configuration)} - set(LEFT_OUT[Configuration])
    assert sections == set(FULL) - {"version"}


async def test_fields_are_named_as_in_the_document(client: httpx.AsyncClient) -> None:
    document = {
        "version": 1,
        "service": {"enabled": True, "isns": {"enabled": True, "address": ""}},
        "targets": [
            {"name": "a", "luns": [{"lun": 0, "size_bytes": -1}]},
            {"name": "b", "luns": [{"lun": 0, "size_bytes": 512}], "chap": {"one_way": {"enabled": True}}},
        ],
    }
    response = await client.put(CONFIG, json=document)
    assert response.status_code == 422
    assert [each["field"] for each in v1_errors(response)] == [
        "targets[0].luns[0].size_bytes",
        "targets[1].chap.one_way.username",
        "targets[1].chap.one_way.secret",
        "service.isns.address",
    ]


@pytest.mark.parametrize(
    ("document", "parameters", "field"),
    [
        ({}, {}, "version"),
        ({"version": 2}, {}, "version"),
        ({"version": 1, "more": []}, {}, "more"),
        ({"version": 1, "targets": [{"name": "a"}]}, {}, "targets[0].luns"),
        (
            {"version": 1, "targets": [{"name": "a", "luns": [{"lun": 0, "size": "1G"}]}]},
            {},
            "targets[0].luns[0].size",
        ),
        ({"version": 1, "blocks": [{"initiator": "iqn.2026-11.test:a", "until": "soon"}]}, {}, "blocks[0].until"),
        ({"version": 1, "users": [{"name": "a", "role": "king"}]}, {}, "users[0].role"),
        ({"version": 1}, {"plan": "yes"}, "plan"),
        ({"version": 1}, {"prune": "1"}, "prune"),
    ],
)
async def test_documents_that_are_wrong(
    client: httpx.AsyncClient, document: Any, parameters: dict[str, str], field: str
) -> None:
    response = await client.put(CONFIG, json=document, params=parameters)
    assert response.status_code == 422
    assert v1_errors(response)[0]["field"] == field


async def test_portals(client: httpx.AsyncClient, stand: Stand) -> None:
    await put(client, FULL)
    assert [(each.host, each.group) for each in stand.engine.portals] == [("127.0.0.1", 1), ("::1", 7)]
    assert (await put(client, {"version": 1, "service": {"enabled": True, "port": 4000}}))["steps"] != []
    assert [(each.host, each.group) for each in stand.engine.portals] == [("127.0.0.1", 1), ("::1", 7)]
    await put(client, {"version": 1, "service": {"enabled": True, "portals": []}})
    assert [(each.host, each.port, each.group) for each in stand.engine.portals] == [
        ("127.0.0.1", 3260, 1),
        ("::1", 3261, 1),
    ]
    for portals, field in (
        ([{"portal": "a b"}], "service.portals[0].portal"),
        ([{"portal": "::1", "group": 0}], "service.portals[0].group"),
        ([{"portal": "::1"}, {"portal": "::1"}], "service.portals[1]"),
    ):
        document = {"version": 1, "service": {"enabled": True, "portals": portals}}
        response = await client.put(CONFIG, json=document)
        assert (response.status_code, v1_errors(response)[0]["field"]) == (422, field)


async def test_a_document_without_sections_asks_for_nothing(client: httpx.AsyncClient) -> None:
    await put(client, FULL)
    assert await put(client, {"version": 1}, prune="true") == {"applied": True, "steps": [], "kept": []}


async def test_what_stays_is_told_and_what_goes_is_pruned(client: httpx.AsyncClient) -> None:
    await put(client, FULL)
    empty = {"version": 1, "targets": []}
    assert (await put(client, empty))["kept"] == ["target iqn.2026-11.io.lunaport:full"]
    (step,) = (await put(client, empty, prune="true"))["steps"]
    assert (step["action"], step["kind"], step["note"]) == (
        "delete",
        "target",
        "its sessions end; its disks go to the trash",
    )
