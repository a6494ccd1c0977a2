"""Copying between devices, whole and with holes, with and without a quicker way."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lunaport.blockdev.copying import PIECE_BYTES, copy_range, fill_with_zeros
from lunaport.blockdev.device import BlockDevice
from lunaport.blockdev.memory import MemoryDevice

SIZE = 1 << 16


def content(device: BlockDevice) -> bytes:
    data = bytearray(device.size_bytes)
    device.read(0, [memoryview(data)])
    return bytes(data)


class QuickDevice(MemoryDevice):
    """Says that it copied, where it is told to."""

    asked: list[tuple[int, int, int]]
    willing = True

    def copy_from(self, source: BlockDevice, source_offset: int, offset: int, length: int) -> bool:
        self.asked.append((source_offset, offset, length))
        return self.willing


@pytest.mark.parametrize("willing", [True, False])
def test_the_quicker_way_is_taken_for_data_and_not_for_holes(*, willing: bool) -> None:
    source, destination = MemoryDevice(SIZE), QuickDevice(SIZE)
    destination.asked, destination.willing = [], willing
    source.write(8192, [memoryview(b"d" * 4096)])
    destination.write(0, [memoryview(b"o" * SIZE)])
    copy_range(source, 4096, destination, 0, 12288, overlap=False)
    assert destination.asked == [(8192, 4096, 4096)]
    copied = b"o" * 4096 if willing else b"d" * 4096
    assert content(destination)[:12288] == bytes(4096) + copied + bytes(4096)


def test_zeros_where_there_are_no_holes() -> None:
    device = MemoryDevice(SIZE, can_unmap=False)
    device.write(0, [memoryview(b"o" * SIZE)])
    fill_with_zeros(device, 4096, 4096)
    assert content(device)[4096:8192] == bytes(4096)
    assert all(extent.mapped for extent in device.extents(0, SIZE))


@given(
    source=st.integers(0, 3 * PIECE_BYTES), to=st.integers(0, 3 * PIECE_BYTES), length=st.integers(1, 2 * PIECE_BYTES)
)
@settings(max_examples=15, deadline=None)
def test_an_overlap_is_as_if_all_was_read_first(source: int, to: int, length: int) -> None:
    device = MemoryDevice(5 * PIECE_BYTES)
    data = b"".join(number.to_bytes(4, "big") for number in range(5 * PIECE_BYTES // 4))
    device.write(0, [memoryview(data)])
    overlap = source < to + length and to < source + length
    copy_range(device, source, device, to, length, overlap=overlap)
    assert content(device) == data[:to] + data[source : source + length] + data[to + length :]
