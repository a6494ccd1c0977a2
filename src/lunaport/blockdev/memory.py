"""A block device in memory: for tests, benchmarks and scratch disks.

It never waits: every `*_now` call moves everything. Nothing survives the process; `flush` has nothing to do. Mapping is
kept per page of `PAGE_BYTES`, as a thin file does per file system block.

Invariant: a page that is not mapped reads as zeros.
"""

from collections.abc import Sequence

from lunaport.blockdev.device import Buffer, Extent, Space

PAGE_BYTES = 4096
_NOTHING, _MAPPED, _ANCHORED = b"\0", b"\1", b"\2"
"""What a page is."""


class MemoryDevice:
    """A `BlockDevice` over one bytearray."""

    def __init__(self, size_bytes: int, *, can_unmap: bool = True) -> None:
        self._data = bytearray(size_bytes)
        self._pages = bytearray(-(-size_bytes // PAGE_BYTES))
        self._can_unmap = can_unmap

    @property
    def size_bytes(self) -> int:
        return len(self._data)

    @property
    def can_unmap(self) -> bool:
        return self._can_unmap

    @property
    def can_anchor(self) -> bool:
        return self._can_unmap

    def grow(self, size_bytes: int) -> None:
        """Make the device larger; what is new reads as zeros. A size not larger than now changes nothing."""
        self._data.extend(bytes(max(0, size_bytes - len(self._data))))
        self._pages.extend(bytes(-(-len(self._data) // PAGE_BYTES) - len(self._pages)))

    def read_now(self, offset: int, buffers: Sequence[Buffer]) -> int:
        position = offset
        for buffer in buffers:
            end = position + len(buffer)
            self._check(end)
            buffer[:] = self._data[position:end]
            position = end
        return position - offset

    def read(self, offset: int, buffers: Sequence[Buffer]) -> None:
        self.read_now(offset, buffers)

    def write_now(self, offset: int, buffers: Sequence[Buffer]) -> int:
        position = offset
        for buffer in buffers:
            end = position + len(buffer)
            self._check(end)
            self._data[position:end] = buffer
            position = end
        self._map(offset, position)
        return position - offset

    def write(self, offset: int, buffers: Sequence[Buffer]) -> None:
        self.write_now(offset, buffers)

    def write_atomic(self, offset: int, data: Buffer) -> None:
        self.write_now(offset, [data])

    def flush(self) -> None:
        """Nothing below to flush to."""

    def unmap(self, offset: int, length: int) -> None:
        end = offset + length
        self._zero(offset, end)
        self._set_whole_pages(offset, end, _NOTHING)

    def write_zeroes(self, offset: int, length: int) -> None:
        end = offset + length
        self._zero(offset, end)
        self._map(offset, end)
        if self._can_unmap:
            self._set_whole_pages(offset, end, _ANCHORED)

    def extents(self, offset: int, length: int) -> list[Extent]:
        extents: list[Extent] = []
        end = offset + length
        start = offset
        while start < end:
            page = start // PAGE_BYTES
            kind = self._pages[page]
            while page < len(self._pages) and self._pages[page] == kind and page * PAGE_BYTES < end:
                page += 1
            stop = min(end, page * PAGE_BYTES)
            mapped, anchored = kind == _MAPPED[0], kind == _ANCHORED[0]
            extents.append(Extent(offset=start, length=stop - start, mapped=mapped, anchored=anchored))
            start = stop
        return extents

    def space(self) -> Space:
        used_bytes = (len(self._pages) - self._pages.count(_NOTHING)) * PAGE_BYTES
        total_bytes = len(self._pages) * PAGE_BYTES
        return Space(used_bytes=used_bytes, free_bytes=total_bytes - used_bytes, total_bytes=total_bytes)

    def close(self) -> None:
        """Nothing to release."""

    def _check(self, end: int) -> None:
        # A slice assignment past the end would make the bytearray longer and hide the mistake.
        if end > len(self._data):
            raise ValueError(f"byte {end} is outside the device")

    def _zero(self, start: int, end: int) -> None:
        self._check(end)
        self._data[start:end] = bytes(end - start)

    def _map(self, start: int, end: int) -> None:
        if start < end:
            first, last = start // PAGE_BYTES, -(-end // PAGE_BYTES)
            self._pages[first:last] = _MAPPED * (last - first)

    def _set_whole_pages(self, start: int, end: int, kind: bytes) -> None:
        first, last = -(-start // PAGE_BYTES), end // PAGE_BYTES
        if end == len(self._data):
            last = len(self._pages)
        if first < last:
            self._pages[first:last] = kind * (last - first)
