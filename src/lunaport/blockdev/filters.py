"""Filters: block devices that stand on another one and make it bad, slow or visible.

They stack in any order on any device. Tests make broken and slow disks of them; `Filter` itself is the base of what
changes how a healthy one is run (`modes`). What blocks below blocks here too.
"""

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from lunaport.blockdev.device import BlockDevice, Buffer, DeviceError, DeviceFault, Extent, Space

Operation = Literal["read", "write", "flush", "unmap", "write_zeroes"]


class Filter:
    """A `BlockDevice` that passes everything on; the others override what they change."""

    def __init__(self, device: BlockDevice) -> None:
        self._device = device

    @property
    def size_bytes(self) -> int:
        return self._device.size_bytes

    @property
    def can_unmap(self) -> bool:
        return self._device.can_unmap

    @property
    def can_anchor(self) -> bool:
        return self._device.can_anchor

    def read_now(self, offset: int, buffers: Sequence[Buffer]) -> int:
        return self._device.read_now(offset, buffers)

    def read(self, offset: int, buffers: Sequence[Buffer]) -> None:
        self._device.read(offset, buffers)

    def write_now(self, offset: int, buffers: Sequence[Buffer]) -> int:
        return self._device.write_now(offset, buffers)

    def write(self, offset: int, buffers: Sequence[Buffer]) -> None:
        self._device.write(offset, buffers)

    def write_atomic(self, offset: int, data: Buffer) -> None:
        self._device.write_atomic(offset, data)

    def flush(self) -> None:
        self._device.flush()

    def unmap(self, offset: int, length: int) -> None:
        self._device.unmap(offset, length)

    def write_zeroes(self, offset: int, length: int) -> None:
        self._device.write_zeroes(offset, length)

    def extents(self, offset: int, length: int) -> list[Extent]:
        return self._device.extents(offset, length)

    def space(self) -> Space:
        return self._device.space()

    def close(self) -> None:
        self._device.close()


@dataclass(frozen=True, slots=True, kw_only=True)
class FaultRule:
    """Which calls fail, and how. An operation stands for its `_now` form too."""

    operation: Operation
    fault: DeviceFault
    offset: int = 0
    length: int | None = None
    """Bytes from `offset` on that are bad; None: to the end. A flush touches every range."""
    skip: int = 0
    """This many calls that touch the range still succeed first."""
    count: int | None = None
    """This many fail, the later ones succeed again; None: all of them fail."""

    def touches(self, operation: Operation, offset: int, length: int) -> bool:
        if operation != self.operation:
            return False
        if operation == "flush":
            return True
        return offset + length > self.offset and (self.length is None or offset < self.offset + self.length)


class FaultFilter(Filter):
    """Raises a chosen `DeviceFault` for chosen ranges or counts, before the call reaches the device."""

    def __init__(self, device: BlockDevice, *rules: FaultRule) -> None:
        super().__init__(device)
        self._rules = list(rules)
        self._hits = [0] * len(rules)
        self._lock = threading.Lock()

    def add(self, rule: FaultRule) -> None:
        with self._lock:
            self._rules.append(rule)
            self._hits.append(0)

    def clear(self) -> None:
        """Heal the device: no rule is left."""
        with self._lock:
            self._rules.clear()
            self._hits.clear()

    def read_now(self, offset: int, buffers: Sequence[Buffer]) -> int:
        self._check("read", offset, _total(buffers))
        return super().read_now(offset, buffers)

    def read(self, offset: int, buffers: Sequence[Buffer]) -> None:
        self._check("read", offset, _total(buffers))
        super().read(offset, buffers)

    def write_now(self, offset: int, buffers: Sequence[Buffer]) -> int:
        self._check("write", offset, _total(buffers))
        return super().write_now(offset, buffers)

    def write(self, offset: int, buffers: Sequence[Buffer]) -> None:
        self._check("write", offset, _total(buffers))
        super().write(offset, buffers)

    def write_atomic(self, offset: int, data: Buffer) -> None:
        self._check("write", offset, len(data))
        super().write_atomic(offset, data)

    def flush(self) -> None:
        self._check("flush", 0, 0)
        super().flush()

    def unmap(self, offset: int, length: int) -> None:
        self._check("unmap", offset, length)
        super().unmap(offset, length)

    def write_zeroes(self, offset: int, length: int) -> None:
        self._check("write_zeroes", offset, length)
        super().write_zeroes(offset, length)

    def _check(self, operation: Operation, offset: int, length: int) -> None:
        with self._lock:
            for index, rule in enumerate(self._rules):
                if not rule.touches(operation, offset, length):
                    continue
                self._hits[index] += 1
                failing = self._hits[index] - rule.skip
                if failing > 0 and (rule.count is None or failing <= rule.count):
                    raise DeviceError(rule.fault, f"injected into {operation} of {length} bytes at {offset}")


