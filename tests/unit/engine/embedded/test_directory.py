"""Who is told of what, with our own initiator at a data process with real files and portals."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from lunaport.engine.embedded.client import EmbeddedEngine
from lunaport.engine.interface import (
    AccessRule,
    Change,
    Credential,
    DesiredState,
    DiscoverySpec,
    PortalSpec,
    RefusedLogin,
    TargetSpec,
)
from lunaport.initiator import Announced, ChapOptions, CommandError, LoginError, Options, Session, connect
from lunaport.iscsi.enums import AsyncEvent, LoginStatus
from lunaport.iscsi.errors import Refusal
from lunaport.iscsi.login import LoginPhase, LoginStep
from lunaport.iscsi.pdu import ReadableBuffer
from tests.unit.engine.embedded.test_line import free_port, make_target, running

pytestmark = pytest.mark.anyio

HOST = "127.0.0.1"
ME = "iqn.2026-11.test:me"
ALICE = Credential(username="alice", secret="alice-secret-1")
OTHER_ALICE = Credential(username="alice", secret="alice-secret-2")
BOB = Credential(username="bob", secret="bob-secret-123")
THE_NAS = Credential(username="nas", secret="nas-secret-123")


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """A data process that serves."""

    engine: EmbeddedEngine
    port: int
    targets: dict[str, TargetSpec]

    async def put(self, **changes: TargetSpec) -> None:
        """Serve these targets too, or in place of what has their name."""
        await self.engine.apply(Change(put=tuple(changes.values())))
        self.targets.update(changes)

    async def connect(self, options: Options) -> Session:
        """Log in."""
        return await connect(HOST, self.port, options)

    async def told(self, chap: ChapOptions | None = None, query: str = "All") -> set[str]:
        """The short names of the targets that a discovery session is told of."""
        async with await self.connect(Options(initiator_name=ME, chap=chap)) as session:
            found = await session.send_targets(query)
        return {each.name.removeprefix("iqn.2026-11.test:") for each in found}


@asynccontextmanager
async def serving(tmp_path: Path) -> AsyncIterator[Served]:
    """Targets: `open` for all, `alice` and `other` for two who call themselves alice, `bob` that proves itself."""
    async with running(tmp_path) as (engine, _, volume):
        port = free_port()
        await engine.start(DesiredState(portals=(PortalSpec(host=HOST, port=port),)))
        made = {name: await make_target(engine, volume, name) for name in ("open", "alice", "other", "bob")}
        served = Served(engine=engine, port=port, targets={})
        await served.put(
            open=made["open"],
            alice=replace(made["alice"], credentials=(ALICE,)),
            other=replace(made["other"], credentials=(OTHER_ALICE,)),
            bob=replace(made["bob"], credentials=(BOB,), mutual=THE_NAS),
        )
        yield served


def proof(credential: Credential, mutual: Credential | None = None) -> ChapOptions:
    """CHAP as the initiator has it."""
    return ChapOptions(
        user=credential.username,
        secret=credential.secret.encode(),
        mutual=(mutual.username, mutual.secret.encode()) if mutual is not None else None,
    )


async def test_who_proves_nothing_is_told_of_what_asks_for_nothing(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        assert await served.told() == {"open"}


async def test_who_proves_a_secret_is_told_of_the_targets_that_take_it(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        assert await served.told(proof(ALICE)) == {"open", "alice"}
        assert await served.told(proof(OTHER_ALICE)) == {"open", "other"}
        assert await served.told(proof(BOB)) == {"open", "bob"}


async def test_asking_by_name_tells_no_more(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        for name in ("alice", "none"):
            assert await served.told(query=f"iqn.2026-11.test:{name}") == set()
        assert await served.told(proof(ALICE), "iqn.2026-11.test:alice") == {"alice"}
        assert await served.told(proof(ALICE), "iqn.2026-11.test:other") == set()


async def test_a_target_proves_itself_in_discovery_too(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        assert await served.told(proof(BOB, THE_NAS)) == {"open", "bob"}
        with pytest.raises(LoginError):
            await served.told(proof(ALICE, THE_NAS))


@pytest.mark.parametrize(
    "wrong",
    [
        Credential(username="alice", secret="bob-secret-123"),
        Credential(username="mallory", secret="alice-secret-1"),
        Credential(username="alice", secret="nas-secret-123"),
    ],
)
async def test_a_wrong_secret_and_an_unknown_user_look_alike(tmp_path: Path, wrong: Credential) -> None:
    async with serving(tmp_path) as served:
        with pytest.raises(LoginError) as refused:
            await served.told(proof(wrong))
        assert refused.value.failure.status == LoginStatus.AUTHENTICATION_FAILURE


async def test_discovery_is_opened_and_closed_while_a_session_is_there(tmp_path: Path) -> None:
    async with serving(tmp_path) as served, await served.connect(Options(initiator_name=ME)) as session:
        assert len(await session.send_targets()) == 1
        await served.engine.apply(Change(discovery=DiscoverySpec(open=True)))
        assert len(await session.send_targets()) == 4
        assert len(await served.engine.sessions()) == 1
        await served.engine.apply(Change(discovery=DiscoverySpec(open=False)))
        assert len(await session.send_targets()) == 1


async def test_what_was_proved_counts_as_long_as_the_target_takes_it(tmp_path: Path) -> None:
    async with (
        serving(tmp_path) as served,
        await served.connect(Options(initiator_name=ME, chap=proof(ALICE))) as session,
    ):
        assert len(await session.send_targets()) == 2
        await served.put(alice=replace(served.targets["alice"], credentials=(BOB,)))
        assert len(await session.send_targets()) == 1


async def test_a_normal_session_is_told_of_its_own_target(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        options = Options(initiator_name=ME, target_name=served.targets["alice"].name, chap=proof(ALICE))
        async with await served.connect(options) as session:
            assert [each.name for each in await session.send_targets()] == [options.target_name]


NEAR, FAR = "127.0.0.0/8", "192.0.2.0/24"


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """Who asks for what, and what he is told."""

    change: TargetSpec
    """What is different about the target `asked`, which is open otherwise."""
    chap: ChapOptions | None = None
    discovery_chap: ChapOptions | None = None
    told: bool
    """In discovery."""
    status: int
    refusal: Refusal | None = None


def asked(**change: Any) -> TargetSpec:
    return TargetSpec(name="iqn.2026-11.test:asked", **change)


REFUSED, DENIED = LoginStatus.AUTHENTICATION_FAILURE, LoginStatus.AUTHORIZATION_FAILURE
CAROL = Credential(username="carol", secret="carol-secret-1", initiators=("iqn.2026-11.test:other",))
ROWS = {
    "no rule": Row(change=asked(), told=True, status=0),
    "name allowed": Row(change=asked(rules=(AccessRule(initiators=(ME,)),)), told=True, status=0),
    "pattern allowed": Row(change=asked(rules=(AccessRule(initiators=("iqn.2026-11.*",)),)), told=True, status=0),
    "name not allowed": Row(
        change=asked(rules=(AccessRule(initiators=("iqn.2026-11.test:other",)),)),
        told=False,
        status=DENIED,
        refusal=Refusal.NAME_NOT_ALLOWED,
    ),
    "address allowed": Row(change=asked(rules=(AccessRule(networks=(FAR, NEAR)),)), told=True, status=0),
    "address not allowed": Row(
        change=asked(rules=(AccessRule(initiators=(ME,), networks=(FAR,)),)),
        told=False,
        status=DENIED,
        refusal=Refusal.ADDRESS_NOT_ALLOWED,
    ),
    "no authentication": Row(
        change=asked(credentials=(ALICE,)), told=False, status=REFUSED, refusal=Refusal.NO_AUTHENTICATION
    ),
    "right secret": Row(
        change=asked(credentials=(ALICE,)), chap=proof(ALICE), discovery_chap=proof(ALICE), told=True, status=0
    ),
    "wrong secret": Row(
        change=asked(credentials=(ALICE,)),
        chap=proof(OTHER_ALICE),
        told=False,
        status=REFUSED,
        refusal=Refusal.WRONG_SECRET,
    ),
    "unknown user": Row(
        change=asked(credentials=(ALICE,)), chap=proof(BOB), told=False, status=REFUSED, refusal=Refusal.UNKNOWN_USER
    ),
    "user of another initiator": Row(
        change=asked(credentials=(CAROL,)), chap=proof(CAROL), told=False, status=REFUSED, refusal=Refusal.UNKNOWN_USER
    ),
    "user of another initiator, without CHAP": Row(
        change=asked(credentials=(CAROL,)), told=False, status=REFUSED, refusal=Refusal.NO_AUTHENTICATION
    ),
    "right secret, name not allowed": Row(
        change=asked(credentials=(ALICE,), rules=(AccessRule(initiators=("iqn.2026-11.test:other",)),)),
        chap=proof(ALICE),
        told=False,
        status=DENIED,
        refusal=Refusal.NAME_NOT_ALLOWED,
    ),
    "second of several users": Row(
        change=asked(credentials=(ALICE, BOB)), chap=proof(BOB), discovery_chap=proof(BOB), told=True, status=0
    ),
    "old secret in its time": Row(
        change=asked(credentials=(ALICE, replace(OTHER_ALICE, valid_until=2**40))),
        chap=proof(OTHER_ALICE),
        discovery_chap=proof(OTHER_ALICE),
        told=True,
        status=0,
    ),
    "old secret after its time": Row(
        change=asked(credentials=(ALICE, replace(OTHER_ALICE, valid_until=1.0))),
        chap=proof(OTHER_ALICE),
        told=False,
        status=REFUSED,
        refusal=Refusal.WRONG_SECRET,
    ),
}


@pytest.mark.parametrize("row", ROWS.values(), ids=ROWS.keys())
async def test_who_asks_for_what_and_what_he_is_told(tmp_path: Path, row: Row, monkeypatch: pytest.MonkeyPatch) -> None:
    steps: list[LoginStep] = []

    def remembered(phase: LoginPhase, bhs: ReadableBuffer, data: ReadableBuffer) -> LoginStep:
        step = receive(phase, bhs, data)
        steps.append(step)
        return step

    receive = LoginPhase.receive
    monkeypatch.setattr(LoginPhase, "receive", remembered)
    async with running(tmp_path) as (engine, _, volume):
        port = free_port()
        await engine.start(DesiredState(portals=(PortalSpec(host=HOST, port=port),)))
        target = await make_target(engine, volume, "asked")
        served = Served(engine=engine, port=port, targets={})
        await served.put(asked=replace(row.change, luns=target.luns))
        assert await served.told(row.discovery_chap) == ({"asked"} if row.told else set())
        options = Options(initiator_name=ME, target_name=target.name, chap=row.chap)
        if row.status == 0:
            await (await served.connect(options)).close()
            return
        with pytest.raises(LoginError) as refused:
            await served.connect(options)
        assert refused.value.failure.status == row.status
        assert steps[-1].refusal is row.refusal
        assert steps[-1].failed


LEFT, RIGHT = "127.0.0.1", "127.0.0.2"


@asynccontextmanager
async def two_groups(tmp_path: Path, **change: Any) -> AsyncIterator[tuple[EmbeddedEngine, int, TargetSpec]]:
    """A data process with a portal in group 1 and one in group 2, and a target `asked`."""
    async with running(tmp_path) as (engine, _, volume):
        port = free_port()
        portals = (PortalSpec(host=LEFT, port=port), PortalSpec(host=RIGHT, port=port, group=2))
        await engine.start(DesiredState(portals=portals))
        target = replace(await make_target(engine, volume, "asked"), **change)
        await engine.apply(Change(put=(target,)))
        yield engine, port, target


async def told_of(host: str, port: int) -> set[str]:
    """The addresses of the one target, as a discovery session at this portal is told of them."""
    async with await connect(host, port, Options(initiator_name=ME)) as session:
        return {address for target in await session.send_targets() for address in target.addresses}


async def first_refusal(engine: EmbeddedEngine) -> RefusedLogin:
    """It is noted when its connection ends."""
    async with asyncio.timeout(5):
        while True:
            for refused in await engine.refused_logins():
                return refused
            await asyncio.sleep(0.01)


@pytest.mark.parametrize(
    ("change", "groups", "refusal"),
    [
        ({}, {1, 2}, None),
        ({"portal_groups": (2,)}, {2}, Refusal.WRONG_PORTAL_GROUP),
        ({"rules": (AccessRule(portal_groups=(2,)),)}, {2}, Refusal.PORTAL_NOT_ALLOWED),
        ({"rules": (AccessRule(networks=(NEAR,), portal_groups=(2, 7)),)}, {2}, Refusal.PORTAL_NOT_ALLOWED),
        ({"rules": (AccessRule(portal_groups=(2,)), AccessRule(read_only=True))}, {1, 2}, None),
        ({"portal_groups": (7,)}, set(), Refusal.WRONG_PORTAL_GROUP),
    ],
)
async def test_each_is_told_of_the_portals_that_he_may_use(
    tmp_path: Path, change: dict[str, Any], groups: set[int], refusal: Refusal | None
) -> None:
    async with two_groups(tmp_path, **change) as (engine, port, target):
        told = {f"{host}:{port},{group}" for group, host in ((1, LEFT), (2, RIGHT)) if group in groups}
        for group, host in ((1, LEFT), (2, RIGHT)):
            assert await told_of(host, port) == told
            if group in groups:
                async with await connect(host, port, wants(ME, target)) as session:
                    (report,) = await engine.sessions()
                    assert report.portal_group == group
                    designators = (await session.command(bytes.fromhex("120183020000"), read_length=512)).data
                    assert f"{target.name},t,0x{group:04x}".encode() in designators
                continue
            with pytest.raises(LoginError) as refused:
                await connect(host, port, wants(ME, target))
            wrong = refusal is Refusal.WRONG_PORTAL_GROUP
            assert refused.value.failure.status == (LoginStatus.NOT_FOUND if wrong else DENIED)
            assert (await first_refusal(engine)).reason == refusal


async def test_two_paths_are_two_nexuses_of_one_disk(tmp_path: Path) -> None:
    """The same initiator with the same ISID, by two portal groups: the second login takes nobody's place."""
    async with (
        two_groups(tmp_path) as (engine, port, target),
        await connect(LEFT, port, wants(ME, target)) as left,
        await connect(RIGHT, port, wants(ME, target)) as right,
    ):
        assert sorted(each.portal_group for each in await engine.sessions()) == [1, 2]
        await left.write(0, 0, b"x" * 512)
        assert await right.read(0, 0, 1) == b"x" * 512
        ports = (await left.command(bytes.fromhex("a30a0000000000000100" + "0000"), read_length=256)).data
        assert ports[11] == 2
        assert (ports[14:16], ports[18:20]) == (b"\0\1", b"\0\2")


