"""The iSCSI protocol as an initiator meets it that looks closely: CHAP in every form, text, pings, task management.

What newer versions of libiscsi's suite try and Debian's does not, and more, with our own initiator.
"""

import asyncio
import secrets
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import pytest

from lunaport.initiator import (
    AbortedError,
    Announced,
    ChapOptions,
    CommandRequest,
    ConnectionEndedError,
    LoginError,
    Options,
    Rejected,
    RejectedError,
    Session,
    connect,
)
from lunaport.iscsi.enums import (
    AsyncEvent,
    ChapAlgorithm,
    LoginStatus,
    Opcode,
    RejectReason,
    TaskAttribute,
    TaskFunction,
    TaskResponse,
)
from lunaport.iscsi.initiator_faults import Chunk, OutgoingPdu, corrupt_data_digest, only
from tests.system.conftest import StartNas
from tests.system.nas import Nas, Share

pytestmark = pytest.mark.anyio
INITIATOR = "iqn.2026-11.test:protocol"
SECRET, NAS_SECRET = "alice-secret-1", "nas-secret-123"
BLOCKS = 256
BLOCK_BYTES = 512
TEST_UNIT_READY = bytes(6)
UNIT_ATTENTION = 6


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def share(nas: Nas) -> Share:
    """A share of its own for one test."""
    return nas.create(f"protocol-{secrets.token_hex(4)}")


async def log_in(share: Share, **changes: Any) -> Session:
    """A session with these options besides the usual ones."""
    options = replace(Options(initiator_name=INITIATOR, target_name=share.iqn), **changes)
    return await connect(share.host, share.port, options)


def guarded(nas: Nas, user: str = "alice", target_user: str = "nas") -> Share:
    return nas.create(
        f"protocol-{secrets.token_hex(4)}",
        one_way_chap={"enabled": True, "username": user, "password": SECRET},
        mutual_chap={"enabled": True, "username": target_user, "password": NAS_SECRET},
    )


# CHAP


@pytest.mark.parametrize("algorithm", list(ChapAlgorithm))
@pytest.mark.parametrize("base64", [False, True])
@pytest.mark.parametrize("challenge_bytes", [1, 16, 1024])
async def test_chap_with_every_algorithm_and_either_encoding(
    shared_guarded: Share, algorithm: int, base64: bool, challenge_bytes: int
) -> None:
    chap = ChapOptions(
        user="alice",
        secret=SECRET.encode(),
        mutual=("nas", NAS_SECRET.encode()),
        algorithms=(algorithm,),
        base64=base64,
        challenge_bytes=challenge_bytes,
    )
    async with await log_in(shared_guarded, chap=chap) as session:
        assert await session.ping(b"proven") == b"proven"


@pytest.fixture
def shared_guarded(nas: Nas) -> Share:
    return guarded(nas)


@pytest.mark.parametrize("name", ["0xdeadbeef", "0XAB", "0bQUJD", "0b", "0x", "1234", "iqn.2026-11.test:dots", "á b"])
async def test_a_chap_name_that_looks_like_a_number_is_a_name(nas: Nas, name: str) -> None:
    share = guarded(nas, user=name, target_user=f"{name}0")
    chap = ChapOptions(user=name, secret=SECRET.encode(), mutual=(f"{name}0", NAS_SECRET.encode()))
    async with await log_in(share, chap=chap) as session:
        assert await session.ping(b"") == b""
        [row] = nas.sessions(share)
        assert row["chap_user"] == name


@pytest.mark.parametrize("name", ["0xDEADBEEF", "deadbeef", "0xdeadbeef "])
async def test_another_name_of_the_same_value_is_another_user(nas: Nas, name: str) -> None:
    share = guarded(nas, user="0xdeadbeef")
    with pytest.raises(LoginError) as refused:
        await log_in(share, chap=ChapOptions(user=name, secret=SECRET.encode()))
    assert refused.value.failure.status == LoginStatus.AUTHENTICATION_FAILURE