class DelayFilter(Filter):
    """A disk that always has to be waited for: `*_now` moves nothing, the blocking calls wait first."""

    def __init__(self, device: BlockDevice, wait: Callable[[], None]) -> None:
        super().__init__(device)
        self._wait = wait

    def read_now(self, offset: int, buffers: Sequence[Buffer]) -> int:
        return 0

    def read(self, offset: int, buffers: Sequence[Buffer]) -> None:
        self._wait()
        super().read(offset, buffers)

    def write_now(self, offset: int, buffers: Sequence[Buffer]) -> int:
        return 0

    def write(self, offset: int, buffers: Sequence[Buffer]) -> None:
        self._wait()
        super().write(offset, buffers)

    def write_atomic(self, offset: int, data: Buffer) -> None:
        self._wait()
        super().write_atomic(offset, data)

    def flush(self) -> None:
        self._wait()
        super().flush()

    def unmap(self, offset: int, length: int) -> None:
        self._wait()
        super().unmap(offset, length)

    def write_zeroes(self, offset: int, length: int) -> None:
        self._wait()
        super().write_zeroes(offset, length)


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One call as it reached a device."""

    operation: str
    """The method's name."""
    offset: int = 0
    length: int = 0


class TraceFilter(Filter):
    """Tells `record` of each call before it is passed on; from whatever thread the call comes."""

    def __init__(self, device: BlockDevice, record: Callable[[Call], None]) -> None:
        super().__init__(device)
        self._record = record

    def read_now(self, offset: int, buffers: Sequence[Buffer]) -> int:
        self._record(Call(operation="read_now", offset=offset, length=_total(buffers)))
        return super().read_now(offset, buffers)

    def read(self, offset: int, buffers: Sequence[Buffer]) -> None:
        self._record(Call(operation="read", offset=offset, length=_total(buffers)))
        super().read(offset, buffers)

    def write_now(self, offset: int, buffers: Sequence[Buffer]) -> int:
        self._record(Call(operation="write_now", offset=offset, length=_total(buffers)))
        return super().write_now(offset, buffers)

    def write(self, offset: int, buffers: Sequence[Buffer]) -> None:
        self._record(Call(operation="write", offset=offset, length=_total(buffers)))
        super().write(offset, buffers)

    def write_atomic(self, offset: int, data: Buffer) -> None:
        self._record(Call(operation="write_atomic", offset=offset, length=len(data)))
        super().write_atomic(offset, data)

    def flush(self) -> None:
        self._record(Call(operation="flush"))
        super().flush()

    def unmap(self, offset: int, length: int) -> None:
        self._record(Call(operation="unmap", offset=offset, length=length))
        super().unmap(offset, length)

    def write_zeroes(self, offset: int, length: int) -> None:
        self._record(Call(operation="write_zeroes", offset=offset, length=length))
        super().write_zeroes(offset, length)

    def extents(self, offset: int, length: int) -> list[Extent]:
        self._record(Call(operation="extents", offset=offset, length=length))
        return super().extents(offset, length)

    def close(self) -> None:
        self._record(Call(operation="close"))
        super().close()


def _total(buffers: Sequence[Buffer]) -> int:
    return sum(map(len, buffers))
