"""Filters: bad, slow and watched devices."""

import pytest

from lunaport.blockdev.device import BlockDevice, DeviceError, DeviceFault
from lunaport.blockdev.filters import Call, DelayFilter, FaultFilter, FaultRule, Filter, TraceFilter
from lunaport.blockdev.memory import MemoryDevice

BAD_READ = FaultRule(operation="read", fault=DeviceFault.MEDIUM_READ, offset=1024, length=512)


def buffer(length: int) -> memoryview:
    return memoryview(bytearray(length))


def call_all(device: BlockDevice) -> None:
    device.write(0, [buffer(512)])
    device.write_now(0, [buffer(512), buffer(512)])
    device.read(512, [buffer(512)])
    device.read_now(512, [buffer(1024)])
    device.flush()
    device.unmap(0, 512)
    device.write_zeroes(512, 512)
    device.extents(0, 4096)
    device.close()


def test_filter_passes_everything_on() -> None:
    calls: list[Call] = []
    device = Filter(TraceFilter(MemoryDevice(8192), calls.append))
    assert (device.size_bytes, device.can_unmap, device.can_anchor) == (8192, True, True)
    call_all(device)
    assert calls == [
        Call(operation="write", offset=0, length=512),
        Call(operation="write_now", offset=0, length=1024),
        Call(operation="read", offset=512, length=512),
        Call(operation="read_now", offset=512, length=1024),
        Call(operation="flush"),
        Call(operation="unmap", offset=0, length=512),
        Call(operation="write_zeroes", offset=512, length=512),
        Call(operation="extents", offset=0, length=4096),
        Call(operation="close"),
    ]


@pytest.mark.parametrize(
    ("offset", "length", "bad"), [(0, 1024, False), (0, 1025, True), (1535, 1, True), (1536, 512, False)]
)
def test_fault_touches_its_range_only(offset: int, length: int, bad: bool) -> None:
    device = FaultFilter(MemoryDevice(8192), BAD_READ)
    for read in (device.read, device.read_now):
        if bad:
            with pytest.raises(DeviceError) as raised:
                read(offset, [buffer(length)])
            assert raised.value.fault is DeviceFault.MEDIUM_READ
        else:
            read(offset, [buffer(length)])
    device.write(1024, [buffer(512)])


def test_fault_counts() -> None:
    rule = FaultRule(operation="flush", fault=DeviceFault.FLUSH_FAILED, skip=1, count=2)
    device = FaultFilter(MemoryDevice(512), rule)
    outcomes = []
    for _ in range(5):
        try:
            device.flush()
            outcomes.append("good")
        except DeviceError as error:
            outcomes.append(error.fault.value)
    assert outcomes == ["good", "flush failed", "flush failed", "good", "good"]


@pytest.mark.parametrize("operation", ["write", "unmap", "write_zeroes"])
def test_rules_can_come_and_go(operation: str) -> None:
    device = FaultFilter(MemoryDevice(8192))
    call_all(device)
    device.add(FaultRule(operation="write", fault=DeviceFault.NO_SPACE))
    device.add(FaultRule(operation="unmap", fault=DeviceFault.NO_SPACE))
    device.add(FaultRule(operation="write_zeroes", fault=DeviceFault.NO_SPACE))
    with pytest.raises(DeviceError, match="injected into"):
        if operation == "write":
            device.write_now(0, [buffer(1)])
        else:
            getattr(device, operation)(0, 512)
    device.clear()
    call_all(device)


def test_delay_moves_nothing_now_and_waits_before_blocking_calls() -> None:
    calls: list[Call] = []

    def wait() -> None:
        calls.append(Call(operation="wait"))

    device = DelayFilter(TraceFilter(MemoryDevice(8192), calls.append), wait)
    call_all(device)
    assert [call.operation for call in calls] == [
        *("wait", "write", "wait", "read", "wait", "flush", "wait", "unmap", "wait", "write_zeroes"),
        *("extents", "close"),
    ]
    assert device.read_now(0, [buffer(1)]) == 0
    assert device.write_now(0, [buffer(1)]) == 0