@pytest.mark.parametrize("offered", ["5,6,7,8", "8,7,6,5", "5", "99,5", "0x5", "5,5"])
async def test_the_target_picks_an_algorithm_from_any_list(shared_guarded: Share, offered: str) -> None:
    chap = ChapOptions(user="alice", secret=SECRET.encode())
    async with await log_in(shared_guarded, chap=chap, keys={"CHAP_A": offered}) as session:
        assert await session.ping(b"") == b""


@pytest.mark.parametrize("offered", ["56", "", "4", "9", "MD5", "5;6", ",", "-5"])
async def test_a_list_of_algorithms_that_is_none_is_refused(shared_guarded: Share, offered: str) -> None:
    chap = ChapOptions(user="alice", secret=SECRET.encode())
    with pytest.raises(LoginError) as refused:
        await log_in(shared_guarded, chap=chap, keys={"CHAP_A": offered})
    assert refused.value.failure.status in (LoginStatus.AUTHENTICATION_FAILURE, LoginStatus.INITIATOR_ERROR)


# Text


async def test_send_targets_in_a_session_tells_of_its_own_target(nas: Nas, share: Share) -> None:
    nas.create(f"protocol-other-{secrets.token_hex(4)}")
    async with await log_in(share) as session:
        for query in ("All", "", share.iqn):
            [found] = await session.send_targets(query)
            assert found.name == share.iqn
            assert f"{share.host}:{share.port},1" in found.addresses


@pytest.mark.parametrize("text", ["SendTargets=Alle", "SendTargets=A", "SendTargets=iqn.2026-11.test:none"])
async def test_send_targets_of_something_else_is_refused(share: Share, text: str) -> None:
    async with await log_in(share) as session:
        with pytest.raises(RejectedError):
            await session.text(f"{text}\0".encode())
        assert len(await session.send_targets()) == 1


@pytest.mark.parametrize("key", ["SendTargetsPlease", "sENDtARGETS", "sendtargets"])
async def test_a_key_that_is_not_send_targets_is_not_understood(share: Share, key: str) -> None:
    async with await log_in(share) as session:
        assert await session.text(f"{key}=All\0".encode()) == f"{key}=NotUnderstood\0".encode()
        assert len(await session.send_targets()) == 1


async def test_a_segment_length_declared_anew_holds_for_reads_and_is_reported(nas: Nas, share: Share) -> None:
    lengths: list[int] = []

    def watch(header: bytes, data: bytes) -> None:
        if header[0] == Opcode.DATA_IN:
            lengths.append(len(data))

    async with await log_in(share, observer=watch) as session:
        data = secrets.token_bytes(64 * BLOCK_BYTES)
        await session.write(0, 0, data)
        for length in (512, 4096, 262144):
            keys = {"MaxRecvDataSegmentLength": str(length), "InitiatorAlias": f"a{length}"}
            answers = await session.renegotiate(keys)
            assert answers == {"MaxRecvDataSegmentLength": "262144"}
            lengths.clear()
            assert await session.read(0, 0, 64) == data
            assert max(lengths) == min(length, len(data))
            [row] = nas.sessions(share)
            assert row["negotiated"]["InitiatorMaxRecvDataSegmentLength"] == str(length)
            assert row["initiator_alias"] == f"a{length}"
        with pytest.raises(RejectedError):
            await session.renegotiate({"MaxRecvDataSegmentLength": "512", "HeaderDigest": "None"})
        assert await session.read(0, 0, 64) == data
        assert max(lengths) == len(data)


async def test_a_segment_length_declared_while_reads_are_under_way(share: Share) -> None:
    async with await log_in(share) as session:
        data = secrets.token_bytes(BLOCKS * BLOCK_BYTES)
        await session.write(0, 0, data)
        for length in (512, 65536) * 3:
            reads = [session.read(0, 0, BLOCKS) for _ in range(16)]
            declared = session.renegotiate({"MaxRecvDataSegmentLength": str(length)})
            *read, _ = await asyncio.gather(*reads, declared)
            assert read == [data] * len(reads)


# Pings


@pytest.mark.parametrize("data", [b"", b"x", b"ping" * 64, bytes(4096), secrets.token_bytes(65536)])
async def test_a_ping_brings_its_data_back(share: Share, data: bytes) -> None:
    async with await log_in(share) as session:
        assert await session.ping(data) == data


