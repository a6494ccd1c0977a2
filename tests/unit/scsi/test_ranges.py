"""Overlapping work waits for its turn; what does not overlap goes on."""

from collections.abc import Callable

from hypothesis import given
from hypothesis import strategies as st

from lunaport.blockdev.device import Buffer
from lunaport.blockdev.filters import DelayFilter, Filter
from lunaport.blockdev.memory import MemoryDevice
from lunaport.scsi.enums import Status
from lunaport.scsi.limits import SPANS_WAITING_MAX
from lunaport.scsi.ranges import Guarded, Ranges, Span, Spans

from .copying import Pair, extended_copy, list_1, segment, target_descriptor
from .support import Bench, FakeTask

COMPARE_AND_WRITE = "89 00 {:016X} 000000 01 00 00"
WRITE = "2A 00 {:08X} 00 {:04X} 00"
READ = "28 00 {:08X} 00 {:04X} 00"


def compare(bench: Bench, lba: int, old: bytes, new: bytes) -> FakeTask:
    return bench.start(COMPARE_AND_WRITE.format(lba), data_out=old * 512 + new * 512)


@given(st.lists(st.tuples(st.integers(0, 20), st.integers(1, 8), st.booleans()), max_size=30), st.data())
def test_no_two_that_exclude_each_other_run_at_once_and_all_run(
    spans: list[tuple[int, int, bool]], data: st.DataObject
) -> None:
    guarded = [False]

    def install(needed: bool) -> None:
        assert needed != guarded[0]
        guarded[0] = needed

    ranges = Ranges(install)
    running: list[Span] = []
    left = [Span(start, length, writes=writes) for start, length, writes in spans]
    ended = 0

    def begin(span: Span) -> Callable[[], None]:
        def go() -> None:
            assert not any(other.excludes(span.start, span.end, writes=span.writes) for other in running)
            running.append(span)

        return go

    while left or running:
        if left and (not running or data.draw(st.booleans())):
            span = left.pop()
            assert ranges.enter(span, begin(span))
        else:
            ranges.leave(running.pop(data.draw(st.integers(0, len(running) - 1))))
            ended += 1
    assert ended == len(spans)
    assert not guarded[0]


def test_what_waits_is_bounded() -> None:
    ranges = Ranges(lambda needed: None)
    first = Span(0, 1, writes=True)
    ranges.enter(first, lambda: None)
    for _ in range(SPANS_WAITING_MAX):
        assert ranges.enter(Span(0, 1, writes=False), lambda: None)
    assert not ranges.enter(Span(0, 1, writes=False), lambda: None)


def test_a_guard_stands_only_while_something_is_written() -> None:
    bench = Bench()
    assert bench.unit.device is bench.device
    task = compare(bench, 0, b"\0", b"n")
    assert isinstance(bench.unit.device, Guarded)
    bench.background.drain()
    assert (task.status, bench.unit.device) == (Status.GOOD, bench.device)


def test_reads_and_writes_keep_off_a_range_that_is_being_changed_and_nothing_else() -> None:
    bench = Bench()
    change = compare(bench, 8, b"\0", b"n")
    read = bench.start(READ.format(7, 2), expected_length=1024)
    write = bench.start(WRITE.format(8, 1), data_out=b"w" * 512)
    elsewhere = bench.start(WRITE.format(9, 1), data_out=b"e" * 512)
    assert (read.finishes, write.finishes, elsewhere.status) == (0, 0, Status.GOOD)
    assert len(bench.background.queue) == 1  # the others have not begun
    bench.background.drain()
    assert [task.status for task in (change, read, write)] == [Status.GOOD] * 3
    assert read.data == bytes(512) + b"n" * 512  # it came before the write
    assert bench.run(READ.format(8, 2)).data == b"w" * 512 + b"e" * 512


def test_of_two_that_expect_the_same_one_wins() -> None:
    bench = Bench()
    first, second = compare(bench, 0, b"\0", b"1"), compare(bench, 0, b"\0", b"2")
    assert len(bench.background.queue) == 1
    bench.background.drain()
    assert (first.status, second.status, second.sense_code) == (Status.GOOD, Status.CHECK_CONDITION, 0x1D00)
    assert bench.run(READ.format(0, 1)).data == b"1" * 512


def test_who_waits_and_is_aborted_does_nothing() -> None:
    bench = Bench()
    compare(bench, 0, b"\0", b"1")
    waiting = compare(bench, 0, b"1", b"2")
    done: list[bool] = []
    bench.unit.abort([waiting], lambda: done.append(True))
    bench.background.drain()
    assert (waiting.status, done) == (Status.TASK_ABORTED, [True])
    assert bench.run(READ.format(0, 1)).data == b"1" * 512


