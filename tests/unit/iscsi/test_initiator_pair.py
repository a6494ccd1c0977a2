"""Initiator and target in memory: what is written is read, whatever is agreed on and however the bytes come."""

from dataclasses import replace
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lunaport.iscsi import pdu
from lunaport.iscsi.enums import Opcode
from lunaport.iscsi.initiator_events import CommandResult
from lunaport.iscsi.initiator_faults import Chunk, OutgoingPdu, parse_outgoing
from lunaport.iscsi.initiator_options import Options
from lunaport.iscsi.login import TargetPolicy
from tests.unit.iscsi.initiator import TARGET, Directory
from tests.unit.iscsi.pair import BLOCK_BYTES, OPTIONS, Pair, every_byte, read, write

SIZES = st.sampled_from([512, 513, 1000, 1024, 2048, 4095, 4096, 8192, 20000])
YES_NO = st.sampled_from(["Yes", "No"])


@st.composite
def agreements(draw: st.DrawFn) -> Options:
    """Any mixture of the parameters that decide how data moves."""
    max_burst = draw(SIZES)
    return replace(
        OPTIONS,
        header_digest=draw(st.booleans()),
        data_digest=draw(st.booleans()),
        keys={
            "InitialR2T": draw(YES_NO),
            "ImmediateData": draw(YES_NO),
            "MaxBurstLength": str(max_burst),
            "FirstBurstLength": str(min(draw(SIZES), max_burst)),
            "MaxRecvDataSegmentLength": str(draw(SIZES)),
            "MaxOutstandingR2T": str(draw(st.integers(1, 4))),
        },
    )


def digesting() -> Directory:
    """A target that takes CRC32C where it is offered."""
    return Directory(policy=TargetPolicy(name=TARGET, header_digest=True, data_digest=True))


class Wire:
    """Watches what goes out."""

    def __init__(self) -> None:
        self.sent: list[bytes] = []

    def __call__(self, outgoing: OutgoingPdu) -> tuple[Chunk, ...]:
        self.sent.append(outgoing.serialized)
        return (outgoing.wire(),)


def check_bursts(pair: Pair, wire: Wire, length: int) -> None:
    """One write: every burst is as long as it has to be, to the byte."""
    parameters = pair.initiator.parameters
    sent = [parse_outgoing(serialized) for serialized in wire.sent]
    [command] = [message for message in sent if isinstance(message, pdu.ScsiCommand)]
    data_outs = [message for message in sent if isinstance(message, pdu.DataOut)]
    first_burst = min(parameters.first_burst_length, length)
    immediate = len(command.data)
    unsolicited = sum(len(message.data) for message in data_outs if message.target_transfer_tag == pdu.RESERVED_TAG)
    assert immediate == (
        min(first_burst, parameters.peer_max_recv_data_segment_length) if parameters.immediate_data else 0
    )
    assert unsolicited == (0 if parameters.initial_r2t else first_burst - immediate)
    r2ts = [pdu.parse_r2t(header) for header, _ in pair.received if pdu.opcode_of(header) == Opcode.R2T]
    offset = immediate + unsolicited
    for number, r2t in enumerate(r2ts):
        assert (r2t.r2t_sn, r2t.offset) == (number, offset)
        assert r2t.length == min(parameters.max_burst_length, length - offset)
        burst = [message for message in data_outs if message.target_transfer_tag == r2t.target_transfer_tag]
        assert [message.data_sn for message in burst] == list(range(len(burst)))
        assert [message.final for message in burst] == [False] * (len(burst) - 1) + [True]
        assert sum(len(message.data) for message in burst) == r2t.length
        offset += r2t.length
    assert offset == length


def check_data_in(pair: Pair) -> None:
    """One read: no PDU and no burst is longer than agreed, and the bursts end where they have to."""
    parameters = pair.initiator.parameters
    in_burst = 0
    messages = [pdu.parse_data_in(*found) for found in pair.received if pdu.opcode_of(found[0]) == Opcode.DATA_IN]
    for message in messages:
        assert len(message.data) <= parameters.max_recv_data_segment_length
        in_burst += len(message.data)
        if message.flags & pdu.FINAL:
            assert in_burst == parameters.max_burst_length or message is messages[-1]
            in_burst = 0
    assert in_burst == 0


