"""Initiator and target in memory, with PDUs that are lost, doubled, damaged or out of order, under one seed.

Whatever happens to the PDUs: nothing is raised, a command that ended with GOOD did what it says, and nothing else was
written. A target that has not closed the connection works on as soon as what was lost is aborted.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from lunaport.iscsi.enums import Opcode, TaskFunction
from lunaport.iscsi.initiator_events import CommandResult, Event
from lunaport.iscsi.initiator_faults import (
    Chunk,
    Fault,
    OutgoingPdu,
    corrupt,
    corrupt_data_digest,
    corrupt_header_digest,
    double,
    drop,
    edit,
    send_as_is,
)
from lunaport.iscsi.login import TargetPolicy
from tests.unit.iscsi.initiator import TARGET, Directory
from tests.unit.iscsi.pair import BLOCK_BYTES, OPTIONS, Pair, cdb, read, write

FAULTS: dict[int, tuple[Fault, ...]] = {
    Opcode.SCSI_COMMAND: (drop, double, corrupt_data_digest),
    Opcode.DATA_OUT: (
        drop,
        double,
        corrupt_data_digest,
        corrupt(60),
        edit(data_sn=9),
        edit(offset=0),
        edit(target_transfer_tag=1),
        edit(final=False),
    ),
}
DEADLY: dict[int, tuple[Fault, ...]] = {
    Opcode.SCSI_COMMAND: (corrupt_header_digest, corrupt(20), edit(cmd_sn=0)),
    Opcode.DATA_OUT: (corrupt_header_digest, corrupt(20)),
}
WRITE_BLOCKS = 8
READ_LBA = 1000


@dataclass
class Chaos:
    """Draws a fault now and then."""

    random: Random
    deadly: bool
    rate: float

    def __call__(self, outgoing: OutgoingPdu) -> Iterable[Chunk]:
        faults = FAULTS.get(outgoing.opcode, ()) + (DEADLY.get(outgoing.opcode, ()) if self.deadly else ())
        fault = self.random.choice(faults) if faults and self.random.random() < self.rate else send_as_is
        return fault(outgoing)


def commands(pair: Pair, random: Random) -> tuple[dict[int, tuple[int, int | None]], list[Event]]:
    """Writes of a pattern each to a place of its own, and reads; by tag their CmdSN and what was written where."""
    sent: dict[int, tuple[int, int | None]] = {}
    events: list[Event] = []
    for number in range(1, 13):
        if pair.initiator.closing:
            break
        cmd_sn = pair.initiator.cmd_sn
        if random.random() < 0.7:
            request = write(number * WRITE_BLOCKS, WRITE_BLOCKS, pattern(number))
            request = replace(
                request,
                immediate_data_bytes=random.choice([None, 0, 512]),
                unsolicited_bytes=random.choice([None, 0]),
            )
            sent[pair.initiator.command(request)] = (cmd_sn, number)
        else:
            sent[pair.initiator.command(read(READ_LBA, 4))] = (cmd_sn, None)
        if random.random() < 0.5:
            events += pair.run()
    return sent, events + pair.run()


def pattern(number: int) -> bytes:
    return bytes([number]) * (BLOCK_BYTES * WRITE_BLOCKS)


@given(seed=st.integers(0, 1 << 32), deadly=st.booleans(), rate=st.sampled_from([0.02, 0.1, 0.4]))
@settings(max_examples=100, deadline=None)
def test_what_ended_well_was_done_and_the_rest_heals(seed: int, deadly: bool, rate: float) -> None:
    random = Random(seed)
    chaos = Chaos(random, deadly, rate)
    keys = {
        "MaxBurstLength": "2048",
        "FirstBurstLength": "1024",
        "InitialR2T": random.choice(["Yes", "No"]),
        "MaxOutstandingR2T": random.choice(["1", "3"]),
        "MaxRecvDataSegmentLength": "512",
    }
    target = Directory(policy=TargetPolicy(name=TARGET, header_digest=True, data_digest=True))
    options = replace(OPTIONS, fault=chaos, header_digest=True, data_digest=True, keys=keys)
    pair = Pair(options, directory=target).log_in()
    pair.initiator.parameters = replace(pair.initiator.parameters, peer_max_recv_data_segment_length=512)
    sent, events = commands(pair, random)
    results = [event for event in events if isinstance(event, CommandResult)]
    written = {number for result in results if (number := check(pair, result, sent)) is not None}
    check_untouched(pair, {number for _, number in sent.values() if number} | written)
    assert pair.initiator.closing == "", "the target kept every rule"
    if not pair.target.closing:
        heal(pair, sent, {result.initiator_task_tag for result in results})


def check(pair: Pair, result: CommandResult, sent: dict[int, tuple[int, int | None]]) -> int | None:
    """A GOOD without a residual means that the write is on the disk, or that the read is what is there."""
    number = sent[result.initiator_task_tag][1]
    if result.status or result.residual:
        return None
    if number is None:
        assert result.data == bytes(4 * BLOCK_BYTES)
        return None
    start = number * WRITE_BLOCKS * BLOCK_BYTES
    assert pair.disk.data[start : start + len(pattern(number))] == pattern(number)
    return number


def check_untouched(pair: Pair, numbers: set[int]) -> None:
    """Nothing was written but the patterns, each in its place, whole or in part."""
    size = WRITE_BLOCKS * BLOCK_BYTES
    for number in range(len(pair.disk.data) // size):
        found = set(pair.disk.data[number * size : (number + 1) * size])
        assert found <= ({0, number} if number in numbers else {0})


def heal(pair: Pair, sent: dict[int, tuple[int, int | None]], ended: set[int]) -> None:
    """Abort what has no end yet, in order; after that the session is as good as new."""
    pair.initiator.options = replace(pair.initiator.options, fault=send_as_is)
    for tag, (cmd_sn, _) in sent.items():
        if tag not in ended:
            pair.initiator.manage(TaskFunction.ABORT_TASK, referenced_task_tag=tag, ref_cmd_sn=cmd_sn)
    pair.run()
    assert pair.initiator.closing == ""
    assert pair.target.connection is not None
    assert pair.target.connection.exp_cmd_sn == pair.initiator.cmd_sn
    assert not pair.target.connection.held
    tag = pair.initiator.command(read(READ_LBA, 4))
    assert pair.results()[tag].data == bytes(4 * BLOCK_BYTES)
    assert cdb(0x28, READ_LBA, 4).ljust(16, b"\0") == pair.disk.executed[-1]
    assert pair.target.connection.tasks == {}
    assert pair.target.connection.waiting == {}
