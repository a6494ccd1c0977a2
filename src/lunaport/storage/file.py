"""A block device on a thin regular file.

The page cache is the LUN's volatile write cache: a write is in it when `write_now` or `write` returned, and on the disk
after `flush`. Holes read as zeros and take no space. One process serves a file at a time (flock).

Invariant: after one failed fdatasync no later write or flush succeeds. The kernel marks the pages it could not write
as clean and says so once, so a flush that succeeded after that would vouch for data that is gone. The same holds once
the file was found cut, removed or replaced: what is written to it then is written to nowhere. Reads still work: what is
left can be rescued. Opening the file again (after a check) ends that state.

It does not validate requests (the SCSI edge does), knows nothing of block sizes, and starts no thread.
"""

import errno
import fcntl
import math
import os
import stat
import threading
from collections.abc import Callable, Sequence

from lunaport.blockdev.device import BlockDevice, Buffer, DeviceError, DeviceFault, Extent, Space
from lunaport.storage import attributes, intent
from lunaport.storage.errors import StorageError, storage_error
from lunaport.storage.extents import can_tell_anchors, extents_of
from lunaport.storage.fallocate import can_punch, is_in_memory, punch_hole, zero_range
from lunaport.storage.health import Errors, displaced, harm
from lunaport.storage.reopen import reopen_for_writing

IOV_MAX = 1024
"""Buffers a single preadv or pwritev takes (limits.h)."""
SLOW_WRITE_S = 0.02
"""An inline write that took longer was throttled by the kernel ..."""
BACK_OFF_S = 1.0
"""... and for this long writes go to worker threads instead."""

_PAGE_MASK = os.sysconf("SC_PAGE_SIZE") - 1
_STAT_BLOCK_BYTES = 512  # st_blocks counts these on Linux, whatever the file system's block size
_ZEROS = memoryview(bytes(1 << 20))
_CANNOT_COPY = frozenset({errno.EXDEV, errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL, errno.ETXTBSY})
_FAULTS = {
    errno.ENOSPC: DeviceFault.NO_SPACE,
    errno.EDQUOT: DeviceFault.NO_SPACE,
    errno.EROFS: DeviceFault.READ_ONLY,
    errno.EPERM: DeviceFault.READ_ONLY,
    errno.ENODEV: DeviceFault.GONE,
    errno.ENXIO: DeviceFault.GONE,
    errno.ESHUTDOWN: DeviceFault.GONE,
    errno.ESTALE: DeviceFault.GONE,
    errno.EBADF: DeviceFault.GONE,
}


