"""SYNCHRONIZE CACHE."""

import pytest

from lunaport.blockdev.device import DeviceFault
from lunaport.blockdev.filters import Call, FaultFilter, FaultRule, TraceFilter
from lunaport.blockdev.memory import MemoryDevice
from lunaport.scsi.enums import Status

from .support import SIZE, Bench


@pytest.mark.parametrize(
    "cdb",
    [
        "35 00 00000000 00 0000 00",
        "35 00 00000010 00 0010 00",
        "91 00 0000000000000000 00000000 00 00",
        "91 00 0000000000000000 00000800 00 00",
    ],
)
def test_answers_after_the_flush(cdb: str) -> None:
    calls: list[Call] = []
    bench = Bench(TraceFilter(MemoryDevice(SIZE), calls.append))
    task = bench.start(cdb)
    assert (task.finishes, calls) == (0, [])
    bench.background.drain()
    assert (task.status, calls) == (Status.GOOD, [Call(operation="flush")])


def test_immediate_answers_before() -> None:
    calls: list[Call] = []
    bench = Bench(TraceFilter(MemoryDevice(SIZE), calls.append))
    task = bench.start("35 02 00000000 00 0000 00")
    assert (task.status, calls) == (Status.GOOD, [])
    bench.background.drain()
    assert calls == [Call(operation="flush")]


def test_a_failed_flush_is_told() -> None:
    bench = Bench(FaultFilter(MemoryDevice(SIZE), FaultRule(operation="flush", fault=DeviceFault.FLUSH_FAILED)))
    assert bench.run("35 02 00000000 00 0000 00").status == Status.GOOD
    task = bench.run("35 00 00000000 00 0000 00")
    assert (task.sense_key, task.sense_code) == (3, 0x0C00)


@pytest.mark.parametrize("cdb", ["35 00 00000800 00 0000 00", "91 00 0000000000000001 00000800 00 00"])
def test_range(cdb: str) -> None:
    assert Bench().run(cdb).sense_code == 0x2100
