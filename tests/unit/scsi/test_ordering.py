"""The order of commands: the matrix, who waits for whom, and any sequence against what SAM-5 allows."""

from collections.abc import Callable
from itertools import product

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from lunaport.blockdev.filters import DelayFilter
from lunaport.blockdev.memory import MemoryDevice
from lunaport.scsi.commands import COMMANDS
from lunaport.scsi.enums import Access, Status, TaskAttribute
from lunaport.scsi.limits import QUEUED_MAX
from lunaport.scsi.nexus import Nexus
from lunaport.scsi.ordering import MATRIX, Ordering, Turn
from lunaport.scsi.ranges import Span

from .support import SIZE, Bench, FakeTask

READ = "28 00 {:08X} 00 0001 00"
WRITE = "2A 00 {:08X} 00 0001 00"
TEST_UNIT_READY = "00 00 00 00 00 00"
INQUIRY = "12 00 00 00 24 00"
PROTECT = bytes.fromhex("00 00 00 00 0A0A 02 10 08000000 FFFF 0000")
SELECT = "15 10 00 00 10 00"
SIMPLE, ORDERED, HEAD = TaskAttribute.SIMPLE, TaskAttribute.ORDERED, TaskAttribute.HEAD_OF_QUEUE


def slow() -> Bench:
    return Bench(DelayFilter(MemoryDevice(SIZE), lambda: None))


def read(bench: Bench, lba: int, attribute: int = SIMPLE, nexus: Nexus | None = None) -> FakeTask:
    return bench.start(READ.format(lba), expected_length=512, attribute=attribute, nexus=nexus)


def write(
    bench: Bench, lba: int, attribute: int = SIMPLE, nexus: Nexus | None = None, immediate: int | None = None
) -> FakeTask:
    data = bytes([lba + 1]) * 512
    return bench.start(WRITE.format(lba), data_out=data, attribute=attribute, nexus=nexus, immediate=immediate)


@pytest.mark.parametrize(("older", "newer"), list(product(Ordering, Ordering)))
def test_the_matrix_says_what_sam_says(older: Ordering, newer: Ordering) -> None:
    turn = MATRIX[older, newer]
    if newer is Ordering.HEAD_OF_QUEUE:
        assert turn is Turn.NOW
    elif Ordering.ORDERED in (older, newer) or older is Ordering.HEAD_OF_QUEUE:
        assert turn is Turn.AFTER
    elif {older, newer} <= {Ordering.READS, Ordering.WRITES}:
        spans = [Span(0, 512, writes=kind is Ordering.WRITES) for kind in (older, newer)]
        overlap = spans[0].excludes(spans[1].start, spans[1].end, writes=spans[1].writes)
        assert turn is (Turn.OVERLAP if overlap else Turn.NOW)


def test_the_column_goes_with_the_others() -> None:
    for row in COMMANDS.rows:
        if row.ordering is Ordering.READS:
            assert (row.writes, row.access) == (False, Access.READING)
        if row.ordering is Ordering.WRITES:
            assert row.access is Access.CHANGING
        if row.ordering is Ordering.ALTERS:
            assert row.service_action is None
        assert row.ordering not in (Ordering.ORDERED, Ordering.HEAD_OF_QUEUE)


def test_an_ordered_command_waits_for_all_before_it_and_keeps_all_behind_it() -> None:
    bench = slow()
    before = [read(bench, 0), write(bench, 8, nexus=bench.other, immediate=0)]
    ordered = write(bench, 16, ORDERED)
    behind = read(bench, 24, nexus=bench.other)
    assert len(bench.background.queue) == 1  # the first read; the other one waits for its data
    bench.background.step()
    assert len(bench.background.queue) == 0
    before[1].deliver()
    bench.background.step()
    assert [task.status for task in before] == [Status.GOOD] * 2
    assert (ordered.finishes, behind.finishes) == (0, 0)
    bench.background.step()
    assert (ordered.status, behind.finishes) == (Status.GOOD, 0)
    bench.background.step()
    assert behind.status == Status.GOOD
    assert not bench.unit.order.engaged
    assert not bench.unit.task_set