def open_file(
    path: str, clock: Callable[[], float], *, size_bytes: int | None = None, read_only: bool = False
) -> "FileDevice":
    """Open the file at `path` for serving. `clock` counts seconds monotonically.

    The device is the first `size_bytes` of the file, or all of it. A file that is longer was about to grow when
    something went wrong; one that is shorter was cut by somebody else, and is refused. An atomic write that a crash
    broke off is completed. `read_only`: the file is opened for reading, and nobody may write to the device.

    Raises StorageError, `in use` when somebody else serves it.
    """
    access = os.O_RDONLY if read_only else os.O_RDWR
    try:
        fd = os.open(path, access | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError as error:
        raise storage_error(error, path) from error
    try:
        status = os.fstat(fd)
        if not stat.S_ISREG(status.st_mode):
            raise StorageError("i/o", path, "not a regular file")
        if size_bytes is not None and status.st_size < size_bytes:
            reason = f"was cut: it has {status.st_size} bytes and should have {size_bytes}"
            raise StorageError("i/o", path, reason)
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if not read_only:
            intent.recover(path + intent.SUFFIX, fd, status.st_size)
        return FileDevice(
            fd,
            path=path,
            size_bytes=status.st_size if size_bytes is None else size_bytes,
            can_unmap=not read_only and can_punch(fd, status.st_size),
            can_anchor=not read_only and can_tell_anchors(fd),
            in_memory=is_in_memory(fd),
            at_once=_answers_at_once(fd),
            clock=clock,
        )
    except BlockingIOError as error:
        os.close(fd)
        raise StorageError("in use", path, "served by another process") from error
    except OSError as error:
        os.close(fd)
        raise storage_error(error, path) from error
    except StorageError:
        os.close(fd)
        raise


def _answers_at_once(fd: int) -> bool:
    """Whether the page cache answers: a file system that refuses RWF_NOWAIT asks a server, or a program (FUSE), which
    may take as long as it likes. One in memory refuses it too, and never waits.

    Asked at the end of the file: what is read, even ahead, would look like data to `extents`.
    """
    try:
        os.preadv(fd, [bytearray(1)], os.fstat(fd).st_size, os.RWF_NOWAIT)
    except BlockingIOError:
        return True
    except OSError as error:
        return error.errno != errno.EOPNOTSUPP or is_in_memory(fd)
    return True


class FileDevice:
    """A `BlockDevice` on an open, locked file descriptor, which it owns. Made by `open_file`."""

    def __init__(
        self,
        fd: int,
        *,
        path: str,
        size_bytes: int,
        can_unmap: bool,
        can_anchor: bool = False,
        in_memory: bool,
        clock: Callable[[], float],
        at_once: bool = True,
    ) -> None:
        self._fd = fd
        self._path = path
        self._intent = intent.IntentRecord(path + intent.SUFFIX)
        self._intent_lock = threading.Lock()
        self._size_bytes = size_bytes
        self._can_unmap = can_unmap
        self._can_anchor = can_anchor
        self._can_zero = True
        self._in_memory = in_memory
        self._read_flags = 0 if in_memory else os.RWF_NOWAIT
        self._can_read_now = at_once
        self._clock = clock
        self._inline_from = clock() if at_once else math.inf
        self._flush_lock = threading.Lock()
        self._flushes_started = 0
        self._flushes_done = 0
        self._failure = ""
        self.errors = Errors()

    @property
    def size_bytes(self) -> int:
        return self._size_bytes

    @property
    def can_unmap(self) -> bool:
        return self._can_unmap

    @property
    def can_anchor(self) -> bool:
        return self._can_anchor

    def grow(self, size_bytes: int) -> None:
        """Make file and device larger, durably; a size not larger than now changes nothing.

        Blocks. Raises DeviceError.
        """
        if size_bytes <= self._size_bytes:
            return
        try:
            if os.fstat(self._fd).st_size < size_bytes:
                os.ftruncate(self._fd, size_bytes)
            os.fsync(self._fd)
        except OSError as error:
            raise self._write_error(error) from error
        self._size_bytes = size_bytes

    def reopen_for_writing(self) -> None:
        """Let who writes to the device write to the file, which was opened for reading. Blocks. Raises DeviceError."""
        try:
            reopen_for_writing(self._fd, self._path)
            self._can_unmap = can_punch(self._fd, os.fstat(self._fd).st_size)
            self._can_anchor = can_tell_anchors(self._fd)
        except OSError as error:
            raise self._write_error(error) from error

    def read_now(self, offset: int, buffers: Sequence[Buffer]) -> int:
        # The flags are 0 for a file in memory, where RWF_NOWAIT is refused and nothing waits anyway. Any other file
        # system that refuses it (some network ones) is always read by the worker threads: it could stall all LUNs.
        if not self._can_read_now:
            return 0
        try:
            return os.preadv(self._fd, buffers, offset, self._read_flags)
        except BlockingIOError:
            return 0
        except OSError as error:
            if error.errno == errno.EOPNOTSUPP:
                self._can_read_now = False
                return 0
            raise self._read_error(error) from error

    def read(self, offset: int, buffers: Sequence[Buffer]) -> None:
        views = list(buffers)
        position = offset
        while views:
            try:
                moved = os.preadv(self._fd, views[:IOV_MAX], position)
            except OSError as error:
                raise self._read_error(error) from error
            if moved == 0 and any(map(len, views)):
                self.check()
                raise self._error(DeviceFault.MEDIUM_READ, f"the file ends before byte {position}")
            position += moved
            views = _after(views, moved)

    def write_now(self, offset: int, buffers: Sequence[Buffer]) -> int:
        # Buffered writes know no RWF_NOWAIT on ext4, and one system call with copy into the page cache is what makes
        # small writes fast, so they are done inline. They can wait in two cases, and both are kept off the event loop:
        # a page that is written in part and is not in the cache has to be read first (asked for beforehand), and a
        # writer that dirties pages faster than the disk takes them is put to sleep by the kernel (noticed afterwards).
        # Where no page cache answers, nothing is ever done inline.
        if self._failure:
            raise DeviceError(DeviceFault.FLUSH_FAILED, self._failure)
        started = self._clock()
        if started < self._inline_from:
            return 0
        end = offset + (len(buffers[0]) if len(buffers) == 1 else sum(map(len, buffers)))
        if (offset | end) & _PAGE_MASK and not self._edges_cached(offset, end):
            return 0
        try:
            written = os.pwritev(self._fd, buffers, offset)
        except OSError as error:
            raise self._write_error(error) from error
        ended = self._clock()
        if ended - started > SLOW_WRITE_S:
            self._inline_from = ended + BACK_OFF_S
        return written

    def write(self, offset: int, buffers: Sequence[Buffer]) -> None:
        self._refuse_after_failed_flush()
        views = list(buffers)
        position = offset
        while views:
            try:
                moved = os.pwritev(self._fd, views[:IOV_MAX], position)
            except OSError as error:
                raise self._write_error(error) from error
            position += moved
            views = _after(views, moved)

    def write_atomic(self, offset: int, data: Buffer) -> None:
        """See `storage.intent` for what happens when."""
        with self._intent_lock:
            if self._intent.unsettled:
                self.flush()
            self._refuse_after_failed_flush()
            try:
                self._intent.put(offset, data)
                self.write(offset, [data])
                self._intent.mark_done()
            except OSError as error:
                raise self._write_error(error) from error

    def flush(self) -> None:
        # One fdatasync at a time: of two that run together one alone would be told of a failure. Whoever waited while
        # a whole other one ran (from its start on) needs none of its own: that one covered its writes.
        arrived = self._flushes_started
        with self._flush_lock:
            self._refuse_after_failed_flush()
            if self._flushes_done > arrived:
                return
            self._flushes_started += 1
            done = self._intent.done
            try:
                os.fdatasync(self._fd)
                self._intent.settle(done)
                self._failure = self._failure or harm(self._fd, self._size_bytes)
            except OSError as error:
                self._failure = os.strerror(error.errno or errno.EIO)
                raise self._error(DeviceFault.FLUSH_FAILED, self._failure) from error
            self._refuse_after_failed_flush()
            self._flushes_done = self._flushes_started

    def unmap(self, offset: int, length: int) -> None:
        self._refuse_after_failed_flush()
        if length == 0:
            return
        try:
            punch_hole(self._fd, offset, length)
        except OSError as error:
            if error.errno != errno.EOPNOTSUPP:
                raise self._write_error(error) from error
            self._write_zeros(offset, length)

    def write_zeroes(self, offset: int, length: int) -> None:
        self._refuse_after_failed_flush()
        if length == 0:
            return
        if self._can_zero:
            try:
                zero_range(self._fd, offset, length)
            except OSError as error:
                if error.errno != errno.EOPNOTSUPP:
                    raise self._write_error(error) from error
                self._can_zero = False
            else:
                return
        self._write_zeros(offset, length)

    def copy_from(self, source: BlockDevice, source_offset: int, offset: int, length: int) -> bool:
        """See `blockdev.copying.CopiesFrom`: copy_file_range(2), which shares blocks where the file system can."""
        if not isinstance(source, FileDevice):
            return False
        self._refuse_after_failed_flush()
        done = 0
        while done < length:
            try:
                moved = os.copy_file_range(source._fd, self._fd, length - done, source_offset + done, offset + done)
            except OSError as error:
                if error.errno in _CANNOT_COPY:
                    return False
                raise self._write_error(error) from error
            if moved == 0:
                raise self._error(DeviceFault.MEDIUM_READ, f"the file ends before byte {source_offset + done}")
            done += moved
        return True

    def extents(self, offset: int, length: int) -> list[Extent]:
        try:
            return extents_of(self._fd, offset, length, anchors=self._can_anchor)
        except OSError as error:
            raise self._read_error(error) from error

    def space(self) -> Space:
        try:
            system, status = os.fstatvfs(self._fd), os.fstat(self._fd)
        except OSError as error:
            raise self._read_error(error) from error
        return Space(
            used_bytes=status.st_blocks * _STAT_BLOCK_BYTES,
            free_bytes=system.f_bavail * system.f_frsize,
            total_bytes=system.f_blocks * system.f_frsize,
        )

    def close(self) -> None:
        # The descriptor is forgotten first: a second close must not close a number that was given out again.
        fd, self._fd = self._fd, -1
        if fd >= 0:
            # A record that a crash of the machine could still need stays; the next opening settles it.
            self._intent.close(remove=not self._intent.unsettled)
            os.close(fd)

    def read_kept(self) -> bytes | None:
        """What was kept with the file; None where the file system cannot keep anything. Raises DeviceError."""
        try:
            return attributes.read(self._fd) if attributes.can_keep(self._fd) else None
        except OSError as error:
            raise self._read_error(error) from error

    def keep(self, value: bytes) -> None:
        """Keep a few bytes with the file, durably. Blocks. Raises DeviceError."""
        try:
            attributes.write(self._fd, value)
        except OSError as error:
            raise self._write_error(error) from error

    def _edges_cached(self, offset: int, end: int) -> bool:
        """Whether the pages that the range covers only in part are in the page cache."""
        if self._in_memory:
            return True
        edges = [edge for edge in (offset, end) if edge & _PAGE_MASK]
        probe = [memoryview(bytearray(1))]
        # A page is written in part at its head (the end of the range) or at its tail (the start): the byte before the
        # end and the one at the start lie in it.
        return all(self.read_now(edge if edge == offset else edge - 1, probe) == 1 for edge in edges)

    @property
    def failure(self) -> str:
        """Why nothing can be written any more; empty while all is well."""
        return self._failure

    def check(self) -> None:
        """Look whether the file is still whole and in its place. Blocks; what is found is in `failure`."""
        fd = self._fd
        if fd < 0 or self._failure:
            return
        try:
            found = harm(fd, self._size_bytes) or displaced(fd, self._path)
        except OSError as error:
            # A file system may be out of reach for a while; that alone is no reason to give the disk up.
            self._read_error(error)
            return
        if self._fd == fd:
            self._failure = self._failure or found

    def _refuse_after_failed_flush(self) -> None:
        if self._failure:
            raise DeviceError(DeviceFault.FLUSH_FAILED, self._failure)

    def _error(self, fault: DeviceFault, detail: str) -> DeviceError:
        self.errors.note(fault, detail)
        return DeviceError(fault, detail)

    def _read_error(self, error: OSError) -> DeviceError:
        number = error.errno or errno.EIO
        return self._error(_FAULTS.get(number, DeviceFault.MEDIUM_READ), os.strerror(number))

    def _write_error(self, error: OSError) -> DeviceError:
        number = error.errno or errno.EIO
        return self._error(_FAULTS.get(number, DeviceFault.MEDIUM_WRITE), os.strerror(number))

    def _write_zeros(self, offset: int, length: int) -> None:
        position, end = offset, offset + length
        while position < end:
            chunk = min(len(_ZEROS), end - position)
            self.write(position, [_ZEROS[:chunk]])
            position += chunk


def _after(views: list[Buffer], moved: int) -> list[Buffer]:
    """What is left of `views` when their first `moved` bytes are done."""
    for index, view in enumerate(views):
        if moved < len(view):
            return [view[moved:], *views[index + 1 :]]
        moved -= len(view)
    return []
