"""Who asks for what, and what he is told in discovery, at login and in the API, while somebody else goes on working.

Each row is a target of its own with two initiators at once: one that may use it, and one that may not.
"""

import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import pytest

from tests.system.conftest import StartNas
from tests.system.initiator import Chap, Initiator
from tests.system.nas import Json, Nas, Share, wait_until
from tests.system.peers import run
from tests.system.wire import LoginError

ALLOWED: Final = "iqn.2026-11.test:allowed"
FIRST, SECOND = "127.0.0.1", "127.0.0.2"
ALICE, BOB = Chap(user="alice", secret="alice-secret-1"), Chap(user="bob", secret="bob-secret-123")
CHAP: Final = {"one_way": {"enabled": True, "username": "alice", "secret": "alice-secret-1"}}
ANYBODY: Final = (1, 2)
"""The portal groups with which a target is told."""
REASONS: Final = re.findall(
    r"^\| `(\w+)` \| .* \| .* \|$", (Path(__file__).parents[2] / "docs" / "sessions.md").read_text(), re.MULTILINE
)


def rules(*others: Json) -> Json:
    """Access for the one who may, and for others."""
    return {"access": {"rules": [{"initiators": [ALLOWED]}, *others]}}


def block(nas: Nas, share: Share, me: str) -> None:
    assert nas.call("PUT", {}, path=f"/api/v1/blocks/{me}").status_code == 200


def drain(nas: Nas, share: Share, me: str) -> None:
    assert nas.call("PUT", {"draining": True}, path=f"/api/v1/targets/{share.id}/drain").status_code == 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """`target` is what is set at the target, with `{me}` for the one who may not; `told` portal groups or a status."""

    reason: str
    told: tuple[int, ...] | int
    status: int
    target: Json = field(default_factory=dict)
    chap: Chap | None = None
    offers: Json = field(default_factory=dict)
    asks_for: str = ""
    """Another target than the one there is."""
    before: Callable[[Nas, Share, str], None] | None = None
    """What the administrator does when the other one is logged in."""
    is_there: bool = False
    """It has a session already."""
    comes_to: str = FIRST


ROWS: Final = {
    "unknown-target": Row(
        reason="unknown_target", told=(), status=0x0203, asks_for="iqn.2026-11.io.lunaport:nothing-there"
    ),
    "name": Row(reason="name_not_allowed", told=(), status=0x0202, target=rules()),
    "address": Row(
        reason="address_not_allowed",
        told=(),
        status=0x0202,
        target=rules({"initiators": ["{me}"], "networks": ["192.0.2.0/24"]}),
    ),
    "portal-of-the-rule": Row(
        reason="portal_not_allowed",
        told=(2,),
        status=0x0202,
        target=rules({"initiators": ["{me}"], "networks": ["127.0.0.0/8"], "portal_groups": [2]}),
    ),
    "portal-of-the-target": Row(reason="wrong_portal_group", told=(2,), status=0x0203, target={"portal_groups": [2]}),
    "no-chap": Row(reason="no_authentication", told=(), status=0x0201, target={"chap": CHAP}),
    "chap-that-nobody-asked-for": Row(reason="no_authentication", told=0x0201, status=0x0201, chap=BOB),
    "user": Row(reason="unknown_user", told=0x0201, status=0x0201, target={"chap": CHAP}, chap=BOB),
    "user-of-others": Row(
        reason="unknown_user",
        told=0x0201,
        status=0x0201,
        target={
            "chap": CHAP | {"credentials": [{"username": "bob", "secret": "bob-secret-123", "initiators": [ALLOWED]}]}
        },
        chap=BOB,
    ),
    "secret": Row(
        reason="wrong_secret",
        told=0x0201,
        status=0x0201,
        target={"chap": CHAP},
        chap=Chap(user="alice", secret="alice-secret-9"),
    ),
    "algorithm": Row(
        reason="authentication_failed",
        told=0x0201,
        status=0x0201,
        target={"chap": CHAP},
        chap=Chap(user="alice", secret="alice-secret-1", algorithms=(99,)),
    ),
    "digest": Row(reason="digest_mismatch", told=ANYBODY, status=0x0200, offers={"DataDigest": "CRC32C"}),
    "in-use": Row(reason="in_use", told=ANYBODY, status=0x0302, target={"access": {"single_initiator": True}}),
    "too-many": Row(reason="too_many_sessions", told=ANYBODY, status=0x0302, is_there=True),
    "blocked": Row(reason="blocked", told=0x0202, status=0x0202, before=block),
    "drained": Row(reason="draining", told=ANYBODY, status=0x0301, before=drain),
    "nonsense": Row(
        reason="protocol_error", told=ANYBODY, status=0x0200, offers={"InitiatorName": "iqn.2026-11.test:another"}
    ),
}


@pytest.fixture(scope="module")
def nas(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nas]:
    """One NAS for the table: two portal groups, and one session for each initiator."""
    made = Nas(tmp_path_factory.mktemp("refusals") / "data", settings={"LUNAPORT_INITIATOR_SESSIONS": "1"})
    made.secrets_given |= {"alice-secret-1", "bob-secret-123", "alice-secret-9"}
    try:
        made.start()
        put = made.call("PUT", {"group": 2}, path=f"/api/v1/portals/{SECOND}:{made.port}")
        assert (put.status_code, put.json()["listening"]) == (200, True), put.text
        yield made
        made.stop()
    finally:
        made.destroy()
        made.client.close()