def test_one_too_many_is_told_to_come_again() -> None:
    bench = Bench()
    tasks = [compare(bench, 0, b"x", b"y") for _ in range(SPANS_WAITING_MAX + 2)]
    assert tasks[-1].status == Status.TASK_SET_FULL
    bench.background.drain()
    assert all(task.finishes == 1 for task in tasks)
    assert not bench.unit.task_set


def test_an_atomic_write_is_never_seen_in_part() -> None:
    """Commands of others come in the middle of it, as they do while a worker thread writes."""
    came: list[FakeTask] = []

    class Halving(Filter):
        def write_atomic(self, offset: int, data: Buffer) -> None:
            super().write(offset, [data[: len(data) // 2]])
            came.append(bench.start(READ.format(0, 8), nexus=bench.other, expected_length=4096))
            came.append(bench.start("28 08 00000000 00 0008 00", nexus=bench.other, expected_length=4096))
            came.append(bench.start(WRITE.format(4, 8), nexus=bench.other, data_out=b"w" * 4096))
            came.append(compare(bench, 7, b"w", b"c"))
            assert not any(task.finishes for task in came)
            super().write_atomic(offset, data)

    bench = Bench(Halving(MemoryDevice(1 << 20)))
    atomic = bench.run("9C 00 0000000000000000 0000 0008 00 00", data_out=b"a" * 4096)
    assert [task.status for task in (atomic, *came)] == [Status.GOOD] * 5
    assert [task.data for task in came[:2]] == [b"a" * 4096] * 2
    assert bench.run(READ.format(0, 12)).data == b"a" * 2048 + b"w" * 1536 + b"c" * 512 + b"w" * 2048


def test_a_slow_write_of_many_pieces_lets_nobody_see_half_a_piece() -> None:
    bench = Bench(DelayFilter(MemoryDevice(1 << 20), lambda: None))
    bench.start(WRITE.format(0, 16), data_out=b"a" * 8192)
    other = bench.start(WRITE.format(0, 16), data_out=b"b" * 8192)
    assert len(bench.background.queue) == 1
    bench.background.step()
    assert (len(bench.background.queue), other.finishes) == (1, 0)
    bench.background.drain()
    assert not bench.unit.waiting_bytes
    assert bench.run(READ.format(0, 16)).data == b"b" * 8192


def test_writes_wait_for_a_copy_that_they_overlap_and_it_for_them() -> None:
    pair = Pair()
    pair.fill(0, 0, b"a" * 8192)
    parameters = list_1([target_descriptor(0), target_descriptor(1)], [segment(0, 1, 16, 0, 8)])
    copy = pair.start(extended_copy(parameters), parameters)
    source = pair.start(bytes.fromhex(WRITE.format(0, 1)), b"s" * 512)
    destination = pair.start(bytes.fromhex(WRITE.format(8, 1)), b"d" * 512, which=1)
    beside = pair.start(bytes.fromhex(WRITE.format(0, 1)), b"b" * 512, which=1)
    seen = pair.start(bytes.fromhex(READ.format(9, 1)), which=1)
    assert [task.finishes for task in (copy, destination, beside, seen)] == [0, 0, 1, 0]
    pair.drain()
    assert [task.status for task in (copy, source, destination, seen)] == [Status.GOOD] * 4
    assert pair.content(1, 0, 1024) == b"b" * 512 + bytes(512)
    assert pair.content(1, 4096, 8192) == b"d" * 512 + (b"s" * 512 + b"a" * 7680)[512:]
    assert seen.data[:512] == b"a" * 512
    assert all(unit.device is unit.bare_device for unit in pair.units)


def test_copies_both_ways_never_wait_for_each_other() -> None:
    pair = Pair()
    targets = [target_descriptor(0), target_descriptor(1)]
    tasks = []
    for number in range(6):
        which = number % 2
        segments = [segment(which, 1 - which, 64, 8, 0), segment(which, which, 64, 100, 120)]
        parameters = list_1(targets, segments, list_id=number)
        tasks.append(pair.start(extended_copy(parameters), parameters, which=which))
    pair.drain()
    assert [task.status for task in tasks] == [Status.GOOD] * 6


def test_several_runs_are_taken_at_once_or_not_at_all() -> None:
    ranges = Ranges(lambda needed: None)
    begun: list[str] = []
    first = Span(10, 1, writes=True)
    both = Spans(Span(0, 1, writes=False), Span(10, 1, writes=True))
    ranges.enter(first, lambda: begun.append("first"))
    ranges.enter(both, lambda: begun.append("both"))
    # What waits holds nothing, but keeps those behind it from overtaking it.
    assert not ranges.excludes(5, 6, writes=True)
    assert ranges.excludes(0, 1, writes=True)
    ranges.leave(first)
    assert begun == ["first", "both"]
    ranges.leave(both)
    assert not ranges.excludes(0, 20, writes=True)
