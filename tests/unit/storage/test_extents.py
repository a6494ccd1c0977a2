"""Which runs of a file hold data, which have space of their own without data, and which have neither."""

import errno
import fcntl
import itertools
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lunaport.blockdev.device import Extent
from lunaport.storage import extents as module
from lunaport.storage import fallocate
from lunaport.storage.extents import EXTENTS_MAX, can_tell_anchors, extents_of

SIZE = 1 << 20


@pytest.fixture
def fd(tmp_path: Path) -> Iterator[int]:
    fd = os.open(tmp_path / "disk", os.O_RDWR | os.O_CREAT)
    os.ftruncate(fd, SIZE)
    yield fd
    os.close(fd)


def hole(offset: int, length: int, *, anchored: bool = False) -> Extent:
    return Extent(offset=offset, length=length, mapped=False, anchored=anchored)


def data(offset: int, length: int) -> Extent:
    return Extent(offset=offset, length=length, mapped=True)


def failing(number: int) -> Any:
    def fail(*_: object) -> Any:
        raise OSError(number, os.strerror(number))

    return fail


def test_data_and_holes(fd: int) -> None:
    os.pwrite(fd, b"x" * 8192, 65536)
    expected = [hole(0, 65536), data(65536, 8192), hole(73728, SIZE - 73728)]
    for anchors in (False, can_tell_anchors(fd)):
        assert extents_of(fd, 0, SIZE, anchors=anchors) == expected
        assert extents_of(fd, 65536 + 512, 512, anchors=anchors) == [data(65536 + 512, 512)]
        assert extents_of(fd, 512, 512, anchors=anchors) == [hole(512, 512)]


def test_space_without_data(fd: int) -> None:
    if not can_tell_anchors(fd):
        pytest.skip("the file system of the temporary folder does not tell space without data")
    fallocate.zero_range(fd, 65536, 131072)
    end = 65536 + 131072
    anchored = hole(65536, 131072, anchored=True)
    assert extents_of(fd, 0, SIZE, anchors=True) == [hole(0, 65536), anchored, hole(end, SIZE - end)]
    assert extents_of(fd, 0, SIZE, anchors=False) == [hole(0, SIZE)]
    # Data is data at once, while it is in the page cache only.
    os.pwrite(fd, b"d" * 4096, 65536 + 4096)
    assert extents_of(fd, 65536, 131072, anchors=True) == [
        hole(65536, 4096, anchored=True),
        data(65536 + 4096, 4096),
        hole(65536 + 8192, 131072 - 8192, anchored=True),
    ]
    os.fsync(fd)
    assert data(65536 + 4096, 4096) in extents_of(fd, 65536, 131072, anchors=True)
    fallocate.punch_hole(fd, 0, SIZE)
    assert extents_of(fd, 0, SIZE, anchors=True) == [hole(0, SIZE)]


@pytest.mark.parametrize("number", [errno.EOPNOTSUPP, errno.ENOTTY])
def test_a_file_system_that_does_not_tell(fd: int, number: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fcntl, "ioctl", failing(number))
    assert not can_tell_anchors(fd)
    monkeypatch.setattr(fcntl, "ioctl", failing(errno.EIO))
    with pytest.raises(OSError, match="Input/output error"):
        can_tell_anchors(fd)


def test_they_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Data and holes take turns byte by byte; the rest counts as mapped."""
    monkeypatch.setattr(os, "lseek", lambda _fd, at, whence: at + (at % 2 if whence == os.SEEK_DATA else 1))
    extents = extents_of(-1, 0, SIZE, anchors=False)
    assert len(extents) == EXTENTS_MAX + 1
    assert extents[-1] == data(EXTENTS_MAX, SIZE - EXTENTS_MAX)


runs = st.lists(st.tuples(st.integers(1, 9), st.sampled_from(["hole", "anchored", "data"])), min_size=1, max_size=300)


@given(runs=runs, cuts=st.integers(1, 5), start=st.integers(0, 20))
def test_they_cover_the_range_as_the_file_system_tells_it(runs: list[tuple[int, str]], cuts: int, start: int) -> None:
    """Against a file system that cuts its extents into pieces and tells of some at a time."""
    kinds = [kind for length, kind in runs for _ in range(length)]
    end = len(kinds)
    start = min(start, end - 1)

    def seek(_fd: int, position: int, whence: int) -> int:
        wanted = (whence == os.SEEK_DATA,)
        for at in range(position, end):
            if (kinds[at] == "data",) == wanted:
                return at
        if whence == os.SEEK_DATA:
            raise OSError(errno.ENXIO, "no data behind")
        return end

    def ask(_fd: int, offset: int, length: int) -> list[tuple[int, int, int]]:
        found: list[tuple[int, int, int]] = []
        at = offset - offset % cuts
        while at < offset + length and len(found) < module._RECORDS:
            stop = at
            while stop < min(end, at + cuts) and kinds[stop] == kinds[at]:
                stop += 1
            if kinds[at] != "hole" and stop > offset:
                found.append((at, stop - at, 0x800 if kinds[at] == "anchored" else 0x1))
            at = stop
        return found

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "lseek", seek)
        patch.setattr(module, "_ask", ask)
        extents = extents_of(-1, start, end - start, anchors=True)
    told = [
        "data" if each.mapped else "anchored" if each.anchored else "hole"
        for each in extents
        for _ in range(each.length)
    ]
    assert told == kinds[start:]
    assert extents[0].offset == start
    for one, two in itertools.pairwise(extents):
        assert two.offset == one.offset + one.length
        assert (one.mapped, one.anchored) != (two.mapped, two.anchored)
