"""The initiator over TCP."""

import asyncio
from dataclasses import replace

import pytest

from lunaport.initiator import (
    AbortedError,
    Announced,
    ChapOptions,
    CommandError,
    CommandRequest,
    ConnectionEndedError,
    DiscoveredTarget,
    LoginError,
    Options,
    PingReceived,
    Rejected,
    RejectedError,
    TargetMovedError,
    connect,
)
from lunaport.iscsi.enums import LoginStatus, LogoutReason, LogoutResponse, Opcode, TaskFunction, TaskResponse
from lunaport.iscsi.errors import TargetMoved
from lunaport.iscsi.initiator_faults import (
    Chunk,
    OutgoingPdu,
    corrupt_header_digest,
    delay,
    drop,
    edit,
    only,
    send_instead,
    split,
)
from tests.unit.initiator.served import GUARDED, HOST, MUTUAL, serving
from tests.unit.iscsi.initiator import INITIATOR, TARGET
from tests.unit.iscsi.pair import BLOCK_BYTES, PORTALS, cdb, read

pytestmark = pytest.mark.anyio

OPTIONS = Options(initiator_name=INITIATOR, target_name=TARGET)
ADDRESSES = tuple(str(portal) for portal in PORTALS)
SLOW = read(0, 1, slow=True)


async def test_what_is_written_is_read_with_many_commands_at_once() -> None:
    options = replace(OPTIONS, header_digest=True, data_digest=True, keys={"MaxBurstLength": "4096"})
    async with serving() as served, await connect(HOST, served.port, options) as session:
        assert session.parameters.header_digest
        blocks = {number * 20: bytes([number]) * BLOCK_BYTES * 20 for number in range(40)}
        await asyncio.gather(*(session.write(0, lba, data) for lba, data in blocks.items()))
        found = await asyncio.gather(*(session.read(0, lba, 20) for lba in blocks))
        assert found == list(blocks.values())
        assert await session.ping(b"still there") == b"still there"
    assert session.ended == "logged out"
    assert served.targets[0].closing == "logout"


async def test_discovery() -> None:
    targets = [DiscoveredTarget(name=f"{TARGET}{number}", addresses=ADDRESSES) for number in ("", 1, 2)]
    async with serving() as served:
        async with await connect(HOST, served.port, replace(OPTIONS, target_name="")) as session:
            assert await session.send_targets() == targets
            assert await session.send_targets(targets[1].name) == targets[1:2]
            with pytest.raises(RejectedError, match="0x04"):
                await session.text(b"SendTargets=\0")
        async with await connect(HOST, served.port, OPTIONS) as session:
            assert await session.send_targets() == targets[:1]


async def test_chap() -> None:
    chap = ChapOptions(user="alice", secret=b"twelve bytes", mutual=MUTUAL)
    async with serving(GUARDED) as served:
        async with await connect(HOST, served.port, replace(OPTIONS, chap=chap)):
            pass
        with pytest.raises(LoginError, match="authentication failure") as caught:
            await connect(HOST, served.port, replace(OPTIONS, chap=replace(chap, secret=b"wrong secret")))
        assert caught.value.failure.status == LoginStatus.AUTHENTICATION_FAILURE


async def test_a_target_that_says_nothing() -> None:
    async with serving() as served:
        silent = replace(OPTIONS, fault=drop)
        with pytest.raises(TimeoutError):
            await connect(HOST, served.port, silent, timeout_s=0.05)
        with pytest.raises(ConnectionEndedError, match="closed by the target"):
            await connect(HOST, served.port, replace(OPTIONS, fault=send_instead(bytes((0x01,)) + bytes(47))))


async def test_a_status_that_is_not_good() -> None:
    async with serving() as served, await connect(HOST, served.port, OPTIONS) as session:
        with pytest.raises(CommandError, match="status 0x02, sense 70") as caught:
            await session.read(0, 1 << 20, 1)
        assert caught.value.result.residual == -BLOCK_BYTES
        assert (await session.command(bytes((0xFF,)) + bytes(5))).status == 2
        with pytest.raises(ValueError, match="whole blocks"):
            await session.write(0, 0, bytes(100))


async def test_a_command_that_is_aborted() -> None:
    async with serving() as served, await connect(HOST, served.port, OPTIONS) as session:
        submitted = session.submit(SLOW)
        manage = asyncio.create_task(
            session.manage(
                TaskFunction.ABORT_TASK,
                referenced_task_tag=submitted.initiator_task_tag,
                ref_cmd_sn=submitted.cmd_sn,
            )
        )
        await session.ping()
        served.disk.slow.pop()()
        assert (await manage).response == TaskResponse.FUNCTION_COMPLETE
        with pytest.raises(AbortedError, match="aborted"):
            await submitted.wait()


async def test_a_request_that_is_rejected() -> None:
    fault = only(Opcode.SCSI_COMMAND, edit(data=bytes(4)))
    async with serving() as served, await connect(HOST, served.port, replace(OPTIONS, fault=fault)) as session:
        with pytest.raises(RejectedError, match="reason 0x04"):
            await session.command(cdb(0x28, 0, 1), read_length=512)
        assert isinstance(await session.next_notice(), Rejected)
        assert await session.wait_ended() == "closed by the target"
        with pytest.raises(ConnectionEndedError):
            await session.ping()


