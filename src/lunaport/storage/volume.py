"""Volumes: directories that hold the files behind LUNs.

A volume is `luns/` (files in use), `trash/` (deleted ones, kept for a while) and `iso/` (images of discs, see `image`)
in a directory of mode 0700. Every
function blocks, is durable when it returns (file and directory are synced), may be repeated after a crash, and raises
StorageError. Names, capacity rules and the emptying of the trash are decided above. What lies beside a file
(`companion`, `intent`) goes where the file goes.
"""

import contextlib
import errno
import fcntl
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from lunaport.storage import companion, intent, sidecar
from lunaport.storage.companion import sync_directory
from lunaport.storage.errors import StorageError, storage_error
from lunaport.storage.image import IMAGES

_BESIDE = (*sidecar.SUFFIXES, *companion.SUFFIXES, intent.SUFFIX)

LUNS = "luns"
TRASH = "trash"

_DIRECTORY_MODE = 0o700
_FILE_MODE = 0o600
_OFFSET_MAX = 2**63 - 1
_STAT_BLOCK_BYTES = 512  # st_blocks counts these on Linux, whatever the file system's block size


@dataclass(frozen=True, slots=True, kw_only=True)
class VolumeUsage:
    """A volume's file system. `used_bytes`: what the volume's own files occupy, its trash included."""

    total_bytes: int
    free_bytes: int
    used_bytes: int


def make_volume(path: str) -> None:
    """Make the directory and its folders unless they are there.

    Its parent has to exist: a mistyped mount point shall be an error, not a new directory on the system disk.
    """
    for directory in (Path(path), Path(path, LUNS), Path(path, TRASH), Path(path, IMAGES)):
        with _errors(directory):
            try:
                directory.mkdir(mode=_DIRECTORY_MODE)
            except FileExistsError:
                if not directory.is_dir():
                    raise StorageError("not a directory", str(directory), "exists and is not a directory") from None
            sync_directory(directory.parent)


def create_file(path: str, size_bytes: int) -> None:
    """Make a thin file. `exists`, `too large` and `no space` are its usual errors; an error leaves nothing behind."""
    file = Path(path)
    if size_bytes > _OFFSET_MAX:
        raise StorageError("too large", path, "larger than any file can be")
    with _errors(file):
        fd = os.open(file, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, _FILE_MODE)
        try:
            try:
                _extend(fd, path, size_bytes)
            finally:
                os.close(fd)
            sync_directory(file.parent)
        except BaseException:
            file.unlink(missing_ok=True)
            raise


def check_absent(path: str) -> None:
    """Raise StorageError `exists` when there is a file."""
    if os.path.lexists(path):
        raise StorageError("exists", path, "a file of that name exists")


def find_file(path: str) -> tuple[int | None, bool]:
    """The length of a file, None where there is none; and whether the key of its encryption lies beside it."""
    file = Path(path)
    with _errors(file):
        has_key = os.path.lexists(path + companion.KEY)
        try:
            status = file.lstat()
        except (FileNotFoundError, NotADirectoryError):
            return None, has_key
        if not stat.S_ISREG(status.st_mode):
            raise StorageError("i/o", path, "not a regular file")
        return status.st_size, has_key


def grow_file(path: str, size_bytes: int) -> None:
    """Make a file at least `size_bytes` long. A device that serves it does not notice: that has its own `grow`."""
    if size_bytes > _OFFSET_MAX:
        raise StorageError("too large", path, "larger than any file can be")
    with _errors(Path(path)):
        fd = os.open(path, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
        try:
            if os.fstat(fd).st_size < size_bytes:
                _extend(fd, path, size_bytes)
        finally:
            os.close(fd)


def move_file(path: str, destination: str) -> None:
    """Rename a file within its volume; one that is there already counts as moved. Never replaces another file."""
    source, target = Path(path), Path(destination)
    with _errors(source):
        there = os.path.lexists(target)
        if os.path.lexists(source):
            if there:
                raise StorageError("exists", destination, "a file of that name exists")
            source.rename(target)
        elif not there:
            raise StorageError("missing", path, os.strerror(errno.ENOENT).lower())
        # After the file: who finds it at its new place without them repeats the move before it is served.
        for suffix in _BESIDE:
            with contextlib.suppress(FileNotFoundError):
                Path(path + suffix).rename(destination + suffix)
        sync_directory(target.parent)
        sync_directory(source.parent)


def remove_file(path: str) -> None:
    """Remove a file; a missing one counts as removed. Raises `in use` while somebody serves it."""
    file = Path(path)
    with _errors(file):
        try:
            fd = os.open(file, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
        except FileNotFoundError:
            for suffix in _BESIDE:
                Path(path + suffix).unlink(missing_ok=True)
            return
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            for suffix in _BESIDE:
                Path(path + suffix).unlink(missing_ok=True)
            file.unlink(missing_ok=True)
        finally:
            os.close(fd)
        sync_directory(file.parent)


def volume_usage(path: str, *, counted: bool = True) -> VolumeUsage:
    """The file system under the volume now. What is free is what an unprivileged writer gets.

    Not `counted`: no file is looked at, and `used_bytes` is 0.
    """
    with _errors(Path(path)):
        system = os.statvfs(path)
        used = sum(_used_bytes(Path(path, folder)) for folder in (LUNS, TRASH, IMAGES)) if counted else 0
    return VolumeUsage(
        total_bytes=system.f_blocks * system.f_frsize,
        free_bytes=system.f_bavail * system.f_frsize,
        used_bytes=used,
    )


def _used_bytes(directory: Path) -> int:
    total = 0
    try:
        entries = os.scandir(directory)
    except FileNotFoundError:  # a volume of an earlier version has no folder for images
        return 0
    with entries:
        for entry in entries:
            with contextlib.suppress(FileNotFoundError):  # moved or removed while we look
                total += entry.stat(follow_symlinks=False).st_blocks * _STAT_BLOCK_BYTES
    return total


def _extend(fd: int, path: str, size_bytes: int) -> None:
    try:
        os.ftruncate(fd, size_bytes)
    except OSError as error:
        # Some file systems say EINVAL where POSIX allows it beside EFBIG.
        if error.errno in (errno.EFBIG, errno.EINVAL):
            raise StorageError("too large", path, "larger than a file of this file system can be") from error
        raise
    os.fsync(fd)


@contextlib.contextmanager
def _errors(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise storage_error(error, str(path)) from error
