"""Encryption at rest: what is read is what was written, and nothing of it lies on the disk."""

import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lunaport.blockdev.filters import DelayFilter
from lunaport.blockdev.memory import MemoryDevice
from lunaport.storage.companion import KEY
from lunaport.storage.encrypted import NOW_BYTES_MAX, EncryptedDevice, KeyFile, open_encrypted
from lunaport.storage.errors import StorageError

SIZE = 1 << 18
DATA_KEY = bytes(range(64))
WRAPPING_KEY = b"w" * 32


def content(device: MemoryDevice | EncryptedDevice, offset: int = 0, length: int = SIZE) -> bytes:
    data = bytearray(length)
    half = length // 2
    device.read(offset, [memoryview(data)[:half], memoryview(data)[half:]])
    return bytes(data)


def pair(path: str = "/nowhere") -> tuple[MemoryDevice, EncryptedDevice]:
    below = MemoryDevice(SIZE)
    return below, EncryptedDevice(below, KeyFile(path, WRAPPING_KEY), DATA_KEY)


def test_a_sector_is_xts_with_its_number_as_tweak() -> None:
    """IEEE 1619-2007 annex B, vector 10: data unit number ff, the first 32 bytes of 512."""
    keys = bytes.fromhex(
        "2718281828459045235360287471352662497757247093699959574966967627"
        "3141592653589793238462643383279502884197169399375105820974944592"
    )
    below = MemoryDevice(1 << 21)
    device = EncryptedDevice(below, KeyFile("/nowhere", WRAPPING_KEY), keys)
    device.write(0xFF * 4096, [memoryview(bytes(index & 0xFF for index in range(512)))])
    data = bytearray(32)
    below.read(0xFF * 4096, [memoryview(data)])
    assert data.hex() == "1c3b3a102f770386e4836c99e370cf9bea00803f5e482357a4ae12d414a3e63b"


def test_parts_of_a_sector_make_the_whole() -> None:
    data = os.urandom(8192)
    whole_below, whole = pair()
    whole.write(0, [memoryview(data)])
    parts_below, parts = pair()
    for start in (512 * 3, 0, 512 * 9, 512):
        parts.write(start, [memoryview(data)[start : start + 512]])
    for start in range(0, 8192, 512):
        parts.write(start, [memoryview(data)[start : start + 512]])
    assert content(parts_below) == content(whole_below)
    assert content(whole, 0, 8192) == data


def test_equal_blocks_do_not_look_equal_and_nothing_is_clear() -> None:
    below, device = pair()
    device.write(0, [memoryview(b"secret!!" * 1024)])
    raw = content(below, 0, 8192)
    assert b"secret" not in raw
    assert len({raw[start : start + 16] for start in range(0, 8192, 16)}) == 512


def test_zeros_that_are_written_are_no_hole_and_holes_are_zeros() -> None:
    below, device = pair()
    device.write(4096, [memoryview(bytes(4096))])
    assert any(content(below, 4096, 4096))
    assert content(device) == bytes(SIZE)
    assert [extent.mapped for extent in device.extents(0, SIZE)] == [False, True, False]
    device.unmap(4096, 512)
    assert content(device) == bytes(SIZE)
    assert device.can_unmap
    assert device.can_anchor


def test_what_waits_below_waits_here_and_long_ones_never_hold_up_the_loop() -> None:
    below = MemoryDevice(SIZE)
    slow = EncryptedDevice(DelayFilter(below, lambda: None), KeyFile("/nowhere", WRAPPING_KEY), DATA_KEY)
    data = memoryview(bytearray(4096))
    assert (slow.read_now(0, [data]), slow.write_now(0, [data])) == (0, 0)
    _, device = pair()
    long = memoryview(bytearray(NOW_BYTES_MAX + 512))
    assert (device.read_now(0, [long]), device.write_now(0, [long])) == (0, 0)
    assert device.write_now(0, [long[:-512]]) == NOW_BYTES_MAX
    assert device.read_now(0, [long[:-512]]) == NOW_BYTES_MAX


steps = st.lists(
    st.tuples(
        st.sampled_from(["write", "write_now", "unmap", "zero"]),
        st.integers(0, 60),
        st.integers(0, 40),
        st.integers(0, 255),
    ),
    max_size=15,
)


@given(steps=steps)
@settings(max_examples=60, deadline=None)
def test_behaves_like_a_bytearray(steps: list[tuple[str, int, int, int]]) -> None:
    below, device = pair()
    model = bytearray(SIZE)
    for kind, block, count, fill in steps:
        offset, length = block * 512, count * 512
        if kind in ("write", "write_now"):
            data = memoryview(bytes([fill]) * length)
            done = device.write_now(offset, [data]) if kind == "write_now" else 0
            device.write(offset + done, [data[done:]])
            model[offset : offset + length] = data
        else:
            (device.unmap if kind == "unmap" else device.write_zeroes)(offset, length)
            model[offset : offset + length] = bytes(length)
    assert content(device) == model
    now = bytearray(NOW_BYTES_MAX)
    assert device.read_now(0, [memoryview(now)]) == NOW_BYTES_MAX
    assert now == model[:NOW_BYTES_MAX]
    assert below.size_bytes == device.size_bytes


# Keys


def test_a_key_is_made_kept_and_never_shown(tmp_path: Path) -> None:
    path = str(tmp_path / "disk")
    keys = KeyFile(path, WRAPPING_KEY)
    keys.create()
    key = keys.load()
    assert len(key) == 64
    assert key == KeyFile(path, WRAPPING_KEY).load()
    assert key not in Path(path + KEY).read_bytes()
    device = open_encrypted(MemoryDevice(SIZE), path, WRAPPING_KEY)
    for shown in (repr(keys), repr(device)):
        assert key.hex() not in shown
        assert WRAPPING_KEY.hex() not in shown


def test_a_key_that_is_missing_wrong_or_damaged_is_told(tmp_path: Path) -> None:
    path = str(tmp_path / "disk")
    with pytest.raises(StorageError, match="its key is missing"):
        KeyFile(path, WRAPPING_KEY).load()
    KeyFile(path, WRAPPING_KEY).create()
    with pytest.raises(StorageError, match="not one of this NAS"):
        KeyFile(path, b"x" * 32).load()
    Path(path + KEY).write_bytes(b"?" * 60)
    with pytest.raises(StorageError, match="damaged"):
        KeyFile(path, WRAPPING_KEY).load()
    with pytest.raises(StorageError) as caught:
        KeyFile(str(tmp_path / "no" / "disk"), WRAPPING_KEY).create()
    assert caught.value.fault == "i/o"


def test_without_its_key_nothing_can_be_read_again(tmp_path: Path) -> None:
    path = str(tmp_path / "disk")
    KeyFile(path, WRAPPING_KEY).create()
    below = MemoryDevice(SIZE)
    device = open_encrypted(below, path, WRAPPING_KEY)
    device.write(0, [memoryview(b"s" * 4096)])
    device.erase_key()
    assert content(device, 0, 4096) != b"s" * 4096
    again = open_encrypted(below, path, WRAPPING_KEY)
    assert content(again, 0, 4096) == content(device, 0, 4096)
    device.write(0, [memoryview(b"n" * 4096)])
    assert content(again, 0, 4096) == b"n" * 4096
