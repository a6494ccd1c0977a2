"""VERIFY: reading back, and comparing."""

import os

import pytest

from lunaport.blockdev.device import DeviceFault
from lunaport.blockdev.filters import Call, DelayFilter, FaultFilter, FaultRule, TraceFilter
from lunaport.blockdev.memory import MemoryDevice
from lunaport.scsi.enums import Status

from .support import SIZE, Bench

DATA = os.urandom(2048)


def bench_with_data(*, slow: bool = False) -> Bench:
    memory = MemoryDevice(SIZE)
    memory.write(512, [memoryview(DATA)])
    return Bench(DelayFilter(memory, lambda: None) if slow else memory)


@pytest.mark.parametrize(
    "cdb", ["2F {} 00000001 00 0004 00", "AF {} 00000001 00000004 00 00", "8F {} 0000000000000001 00000004 00 00"]
)
@pytest.mark.parametrize("immediate", [None, 0])
@pytest.mark.parametrize("slow", [False, True])
def test_compares_each_block(cdb: str, immediate: int | None, slow: bool) -> None:
    bench = bench_with_data(slow=slow)
    assert bench.run(cdb.format("02"), data_out=DATA, immediate=immediate, piece=700).status == Status.GOOD
    wrong = bytearray(DATA)
    wrong[1024] ^= 1
    task = bench.run(cdb.format("02"), data_out=bytes(wrong), immediate=immediate, piece=700)
    assert (task.status, task.sense_key, task.sense_code) == (Status.CHECK_CONDITION, 0xE, 0x1D00)
    assert task.sense[0] & 0x80
    assert int.from_bytes(task.sense[3:7]) == 3


def test_reads_the_medium_without_data() -> None:
    calls: list[Call] = []
    memory = MemoryDevice(16 << 20)
    bench = Bench(TraceFilter(memory, calls.append))
    assert bench.run("2F 00 00000001 00 0300 00", expected_length=0).status == Status.GOOD
    assert [(call.offset, call.length) for call in calls] == [(512, 256 << 10), (512 + (256 << 10), 128 << 10)]
    assert bench.run("2F 00 00000001 00 0000 00", expected_length=0).status == Status.GOOD


def test_finds_a_bad_medium() -> None:
    rule = FaultRule(operation="read", fault=DeviceFault.MEDIUM_READ, offset=1024, length=512)
    bench = Bench(FaultFilter(MemoryDevice(SIZE), rule))
    for cdb in ("2F 00 00000001 00 0004 00", "2F 02 00000001 00 0004 00"):
        task = bench.run(cdb, data_out=DATA)
        assert (task.sense_key, task.sense_code) == (3, 0x1100)


def test_compares_all_blocks_with_one() -> None:
    memory = MemoryDevice(4 << 20)
    memory.write(512, [memoryview(b"a" * (3 << 20))])
    bench = Bench(memory)
    cdb = "2F 06 00000001 00 {:04X} 00"
    assert bench.run(cdb.format(3 * 2048), data_out=b"a" * 512).status == Status.GOOD
    task = bench.run(cdb.format(3 * 2048 + 1), data_out=b"a" * 512, immediate=0)
    assert (task.sense_key, int.from_bytes(task.sense[3:7])) == (0xE, 3 * 2048 + 1)
    assert bench.run(cdb.format(2), data_out=b"a" * 511).sense_code == 0x0E03
    assert bench.run(cdb.format(0), data_out=b"").status == Status.GOOD


@pytest.mark.parametrize("cdb", ["2F 00 00000001 00 1000 00", "2F 06 00000001 00 1000 00"])
def test_an_abort_stops_it_between_two_chunks(cdb: str) -> None:
    calls: list[Call] = []

    def record(call: Call) -> None:
        calls.append(call)
        task.abort()

    bench = Bench(TraceFilter(MemoryDevice(4 << 20), record))
    task = bench.start(cdb, data_out=bytes(512))
    bench.background.drain()
    assert (len(calls), task.status) == (1, Status.TASK_ABORTED)


@pytest.mark.parametrize(
    ("cdb", "code", "pointer"),
    [
        ("2F 04 00000000 00 0001 00", 0x2400, (1, 2)),  # BYTCHK 2
        ("2F 20 00000000 00 0001 00", 0x2400, (1, 5)),  # VRPROTECT
        ("2F 00 000007FF 00 0002 00", 0x2100, None),
    ],
)
def test_refuses(cdb: str, code: int, pointer: tuple[int, int] | None) -> None:
    task = Bench().run(cdb, data_out=bytes(512))
    assert task.sense_code == code
    if pointer is not None:
        assert task.field_pointer == pointer