async def test_a_ping_in_turn_comes_behind_the_commands_before_it(share: Share) -> None:
    async with await log_in(share) as session:
        initiator = session.initiator
        before = initiator.cmd_sn
        initiator.ping(b"numbered", immediate=False)
        assert await session.read(0, 0, 1)
        assert (initiator.cmd_sn - before, initiator.exp_cmd_sn - before) == (3, 3)  # the ping, a size, a read


async def test_a_ping_that_wants_no_answer_gets_none(share: Share) -> None:
    async with await log_in(share) as session:
        header = bytearray(48)
        header[0:2] = b"\x40\x80"
        header[16:24] = b"\xff" * 8
        header[24:28] = session.initiator.cmd_sn.to_bytes(4, "big")
        session.send_pdu(bytes(header))
        assert await session.ping(b"next") == b"next"


# Task management


async def ready(session: Session) -> int:
    """The sense key of TEST UNIT READY."""
    result = await session.command(TEST_UNIT_READY)
    return result.sense[2] & 15 if result.sense else 0


@pytest.mark.parametrize("function", [TaskFunction.LOGICAL_UNIT_RESET, TaskFunction.TARGET_WARM_RESET])
async def test_a_reset_among_commands_ends_each_and_tells_the_others(share: Share, function: TaskFunction) -> None:
    async with await log_in(share) as session, await log_in(share, isid=bytes(5) + b"\2") as other:
        assert await ready(other) == 0
        await session.block_bytes(0)
        data = secrets.token_bytes(BLOCKS * BLOCK_BYTES)
        writes = [session.write(0, number * BLOCKS, data) for number in range(32)]
        jobs = [asyncio.create_task(write) for write in writes]
        await asyncio.sleep(0)
        result = await session.manage(function)
        assert result.response == TaskResponse.FUNCTION_COMPLETE
        ended = await asyncio.gather(*jobs, return_exceptions=True)
        assert len(ended) == len(writes)
        assert await ready(session) in (0, UNIT_ATTENTION)
        assert await ready(session) == 0
        assert await ready(other) == UNIT_ATTENTION
        assert await ready(other) == 0
        await session.write(0, 0, data)
        assert await other.read(0, 0, BLOCKS) == data


@pytest.mark.parametrize("function", [TaskFunction.ABORT_TASK_SET, TaskFunction.CLEAR_TASK_SET])
async def test_a_task_set_is_ended_while_its_writes_wait_for_data(share: Share, function: TaskFunction) -> None:
    """The initiator leaves the R2Ts of one write unanswered; the answer comes all the same."""
    held: list[bytes] = []

    def keep(outgoing: OutgoingPdu) -> tuple[Chunk, ...]:
        held.append(outgoing.wire())
        return ()

    keys = {"InitialR2T": "Yes", "ImmediateData": "No"}
    async with await log_in(share, keys=keys, fault=only(Opcode.DATA_OUT, keep)) as session:
        await session.block_bytes(0)
        request = CommandRequest(cdb=bytes([0x2A]) + bytes(7) + b"\x08\0", data_out=bytes(8 * BLOCK_BYTES))
        submitted = session.submit(request)
        await session.ping()
        async with asyncio.timeout(5):
            result = await session.manage(function)
        assert result.response == TaskResponse.FUNCTION_COMPLETE
        with pytest.raises(AbortedError):
            await submitted.wait()
        for wire in held:
            session.send_raw(wire)
        assert await session.ping(b"dropped") == b"dropped"
        assert await ready(session) == 0


async def test_a_cold_reset_is_answered_and_closes_every_connection_of_the_target(nas: Nas, share: Share) -> None:
    elsewhere = nas.create(f"protocol-elsewhere-{secrets.token_hex(4)}")
    session, other = await log_in(share), await log_in(share, isid=bytes(5) + b"\2")
    async with await log_in(elsewhere) as untouched:
        result = await session.manage(TaskFunction.TARGET_COLD_RESET)
        assert result.response == TaskResponse.FUNCTION_COMPLETE
        for ended in (session, other):
            async with asyncio.timeout(5):
                notice = await ended.next_notice()
                assert await ended.wait_ended() == "closed by the target"
            assert isinstance(notice, Announced)
            assert (notice.event, notice.time2wait_s) == (AsyncEvent.SESSION_DROP, 2)
            await ended.close()
        assert await ready(untouched) == 0
    async with await log_in(share) as again:
        assert await again.read(0, 0, 1)


