"""Which runs of a file hold data, which have space of their own without data, and which have neither.

Where data is, lseek(2) says; it knows of data that is still in the page cache only. What space there is without data is
asked of FIEMAP (Documentation/filesystems/fiemap.rst of the kernel), only for runs without data: its own answer on
data is that of the disk, which may be behind.
"""

import errno
import fcntl
import os
import struct
from collections.abc import Iterator

from lunaport.blockdev.device import Extent

EXTENTS_MAX = 4096
"""The rest of a range is called mapped after so many runs: always a legal answer, and it bounds the walk."""

_FIEMAP = 0xC020660B  # _IOWR('f', 11, struct fiemap)
_HEADER = struct.Struct("=QQIIII")  # start, length, flags, extents found, extents there is room for
_RECORD = struct.Struct("=Q8xQ16xI12x")  # start, length, flags
_UNWRITTEN = 0x800
_RECORDS = 128


def can_tell_anchors(fd: int) -> bool:
    """Whether the file system tells space without data from none. Raises OSError."""
    try:
        _ask(fd, 0, 1)
    except OSError as error:
        if error.errno in (errno.EOPNOTSUPP, errno.ENOTTY, errno.ENOSYS, errno.EINVAL):
            return False
        raise
    return True


def extents_of(fd: int, offset: int, length: int, *, anchors: bool) -> list[Extent]:
    """The runs that cover a range, in order. `anchors`: space without data is told apart. Raises OSError."""
    extents: list[Extent] = []
    end = offset + length
    for extent in _runs(fd, offset, end, anchors=anchors):
        if len(extents) == EXTENTS_MAX:
            extents.append(Extent(offset=extent.offset, length=end - extent.offset, mapped=True))
            break
        extents.append(extent)
    return extents


def _runs(fd: int, position: int, end: int, *, anchors: bool) -> Iterator[Extent]:
    while position < end:
        data = _seek(fd, position, os.SEEK_DATA, end)
        if data > position:
            if anchors:
                yield from _without_data(fd, position, data)
            else:
                yield Extent(offset=position, length=data - position, mapped=False)
        else:
            data = _seek(fd, position, os.SEEK_HOLE, end)
            yield Extent(offset=position, length=data - position, mapped=True)
        position = data


def _without_data(fd: int, position: int, end: int) -> Iterator[Extent]:
    """A range without data, as runs with space and without. Neighbours are joined: a file system cuts long runs."""
    anchored: Extent | None = None
    for start, stop in _unwritten(fd, position, end):
        if anchored is not None and start == position:
            anchored = Extent(offset=anchored.offset, length=stop - anchored.offset, mapped=False, anchored=True)
        else:
            if anchored is not None:
                yield anchored
            if start > position:
                yield Extent(offset=position, length=start - position, mapped=False)
            anchored = Extent(offset=start, length=stop - start, mapped=False, anchored=True)
        position = stop
    if anchored is not None:
        yield anchored
    if position < end:
        yield Extent(offset=position, length=end - position, mapped=False)


def _unwritten(fd: int, position: int, end: int) -> Iterator[tuple[int, int]]:
    """The (start, end) of each extent that has space and was never written, cut to the range."""
    before = -1
    while before < position < end:  # a file system that tells the same for ever is believed once
        before = position
        records = _ask(fd, position, end - position)
        for start, length, flags in records:
            first, last = max(start, position), min(start + length, end)
            if flags & _UNWRITTEN and first < last:
                yield first, last
            position = max(position, last)
        if len(records) < _RECORDS:
            return


def _ask(fd: int, offset: int, length: int) -> list[tuple[int, int, int]]:
    """The first extents that touch a range, as (start, length, flags)."""
    answer = bytearray(_HEADER.size + _RECORDS * _RECORD.size)
    _HEADER.pack_into(answer, 0, offset, length, 0, 0, _RECORDS, 0)
    fcntl.ioctl(fd, _FIEMAP, answer)
    found = _HEADER.unpack_from(answer)[3]
    return [_RECORD.unpack_from(answer, _HEADER.size + index * _RECORD.size) for index in range(found)]


def _seek(fd: int, position: int, whence: int, end: int) -> int:
    """The next data or hole from `position`, at most `end`. The descriptor's own position is used by nobody."""
    try:
        return min(os.lseek(fd, position, whence), end)
    except OSError as error:
        if error.errno == errno.ENXIO:  # no data behind `position`
            return end
        raise
