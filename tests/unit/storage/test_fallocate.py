"""fallocate(2): the modes the standard library does not know."""

import errno
import os
from pathlib import Path

import pytest

from lunaport.storage.fallocate import is_in_memory, punch_hole, zero_range


def test_punch_hole_gives_space_back_and_keeps_the_size(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(b"x" * 65536)
    with file.open("r+b") as opened:
        os.fsync(opened.fileno())
        before = os.fstat(opened.fileno()).st_blocks
        punch_hole(opened.fileno(), 4096, 32768)
        status = os.fstat(opened.fileno())
    assert status.st_size == 65536
    assert status.st_blocks < before
    assert file.read_bytes() == b"x" * 4096 + bytes(32768) + b"x" * (65536 - 4096 - 32768)


def test_zero_range_or_a_clear_refusal(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(b"x" * 65536)
    with file.open("r+b") as opened:
        if is_in_memory(opened.fileno()):
            with pytest.raises(OSError, match=os.strerror(errno.EOPNOTSUPP)):
                zero_range(opened.fileno(), 100, 32768)
            return
        zero_range(opened.fileno(), 100, 32768)
    assert file.read_bytes() == b"x" * 100 + bytes(32768) + b"x" * (65536 - 100 - 32768)


@pytest.mark.parametrize("call", [punch_hole, zero_range])
def test_errors_are_os_errors(call: object) -> None:
    assert callable(call)
    with pytest.raises(OSError, match="Bad file descriptor"):
        call(-1, 0, 1)


def test_is_in_memory() -> None:
    with pytest.raises(OSError, match="Bad file descriptor"):
        is_in_memory(-1)
    fd = os.memfd_create("probe", os.MFD_CLOEXEC)
    try:
        assert is_in_memory(fd)
    finally:
        os.close(fd)


def test_a_disk_is_not_in_memory() -> None:
    fd = os.open("/proc/self/stat", os.O_RDONLY)
    try:
        assert not is_in_memory(fd)
    finally:
        os.close(fd)
