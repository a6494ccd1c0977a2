"""MemoryDevice: the reference of what a block device does."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lunaport.blockdev.device import BlockDevice, Extent
from lunaport.blockdev.memory import PAGE_BYTES, MemoryDevice


def view(data: bytes) -> memoryview:
    return memoryview(bytearray(data))


def read(device: BlockDevice, offset: int, length: int) -> bytes:
    buffer = view(bytes(length))
    device.read(offset, [buffer])
    return bytes(buffer)


def test_new_device_reads_as_zeros_and_is_unmapped() -> None:
    device = MemoryDevice(10000)
    assert device.size_bytes == 10000
    assert device.can_unmap
    assert read(device, 0, 10000) == bytes(10000)
    assert device.extents(0, 10000) == [Extent(offset=0, length=10000, mapped=False)]


def test_moves_scattered_buffers_in_order() -> None:
    device = MemoryDevice(8192)
    assert device.write_now(10, [view(b"abc"), view(b""), view(b"de")]) == 5
    first, second = view(bytes(2)), view(bytes(3))
    assert device.read_now(10, [first, second]) == 5
    assert (bytes(first), bytes(second)) == (b"ab", b"cde")


def test_unmap_frees_whole_pages_only_and_zeroes_all() -> None:
    device = MemoryDevice(4 * PAGE_BYTES)
    device.write(0, [view(b"x" * 4 * PAGE_BYTES)])
    device.unmap(100, 2 * PAGE_BYTES)
    assert read(device, 100, 2 * PAGE_BYTES) == bytes(2 * PAGE_BYTES)
    assert device.extents(0, 4 * PAGE_BYTES) == [
        Extent(offset=0, length=PAGE_BYTES, mapped=True),
        Extent(offset=PAGE_BYTES, length=PAGE_BYTES, mapped=False),
        Extent(offset=2 * PAGE_BYTES, length=2 * PAGE_BYTES, mapped=True),
    ]


def test_last_page_that_is_not_whole_can_be_unmapped() -> None:
    device = MemoryDevice(PAGE_BYTES + 512)
    device.write(PAGE_BYTES, [view(b"x" * 512)])
    device.unmap(PAGE_BYTES, 512)
    assert device.extents(0, PAGE_BYTES + 512) == [Extent(offset=0, length=PAGE_BYTES + 512, mapped=False)]


def test_write_zeroes_keeps_space() -> None:
    device = MemoryDevice(2 * PAGE_BYTES)
    device.write_zeroes(0, PAGE_BYTES)
    assert device.extents(512, PAGE_BYTES) == [
        Extent(offset=512, length=PAGE_BYTES - 512, mapped=False, anchored=True),
        Extent(offset=PAGE_BYTES, length=512, mapped=False),
    ]
    assert device.space().used_bytes == PAGE_BYTES
    device.write_zeroes(PAGE_BYTES, 512)
    assert device.extents(PAGE_BYTES, 512) == [Extent(offset=PAGE_BYTES, length=512, mapped=True)], "a part of a page"


def test_grow() -> None:
    device = MemoryDevice(512)
    device.write(0, [view(b"x" * 512)])
    device.grow(3 * PAGE_BYTES)
    device.grow(512)
    assert device.size_bytes == 3 * PAGE_BYTES
    assert read(device, 0, 1024) == b"x" * 512 + bytes(512)
    assert device.extents(0, 3 * PAGE_BYTES)[1].mapped is False


def test_a_request_outside_is_our_mistake() -> None:
    device = MemoryDevice(512)
    with pytest.raises(ValueError, match="outside the device"):
        device.write(500, [view(bytes(13))])
    with pytest.raises(ValueError, match="outside the device"):
        device.read(500, [view(bytes(13))])
    with pytest.raises(ValueError, match="outside the device"):
        device.unmap(0, 513)
    assert device.size_bytes == 512


def test_flush_and_close_do_nothing() -> None:
    device = MemoryDevice(512)
    device.flush()
    device.close()


@given(
    steps=st.lists(
        st.tuples(st.sampled_from(["write", "unmap", "zero"]), st.integers(0, 20000), st.integers(0, 9000)), max_size=8
    )
)
def test_extents_cover_every_range_and_unmapped_is_zero(steps: list[tuple[str, int, int]]) -> None:
    size = 20480
    device = MemoryDevice(size)
    for kind, offset, length in steps:
        length = min(length, size - offset)
        if kind == "write":
            device.write(offset, [view(b"y" * length)])
        elif kind == "unmap":
            device.unmap(offset, length)
        else:
            device.write_zeroes(offset, length)
    extents = device.extents(100, size - 200)
    position = 100
    for extent in extents:
        assert extent.offset == position
        assert extent.length > 0
        if not extent.mapped:
            assert not any(read(device, extent.offset, extent.length))
        position += extent.length
    assert position == size - 100
    assert all((one.mapped, one.anchored) != (two.mapped, two.anchored) for one, two in pairwise(extents))
