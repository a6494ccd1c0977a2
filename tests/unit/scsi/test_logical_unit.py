"""The state of a unit: size, attentions, the task set."""

import pytest

from lunaport.blockdev.filters import DelayFilter
from lunaport.blockdev.memory import MemoryDevice
from lunaport.blockdev.modes import ReadOnlyDevice
from lunaport.scsi.enums import Status
from lunaport.scsi.logical_unit import LogicalUnit

from .support import SIZE, UUID, Bench, FakeBackground

TEST_UNIT_READY = "00 00 00 00 00 00"
READ_LAST = "28 00 {:08X} 00 0001 00"


@pytest.mark.parametrize(("size", "block", "count"), [(SIZE, 512, 2048), (SIZE + 511, 512, 2048), (SIZE, 4096, 256)])
def test_block_count(size: int, block: int, count: int) -> None:
    unit = LogicalUnit(MemoryDevice(size), FakeBackground(), uuid=UUID, serial="s", block_size_bytes=block)
    assert (unit.block_count, 1 << unit.shift, unit.block_mask) == (count, block, block - 1)


@pytest.mark.parametrize(("size", "block"), [(511, 512), (0, 512), (SIZE, 256), (SIZE, 8192), (SIZE, 1000)])
def test_impossible_sizes(size: int, block: int) -> None:
    with pytest.raises(ValueError, match="block"):
        LogicalUnit(MemoryDevice(size), FakeBackground(), uuid=UUID, serial="s", block_size_bytes=block)


def test_grow_is_told_to_every_nexus_once() -> None:
    bench = Bench()
    bench.unit.grow()
    assert bench.run(TEST_UNIT_READY).status == Status.GOOD
    bench.memory.grow(2 * SIZE)
    bench.unit.grow()
    bench.memory.grow(3 * SIZE)
    bench.unit.grow()
    for nexus in (bench.nexus, bench.other):
        task = bench.run(READ_LAST.format(6143), nexus=nexus)
        assert (task.status, task.sense_key, task.sense_code) == (Status.CHECK_CONDITION, 6, 0x2A09)
        assert bench.run(READ_LAST.format(6143), nexus=nexus).status == Status.GOOD
        assert bench.run(READ_LAST.format(6144), nexus=nexus).sense_code == 0x2100


def test_reset_waits_for_every_task() -> None:
    bench = Bench(DelayFilter(MemoryDevice(SIZE), lambda: None))
    reading = bench.start("28 00 00000000 00 0001 00", expected_length=512)
    waiting = bench.start("2A 00 00000000 00 0001 00", data_out=bytes(512), immediate=0, nexus=bench.other)
    writing = bench.start("2A 00 00000008 00 0001 00", data_out=bytes(512))
    let_go = bench.background.hang(1)
    done: list[str] = []
    bench.unit.reset(lambda: done.append("reset"))
    assert (waiting.status, reading.status, writing.finishes, done) == (
        Status.TASK_ABORTED,
        Status.TASK_ABORTED,
        0,
        [],
    )
    later = bench.start("28 00 00000000 00 0001 00", expected_length=512)
    assert later.sense_code == 0x2903
    after = bench.start("28 00 00000000 00 0001 00", expected_length=512)
    let_go()
    assert (writing.status, done) == (Status.TASK_ABORTED, ["reset"])
    assert after.finishes == 0
    bench.background.drain()
    assert after.status == Status.GOOD


def test_two_who_wait_for_the_same_task() -> None:
    bench = Bench(DelayFilter(MemoryDevice(SIZE), lambda: None))
    bench.start("2A 00 00000000 00 0001 00", data_out=bytes(512))
    let_go = bench.background.hang()
    done: list[str] = []
    bench.unit.reset(lambda: done.append("first"))
    bench.unit.reset(lambda: done.append("second"))
    assert done == []
    let_go()
    assert done == ["first", "second"]


def test_reset_of_an_idle_unit_is_done_at_once() -> None:
    bench = Bench()
    done: list[str] = []
    bench.unit.reset(lambda: done.append("reset"))
    assert done == ["reset"]


def test_a_read_only_thin_unit_refuses_unmap_for_its_write_protection() -> None:
    bench = Bench(ReadOnlyDevice(MemoryDevice(SIZE)), read_only=True)
    for cdb in ("42 00 00000000 00 0008 00", "41 08 00000000 00 0001 00"):
        task = bench.run(cdb, data_out=bytes(512))
        assert (task.sense_key, task.sense_code) == (7, 0x2700)
