"""READ: at once, in the background, bad, too much."""

import os

import pytest

from lunaport.blockdev.device import DeviceFault
from lunaport.blockdev.filters import Call, DelayFilter, FaultFilter, FaultRule, TraceFilter
from lunaport.blockdev.memory import MemoryDevice
from lunaport.scsi.enums import Status
from lunaport.scsi.limits import READ_NOW_BYTES_MAX

from .support import SIZE, Bench, FakeTask

READ_2_FROM_1 = "28 00 00000001 00 0002 00"


@pytest.fixture
def memory() -> MemoryDevice:
    memory = MemoryDevice(SIZE)
    memory.write(0, [memoryview(os.urandom(SIZE))])
    return memory


def content(memory: MemoryDevice, offset: int, length: int) -> bytes:
    buffer = memoryview(bytearray(length))
    memory.read(offset, [buffer])
    return bytes(buffer)


@pytest.mark.parametrize(
    ("cdb", "lba", "blocks"),
    [
        ("08 000001 02 00", 1, 2),
        ("08 000001 00 00", 1, 256),
        (READ_2_FROM_1, 1, 2),
        ("28 10 00000001 00 0002 00", 1, 2),  # DPO
        ("A8 00 00000001 00000002 00 00", 1, 2),
        ("88 00 0000000000000001 00000002 00 00", 1, 2),
        ("28 00 00000000 00 0800 00", 0, 2048),
        ("28 00 000007FF 00 0001 00", 2047, 1),
        ("28 00 000007FF 00 0000 00", 2047, 0),
    ],
)
def test_reads(memory: MemoryDevice, cdb: str, lba: int, blocks: int) -> None:
    task = Bench(memory).start(cdb, expected_length=SIZE)
    assert task.status == Status.GOOD
    assert task.data == content(memory, lba * 512, blocks * 512)


def test_4096_byte_blocks(memory: MemoryDevice) -> None:
    bench = Bench(memory, block_size_bytes=4096)
    assert bench.run(READ_2_FROM_1).data == content(memory, 4096, 8192)
    assert bench.run("28 00 00000100 00 0001 00").sense_code == 0x2100


def test_what_is_not_in_the_cache_is_read_in_the_background(memory: MemoryDevice) -> None:
    bench = Bench(DelayFilter(memory, lambda: None))
    task = bench.start(READ_2_FROM_1, expected_length=1024)
    assert (task.finishes, len(bench.background.queue), list(bench.unit.task_set)) == (0, 1, [task])
    bench.background.drain()
    assert (task.status, bench.unit.task_set) == (Status.GOOD, {})
    assert task.data == content(memory, 512, 1024)


def test_fua_flushes_first(memory: MemoryDevice) -> None:
    calls: list[Call] = []
    task = Bench(TraceFilter(memory, calls.append)).run("28 08 00000001 00 0002 00")
    assert task.data == content(memory, 512, 1024)
    assert [call.operation for call in calls] == ["flush", "read"]


@pytest.mark.parametrize("slow", [False, True])
@pytest.mark.parametrize(
    ("fault", "key", "code"),
    [(DeviceFault.MEDIUM_READ, 3, 0x1100), (DeviceFault.GONE, 4, 0x0800), (DeviceFault.FLUSH_FAILED, 3, 0x0C00)],
)
def test_faults(memory: MemoryDevice, fault: DeviceFault, key: int, code: int, slow: bool) -> None:
    device = FaultFilter(memory, FaultRule(operation="read", fault=fault, offset=1024, length=512))
    bench = Bench(DelayFilter(device, lambda: None) if slow else device)
    task = bench.run(READ_2_FROM_1)
    assert (task.status, task.sense_key, task.sense_code) == (Status.CHECK_CONDITION, key, code)
    assert task.data == b""
    assert bench.run("28 00 00000000 00 0002 00").status == Status.GOOD


@pytest.mark.parametrize(
    ("cdb", "code", "pointer"),
    [
        ("28 00 000007FF 00 0002 00", 0x2100, None),
        ("28 00 00000800 00 0000 00", 0x2100, None),
        ("88 00 FFFFFFFFFFFFFFFF 00000001 00 00", 0x2100, None),
        ("28 20 00000000 00 0001 00", 0x2400, (1, 5)),  # RDPROTECT
        ("28 00 00000000 01 0001 00", 0x2400, (6, 0)),  # group number
        ("28 00 00000000 00 0001 04", 0x2400, (9, 2)),  # NACA
    ],
)
def test_refuses(cdb: str, code: int, pointer: tuple[int, int] | None) -> None:
    task = Bench().run(cdb)
    assert (task.status, task.sense_code) == (Status.CHECK_CONDITION, code)
    if pointer is not None:
        assert task.field_pointer == pointer


@pytest.mark.parametrize(
    ("cdb", "byte"),
    [
        ("28 00 00000000 00 {:04X} 00", 7),
        ("A8 00 00000000 {:08X} 00 00", 6),
        ("88 00 0000000000000000 {:08X} 00 00", 10),
    ],
)
def test_transfer_length_at_its_bound(cdb: str, byte: int) -> None:
    bench = Bench(MemoryDevice(16 << 20))
    task = bench.run(cdb.format(16384), expected_length=0)
    assert task.status == Status.GOOD
    task = bench.run(cdb.format(16385), expected_length=0)
    assert (task.sense_code, task.field_pointer) == (0x2400, (byte, None))


@pytest.mark.parametrize(("more", "at_once"), [(-1, True), (0, True), (1, False)])
def test_a_long_read_is_not_done_at_once(more: int, at_once: bool) -> None:
    """It would keep all other sessions waiting."""
    bench = Bench(MemoryDevice(4 << 20))
    blocks = (READ_NOW_BYTES_MAX >> 9) + more
    task = bench.start(f"28 00 00000000 00 {blocks:04x} 00", expected_length=blocks << 9)
    assert (task.status == Status.GOOD) is at_once
    bench.background.drain()
    assert (task.status, len(task.data)) == (Status.GOOD, blocks << 9)


def read_without_memory(bench: Bench) -> FakeTask:
    task = FakeTask(bytes.fromhex("28 00 00000000 00 1000 00"), expected_length=2 << 20)
    task.has_memory = False
    bench.nexus.execute(task)
    assert bench.background.queue == []
    return task


def test_a_read_that_is_aborted_while_it_waits_for_memory() -> None:
    bench = Bench(MemoryDevice(4 << 20))
    task = read_without_memory(bench)
    ended: list[bool] = []
    bench.unit.reset(lambda: ended.append(True))
    assert (task.status, ended) == (Status.TASK_ABORTED, [True])
    assert bench.background.queue == []
    assert bench.unit.task_set == {}


def test_a_read_goes_on_when_there_is_memory() -> None:
    bench = Bench(MemoryDevice(4 << 20))
    task = read_without_memory(bench)
    task.take_loan()
    bench.background.step()
    assert (task.status, len(task.data)) == (Status.GOOD, 2 << 20)
    assert bench.unit.task_set == {}
