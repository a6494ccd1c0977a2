"""API v1: access rules, more CHAP users, secrets that overlap, CHAP of discovery."""

import httpx
import pytest

from lunaport.engine.interface import AccessRule, Credential
from tests.unit.api.http import NAME, TARGETS, Json, v1_errors
from tests.unit.service.stand import Stand

pytestmark = pytest.mark.anyio

HOST = "iqn.1993-08.org.debian:01:abc"
SHARED: Json = {"name": "disk", "luns": [{"size_bytes": 1 << 20}]}
RULES = [
    {"initiators": [HOST], "networks": ["192.0.2.0/24"], "portal_groups": [2], "read_only": False, "luns": None},
    {"initiators": ["iqn.1993-08.*"], "networks": [], "portal_groups": [], "read_only": True, "luns": [0]},
]
ALICE = {"enabled": True, "username": "alice", "secret": "alice-secret-1"}
SERVICE = "/api/v1/service"


async def create(client: httpx.AsyncClient, **fields: object) -> Json:
    response = await client.post(TARGETS, json=SHARED | fields)
    assert response.status_code == 201, response.text
    answer: Json = response.json()
    return answer


async def patch(client: httpx.AsyncClient, **fields: object) -> Json:
    response = await client.patch(f"{TARGETS}/1", json=fields)
    assert response.status_code == 200, response.text
    answer: Json = response.json()
    return answer


async def test_rules_are_answered_stored_and_served(client: httpx.AsyncClient, stand: Stand) -> None:
    access = {"rules": RULES, "single_initiator": True}
    assert (await create(client, access=access))["access"] == access
    expected = (
        AccessRule(initiators=(HOST,), networks=("192.0.2.0/24",), portal_groups=(2,)),
        AccessRule(initiators=("iqn.1993-08.*",), read_only=True, luns=(0,)),
    )
    assert stand.engine.targets[NAME].rules == expected
    assert stand.engine.targets[NAME].single_initiator
    await stand.restart()
    assert stand.engine.targets[NAME].rules == expected


async def test_patch_changes_what_it_names_and_put_the_rest(client: httpx.AsyncClient) -> None:
    await create(client, access={"rules": RULES})
    changed = await patch(client, access={"single_initiator": True})
    assert changed["access"] == {"rules": RULES, "single_initiator": True}
    assert (await patch(client, access={"rules": RULES[:1]}))["access"]["rules"] == RULES[:1]
    put = (await client.put(f"{TARGETS}/1", json=SHARED)).json()
    assert put["access"] == {"rules": [], "single_initiator": False}


@pytest.mark.parametrize(
    ("fields", "warning"),
    [
        ({}, "no CHAP: every initiator may use"),
        ({"chap": {"one_way": ALICE}}, "every initiator that knows a user name and secret may"),
        ({"chap": {"credentials": [{"username": "bob", "secret": "bob-secret-123"}]}}, "that knows a user name"),
        ({"access": {"rules": RULES}}, None),
    ],
)
async def test_a_target_for_everybody_says_so(client: httpx.AsyncClient, fields: Json, warning: str | None) -> None:
    warnings = (await create(client, **fields))["warnings"]
    assert len(warnings) == (warning is not None)
    assert warning is None or warning in warnings[0]


async def test_credentials_are_set_kept_and_removed(client: httpx.AsyncClient, stand: Stand) -> None:
    bob = {"username": "bob", "secret": "bob-secret-123", "initiators": [HOST]}
    carol = {"username": "carol", "secret": "carol-secret-1"}
    answer = await create(client, chap={"credentials": [bob, carol]})
    shown = answer["chap"]["credentials"]
    assert [(each["username"], each["initiators"], each["secret"]["set"]) for each in shown] == [
        ("bob", [HOST], True),
        ("carol", [], True),
    ]
    assert "secret-1" not in str(answer)
    served = (
        Credential(username="bob", secret="bob-secret-123", initiators=(HOST,)),
        Credential(username="carol", secret="carol-secret-1"),
    )
    assert stand.engine.targets[NAME].credentials == served
    await patch(client, header_digest=True)
    await patch(client, chap={"credentials": [{"username": "bob", "initiators": [HOST]}, {"username": "carol"}]})
    assert stand.engine.targets[NAME].credentials == served
    await stand.restart()
    assert stand.engine.targets[NAME].credentials == served


async def test_the_last_credential_goes(client: httpx.AsyncClient, stand: Stand) -> None:
    await create(client, chap={"credentials": [{"username": "bob", "secret": "bob-secret-123"}]})
    assert (await patch(client, chap={"credentials": []}))["chap"]["credentials"] == []
    assert stand.engine.targets[NAME].credentials == ()