def filled(value: Any, me: str) -> Any:
    """The value with the name of the one who may not."""
    if isinstance(value, dict):
        return {key: filled(each, me) for key, each in value.items()}
    if isinstance(value, list):
        return [filled(each, me) for each in value]
    return value.replace("{me}", me) if isinstance(value, str) else value


def told(nas: Nas, share: Share, me: str, row: Row) -> tuple[int, ...] | int:
    """The tags with which discovery tells of the target; the status where it is refused."""
    try:
        with Initiator(FIRST, nas.port, name=me, chap=row.chap) as discovery:
            name = row.asks_for or share.iqn
            addresses = [value for key, value in discovery.text({"SendTargets": name}) if key == "TargetAddress"]
    except LoginError as error:
        return error.status
    return tuple(sorted(int(address.rpartition(",")[2]) for address in addresses))


def metric(nas: Nas, name: str, **labels: str) -> float:
    """A number of /metrics; 0 where it is not there."""
    wanted = sorted(f'{key}="{value}"' for key, value in labels.items())
    for line in nas.client.get("/metrics").text.splitlines():
        match = re.fullmatch(rf"{name}(?:\{{(.*)\}})? (\S+)", line)
        if match and sorted(filter(None, (match[1] or "").split(","))) == wanted:
            return float(match[2])
    return 0.0


@pytest.mark.peer
@pytest.mark.parametrize(("name", "row"), ROWS.items(), ids=ROWS)
def test_who_asks_for_what_and_what_he_is_told(nas: Nas, name: str, row: Row) -> None:
    me = f"iqn.2026-11.test:{name}"
    share = nas.create(f"refusing-{name}")
    changed = nas.call("PATCH", filled(row.target, me), path=f"/api/v1/targets/{share.id}")
    assert changed.status_code == 200, changed.text
    before = metric(nas, "lunaport_refused_logins_total", reason=row.reason)
    with ExitStack() as stack:
        host = SECOND if row.target.get("portal_groups") else FIRST
        chap = ALICE if "chap" in row.target else None
        other = stack.enter_context(Initiator(host, nas.port, target=share.iqn, name=ALLOWED, chap=chap))
        if row.is_there:
            stack.enter_context(Initiator(host, nas.port, target=share.iqn, name=me))
        if row.before is not None:
            row.before(nas, share, me)
        assert told(nas, share, me, row) == row.told
        wanted = row.asks_for or share.iqn
        refused = Initiator(row.comes_to, nas.port, target=wanted, name=me, chap=row.chap, offers=row.offers)
        with pytest.raises(LoginError) as error, refused:
            pass
        assert error.value.status == row.status
        path = f"/api/v1/login-failures?initiator={me}&target={wanted}"
        wait_until(lambda: nas.answer("GET", path=path)["items"], timeout_s=5, what="the refusal in the API")
        failure = nas.answer("GET", path=path)["items"][0]
        assert failure["reason"] == row.reason
        assert failure["detail"]
        assert failure["portal"] == f"{FIRST}:{nas.port}"
        assert metric(nas, "lunaport_refused_logins_total", reason=row.reason) > before
        if row.status >> 8 == 2 and not row.offers and row.reason != "authentication_failed":
            credentials = f"{row.chap.user}%{row.chap.secret}" if row.chap else ""
            url = share.url(credentials).replace(share.iqn, wanted)
            assert (run("iscsi-inq", "-i", me, url).returncode != 0) is (
                row.reason != "no_authentication" or not row.chap
            )
        assert other.ready().status == 0, "the one who may goes on"
    nas.delete(share)


def test_the_table_has_every_reason() -> None:
    """`service_off` and `busy` have their own tests; a NAS of one node moves no target (`test_login.py` of `iscsi`)."""
    assert {row.reason for row in ROWS.values()} | {"service_off", "busy", "moved"} == set(REASONS)


@pytest.mark.parametrize("discovery", [False, True])
def test_the_service_is_switched_off_in_the_middle_of_a_login(start_nas: StartNas, discovery: bool) -> None:
    nas = start_nas()
    share = nas.create("switched-off")
    me = "iqn.2026-11.test:late"
    initiator = Initiator(nas.hosts[0], nas.port, target="" if discovery else share.iqn, name=me)
    initiator.connect()
    try:
        keys = {"InitiatorName": me, "SessionType": "Discovery" if discovery else "Normal", "AuthMethod": "None"}
        initiator.exchange(1, keys | ({} if discovery else {"TargetName": share.iqn}), stage=0, next_stage=1)
        assert nas.edit_service(enabled=False).status_code == 200
        with pytest.raises(LoginError) as error:
            initiator.exchange(1, {"ErrorRecoveryLevel": "0"}, stage=1, next_stage=3)
        assert error.value.status == 0x0301
    finally:
        initiator.close()
    path = f"/api/v1/login-failures?initiator={me}"
    wait_until(lambda: nas.answer("GET", path=path)["items"], timeout_s=5, what="the refusal in the API")
    assert nas.answer("GET", path=path)["items"][0]["reason"] == "service_off"
    with pytest.raises(ConnectionRefusedError):
        initiator.connect()
