"""WRITE: with all its data, in pieces, in the background, bad, too much."""

import os

import pytest

from lunaport.blockdev.device import DeviceFault
from lunaport.blockdev.filters import Call, DelayFilter, FaultFilter, FaultRule, TraceFilter
from lunaport.blockdev.memory import MemoryDevice
from lunaport.scsi.enums import Status

from .support import SIZE, Bench

WRITE_2_AT_1 = "2A 00 00000001 00 0002 00"
DATA = os.urandom(1024)


def content(bench: Bench, offset: int, length: int) -> bytes:
    buffer = memoryview(bytearray(length))
    bench.device.read(offset, [buffer])
    return bytes(buffer)


@pytest.mark.parametrize(
    ("cdb", "blocks"),
    [
        ("0A 000001 02 00", 2),
        ("0A 000001 00 00", 256),
        (WRITE_2_AT_1, 2),
        ("2A 10 00000001 00 0002 00", 2),  # DPO
        ("AA 00 00000001 00000002 00 00", 2),
        ("8A 00 0000000000000001 00000002 00 00", 2),
        ("2A 00 00000001 00 0000 00", 0),
    ],
)
@pytest.mark.parametrize("immediate", [None, 0, 700])
def test_writes(cdb: str, blocks: int, immediate: int | None) -> None:
    data = os.urandom(blocks * 512)
    bench = Bench()
    task = bench.run(cdb, data_out=data, immediate=immediate, piece=1000)
    assert task.status == Status.GOOD
    assert content(bench, 0, 512) == bytes(512)
    assert content(bench, 512, len(data) + 512) == data + bytes(512)


def test_more_data_than_the_command_takes_is_dropped() -> None:
    for immediate in (None, 0):
        bench = Bench()
        assert bench.run(WRITE_2_AT_1, data_out=DATA + b"x" * 512, immediate=immediate).status == Status.GOOD
        assert content(bench, 512, 1536) == DATA + bytes(512)


def test_less_data_than_the_command_takes_writes_whole_blocks() -> None:
    bench = Bench()
    assert bench.run(WRITE_2_AT_1, data_out=DATA[:1000], immediate=0, piece=300).status == Status.GOOD
    assert content(bench, 512, 1024) == DATA[:512] + bytes(512)
    assert bench.run(WRITE_2_AT_1, data_out=b"").status == Status.GOOD


def test_a_block_is_written_whole_or_not() -> None:
    calls: list[Call] = []
    bench = Bench(TraceFilter(MemoryDevice(SIZE), calls.append))
    bench.run(WRITE_2_AT_1, data_out=DATA, immediate=0, piece=300)
    assert content(bench, 512, 1024) == DATA
    writes = [(call.offset, call.length) for call in calls if call.operation == "write_now"]
    assert writes == [(512, 512), (1024, 512)]


def test_fua_flushes_after_the_last_write() -> None:
    for immediate in (None, 0):
        calls: list[Call] = []
        bench = Bench(TraceFilter(MemoryDevice(SIZE), calls.append))
        task = bench.start("2A 08 00000001 00 0002 00", data_out=DATA, immediate=immediate)
        if immediate == 0:
            task.deliver()
        assert task.finishes == 0
        bench.background.drain()
        assert task.status == Status.GOOD
        assert [call.operation for call in calls] == ["write_now", "flush"]


def test_a_slow_disk_gets_its_data_in_the_background() -> None:
    for immediate in (None, 0):
        bench = Bench(DelayFilter(MemoryDevice(SIZE), lambda: None))
        task = bench.start(WRITE_2_AT_1, data_out=DATA, immediate=immediate, piece=512)
        while task.waits_for_data:
            task.deliver()
        assert task.finishes == 0
        assert bench.unit.waiting_bytes == 1024
        bench.background.drain()
        assert (task.status, bench.unit.waiting_bytes, bench.unit.task_set) == (Status.GOOD, 0, {})
        assert content(bench, 512, 1024) == DATA


@pytest.mark.parametrize("slow", [False, True])
@pytest.mark.parametrize("immediate", [None, 0])
@pytest.mark.parametrize(
    ("fault", "key", "code"),
    [
        (DeviceFault.MEDIUM_WRITE, 3, 0x0C00),
        (DeviceFault.NO_SPACE, 7, 0x2707),
        (DeviceFault.READ_ONLY, 7, 0x2700),
        (DeviceFault.GONE, 4, 0x0800),
    ],
)
def test_the_first_error_is_the_answer_and_the_rest_is_dropped(
    fault: DeviceFault, key: int, code: int, immediate: int | None, slow: bool
) -> None:
    calls: list[Call] = []
    device = FaultFilter(
        TraceFilter(MemoryDevice(SIZE), calls.append),
        FaultRule(operation="write", fault=fault, count=1),
        FaultRule(operation="write", fault=DeviceFault.MEDIUM_READ),
    )
    bench = Bench(DelayFilter(device, lambda: None) if slow else device)
    task = bench.start("2A 08 00000001 00 0008 00", data_out=DATA * 4, immediate=immediate, piece=1024)
    if slow:
        bench.background.drain()
    while task.waits_for_data:
        task.deliver()
        bench.background.drain()
    bench.background.drain()
    assert (task.status, task.sense_key, task.sense_code) == (Status.CHECK_CONDITION, key, code)
    assert calls == []
    assert (bench.unit.task_set, bench.unit.waiting_bytes) == ({}, 0)


def test_a_failed_flush_is_the_answer_to_fua() -> None:
    bench = Bench(FaultFilter(MemoryDevice(SIZE), FaultRule(operation="flush", fault=DeviceFault.FLUSH_FAILED)))
    task = bench.run("2A 08 00000001 00 0002 00", data_out=DATA)
    assert (task.sense_key, task.sense_code) == (3, 0x0C00)


@pytest.mark.parametrize(
    ("cdb", "code"),
    [
        ("2A 00 000007FF 00 0002 00", 0x2100),
        ("2A 00 00000800 00 0000 00", 0x2100),
        ("2A 20 00000000 00 0002 00", 0x2400),  # WRPROTECT
    ],
)
def test_refuses_before_it_takes_data(cdb: str, code: int) -> None:
    task = Bench().start(cdb, data_out=DATA, immediate=0)
    assert (task.status, task.sense_code) == (Status.CHECK_CONDITION, code)
    assert not task.waits_for_data


def test_transfer_length_at_its_bound() -> None:
    bench = Bench(MemoryDevice(16 << 20))
    assert bench.run("2A 00 00000000 00 4000 00", data_out=bytes(8 << 20)).status == Status.GOOD
    task = bench.start("2A 00 00000000 00 4001 00", data_out=bytes(512))
    assert (task.sense_code, task.field_pointer) == (0x2400, (7, None))