async def test_a_portal_of_another_group_is_another_for_new_logins(tmp_path: Path) -> None:
    async with two_groups(tmp_path) as (engine, port, target):
        async with await connect(LEFT, port, wants(ME, target)) as session:
            changed = (PortalSpec(host=LEFT, port=port, group=3), PortalSpec(host=RIGHT, port=port, group=2))
            await engine.apply(Change(portals=changed))
            assert (await session.command(bytes(6))).status == 0
            assert [each.portal_group for each in await engine.sessions()] == [1]
            assert await told_of(LEFT, port) == {f"{LEFT}:{port},3", f"{RIGHT}:{port},2"}
            await engine.apply(Change(portals=changed[1:]))
            assert (await session.command(bytes(6))).status == 0
        with pytest.raises(ConnectionRefusedError):
            await connect(LEFT, port, wants(ME, target))


async def test_who_came_by_a_group_that_serves_no_more_is_asked_to_leave(tmp_path: Path) -> None:
    async with two_groups(tmp_path) as (engine, port, target):
        staying = await connect(RIGHT, port, wants(ME, target))
        leaving = await connect(LEFT, port, wants(ME, target))
        changing = asyncio.create_task(engine.apply(Change(put=(replace(target, portal_groups=(2,)),))))
        notice = await leaving.next_notice()
        assert isinstance(notice, Announced)
        assert notice.message.event == AsyncEvent.LOGOUT_REQUEST
        await leaving.logout()
        await changing
        assert [each.portal_group for each in await engine.sessions()] == [2]
        assert (await staying.command(bytes(6))).status == 0
        await staying.close()
        await leaving.close()


