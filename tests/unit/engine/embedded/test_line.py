"""Control and data over a real Unix socket, with real files and portals: `client`, `control`, `nas` and `targets`."""

import asyncio
import os
import socket
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from lunaport.engine.embedded import line
from lunaport.engine.embedded.client import EmbeddedEngine
from lunaport.engine.embedded.control import ControlListener
from lunaport.engine.embedded.loop import Loop
from lunaport.engine.embedded.nas import Nas
from lunaport.engine.interface import (
    Change,
    DesiredState,
    EngineError,
    EngineUnavailableError,
    LunSpec,
    PortalError,
    PortalSpec,
    StorageError,
    TargetSpec,
)
from lunaport.iscsi import pdu
from lunaport.iscsi.enums import AsyncEvent, Opcode, TaskFunction, TaskResponse
from lunaport.iscsi.limits import COMMAND_WINDOW

pytestmark = pytest.mark.anyio
SIZE = 1 << 20


@pytest.fixture(autouse=True)
def short_farewell(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lunaport.engine.embedded.nas.LOGOUT_WITHIN_S", 0)


class DataProcess:
    """A data process in a thread. The listening socket outlives it, as the supervisor's does."""

    def __init__(self, path: Path) -> None:
        self.path = str(path)
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(self.path)
        self.listener.listen()
        self.start()

    def start(self) -> None:
        self.loop = Loop()
        self.nas = self.make_nas(self.loop)
        self.control = ControlListener(self.loop, self.listener.dup(), self.nas)
        self.control.start()
        self.thread = threading.Thread(target=self.loop.run)
        self.thread.start()

    def make_nas(self, loop: Loop) -> Nas:
        return Nas(loop)

    def stop(self) -> None:
        """End as on SIGKILL: every descriptor closes, nothing is said."""
        self.loop.call_from_thread(self.loop.stop)
        self.thread.join()
        self.nas.close()
        for name in list(self.nas.targets.targets):
            self.nas.targets.close(name, lambda _: None)
        self.control.close()
        self.loop.close()

    def close(self) -> None:
        self.stop()
        self.listener.close()


@asynccontextmanager
async def running(tmp_path: Path) -> AsyncIterator[tuple[EmbeddedEngine, DataProcess, Path]]:
    data = DataProcess(tmp_path / "data.sock")
    engine = EmbeddedEngine([data.path])
    volume = tmp_path / "volume"
    try:
        await engine.make_volume(str(volume))
        yield engine, data, volume
    finally:
        await engine.close()
        data.close()


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as sock:
        port: int = sock.getsockname()[1]
        return port


async def make_target(engine: EmbeddedEngine, volume: Path, name: str = "a") -> TargetSpec:
    path = str(volume / "luns" / f"{name}.img")
    await engine.create_file(path, SIZE)
    lun = LunSpec(lun=0, uuid=name.encode().hex().ljust(32, "0"), path=path, size_bytes=SIZE)
    return TargetSpec(name=f"iqn.2026-11.test:{name}", luns=(lun,))


class Initiator:
    """Logs in without CHAP and holds the session."""

    def __init__(self, port: int, target: str, isid: bytes = bytes(6), tsih: int = 0) -> None:
        self.sock = socket.create_connection(("127.0.0.1", port), timeout=10)
        text = f"InitiatorName=iqn.2026-11.test:i\0TargetName={target}\0".encode()
        if not target:
            text = b"InitiatorName=iqn.2026-11.test:i\0SessionType=Discovery\0"
        request = pdu.LoginRequest(
            transit=True, current_stage=1, next_stage=3, isid=isid, tsih=tsih, initiator_task_tag=1, cmd_sn=1, data=text
        )
        self.sock.sendall(request.serialize())
        response = pdu.parse_login_response(*self.receive())
        self.status, self.tsih = response.status, response.tsih

    def receive(self) -> tuple[bytes, bytes]:
        header = self.exactly(48)
        length = int.from_bytes(header[5:8], "big")
        return header, self.exactly(pdu.pad4(length))[:length]

    def exactly(self, count: int) -> bytes:
        data = b""
        while len(data) < count:
            part = self.sock.recv(count - len(data))
            if not part:
                raise EOFError
            data += part
        return data

    def close(self) -> None:
        self.sock.close()


async def log_in(port: int, target: TargetSpec, isid: bytes = bytes(6)) -> Initiator:
    return await asyncio.to_thread(Initiator, port, target.name, isid)


async def test_a_target_is_on_the_wire_when_apply_returns(tmp_path: Path) -> None:
    async with running(tmp_path) as (engine, _, volume):
        port = free_port()
        await engine.start(DesiredState(portals=(PortalSpec(host="127.0.0.1", port=port),)))
        target = await make_target(engine, volume)
        await engine.apply(Change(put=(target,)))
        initiator = await log_in(port, target)
        assert initiator.status == 0
        [session] = await engine.sessions()
        assert (session.target, session.initiator) == (target.name, "iqn.2026-11.test:i")
        assert session.negotiated["HeaderDigest"] == "None"
        status = await engine.status()
        assert (status.available, status.pid, status.targets, status.sessions) == (True, os.getpid(), 1, 1)
        assert status.portals[0].listening
        initiator.close()


async def test_removing_a_target_asks_its_sessions_to_log_out_then_ends_them(tmp_path: Path) -> None:
    async with running(tmp_path) as (engine, _, volume):
        port = free_port()
        await engine.start(DesiredState(portals=(PortalSpec(host="127.0.0.1", port=port),)))
        gone, stays = await make_target(engine, volume, "gone"), await make_target(engine, volume, "stays")
        await engine.apply(Change(put=(gone, stays)))
        leaving, staying = await log_in(port, gone), await log_in(port, stays)
        removing = asyncio.create_task(engine.apply(Change(removed=(gone.name,))))
        header, data = await asyncio.to_thread(leaving.receive)
        assert pdu.parse_async_message(header, data).event == 1
        refused = await log_in(port, gone)
        assert refused.status == 0x0203
        await removing
        header, data = await asyncio.to_thread(leaving.receive)
        ended = pdu.parse_async_message(header, data)
        assert (ended.event, ended.parameters) == (AsyncEvent.SESSION_DROP, (0, 2, 0))
        with pytest.raises(EOFError):
            await asyncio.to_thread(leaving.receive)
        assert [session.target for session in await engine.sessions()] == [stays.name]
        for initiator in (leaving, staying, refused):
            initiator.close()
        await engine.move_file(gone.luns[0].path, str(volume / "trash" / "gone.img"))


async def test_growing_changes_file_and_unit_and_shrinking_never_comes_to_it(tmp_path: Path) -> None:
    async with running(tmp_path) as (engine, data, volume):
        await engine.start(DesiredState())
        target = await make_target(engine, volume)
        await engine.apply(Change(put=(target,)))
        unit = data.nas.targets.targets[target.name].disks[0].unit
        larger = replace(target, luns=(replace(target.luns[0], size_bytes=2 * SIZE),))
        await engine.grow_file(target.luns[0].path, 2 * SIZE)
        assert unit.block_count == SIZE // 512
        await engine.apply(Change(put=(larger,)))
        assert unit.block_count == 2 * SIZE // 512
        assert Path(target.luns[0].path).stat().st_size == 2 * SIZE


async def test_a_change_that_fails_leaves_all_as_it_was(tmp_path: Path) -> None:
    async with running(tmp_path) as (engine, data, volume):
        old = PortalSpec(host="127.0.0.1", port=free_port())
        await engine.start(DesiredState(portals=(old,)))
        target = await make_target(engine, volume)
        await engine.apply(Change(put=(target,)))
        missing = replace(target, luns=(replace(target.luns[0], path=str(volume / "luns" / "none.img")),))
        with pytest.raises(StorageError) as failed:
            await engine.apply(Change(put=(missing,)))
        assert failed.value.fault == "missing"
        assert data.nas.targets.specs() == {target.name: target}
        with socket.create_server(("127.0.0.1", 0)) as other:
            taken = PortalSpec(host="127.0.0.1", port=other.getsockname()[1])
            with pytest.raises(PortalError, match="another program"):
                await engine.apply(Change(portals=(taken,)))
        assert data.nas.portals.desired == (old,)
        (await log_in(old.port, target)).close()


async def test_a_new_data_process_gets_the_same_state(tmp_path: Path) -> None:
    async with running(tmp_path) as (engine, data, volume):
        port = free_port()
        await engine.start(DesiredState(portals=(PortalSpec(host="127.0.0.1", port=port),)))
        target = await make_target(engine, volume)
        await engine.apply(Change(put=(target,)))
        await asyncio.to_thread(data.stop)
        assert not (await engine.status()).available
        data.start()
        # A request that comes while nobody is there waits for the new one.
        assert list(await engine.sessions()) == []
        initiator = await log_in(port, target)
        assert initiator.status == 0
        initiator.close()


async def test_a_new_control_disturbs_nothing(tmp_path: Path) -> None:
    async with running(tmp_path) as (engine, data, volume):
        port = free_port()
        await engine.start(DesiredState(portals=(PortalSpec(host="127.0.0.1", port=port),)))
        target = await make_target(engine, volume)
        await engine.apply(Change(put=(target,)))
        desired = engine.desired
        initiator = await log_in(port, target)
        disk = data.nas.targets.targets[target.name].disks[0]
        await engine.close()
        again = EmbeddedEngine([data.path])
        await again.start(desired)
        assert data.nas.targets.targets[target.name].disks[0] is disk
        assert len(await again.sessions()) == 1
        await again.close()
        initiator.close()


async def test_a_file_that_is_missing_at_the_start_is_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lunaport.engine.embedded.nas.RETRY_S", 0.02)
    async with running(tmp_path) as (engine, data, volume):
        target = await make_target(engine, volume)
        path = Path(target.luns[0].path)
        path.rename(volume / "away.img")
        await engine.start(DesiredState(targets=(target,)))
        running_target = data.nas.targets.targets[target.name]
        assert list(running_target.missing) == [0]
        larger = replace(target, luns=(replace(target.luns[0], size_bytes=2 * SIZE),))
        with pytest.raises(EngineError, match="cannot be changed"):
            await engine.apply(Change(put=(larger,)))
        (volume / "away.img").rename(path)
        for _ in range(200):
            if not running_target.missing:
                break
            await asyncio.sleep(0.02)
        assert list(running_target.disks) == [0]


async def test_a_file_that_grew_before_a_crash_serves_what_was_promised(tmp_path: Path) -> None:
    async with running(tmp_path) as (engine, data, volume):
        await engine.start(DesiredState())
        target = await make_target(engine, volume)
        await engine.grow_file(target.luns[0].path, 4 * SIZE)
        await engine.apply(Change(put=(target,)))
        unit = data.nas.targets.targets[target.name].disks[0].unit
        assert unit.block_count == SIZE // 512
        larger = replace(target, luns=(replace(target.luns[0], size_bytes=2 * SIZE),))
        await engine.apply(Change(put=(larger,)))
        assert unit.block_count == 2 * SIZE // 512
        assert Path(target.luns[0].path).stat().st_size == 4 * SIZE


async def test_a_file_that_was_cut_is_not_served(tmp_path: Path) -> None:
    async with running(tmp_path) as (engine, _, volume):
        await engine.start(DesiredState())
        target = await make_target(engine, volume)
        os.truncate(target.luns[0].path, SIZE // 2)
        with pytest.raises(StorageError, match="was cut"):
            await engine.apply(Change(put=(target,)))


async def test_storage_errors_keep_their_kind(tmp_path: Path) -> None:
    async with running(tmp_path) as (engine, _, volume):
        path = str(volume / "luns" / "a.img")
        await engine.create_file(path, SIZE)
        with pytest.raises(StorageError) as failed:
            await engine.create_file(path, SIZE)
        assert failed.value.fault == "exists"
        with pytest.raises(StorageError) as failed:
            await engine.create_file(str(volume / "luns" / "b.img"), 1 << 62)
        assert failed.value.fault == "too large"
        usage = await engine.volume_usage(str(volume))
        assert usage.total_bytes > usage.free_bytes > 0
        (volume / "luns" / "a.img").write_bytes(b"x" * SIZE)
        counted, quick = [await engine.volume_usage(str(volume), counted=each) for each in (True, False)]
        assert (counted.used_bytes >= SIZE, quick.used_bytes) == (True, 0)
        await engine.remove_file(path)
        await engine.remove_file(path)


async def test_switched_off_ends_every_session(tmp_path: Path) -> None:
    async with running(tmp_path) as (engine, _, volume):
        portal = PortalSpec(host="127.0.0.1", port=free_port())
        await engine.start(DesiredState(portals=(portal,)))
        target = await make_target(engine, volume)
        await engine.apply(Change(put=(target,)))
        initiator = await log_in(portal.port, target)
        await engine.apply(Change(portals=()))
        assert list(await engine.sessions()) == []
        with pytest.raises(ConnectionRefusedError):
            await log_in(portal.port, target)
        await engine.apply(Change(portals=(portal,)))
        (await log_in(portal.port, target)).close()
        initiator.close()


async def test_a_silent_session_is_pinged_and_closed_when_it_does_not_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lunaport.engine.embedded.nas.SILENCE_S_MAX", 0.2)
    async with running(tmp_path) as (engine, _, volume):
        port = free_port()
        await engine.start(DesiredState(portals=(PortalSpec(host="127.0.0.1", port=port),)))
        target = await make_target(engine, volume)
        await engine.apply(Change(put=(target,)))
        initiator = await log_in(port, target)
        for _ in range(3):
            header, data = await asyncio.to_thread(initiator.receive)
            ping = pdu.parse_nop_in(header, data)
            answer = pdu.NopOut(
                immediate=True, target_transfer_tag=ping.target_transfer_tag, cmd_sn=1, exp_stat_sn=ping.stat_sn
            )
            initiator.sock.sendall(answer.serialize())
        await asyncio.to_thread(initiator.receive)
        header, data = await asyncio.to_thread(initiator.receive)
        ended = pdu.parse_async_message(header, data)
        assert (ended.event, ended.parameters) == (AsyncEvent.CONNECTION_DROP, (0, 2, 0))
        with pytest.raises(EOFError):
            await asyncio.to_thread(initiator.receive)
        assert list(await engine.sessions()) == []
        initiator.close()


async def test_initiators_are_told_when_the_process_ends(tmp_path: Path) -> None:
    async with running(tmp_path) as (engine, data, volume):
        port = free_port()
        await engine.start(DesiredState(portals=(PortalSpec(host="127.0.0.1", port=port),)))
        target = await make_target(engine, volume)
        await engine.apply(Change(put=(target,)))
        initiator = await log_in(port, target)
        data.loop.call_from_thread(data.nas.close)
        ended = pdu.parse_async_message(*await asyncio.to_thread(initiator.receive))
        assert ended.event == AsyncEvent.SESSION_DROP
        with pytest.raises(EOFError):
            await asyncio.to_thread(initiator.receive)
        initiator.close()


async def test_a_cold_reset_ends_every_session_of_its_target_and_no_other(tmp_path: Path) -> None:
    """RFC 7143 section 11.5.1: the answer first, then all connections."""
    async with running(tmp_path) as (engine, _, volume):
        port = free_port()
        await engine.start(DesiredState(portals=(PortalSpec(host="127.0.0.1", port=port),)))
        hit, other = await make_target(engine, volume, "hit"), await make_target(engine, volume, "other")
        await engine.apply(Change(put=(hit, other)))
        # One initiator name and ISID is one session with each target: the second one has another ISID.
        sessions = [await log_in(port, hit), await log_in(port, hit, isid=bytes(5) + b"1"), await log_in(port, other)]
        request = pdu.TaskManagementRequest(
            function=TaskFunction.TARGET_COLD_RESET, initiator_task_tag=7, cmd_sn=1, exp_stat_sn=0
        )
        sessions[0].sock.sendall(request.serialize())
        header, _ = await asyncio.to_thread(sessions[0].receive)
        assert pdu.parse_task_management_response(header).response == TaskResponse.FUNCTION_COMPLETE
        for session in sessions[:2]:
            ended = pdu.parse_async_message(*await asyncio.to_thread(session.receive))
            assert ended.event == AsyncEvent.SESSION_DROP
            with pytest.raises(EOFError):
                await asyncio.to_thread(session.receive)
        assert [session.target for session in await engine.sessions()] == [other.name]
        for session in sessions:
            session.close()


async def begin_write(session: Initiator) -> None:
    """A WRITE (10) that waits for its data from then on."""
    command = pdu.ScsiCommand(
        flags=0xA0,
        initiator_task_tag=5,
        expected_length=1024,
        cmd_sn=1,
        exp_stat_sn=0,
        cdb=(bytes([0x2A]) + bytes(7) + b"\2").ljust(16, b"\0"),
    )
    session.sock.sendall(command.serialize())
    header, _ = await asyncio.to_thread(session.receive)
    assert header[0] == Opcode.R2T


async def test_a_connection_that_takes_the_place_of_another_is_told_of_its_tasks(tmp_path: Path) -> None:
    """RFC 7143 section 11.14.5: SOME COMMANDS CLEARED BY ISCSI PROTOCOL EVENT, once, as the session goes on."""
    async with running(tmp_path) as (engine, _, volume):
        port = free_port()
        await engine.start(DesiredState(portals=(PortalSpec(host="127.0.0.1", port=port),)))
        target = await make_target(engine, volume)
        await engine.apply(Change(put=(target,)))
        old = await log_in(port, target)
        await begin_write(old)
        new = await asyncio.to_thread(Initiator, port, target.name, bytes(6), old.tsih)
        assert (new.status, new.tsih) == (0, old.tsih)
        senses = []
        for number in (1, 2):
            ready = pdu.ScsiCommand(flags=0x80, initiator_task_tag=number, cmd_sn=number, exp_stat_sn=0, cdb=bytes(16))
            new.sock.sendall(ready.serialize())
            senses.append(pdu.parse_scsi_response(*await asyncio.to_thread(new.receive)).sense[12:14])
        assert senses == [b"\x47\x7f", b""]
        for session in (old, new):
            session.close()


async def test_who_loses_tasks_to_another_is_told_of_the_window(tmp_path: Path) -> None:
    """RFC 7143 section 11.4.11: there is no answer that could say it."""
    async with running(tmp_path) as (engine, _, volume):
        port = free_port()
        await engine.start(DesiredState(portals=(PortalSpec(host="127.0.0.1", port=port),)))
        target = await make_target(engine, volume)
        await engine.apply(Change(put=(target,)))
        loser, other = await log_in(port, target), await log_in(port, target, isid=bytes(5) + b"1")
        await begin_write(loser)
        request = pdu.TaskManagementRequest(
            function=TaskFunction.CLEAR_TASK_SET, initiator_task_tag=7, cmd_sn=1, exp_stat_sn=0
        )
        other.sock.sendall(request.serialize())
        header, _ = await asyncio.to_thread(other.receive)
        assert pdu.parse_task_management_response(header).response == TaskResponse.FUNCTION_COMPLETE
        told = pdu.parse_nop_in(*await asyncio.to_thread(loser.receive))
        assert (told.initiator_task_tag, told.target_transfer_tag) == (pdu.RESERVED_TAG, pdu.RESERVED_TAG)
        assert told.max_cmd_sn - told.exp_cmd_sn + 1 == COMMAND_WINDOW
        for session in (loser, other):
            session.close()


async def test_discovery_at_one_portal_leaves_that_at_another_alone(tmp_path: Path) -> None:
    """RFC 7143 section 7.4.2.1: initiator name and ISID are the same; at the same portal the new takes its place."""
    async with running(tmp_path) as (engine, data, _):
        ports = [free_port(), free_port()]
        await engine.start(DesiredState(portals=tuple(PortalSpec(host="127.0.0.1", port=port) for port in ports)))
        sessions = [await asyncio.to_thread(Initiator, port, "") for port in (*ports, ports[0])]
        assert [session.status for session in sessions] == [0, 0, 0]
        assert len(data.nas.sessions.sessions) == 2
        with pytest.raises(EOFError):
            await asyncio.to_thread(sessions[0].receive)
        for session in sessions:
            session.close()


async def test_nobody_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(line, "AVAILABLE_TIMEOUT_S", 0.1)
    engine = EmbeddedEngine([str(tmp_path / "none.sock")])
    with pytest.raises(EngineUnavailableError):
        await engine.start(DesiredState())
    assert not (await engine.status()).available
    await engine.close()