@given(
    options=agreements(),
    blocks=st.integers(1, 100),
    shortfall=st.integers(-3000, 3000),
    segment=SIZES,
    seed=st.integers(0, 1 << 32),
)
@settings(max_examples=120, deadline=None)
def test_data_read_is_data_written(options: Options, blocks: int, shortfall: int, segment: int, seed: int) -> None:
    random = Random(seed)

    def cut(stream: bytes) -> list[bytes]:
        at = random.randrange(len(stream) + 1)
        return [stream[:at], stream[at:]]

    wire = Wire()
    pair = Pair(replace(options, fault=wire), directory=digesting(), cut=cut).log_in()
    assert pair.initiator.parameters.header_digest == options.header_digest
    pair.initiator.parameters = replace(pair.initiator.parameters, peer_max_recv_data_segment_length=segment)
    wire.sent.clear()
    pair.received.clear()
    length = blocks * BLOCK_BYTES
    data = random.randbytes(length)

    assert pair.command(write(7, blocks, data)) == CommandResult(initiator_task_tag=1, status=0)
    check_bursts(pair, wire, length)
    pair.received.clear()
    assert pair.command(read(7, blocks)) == CommandResult(initiator_task_tag=2, status=0, data=data)
    check_data_in(pair)

    # Another expectation than the command's own: the residual is the difference, on either side.
    expected = max(length - shortfall, 1)
    result = pair.command(read(7, blocks, expected))
    assert (result.status, result.residual) == (0, length - expected)
    assert result.data == data[:expected]
    fresh = random.randbytes(expected)
    result = pair.command(write(300, blocks, fresh))
    assert (result.status, result.residual) == (0, length - expected)
    stored = min(expected, length)
    assert pair.disk.data[300 * BLOCK_BYTES : 300 * BLOCK_BYTES + stored] == fresh[:stored]
    assert not pair.initiator.closing
    assert not pair.target.closing


@pytest.mark.parametrize("digests", [False, True])
def test_a_session_byte_by_byte(digests: bool) -> None:
    options = replace(
        OPTIONS, header_digest=digests, data_digest=digests, keys={"MaxBurstLength": "1024", "InitialR2T": "Yes"}
    )
    pair = Pair(options, directory=digesting(), cut=every_byte).log_in()
    data = bytes(range(256)) * 12
    assert pair.command(write(0, 6, data)).status == 0
    assert pair.command(read(0, 6)).data == data
    pair.initiator.logout()
    pair.run()
    assert (pair.initiator.closing, pair.target.closing) == ("logged out", "logout")


@pytest.mark.parametrize("header_digest", [False, True])
@pytest.mark.parametrize("data_digest", [False, True])
def test_a_stream_cut_in_two_at_every_byte(header_digest: bool, data_digest: bool) -> None:
    """The same exchange for each place the initiator's stream can be cut at."""
    options = replace(OPTIONS, header_digest=header_digest, data_digest=data_digest, keys={"MaxBurstLength": "512"})
    data = bytes(1024)
    total = at = 0
    while at <= total:
        pair = Pair(options, directory=digesting()).log_in()
        pair.initiator.command(write(0, 2, data))
        pair.initiator.command(read(0, 2))
        stream = b"".join(chunk for chunk in pair.initiator.take_output() if isinstance(chunk, bytes))
        total = len(stream)
        pair.initiator.send_raw(stream[:at])
        pair.initiator.send_raw(stream[at:])
        results = pair.results()
        assert [result.status for result in results.values()] == [0, 0]
        at += 1


@given(order=st.permutations(range(12)), seed=st.integers(0, 1 << 32))
@settings(max_examples=60, deadline=None)
def test_commands_reordered_within_the_window(order: list[int], seed: int) -> None:
    """Writes to one block: whatever order they arrive in, they are executed as numbered."""
    pair = Pair(replace(OPTIONS, cmd_sn=0xFFFFFFFA)).log_in()
    random = Random(seed)
    contents = [random.randbytes(BLOCK_BYTES) for _ in order]
    tags = [pair.initiator.command(write(3, 1, content)) for content in contents]
    chunks = pair.initiator.take_output()
    for number in order:
        chunk = chunks[number]
        assert isinstance(chunk, bytes)
        pair.initiator.send_raw(chunk)
    results = pair.results()
    assert sorted(results) == tags
    assert [cdb[0] for cdb in pair.disk.executed] == [0x2A] * len(order)
    assert pair.disk.data[3 * BLOCK_BYTES : 4 * BLOCK_BYTES] == contents[-1]
    assert pair.initiator.cmd_sn == 0xFFFFFFFA + len(order) & 0xFFFFFFFF


def test_requests_wait_for_the_window() -> None:
    pair = Pair().log_in()
    tags = [pair.initiator.command(read(number, 1)) for number in range(300)]
    sent = [chunk for chunk in pair.initiator.take_output() if isinstance(chunk, bytes)]
    assert len(sent) == 128
    for chunk in sent:
        pair.initiator.send_raw(chunk)
    assert sorted(pair.results()) == tags


def test_slow_commands_close_the_window() -> None:
    pair = Pair().log_in()
    tags = [pair.initiator.command(read(number, 1, slow=True)) for number in range(130)]
    assert pair.results() == {}
    assert len(pair.disk.slow) == 128
    for number in range(130):
        pair.disk.slow.pop(0)()
        assert list(pair.results()) == [tags[number]]
