"""A device without writes, and one without a cache."""

from collections.abc import Callable

import pytest

from lunaport.blockdev.device import DeviceError, DeviceFault
from lunaport.blockdev.filters import Call, TraceFilter
from lunaport.blockdev.memory import MemoryDevice
from lunaport.blockdev.modes import ReadOnlyDevice, WriteThroughDevice


def data() -> memoryview:
    return memoryview(bytearray(b"x" * 4096))


def test_read_only() -> None:
    memory = MemoryDevice(8192)
    device = ReadOnlyDevice(memory)
    assert not device.can_unmap
    assert not device.can_anchor
    for change in (
        lambda: device.write_now(0, [data()]),
        lambda: device.write(0, [data()]),
        lambda: device.write_atomic(0, data()),
        lambda: device.unmap(0, 4096),
        lambda: device.write_zeroes(0, 4096),
    ):
        with pytest.raises(DeviceError) as refused:
            change()
        assert refused.value.fault is DeviceFault.READ_ONLY
    found = data()
    assert device.read_now(0, [found]) == 4096
    assert found == bytes(4096)


def test_write_through() -> None:
    calls: list[Call] = []
    device = WriteThroughDevice(TraceFilter(MemoryDevice(8192), calls.append))
    assert device.write_now(0, [data()]) == 0
    changes: tuple[Callable[[], None], ...] = (
        lambda: device.write(0, [data()]),
        lambda: device.write_atomic(0, data()),
        lambda: device.unmap(0, 4096),
        lambda: device.write_zeroes(0, 4096),
    )
    for change in changes:
        calls.clear()
        change()
        assert len(calls) == 2
        assert calls[1].operation == "flush"
