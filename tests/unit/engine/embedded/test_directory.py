"""Who is told of what, with our own initiator at a data process with real files and portals."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from lunaport.engine.embedded.client import EmbeddedEngine
from lunaport.engine.interface import Change, Credential, DesiredState, DiscoverySpec, PortalSpec, TargetSpec
from lunaport.initiator import ChapOptions, LoginError, Options, Session, connect
from lunaport.iscsi.enums import LoginStatus
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