async def test_an_unknown_target(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        with pytest.raises(LoginError) as refused:
            await served.connect(Options(initiator_name=ME, target_name="iqn.2026-11.test:none"))
        assert refused.value.failure.status == LoginStatus.NOT_FOUND


async def test_the_secret_of_discovery_tells_of_what_needs_others(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        own = Credential(username="finder", secret="finder-secret-1")
        await served.engine.apply(Change(discovery=DiscoverySpec(credentials=(own,), mutual=THE_NAS)))
        await served.put(bob=replace(served.targets["bob"], rules=(AccessRule(networks=(FAR,)),)))
        assert await served.told(proof(own, THE_NAS)) == {"open", "alice", "other"}
        assert await served.told(proof(ALICE)) == {"open", "alice"}
        with pytest.raises(LoginError) as refused:
            await served.told()
        assert refused.value.failure.status == REFUSED
        await served.engine.apply(Change(discovery=DiscoverySpec(credentials=(own,), open=True)))
        assert await served.told(proof(own)) == {"open", "alice", "other", "bob"}
        with pytest.raises(LoginError):
            await served.told(proof(ALICE))


WRITE_PROTECTED = "70000700000000 0a 00000000 2700".replace(" ", "")


def wants(name: str, target: TargetSpec) -> Options:
    return Options(initiator_name=name, target_name=target.name)


async def test_rights_change_under_a_session(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        target = served.targets["open"]
        async with await served.connect(wants(ME, target)) as session:
            await session.write(0, 0, b"x" * 512)
            await served.put(open=replace(target, rules=(AccessRule(initiators=(ME,), read_only=True),)))
            [report] = await served.engine.sessions()
            assert (report.read_only, report.luns) == (True, (0,))
            assert (await session.command(bytes(6))).sense[12:14] == bytes.fromhex("2a01")
            with pytest.raises(CommandError) as refused:
                await session.write(0, 0, b"y" * 512)
            assert refused.value.result.sense.hex().startswith(WRITE_PROTECTED)
            assert await session.read(0, 0, 1) == b"x" * 512
            await served.put(open=replace(target, rules=(AccessRule(luns=(7,)),)))
            assert (await session.command(bytes(6))).sense[12:14] == bytes.fromhex("2500")
            await served.put(open=target)
            while (await session.command(bytes(6))).status:
                pass
            await session.write(0, 0, b"z" * 512)
            assert len(await served.engine.sessions()) == 1


async def test_who_is_no_longer_allowed_is_asked_to_leave_and_others_stay(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        target = served.targets["open"]
        other = "iqn.2026-11.test:other"
        staying, leaving = await served.connect(wants(ME, target)), await served.connect(wants(other, target))
        changing = asyncio.create_task(served.put(open=replace(target, rules=(AccessRule(initiators=(ME,)),))))
        notice = await leaving.next_notice()
        assert isinstance(notice, Announced)
        assert notice.message.event == AsyncEvent.LOGOUT_REQUEST
        await leaving.logout()
        await changing
        assert [session.initiator for session in await served.engine.sessions()] == [ME]
        assert (await staying.command(bytes(6))).status == 0
        await staying.close()
        await leaving.close()


async def test_a_target_for_one_initiator_at_a_time(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        target = replace(served.targets["open"], single_initiator=True)
        await served.put(open=target)
        other = wants("iqn.2026-11.test:other", target)
        async with await served.connect(wants(ME, target)) as first:
            second_path = replace(wants(ME, target), isid=bytes.fromhex("800000000002"))
            await (await served.connect(second_path)).close()
            with pytest.raises(LoginError) as refused:
                await served.connect(other)
            assert refused.value.failure.status == LoginStatus.OUT_OF_RESOURCES
            assert (await first.command(bytes.fromhex("160000000000"))).status == 0, "RESERVE"
            await (await served.connect(other)).close()
            assert (await first.command(bytes.fromhex("170000000000"))).status == 0, "RELEASE"
            with pytest.raises(LoginError):
                await served.connect(other)
        async with await served.connect(other) as session:
            assert (await session.command(bytes(6))).status == 0


async def test_a_dead_initiator_makes_way(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lunaport.engine.embedded.exclusive.PROBE_S", 0.2)
    async with serving(tmp_path) as served:
        target = replace(served.targets["open"], single_initiator=True)
        await served.put(open=target)
        dead = await served.connect(replace(wants(ME, target), answers_pings=False))
        other = wants("iqn.2026-11.test:other", target)
        for _ in range(2):
            with pytest.raises(LoginError):
                await served.connect(other)
        await dead.wait_ended()
        async with await served.connect(other) as session:
            assert (await session.command(bytes(6))).status == 0
            with pytest.raises(LoginError):
                await served.connect(wants(ME, target))
            await asyncio.sleep(0.4)
            assert (await session.command(bytes(6))).status == 0, "one that answers stays"
        await dead.close()