def test_a_command_at_the_head_of_the_queue_passes_all_and_keeps_those_who_come_then() -> None:
    bench = slow()
    first, ordered = read(bench, 0), read(bench, 8, ORDERED)
    head = read(bench, 16, HEAD)
    behind = read(bench, 24)
    assert len(bench.background.queue) == 2
    bench.background.step(1)
    assert (first.finishes, head.status, ordered.finishes, behind.finishes) == (0, Status.GOOD, 0, 0)
    bench.background.drain()
    assert [task.status for task in (first, ordered, behind)] == [Status.GOOD] * 3


def test_what_is_answered_at_once_leaves_no_order_to_keep() -> None:
    bench = Bench()
    for attribute in TaskAttribute:
        task = read(bench, 0, attribute)
        assert task.finishes == 1
        assert not bench.unit.order.engaged
        if attribute == TaskAttribute.ACA:
            assert (task.sense_key, task.sense_code) == (5, 0x4900)
        else:
            assert task.status == Status.GOOD
    assert read(bench, 0, 7).sense_code == 0x4900


def test_choosing_modes_waits_for_writes_and_later_ones_wait_for_it() -> None:
    """A write that began before the medium was protected, or the cache switched off, does not end after that."""
    bench = slow()
    before = write(bench, 0)
    choosing = bench.start(SELECT, data_out=PROTECT)
    behind = write(bench, 8, nexus=bench.other)
    aside = bench.start(INQUIRY, expected_length=36)
    assert (choosing.finishes, behind.finishes, aside.status) == (0, 0, Status.GOOD)
    bench.background.drain()
    assert (before.status, choosing.status) == (Status.GOOD, Status.GOOD)
    assert behind.sense_code == 0x2A01
    assert write(bench, 8, nexus=bench.other).sense_code == 0x2700


def test_what_waits_is_looked_at_when_its_turn_has_come() -> None:
    bench = slow()
    read(bench, 0)
    reserving = bench.start("16 00 00 00 00 00", attribute=ORDERED)
    refused, wrong = read(bench, 8, nexus=bench.other), bench.start("28 FF 00000000 00 0001 00")
    assert (reserving.finishes, refused.finishes, wrong.finishes) == (0, 0, 0)
    bench.background.drain()
    assert (reserving.status, refused.status) == (Status.GOOD, Status.RESERVATION_CONFLICT)
    assert wrong.sense_code == 0x2400


def test_those_who_wait_are_aborted_like_all_others() -> None:
    bench = slow()
    first, ordered, behind = read(bench, 0), read(bench, 8, ORDERED), read(bench, 16)
    done: list[str] = []
    assert bench.nexus.abort_task(0, ordered, lambda: done.append("one"))
    assert (ordered.status, done) == (Status.TASK_ABORTED, ["one"])
    assert len(bench.background.queue) == 2  # nothing keeps the one behind it
    again = read(bench, 24, ORDERED, bench.other)
    bench.unit.reset(lambda: done.append("all"))
    assert again.status == Status.TASK_ABORTED
    assert (first.status, behind.status, done) == (Status.TASK_ABORTED, Status.TASK_ABORTED, ["one", "all"])
    bench.background.drain()
    assert not bench.unit.order.engaged


def test_a_nexus_that_goes_takes_those_who_wait_with_it() -> None:
    bench = slow()
    first = read(bench, 0, nexus=bench.other)
    mine, theirs = read(bench, 8, ORDERED), read(bench, 16, nexus=bench.other)
    bench.nexus.close(lambda: None)
    assert mine.status == Status.TASK_ABORTED
    bench.background.drain()
    assert (first.status, theirs.status) == (Status.GOOD, Status.GOOD)


def test_what_waits_is_bounded() -> None:
    bench = slow()
    read(bench, 0)
    tasks = [read(bench, 8, ORDERED) for _ in range(QUEUED_MAX + 1)]
    assert [task.status for task in tasks if task.finishes] == [Status.TASK_SET_FULL]
    bench.background.drain()
    assert [task.status for task in tasks[:-1]] == [Status.GOOD] * QUEUED_MAX