async def test_notices() -> None:
    async with serving() as served, await connect(HOST, served.port, OPTIONS) as session:
        connection = served.targets[0].connection
        assert connection is not None
        connection.request_logout(3)
        connection.ping()
        assert isinstance(await session.next_notice(), Announced)
        assert isinstance(await session.next_notice(), PingReceived)
        result = await session.logout(LogoutReason.REMOVE_FOR_RECOVERY)
        assert result.message.response == LogoutResponse.RECOVERY_NOT_SUPPORTED


async def test_renegotiation() -> None:
    async with serving() as served, await connect(HOST, served.port, OPTIONS) as session:
        assert await session.renegotiate({"MaxRecvDataSegmentLength": "512"}) == {"MaxRecvDataSegmentLength": "262144"}
        assert session.parameters.max_recv_data_segment_length == 512
        assert len(await session.read(0, 0, 8)) == 4096
        assert await session.renegotiate() == {}


async def test_the_oldest_notices_go(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lunaport.initiator.session.NOTICES_MAX", 2)
    async with serving() as served, await connect(HOST, served.port, OPTIONS) as session:
        for opcode in (0x10, 0x10, 0x1F):
            session.send_pdu(bytes((opcode,)) + bytes(47))
        await session.ping()
        notices = [await session.next_notice() for _ in range(2)]
        assert [notice.message.reason for notice in notices if isinstance(notice, Rejected)] == [3, 5]


async def test_faults_on_the_wire() -> None:
    options = replace(OPTIONS, header_digest=True, fault=split(1))
    async with serving() as served:
        async with await connect(HOST, served.port, options) as session:
            assert await session.read(0, 0, 1) == bytes(BLOCK_BYTES)
        late = only(Opcode.SCSI_COMMAND, delay(0.05))
        async with await connect(HOST, served.port, replace(OPTIONS, fault=late)) as session:
            begun = asyncio.get_running_loop().time()
            await session.command(bytes(6))
            assert asyncio.get_running_loop().time() - begun >= 0.05
        broken = replace(options, fault=only(Opcode.NOP_OUT, corrupt_header_digest))
        async with await connect(HOST, served.port, broken) as session:
            with pytest.raises(ConnectionEndedError, match="closed by the target"):
                await session.ping()


async def test_raw_bytes() -> None:
    async with serving() as served, await connect(HOST, served.port, OPTIONS) as session:
        session.send_raw(bytes((0x10,)) + bytes(3) + bytes((0xFF,)) + bytes(43))
        assert await session.wait_ended() == "closed by the target"


async def test_a_fault_that_fails_ends_the_connection() -> None:
    def fail(_outgoing: OutgoingPdu) -> tuple[Chunk, ...]:
        raise RuntimeError("no such fault")

    options = replace(OPTIONS, fault=only(Opcode.DATA_OUT, fail), keys={"InitialR2T": "Yes", "ImmediateData": "No"})
    async with serving() as served, await connect(HOST, served.port, options) as session:
        with pytest.raises(ConnectionEndedError, match="no such fault"):
            await session.write(0, 0, bytes(512))


async def test_a_request_that_is_cancelled_costs_nothing() -> None:
    async with serving() as served, await connect(HOST, served.port, OPTIONS) as session:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.02):
                await session.submit(SLOW).wait()
        served.disk.slow.pop()()
        assert await session.read(0, 0, 1) == bytes(BLOCK_BYTES)


async def test_closing_without_a_logout() -> None:
    async with serving() as served:
        session = await connect(HOST, served.port, OPTIONS)
        waiting = session.submit(CommandRequest(cdb=SLOW.cdb, read_length=512))
        await session.close()
        with pytest.raises(ConnectionEndedError, match="closed by the initiator"):
            await waiting.wait()


@pytest.mark.parametrize("permanently", [False, True])
async def test_a_target_that_has_moved_is_followed(permanently: bool) -> None:
    async with serving() as here, serving() as there:
        here.refusal = TargetMoved(HOST, there.port, permanently=permanently)
        with pytest.raises(TargetMovedError) as moved:
            await connect(HOST, here.port, OPTIONS)
        assert (moved.value.host, moved.value.port, moved.value.permanently) == (HOST, there.port, permanently)
        async with await connect(HOST, here.port, OPTIONS, redirections_max=1) as session:
            assert await session.ping(b"there") == b"there"
        assert there.targets[0].closing == "logout"


async def test_targets_that_send_one_round_in_circles_are_left() -> None:
    async with serving() as here, serving() as there:
        here.refusal = TargetMoved(HOST, there.port, permanently=False)
        there.refusal = TargetMoved(HOST, here.port, permanently=False)
        with pytest.raises(TargetMovedError):
            await connect(HOST, here.port, OPTIONS, redirections_max=4)
        assert len(here.targets) + len(there.targets) == 5


async def test_an_address_that_is_none_is_not_followed() -> None:
    async with serving() as here:
        here.refusal = TargetMoved("not a host", 1, permanently=False)
        with pytest.raises(LoginError, match="is no address of a target") as failed:
            await connect(HOST, here.port, OPTIONS, redirections_max=1)
        assert not isinstance(failed.value, TargetMovedError)