@pytest.mark.parametrize(
    ("function", "response"),
    [
        (TaskFunction.TASK_REASSIGN, TaskResponse.REASSIGNMENT_NOT_SUPPORTED),
        (TaskFunction.CLEAR_ACA, TaskResponse.FUNCTION_NOT_SUPPORTED),
        (TaskFunction.ABORT_TASK, TaskResponse.TASK_DOES_NOT_EXIST),
    ],
)
async def test_task_management_that_cannot_be(share: Share, function: TaskFunction, response: int) -> None:
    async with await log_in(share) as session:
        result = await session.manage(function, referenced_task_tag=0x7777, ref_cmd_sn=0)
        assert result.response == response


class Gate:
    """Keeps data-out back until it is opened."""

    def __init__(self) -> None:
        self.kept = b""
        self.came = asyncio.Event()
        self.is_open = False

    def __call__(self, outgoing: OutgoingPdu) -> Iterable[Chunk]:
        if outgoing.opcode != Opcode.DATA_OUT or self.is_open:
            return (outgoing.wire(),)
        self.kept = outgoing.wire()
        self.came.set()
        return ()


async def test_commands_are_carried_out_in_the_order_that_their_attributes_ask_for(share: Share) -> None:
    """A write has begun and waits for its data; what comes then may pass it, or not."""
    gate = Gate()
    block = secrets.token_bytes(BLOCK_BYTES)
    read = CommandRequest(cdb=bytes([0x28]) + bytes(7) + b"\1\0", read_length=BLOCK_BYTES)
    write = CommandRequest(cdb=bytes([0x2A]) + bytes(7) + b"\1\0", data_out=block)
    keys = {"ImmediateData": "No", "InitialR2T": "Yes"}
    async with await log_in(share, fault=gate, keys=keys) as session, asyncio.timeout(10):
        first = session.submit(write)
        await gate.came.wait()
        assert (await session.submit(read).wait()).data == bytes(BLOCK_BYTES)
        ordered = session.submit(replace(read, attribute=TaskAttribute.ORDERED))
        behind = session.submit(replace(read, attribute=TaskAttribute.UNTAGGED))
        head = session.submit(replace(read, attribute=TaskAttribute.HEAD_OF_QUEUE))
        assert (await head.wait()).data == bytes(BLOCK_BYTES)
        aborted = session.submit(replace(write, attribute=TaskAttribute.ORDERED))
        ended = await session.manage(
            TaskFunction.ABORT_TASK, referenced_task_tag=aborted.initiator_task_tag, ref_cmd_sn=aborted.cmd_sn
        )
        assert ended.response == TaskResponse.FUNCTION_COMPLETE
        with pytest.raises(AbortedError):
            await aborted.wait()
        gate.is_open = True
        session.send_pdu(gate.kept)
        assert (await first.wait()).status == 0
        assert (await ordered.wait()).data == (await behind.wait()).data == block
        refused = await session.submit(replace(read, attribute=TaskAttribute.ACA)).wait()
        assert (refused.status, refused.sense[2] & 0xF, refused.sense[12:14]) == (2, 5, b"\x49\0")


# Numbers and order


class Late:
    """Keeps the first of its kind back until so many PDUs have followed it."""

    def __init__(self, opcode: Opcode, after: int) -> None:
        self.opcode = opcode
        self.after = after
        self.kept: bytes | None = None

    def __call__(self, outgoing: OutgoingPdu) -> Iterable[Chunk]:
        if self.kept is None and self.after and outgoing.opcode == self.opcode:
            self.kept = outgoing.wire()
            return ()
        if self.kept is None:
            return (outgoing.wire(),)
        self.after -= 1
        if self.after:
            return (outgoing.wire(),)
        kept, self.kept = self.kept, None
        return (outgoing.wire(), kept)


