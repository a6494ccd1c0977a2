"""Several data processes: logins are handed over, and all of it looks like one NAS: `handing_over`, `taking_over`."""

import asyncio
import socket
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from lunaport.engine.embedded import handing_over
from lunaport.engine.embedded.client import EmbeddedEngine
from lunaport.engine.embedded.limits import DataLimits
from lunaport.engine.interface import (
    BlockSpec,
    Change,
    Credential,
    EngineUnavailableError,
    EventMark,
    PortalError,
    PortalSpec,
    StorageError,
    TargetSpec,
)
from lunaport.initiator import ChapOptions, LoginError, Options, connect
from lunaport.iscsi import pdu
from lunaport.iscsi.enums import LoginStatus
from lunaport.iscsi.errors import Refusal
from tests.unit.engine.embedded.several import HOST, Several, several
from tests.unit.engine.embedded.test_line import Initiator, free_port, log_in, make_target

pytestmark = pytest.mark.anyio
ME = "iqn.2026-11.test:i"
ALICE = Credential(username="alice", secret="alice-secret-1")


@pytest.fixture(autouse=True)
def short_farewell(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lunaport.engine.embedded.nas.LOGOUT_WITHIN_S", 0)


async def until(condition: Callable[[], object], what: str) -> None:
    for _ in range(1000):
        if condition():
            return
        await asyncio.sleep(0.01)
    raise AssertionError(what)


async def two_targets(nas: Several) -> tuple[TargetSpec, TargetSpec]:
    """One in each process."""
    first, second = await make_target(nas.engine, nas.volume, "a"), await make_target(nas.engine, nas.volume, "b")
    await nas.engine.apply(Change(put=(first,)))
    await nas.engine.apply(Change(put=(second,)))
    return first, second


async def test_a_login_lands_at_the_process_that_serves_the_target(tmp_path: Path) -> None:
    async with several(tmp_path) as nas:
        first, second = await two_targets(nas)
        assert (nas.names_of(0), nas.names_of(1)) == ([first.name], [second.name])
        one, two = await log_in(nas.port, first), await log_in(nas.port, second)
        assert (one.status, two.status) == (0, 0)
        assert one.tsih != two.tsih
        assert (nas.sessions_of(0), nas.sessions_of(1)) == ([first.name], [second.name])
        found = {each.target: each for each in await nas.engine.sessions()}
        assert set(found) == {first.name, second.name}
        assert found[second.name].address == f"{HOST}:{two.sock.getsockname()[1]}"
        assert found[second.name].portal == f"{HOST}:{nas.port}"
        status = await nas.engine.status()
        assert (status.available, status.targets, status.sessions, len(status.portals)) == (True, 2, 2, 1)
        counters = await nas.engine.counters()
        assert (counters.total.logins, counters.total.sessions) == (2, 2)
        assert {name: each.logins for name, each in counters.targets.items()} == {first.name: 1, second.name: 1}
        assert set(counters.pids) == {"data", "data-1"}
        assert await nas.engine.close_session(found[second.name].id)
        assert not await nas.engine.close_session(found[second.name].id)
        assert [each.target for each in await nas.engine.sessions()] == [first.name]
        one.close()
        two.close()


async def test_discovery_tells_of_the_targets_of_all(tmp_path: Path) -> None:
    async with several(tmp_path, 3) as nas:
        targets = [await make_target(nas.engine, nas.volume, name) for name in "abcd"]
        await nas.engine.apply(
            Change(put=(targets[0], targets[1], targets[2], replace(targets[3], credentials=(ALICE,))))
        )
        chap = ChapOptions(user="alice", secret=b"alice-secret-1")
        for proof, count in ((None, 3), (chap, 4)):
            async with await connect(HOST, nas.port, Options(initiator_name=ME, chap=proof)) as session:
                found = await session.send_targets()
            assert {each.name for each in found} == {each.name for each in targets[:count]}
        async with await connect(HOST, nas.port, Options(initiator_name=ME, target_name=targets[1].name)) as session:
            # In a session of a target that one is told of, by the process that has it.
            [found_here] = await session.send_targets("")
            assert (found_here.name, found_here.addresses) == (targets[1].name, (f"{HOST}:{nas.port},1",))
        await nas.engine.apply(Change(removed=(targets[1].name,)))
        async with await connect(HOST, nas.port, Options(initiator_name=ME)) as session:
            assert {each.name for each in await session.send_targets()} == {targets[0].name, targets[2].name}


async def test_the_owner_asks_for_chap_and_says_why_it_refuses(tmp_path: Path) -> None:
    async with several(tmp_path) as nas:
        _, second = await two_targets(nas)
        await nas.engine.apply(Change(put=(replace(second, credentials=(ALICE,)),)))
        for secret, refusal in ((b"alice-secret-1", None), (b"wrong-secret-12", Refusal.WRONG_SECRET)):
            chap = ChapOptions(user="alice", secret=secret)
            options = Options(initiator_name=ME, target_name=second.name, chap=chap)
            if refusal is None:
                async with await connect(HOST, nas.port, options):
                    assert nas.sessions_of(1) == [second.name]
                continue
            with pytest.raises(LoginError):
                await connect(HOST, nas.port, options)
            assert [each.reason for each in await nas.engine.refused_logins()] == [refusal]
        await nas.engine.apply(Change(blocks=(BlockSpec(initiator=ME),)))
        refused = await log_in(nas.port, second)
        assert refused.status == LoginStatus.AUTHORIZATION_FAILURE
        refused.close()
        assert (await nas.engine.refused_logins())[0].reason == Refusal.BLOCKED
        counted = (await nas.engine.counters()).total.refused_logins
        assert counted == {Refusal.WRONG_SECRET: 1, Refusal.BLOCKED: 1}


def partial_login(target: str) -> list[bytes]:
    """A login whose first request comes in three parts (the C bit), the last one names the target."""
    common = {"isid": bytes(6), "tsih": 0, "initiator_task_tag": 1, "cmd_sn": 1, "current_stage": 1}
    texts = [f"InitiatorName={ME}\0".encode(), b"TargetNa", f"me={target}\0".encode()]
    parts = [pdu.LoginRequest(**common, continues=True, data=text) for text in texts[:2]]  # type: ignore[arg-type]
    last = pdu.LoginRequest(**common, transit=True, next_stage=3, data=texts[2])  # type: ignore[arg-type]
    return [each.serialize() for each in (*parts, last)]


@pytest.mark.parametrize("at_once", [False, True])
async def test_a_first_request_in_parts_is_handed_over_whole_and_answered_once(tmp_path: Path, at_once: bool) -> None:
    async with several(tmp_path) as nas:
        _, second = await two_targets(nas)

        def say() -> list[pdu.LoginResponse]:
            initiator = Initiator.__new__(Initiator)
            initiator.sock = socket.create_connection((HOST, nas.port), timeout=10)
            parts = partial_login(second.name)
            answers = []
            if at_once:
                initiator.sock.sendall(b"".join(parts))
                answers = [pdu.parse_login_response(*initiator.receive()) for _ in parts]
            else:
                for part in parts:
                    initiator.sock.sendall(part)
                    answers.append(pdu.parse_login_response(*initiator.receive()))
            initiator.sock.close()
            return answers

        answers = await asyncio.to_thread(say)
        assert [(each.status, each.transit, each.stat_sn) for each in answers] == [
            (0, False, 0),
            (0, False, 1),
            (0, True, 2),
        ]
        assert answers[-1].tsih == 2, "of process 1 of 2"


async def test_what_comes_behind_the_first_request_goes_with_it(tmp_path: Path) -> None:
    async with several(tmp_path) as nas:
        _, second = await two_targets(nas)

        def say() -> bytes:
            initiator = Initiator.__new__(Initiator)
            initiator.sock = socket.create_connection((HOST, nas.port), timeout=10)
            text = f"InitiatorName={ME}\0TargetName={second.name}\0".encode()
            login = pdu.LoginRequest(
                transit=True,
                current_stage=1,
                next_stage=3,
                isid=bytes(6),
                tsih=0,
                initiator_task_tag=1,
                cmd_sn=1,
                data=text,
            )
            ping = pdu.NopOut(initiator_task_tag=7, cmd_sn=1, exp_stat_sn=1, data=b"ping")
            initiator.sock.sendall(login.serialize() + ping.serialize())
            initiator.receive()
            _, data = initiator.receive()
            initiator.sock.close()
            return data

        assert await asyncio.to_thread(say) == b"ping"


def read_to_the_end(initiator: Initiator) -> None:
    while True:
        initiator.receive()


async def test_the_session_of_one_goes_on_while_the_other_is_started_anew(tmp_path: Path) -> None:
    async with several(tmp_path) as nas:
        first, second = await two_targets(nas)
        for dying, staying in ((1, 0), (0, 1)):
            targets = (first, second)
            stays, goes = await log_in(nas.port, targets[staying]), await log_in(nas.port, targets[dying])
            await asyncio.to_thread(nas.members[dying].stop)
            assert not (await nas.engine.status()).available
            with pytest.raises((EOFError, ConnectionError)):
                await asyncio.to_thread(read_to_the_end, goes)
            assert nas.sessions_of(staying) == [targets[staying].name]
            nas.members[dying].start()
            await nas.engine.lines[dying].wait_available()
            assert nas.names_of(dying) == [targets[dying].name]
            again = await log_in(nas.port, targets[dying])
            assert again.status == 0
            for each in (stays, goes, again):
                each.close()
            await until(lambda: nas.sessions_of(0) == nas.sessions_of(1) == [], "their end")


async def test_a_login_waits_for_a_process_that_is_started_anew(tmp_path: Path) -> None:
    async with several(tmp_path) as nas:
        _, second = await two_targets(nas)
        await asyncio.to_thread(nas.members[1].stop)
        waiting = asyncio.create_task(log_in(nas.port, second))
        await until(lambda: nas.members[0].nas.handing_over.away, "the login at process 0")
        nas.members[1].start()
        initiator = await waiting
        assert initiator.status == 0
        assert nas.sessions_of(1) == [second.name]
        await until(lambda: list(nas.members[0].nas.handing_over.per_process.elements()) == [1], "one is counted, once")
        initiator.close()


async def test_a_new_control_finds_the_targets_where_they_are(tmp_path: Path) -> None:
    async with several(tmp_path, 3) as nas:
        targets = [await make_target(nas.engine, nas.volume, name) for name in "abcde"]
        for target in targets:
            await nas.engine.apply(Change(put=(target,)))
        await nas.engine.apply(Change(removed=(targets[0].name,)))
        places = [nas.names_of(number) for number in range(3)]
        assert [len(each) for each in places] == [1, 2, 1]
        units = {
            name: member.nas.targets.targets[name] for member in nas.members for name in member.nas.targets.targets
        }
        initiators = [await log_in(nas.port, target) for target in targets[1:]]
        desired = nas.engine.desired
        await nas.engine.close()
        nas.engine = EmbeddedEngine([member.path for member in nas.members], (0, 1, 2))
        await nas.engine.start(desired)
        assert [nas.names_of(number) for number in range(3)] == places
        for member in nas.members:
            for name, served in member.nas.targets.targets.items():
                assert served is units[name], "it was not touched"
        assert len(await nas.engine.sessions()) == 4
        for each in initiators:
            each.close()


async def test_a_new_control_waits_for_who_may_serve_something(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A target that may run where nobody answers must not be started a second time."""
    monkeypatch.setattr("lunaport.engine.embedded.line.AVAILABLE_TIMEOUT_S", 0.2)
    async with several(tmp_path) as nas:
        _, second = await two_targets(nas)
        desired = nas.engine.desired
        await nas.engine.close()
        nas.members[1].loop.call_from_thread(nas.members[1].control.close)
        await until(lambda: nas.members[1].control.sock.fileno() == -1, "nobody who answers")
        nas.engine = EmbeddedEngine([member.path for member in nas.members], (0, 1))
        monkeypatch.setattr("lunaport.engine.embedded.line.REPLY_TIMEOUT_S", 0.2)
        with pytest.raises(EngineUnavailableError):
            await nas.engine.start(desired)
        assert nas.names_of(0) != [second.name]
        assert second.name not in nas.names_of(0)
        nas.members[1].control = type(nas.members[1].control)(
            nas.members[1].loop, nas.members[1].listener.dup(), nas.members[1].nas
        )
        nas.members[1].loop.call_from_thread(nas.members[1].control.start)
        await nas.engine.start(desired)
        assert nas.names_of(1) == [second.name]


async def test_what_one_process_cannot_do_is_undone_by_the_others(tmp_path: Path) -> None:
    async with several(tmp_path, 3) as nas:
        targets = [await make_target(nas.engine, nas.volume, name) for name in "abc"]
        for target in targets:
            await nas.engine.apply(Change(put=(target,)))
        new = [await make_target(nas.engine, nas.volume, name) for name in "def"]
        Path(new[1].luns[0].path).unlink()
        places = [nas.names_of(number) for number in range(3)]
        with pytest.raises(StorageError):
            await nas.engine.apply(Change(put=tuple(new), removed=(targets[2].name,)))
        assert [nas.names_of(number) for number in range(3)] == places
        with socket.create_server((HOST, 0)) as other:
            taken = PortalSpec(host=HOST, port=other.getsockname()[1])
            with pytest.raises(PortalError):
                await nas.engine.apply(Change(portals=(taken,), put=(new[0],)))
        assert [nas.names_of(number) for number in range(3)] == places
        for target in targets:
            initiator = await log_in(nas.port, target)
            assert initiator.status == 0
            initiator.close()


async def test_a_target_that_gets_another_name_keeps_its_file(tmp_path: Path) -> None:
    async with several(tmp_path) as nas:
        _, second = await two_targets(nas)
        renamed = replace(second, name="iqn.2026-11.test:renamed")
        await nas.engine.apply(Change(put=(renamed,), removed=(second.name,)))
        assert nas.names_of(1) == [renamed.name]
        initiator = await log_in(nas.port, renamed)
        assert initiator.status == 0
        initiator.close()


async def test_portals_and_the_service_are_those_of_all(tmp_path: Path) -> None:
    async with several(tmp_path) as nas:
        first, second = await two_targets(nas)
        initiators = [await log_in(nas.port, first), await log_in(nas.port, second)]
        port = free_port()
        await nas.engine.apply(Change(portals=(PortalSpec(host=HOST, port=port, group=2),)))
        assert len(await nas.engine.sessions()) == 2, "a port that changes leaves sessions alone"
        async with await connect(HOST, port, Options(initiator_name=ME, target_name=second.name)):
            [report] = [each for each in await nas.engine.sessions() if each.portal == f"{HOST}:{port}"]
            assert (report.target, report.portal_group) == (second.name, 2)
        await nas.engine.apply(Change(portals=()))
        assert list(await nas.engine.sessions()) == []
        for each in initiators:
            each.close()


async def test_limits_of_connections_and_sessions_are_those_of_the_whole_nas(tmp_path: Path) -> None:
    async with several(tmp_path, limits=DataLimits(sessions=3, address_connections=4)) as nas:
        first, second = await two_targets(nas)
        initiators = [await log_in(nas.port, second, bytes([0, 0, 0, 0, 0, number])) for number in range(2)]
        initiators.append(await log_in(nas.port, first))
        for target in (first, second):
            refused = await log_in(nas.port, target, bytes([0, 0, 0, 0, 0, 9]))
            assert refused.status == LoginStatus.OUT_OF_RESOURCES
            refused.close()
        admission = nas.members[0].nas.admission
        await until(lambda: (admission.away_count, admission.per_address[HOST]) == (2, 3), "the end of those refused")
        again = await log_in(nas.port, second)
        assert again.status == 0, "it takes the place of a session"
        initiators[0].close()
        initiators.append(again)
        await until(lambda: (admission.away_count, admission.per_address[HOST]) == (2, 3), "the count of connections")
        idle = socket.create_connection((HOST, nas.port))
        await until(lambda: admission.per_address[HOST] == 4, "the fourth")
        with socket.create_connection((HOST, nas.port)) as fifth:
            await until(lambda: idle.recv(1) == b"", "the end of the one that did not log in")
            fifth.close()
        for each in initiators:
            each.close()
        idle.close()
        await until(
            lambda: (admission.away_count, admission.per_address[HOST]) == (0, 0), "nothing is counted any more"
        )


async def test_process_0_started_anew_learns_what_the_others_have(tmp_path: Path) -> None:
    async with several(tmp_path) as nas:
        _, second = await two_targets(nas)
        initiator = await log_in(nas.port, second)
        await asyncio.to_thread(nas.members[0].stop)
        nas.members[0].start()
        admission = nas.members[0].nas.admission
        await until(
            lambda: (admission.away_count, admission.per_address[HOST]) == (1, 1), "the connection of the other"
        )
        initiator.close()
        await until(lambda: (admission.away_count, admission.per_address[HOST]) == (0, 0), "its end")


async def test_a_process_that_hangs_costs_the_logins_to_its_targets_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(handing_over, "HAND_OVERS_WAITING_MAX", 3)
    async with several(tmp_path) as nas:
        first, second = await two_targets(nas)
        # It reads nothing: what the line holds, and three that wait at process 0; one more is refused.
        taking = nas.members[1].nas.taking_over
        assert taking is not None
        fd = taking.channel.sock.fileno()
        nas.members[1].loop.call_from_thread(lambda: nas.members[1].loop.modify(fd, 0))
        text = f"InitiatorName={ME}\0TargetName={second.name}\0".encode()
        request = pdu.LoginRequest(
            transit=True,
            current_stage=1,
            next_stage=3,
            isid=bytes(6),
            tsih=0,
            initiator_task_tag=1,
            cmd_sn=1,
            data=text,
        ).serialize()
        socks: list[socket.socket] = []
        giving = nas.members[0].nas.handing_over

        def flood() -> int:
            """Log in until one is refused."""
            for _ in range(2000):
                sock = socket.create_connection((HOST, nas.port), timeout=10)
                socks.append(sock)
                sock.sendall(request)
                sock.settimeout(0.05 if len(giving.channels[1].unsent) >= 3 else 0.002)
                try:
                    return int.from_bytes(sock.recv(48)[36:38], "big")
                except TimeoutError:
                    continue
            raise AssertionError("nothing was refused")

        assert await asyncio.to_thread(flood) == LoginStatus.SERVICE_UNAVAILABLE
        assert len(giving.channels[1].unsent) == 3
        assert (await nas.engine.refused_logins())[0].reason == Refusal.BUSY
        initiator = await log_in(nas.port, first)
        assert initiator.status == 0
        initiator.close()
        for sock in socks:
            sock.close()
        await until(lambda: not giving.waiting, "those that went away do not wait any more")


async def test_events_of_all_are_one_stream(tmp_path: Path) -> None:
    async with several(tmp_path) as nas:
        first, second = await two_targets(nas)
        mark = (await nas.engine.events(EventMark())).mark
        for target in (first, second):
            (await log_in(nas.port, target)).close()
        told: list[str] = []
        while len(told) < 4:
            batch = await nas.engine.events(mark)
            assert batch.mark.run == mark.run
            mark = batch.mark
            told += [f"{event.kind} {event.facts['target']}" for event in batch.events]
        assert sorted(told) == sorted(f"{kind} {each.name}" for kind in ("login", "logout") for each in (first, second))
        await asyncio.to_thread(nas.members[1].stop)
        run = mark.run
        with pytest.raises(EngineUnavailableError):
            while True:
                await nas.engine.events(mark)
        nas.members[1].start()
        while mark.run == run:
            mark = (await nas.engine.events(mark)).mark


async def test_the_nas_is_drained_when_the_last_session_of_all_has_gone(tmp_path: Path) -> None:
    async with several(tmp_path) as nas:
        first, second = await two_targets(nas)
        one, two = await log_in(nas.port, first), await log_in(nas.port, second)
        mark = (await nas.engine.events(EventMark())).mark
        await nas.engine.apply(Change(draining=True))
        refused = await log_in(nas.port, second)
        assert refused.status == LoginStatus.SERVICE_UNAVAILABLE
        refused.close()
        kinds: list[tuple[str, str]] = []

        async def read_until(kind: str, count: int) -> None:
            nonlocal mark
            while len([each for each, _ in kinds if each == kind]) < count:
                batch = await nas.engine.events(mark)
                mark = batch.mark
                kinds.extend((event.kind, event.facts.get("target", "")) for event in batch.events)

        one.close()
        await read_until("logout", 1)
        two.close()
        await read_until("drained", 1)
        await read_until("logout", 2)
        assert kinds.count(("drained", "")) == 1


async def test_a_process_is_wanted_when_there_are_targets_for_it_and_one_more_is_ready(tmp_path: Path) -> None:
    async with several(tmp_path, 4) as nas:

        def begun() -> list[bool]:
            return [line.begun for line in nas.engine.lines]

        assert begun() == [True, False, False, False]
        targets = [await make_target(nas.engine, nas.volume, name) for name in "abc"]
        await nas.engine.apply(Change(put=(targets[0],)))
        assert begun() == [True, True, False, False]
        await nas.engine.apply(Change(put=(targets[1],)))
        assert begun() == [True, True, True, False]
        assert (await nas.engine.status()).available, "the one that is only ready is missed by nobody"
        await nas.engine.apply(Change(removed=(targets[0].name, targets[1].name)))
        await nas.engine.apply(Change(put=(targets[2],)))
        assert begun() == [True, True, True, False]
        assert nas.names_of(0) == [targets[2].name]


async def test_who_does_not_come_up_keeps_nobody_else_from_serving(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lunaport.engine.embedded.line.AVAILABLE_TIMEOUT_S", 1)
    monkeypatch.setattr("lunaport.engine.embedded.client.FIRST_START_TIMEOUT_S", 0.1)
    async with several(tmp_path, 3) as nas:
        first, second = await two_targets(nas)
        desired = nas.engine.desired
        await nas.engine.close()
        for member in nas.members:
            await asyncio.to_thread(member.stop)
        nas.members[0].start()
        nas.members[2].start()
        nas.engine = EmbeddedEngine([member.path for member in nas.members])
        try:
            with pytest.raises(EngineUnavailableError):
                await nas.engine.start(desired)
            initiator = await log_in(nas.port, first)
            assert initiator.status == 0
            initiator.close()
            assert not (await nas.engine.status()).available
            with pytest.raises(EngineUnavailableError):
                await nas.engine.apply(Change(put=(second,)))
            third, fourth = (
                await make_target(nas.engine, nas.volume, "c"),
                await make_target(nas.engine, nas.volume, "d"),
            )
            await nas.engine.apply(Change(put=(third, fourth)))
            assert nas.names_of(2), "a new target goes to one that is there"
            assert second.name not in nas.names_of(0) + nas.names_of(2), "one that may run elsewhere stays where it is"
        finally:
            nas.members[1].start()
        await nas.engine.start(replace(desired, targets=(first, second, third, fourth)))
        assert nas.names_of(1) == [second.name]


async def test_a_change_that_a_restart_swallowed_is_told_again(tmp_path: Path) -> None:
    """The process dies after it has carried out its part, and before all have."""
    async with several(tmp_path) as nas:
        first, second = await two_targets(nas)
        line, member = nas.engine.lines[1], nas.members[1]
        apply = nas.engine.lines[0].done

        async def slow(*args: object, **options: object) -> None:
            await asyncio.to_thread(member.stop)
            member.start()
            await until(lambda: line.count > before and line.available.is_set(), "the new process")
            await apply(*args, **options)  # type: ignore[arg-type]

        before = line.count
        nas.engine.lines[0].done = slow  # type: ignore[method-assign]
        third = replace(second, credentials=(ALICE,))
        await nas.engine.apply(Change(put=(third,)))
        nas.engine.lines[0].done = apply  # type: ignore[method-assign]
        assert member.nas.targets.specs() == {second.name: third}
        assert nas.names_of(0) == [first.name]
