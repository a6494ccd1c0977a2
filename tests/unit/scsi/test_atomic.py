"""COMPARE AND WRITE, ORWRITE, WRITE ATOMIC."""

import pytest

from lunaport.blockdev.device import DeviceFault
from lunaport.blockdev.filters import Call, FaultFilter, FaultRule, TraceFilter
from lunaport.blockdev.memory import MemoryDevice
from lunaport.scsi.enums import Status

from .support import SIZE, Bench

COMPARE = "89 {} 0000000000000008 000000 {:02X} 00 00"
OR = "8B {} 0000000000000008 {:08X} 00 00"
ATOMIC = "9C {} 0000000000000008 0000 {:04X} 00 00"
READ = "28 00 00000008 00 0002 00"


@pytest.mark.parametrize("immediate", [None, 0, 700])
def test_compare_and_write(immediate: int | None) -> None:
    bench = Bench()
    task = bench.run(COMPARE.format("00", 2), data_out=bytes(1024) + b"n" * 1024, immediate=immediate, piece=700)
    assert task.status == Status.GOOD
    assert bench.run(READ).data == b"n" * 1024


def test_a_miscompare_writes_nothing_and_says_where() -> None:
    bench = Bench()
    task = bench.run(COMPARE.format("00", 2), data_out=bytes(600) + b"x" + bytes(423) + b"n" * 1024)
    assert (task.sense_key, task.sense_code, task.sense[0], task.sense[3:7]) == (0xE, 0x1D00, 0xF0, b"\0\0\x02\x58")
    assert bench.run(READ).data == bytes(1024)


@pytest.mark.parametrize(
    ("blocks", "data", "code", "pointer"),
    [
        (2, 512, 0x0E03, None),
        (2, 2560, 0x0E03, None),
        (129, 2 * 129 * 512, 0x2400, (13, None)),
        (0, 1024, 0x2400, (13, None)),
    ],
)
def test_compare_and_write_refuses(blocks: int, data: int, code: int, pointer: tuple[int, None] | None) -> None:
    task = Bench().run(COMPARE.format("00", blocks), data_out=bytes(data))
    assert (task.status, task.sense_code) == (Status.CHECK_CONDITION, code)
    if pointer is not None:
        assert task.field_pointer == pointer


@pytest.mark.parametrize("immediate", [None, 0, 100])
def test_orwrite_sets_bits_and_clears_none(immediate: int | None) -> None:
    bench = Bench()
    bench.run("2A 00 00000008 00 0002 00", data_out=b"\xa5" * 512 + b"\x00" * 512)
    assert bench.run(OR.format("00", 2), data_out=b"\x5a" * 1024, immediate=immediate).status == Status.GOOD
    assert bench.run(READ).data == b"\xff" * 512 + b"\x5a" * 512


def test_write_atomic_reaches_the_device_as_one() -> None:
    calls: list[Call] = []
    bench = Bench(TraceFilter(MemoryDevice(SIZE), calls.append))
    assert bench.run(ATOMIC.format("00", 64), data_out=b"a" * 32768, immediate=4096).status == Status.GOOD
    assert calls == [Call(operation="write_atomic", offset=4096, length=32768)]


def test_write_atomic_is_all_or_nothing() -> None:
    bench = Bench()
    assert bench.run(ATOMIC.format("00", 2), data_out=b"a" * 512).field_pointer == (12, None)
    assert bench.run(READ).data == bytes(1024)
    assert bench.run(ATOMIC.format("00", 2049), data_out=bytes(512)).sense_code == 0x2100
    large = Bench(MemoryDevice(4 << 20))
    assert large.run(ATOMIC.format("00", 2049), data_out=bytes(512)).field_pointer == (12, None)
    assert bench.run("9C 00 0000000000000008 0001 0001 00 00", data_out=bytes(512)).field_pointer == (11, 0)


@pytest.mark.parametrize(
    ("cdb", "data"), [(COMPARE, bytes(1024)), (OR, bytes(512)), (ATOMIC, bytes(512))], ids=["compare", "or", "atomic"]
)
def test_all_of_them(cdb: str, data: bytes) -> None:
    """No blocks, FUA, a write-protected medium, a disk that fails."""
    calls: list[Call] = []
    bench = Bench(TraceFilter(MemoryDevice(SIZE), calls.append))
    assert bench.run(cdb.format("00", 0), expected_length=0).status == Status.GOOD
    assert calls == []
    assert bench.run(cdb.format("18", 1), data_out=data).status == Status.GOOD
    assert calls[-1] == Call(operation="flush")
    task = Bench(read_only=True).run(cdb.format("00", 1), data_out=data)
    assert (task.sense_key, task.sense_code) == (7, 0x2700)
    faults = FaultFilter(MemoryDevice(SIZE), FaultRule(operation="write", fault=DeviceFault.NO_SPACE))
    assert Bench(faults).run(cdb.format("00", 1), data_out=data).sense_code == 0x2707


def test_collected_data_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lunaport.scsi.data_out.WAITING_BYTES_MAX", 2000)
    bench = Bench()
    first = bench.start(ATOMIC.format("00", 3), data_out=bytes(1536), immediate=0)
    second = bench.start(ATOMIC.format("00", 3), data_out=bytes(1536), immediate=0)
    assert (first.finishes, second.status) == (0, Status.TASK_SET_FULL)
    while first.waits_for_data:
        first.deliver()
    bench.background.drain()
    assert (first.status, bench.unit.waiting_bytes) == (Status.GOOD, 0)