async def test_an_old_secret_stays_valid_until_it_is_said(client: httpx.AsyncClient, stand: Stand) -> None:
    until = "1970-01-12T14:00:00Z"
    bob = {"username": "bob", "secret": "bob-secret-123"}
    await create(client, chap={"one_way": ALICE, "credentials": [bob]})
    answer = await patch(
        client,
        chap={
            "one_way": {"secret": "alice-secret-2", "old_secret_valid_until": until},
            "credentials": [bob | {"secret": "bob-secret-456", "old_secret_valid_until": "1970-01-12T15:00:00+01:00"}],
        },
    )
    assert answer["chap"]["one_way"]["old_secret_valid_until"] == until
    assert answer["chap"]["credentials"][0]["old_secret_valid_until"] == until
    expected = (
        Credential(username="alice", secret="alice-secret-2"),
        Credential(username="alice", secret="alice-secret-1", valid_until=1000800.0),
        Credential(username="bob", secret="bob-secret-456"),
        Credential(username="bob", secret="bob-secret-123", valid_until=1000800.0),
    )
    assert stand.engine.targets[NAME].credentials == expected
    await stand.restart()
    assert stand.engine.targets[NAME].credentials == expected


@pytest.mark.parametrize(
    ("fields", "field", "code"),
    [
        ({"access": {"rules": [{"initiators": ["x"]}]}}, "access.rules[0].initiators[0]", "name_invalid"),
        ({"access": {"rules": [{"networks": ["x"]}]}}, "access.rules[0].networks[0]", "access_invalid"),
        ({"access": {"rules": [{"luns": [-1]}]}}, "access.rules[0].luns", "access_invalid"),
        ({"access": {"rules": [{}] * 65}}, "access.rules", "access_invalid"),
        ({"access": {"rules": [{"name": "x"}]}}, "access.rules[0].name", "unknown_field"),
        ({"access": {"rules": [{"luns": ["0"]}]}}, "access.rules[0].luns[0]", "wrong_type"),
        ({"access": {"single_initiator": 1}}, "access.single_initiator", "wrong_type"),
        ({"chap": {"credentials": [{"username": "bob"}]}}, "chap.credentials[0].secret", "chap_incomplete"),
        (
            {"chap": {"one_way": ALICE | {"old_secret_valid_until": "2026-12-31T00:00:00Z"}}},
            "chap.one_way.old_secret_valid_until",
            "chap_overlap_invalid",
        ),
        (
            {"chap": {"one_way": {"old_secret_valid_until": "tomorrow"}}},
            "chap.one_way.old_secret_valid_until",
            "wrong_type",
        ),
        (
            {"chap": {"one_way": {"old_secret_valid_until": "2026-12-31T00:00:00"}}},
            "chap.one_way.old_secret_valid_until",
            "wrong_type",
        ),
        ({"chap": {"one_way": {"old_secret_valid_until": 99}}}, "chap.one_way.old_secret_valid_until", "wrong_type"),
        ({"chap": {"mutual": {"old_secret_valid_until": None}}}, "chap.mutual.old_secret_valid_until", "unknown_field"),
    ],
)
async def test_what_is_wrong_is_told_with_its_place(
    client: httpx.AsyncClient, fields: Json, field: str, code: str
) -> None:
    for response in (
        await client.post(TARGETS, json=SHARED | fields),
        await client.put(f"{TARGETS}/1", json=SHARED | fields),
    ):
        if response.status_code == 404:
            continue
        assert response.status_code == 422
        assert (v1_errors(response)[0]["field"], v1_errors(response)[0]["code"]) == (field, code)


async def test_chap_of_discovery(client: httpx.AsyncClient, stand: Stand) -> None:
    chap = {"one_way": ALICE, "mutual": {"enabled": True, "username": "nas", "secret": "nas-secret-123"}}
    answer = (await client.put(SERVICE, json={"enabled": True, "discovery": {"chap": chap}})).json()
    assert answer["discovery"]["chap"]["one_way"]["secret"]["set"]
    assert "secret-1" not in str(answer)
    served = stand.engine.discovery
    assert served.credentials == (Credential(username="alice", secret="alice-secret-1"),)
    assert served.mutual == Credential(username="nas", secret="nas-secret-123")
    await stand.restart()
    assert stand.engine.discovery == served


@pytest.mark.parametrize(
    ("chap", "field"),
    [
        ({"one_way": ALICE | {"secret": "short"}}, "discovery.chap.one_way.secret"),
        ({"mutual": ALICE}, "discovery.chap.mutual.enabled"),
        ({"one_way": ALICE, "mutual": ALICE | {"username": "nas"}}, "discovery.chap.mutual.secret"),
    ],
)
async def test_what_is_wrong_with_chap_of_discovery(client: httpx.AsyncClient, chap: Json, field: str) -> None:
    response = await client.put(SERVICE, json={"enabled": True, "discovery": {"chap": chap}})
    assert (response.status_code, v1_errors(response)[0]["field"]) == (422, field)


async def test_the_nas_api_leaves_alone_what_it_does_not_know(client: httpx.AsyncClient, stand: Stand) -> None:
    await create(
        client,
        access={"rules": RULES},
        chap={"credentials": [{"username": "bob", "secret": "bob-secret-123"}]},
    )
    before = stand.engine.targets[NAME]
    share = {"id": 1, "one-way-chap": {"enabled": True, "username": "alice", "password": "alice-secret-1"}}
    assert (await client.put("/index.php/iscsi_shares/api", json=share)).status_code == 200
    after = stand.engine.targets[NAME]
    assert after.rules == before.rules
    assert [each.username for each in after.credentials] == ["alice", "bob"]