def test_without_room_for_its_data_a_command_is_told_to_come_again() -> None:
    bench = slow()
    read(bench, 0)
    task = FakeTask(bytes.fromhex(WRITE.format(8)), data_out=bytes(512), attribute=ORDERED)
    task.has_memory = False
    bench.nexus.execute(task)
    assert task.status == Status.TASK_SET_FULL
    bench.background.drain()
    assert not bench.unit.task_set


def test_a_copy_that_was_answered_keeps_nobody_waiting() -> None:
    bench = slow()
    bench.unit.begin(bench.nexus, stand_in := FakeTask(b""))
    stand_in.is_answered = True
    assert bench.start(TEST_UNIT_READY, attribute=ORDERED).status == Status.GOOD
    bench.unit.end(stand_in)


class Seen(FakeTask):
    """A command that tells when it begins."""

    def __init__(self, cdb: bytes, attribute: int, before: list["Seen"], begin: Callable[["Seen"], None], data: bytes):
        super().__init__(cdb, data_out=data, expected_length=512, attribute=attribute, immediate=0)
        self.before = before
        """Those who may not be under way then."""
        self.begun = False
        self._begin = begin

    def reserve_data_in(self, length: int) -> list[memoryview]:
        self._begin(self)
        return super().reserve_data_in(length)

    def take_immediate(self, length: int) -> memoryview | None:
        self._begin(self)
        return super().take_immediate(length)


class AnyOrder(RuleBasedStateMachine):
    """Reads and writes of two nexuses with every attribute, on a disk that ends them in any order.

    The invariant (SAM-5 8.7): a simple command begins when no ordered one before it and none at the head of the queue
    is under way; an ordered one when nothing before it is; one at the head of the queue at once.
    """

    def __init__(self) -> None:
        super().__init__()
        self.bench = slow()
        self.seen: list[Seen] = []
        self.wrong: list[str] = []

    def begin(self, one: Seen) -> None:
        if not one.begun:
            one.begun = True
            heads = [other for other in self.seen if other.attribute == HEAD and one.attribute != HEAD]
            late = [other for other in one.before + heads if not other.finishes]
            if late:
                self.wrong.append(f"{one.cdb.hex()} began before {[other.cdb.hex() for other in late]} had ended")

    @precondition(lambda self: len(self.seen) < 80)
    @rule(which=st.booleans(), writes=st.booleans(), attribute=st.sampled_from([SIMPLE, SIMPLE, ORDERED, HEAD]))
    def command(self, which: bool, writes: bool, attribute: int) -> None:
        older = (
            [] if attribute == HEAD else [one for one in self.seen if attribute == ORDERED or one.attribute == ORDERED]
        )
        cdb = bytes.fromhex((WRITE if writes else READ).format(len(self.seen) * 2))
        one = Seen(cdb, attribute, older, self.begin, b"x" * 512 if writes else b"")
        self.seen.append(one)
        (self.bench.other if which else self.bench.nexus).execute(one)
        assert one.begun or attribute != HEAD

    @rule(pick=st.integers(0, 1000))
    def deliver(self, pick: int) -> None:
        waiting = [one for one in self.seen if one.waits_for_data]
        if waiting:
            waiting[pick % len(waiting)].deliver()

    @precondition(lambda self: self.bench.background.queue)
    @rule(pick=st.integers(0, 1000))
    def work(self, pick: int) -> None:
        self.bench.background.step(pick % len(self.bench.background.queue))

    @precondition(lambda self: self.seen)
    @rule(pick=st.integers(0, 1000))
    def abort(self, pick: int) -> None:
        self.bench.nexus.abort_task(0, self.seen[pick % len(self.seen)], lambda: None)

    @invariant()
    def allowed(self) -> None:
        assert not self.wrong
        unit = self.bench.unit
        assert set(unit.task_set) == {one for one in self.seen if not one.finishes}

    def teardown(self) -> None:
        while any(not one.finishes for one in self.seen):
            for one in self.seen:
                while one.waits_for_data:
                    one.deliver()
            self.bench.background.drain()
        assert all(one.finishes == 1 for one in self.seen)
        self.allowed()
        assert not self.bench.unit.order.engaged


TestAnyOrder = AnyOrder.TestCase
TestAnyOrder.settings = settings(
    max_examples=60, stateful_step_count=50, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
