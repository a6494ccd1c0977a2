"""Two ways a healthy device can be run: without writes, and without a volatile cache.

Filters, so that a device that is run the usual way has nothing to ask before each write.
"""

from collections.abc import Sequence

from lunaport.blockdev.device import Buffer, DeviceError, DeviceFault
from lunaport.blockdev.filters import Filter


class ReadOnlyDevice(Filter):
    """Refuses everything that changes the device."""

    @property
    def can_unmap(self) -> bool:
        return False

    @property
    def can_anchor(self) -> bool:
        return False

    def write_now(self, offset: int, buffers: Sequence[Buffer]) -> int:
        raise _refused()

    def write(self, offset: int, buffers: Sequence[Buffer]) -> None:
        raise _refused()

    def write_atomic(self, offset: int, data: Buffer) -> None:
        raise _refused()

    def unmap(self, offset: int, length: int) -> None:
        raise _refused()

    def write_zeroes(self, offset: int, length: int) -> None:
        raise _refused()


class WriteThroughDevice(Filter):
    """Every change is durable when the call returns."""

    def write_now(self, offset: int, buffers: Sequence[Buffer]) -> int:
        return 0  # a flush waits for the disk

    def write(self, offset: int, buffers: Sequence[Buffer]) -> None:
        super().write(offset, buffers)
        self.flush()

    def write_atomic(self, offset: int, data: Buffer) -> None:
        super().write_atomic(offset, data)
        self.flush()

    def unmap(self, offset: int, length: int) -> None:
        super().unmap(offset, length)
        self.flush()

    def write_zeroes(self, offset: int, length: int) -> None:
        super().write_zeroes(offset, length)
        self.flush()


def _refused() -> DeviceError:
    return DeviceError(DeviceFault.READ_ONLY, "the device is write protected")