@pytest.mark.parametrize("digests", [False, True])
async def test_a_write_that_overtakes_is_done_in_its_turn_with_its_unsolicited_data(nas: Nas, digests: bool) -> None:
    share = nas.create(f"protocol-{secrets.token_hex(4)}", header_digest=digests, data_digest=digests)
    keys = {"InitialR2T": "No", "FirstBurstLength": "65536", "ImmediateData": "No"}
    # The first command comes behind the second and its data-out.
    late = Late(Opcode.SCSI_COMMAND, after=2)
    async with await log_in(share, keys=keys, fault=late, header_digest=digests, data_digest=digests) as session:
        first, second = secrets.token_bytes(BLOCK_BYTES), secrets.token_bytes(64 * BLOCK_BYTES)

        def write(data: bytes) -> CommandRequest:
            count = (len(data) // BLOCK_BYTES).to_bytes(2, "big")
            return CommandRequest(cdb=bytes([0x2A]) + bytes(6) + count + b"\0", data_out=data)

        tur = session.submit(CommandRequest(cdb=TEST_UNIT_READY))
        large = session.submit(write(second))
        small = session.submit(write(first))
        async with asyncio.timeout(10):
            for submitted in (tur, large, small):
                assert (await submitted.wait()).status == 0
        assert await session.read(0, 0, 64) == first + second[BLOCK_BYTES:]


async def test_a_snack_and_an_unknown_opcode_are_rejected(share: Share) -> None:
    async with await log_in(share) as session:
        for opcode, reason in (
            (Opcode.SNACK_REQUEST, RejectReason.SNACK_REJECT),
            (0x1F, RejectReason.COMMAND_NOT_SUPPORTED),
        ):
            header = bytes([opcode, 0x80]) + bytes(46)
            session.send_pdu(header)
            notice = await session.next_notice()
            assert isinstance(notice, Rejected)
            assert (notice.message.reason, notice.message.header) == (reason, header)
        assert await ready(session) == 0


async def test_a_damaged_data_out_ends_its_write_after_all_its_data(nas: Nas) -> None:
    share = nas.create(f"protocol-{secrets.token_hex(4)}", data_digest=True)
    keys = {"InitialR2T": "Yes", "ImmediateData": "No", "MaxBurstLength": "4096"}
    fault = only(Opcode.DATA_OUT, corrupt_data_digest, number=0)
    async with await log_in(share, keys=keys, data_digest=True, fault=fault) as session:
        cdb = bytes([0x2A]) + bytes(6) + b"\0\x40\0"
        result = await session.command(cdb, data_out=bytes(64 * BLOCK_BYTES))
        assert (result.status, result.sense[2] & 15, result.sense[12:14]) == (2, 0x0B, b"\x47\x05")
        assert (await session.command(cdb, data_out=bytes(64 * BLOCK_BYTES))).status == 0


# The end


async def test_who_does_not_log_out_when_asked_is_told_that_the_session_ends(nas: Nas, share: Share) -> None:
    session = await log_in(share)
    deleting = asyncio.create_task(asyncio.to_thread(nas.delete, share))
    async with asyncio.timeout(10):
        asked, ended = await session.next_notice(), await session.next_notice()
        await deleting
        assert await session.wait_ended() == "closed by the target"
    assert isinstance(asked, Announced)
    assert isinstance(ended, Announced)
    assert (asked.event, asked.within_s) == (AsyncEvent.LOGOUT_REQUEST, 2)
    assert ended.event == AsyncEvent.SESSION_DROP
    with pytest.raises(ConnectionEndedError):
        await session.ping()
    await session.close()


async def test_sessions_are_told_that_the_nas_ends(start_nas: StartNas) -> None:
    nas = await asyncio.to_thread(start_nas)
    share = await asyncio.to_thread(nas.create, "a")
    session = await log_in(share)
    await asyncio.to_thread(nas.stop)
    async with asyncio.timeout(10):
        notice = await session.next_notice()
        await session.wait_ended()
    assert isinstance(notice, Announced)
    assert notice.event == AsyncEvent.SESSION_DROP
    await session.close()
