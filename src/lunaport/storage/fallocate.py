"""fallocate(2) with modes, and the file system's kind: the two system calls the standard library lacks.

Errors are OSError, as `os` would raise them. Linux only, as the data path is.
"""

import ctypes
import errno
import os

_KEEP_SIZE = 0x01
_PUNCH_HOLE = 0x02
_ZERO_RANGE = 0x10

_STATFS_BYTES = 256
"""More than any struct statfs; its first word is the file system's magic number (statfs(2))."""
_MEMORY_MAGICS = frozenset({0x01021994, 0x858458F6})
"""tmpfs, ramfs."""

_LIBC = ctypes.CDLL(None, use_errno=True)
_FALLOCATE = _LIBC.fallocate64 if ctypes.sizeof(ctypes.c_long) == 4 else _LIBC.fallocate
_FALLOCATE.argtypes = (ctypes.c_int, ctypes.c_int, ctypes.c_longlong, ctypes.c_longlong)
_FALLOCATE.restype = ctypes.c_int
_FSTATFS = _LIBC.fstatfs
_FSTATFS.argtypes = (ctypes.c_int, ctypes.c_void_p)
_FSTATFS.restype = ctypes.c_int


def punch_hole(fd: int, offset: int, length: int) -> None:
    """Give the space of the range back; it reads as zeros and the file keeps its size."""
    _fallocate(fd, _PUNCH_HOLE | _KEEP_SIZE, offset, length)


def zero_range(fd: int, offset: int, length: int) -> None:
    """Make the range read as zeros with its space allocated; the file keeps its size."""
    _fallocate(fd, _ZERO_RANGE | _KEEP_SIZE, offset, length)


def is_in_memory(fd: int) -> bool:
    """Whether the file lives in memory only, so that no read of it ever waits for a disk."""
    answer = ctypes.create_string_buffer(_STATFS_BYTES)
    if _FSTATFS(fd, answer) != 0:
        raise _error()
    return int(ctypes.c_ulong.from_buffer(answer).value) & 0xFFFFFFFF in _MEMORY_MAGICS


def _fallocate(fd: int, mode: int, offset: int, length: int) -> None:
    if _FALLOCATE(fd, mode, offset, length) != 0:
        raise _error()


def _error() -> OSError:
    number = ctypes.get_errno()
    return OSError(number, os.strerror(number))


def can_punch(fd: int, size_bytes: int) -> bool:
    """Whether the file system can make holes; asked behind the end of the file, where nothing is lost by trying."""
    try:
        punch_hole(fd, size_bytes, 4096)
    except OSError as error:
        if error.errno in (errno.EOPNOTSUPP, errno.ENOSYS):
            return False
        raise
    return True
