"""A file system that fails as it is told: `python -m tests.faults.disk ROOT AT FLAGS`.

It shows the folder ROOT at AT through FUSE. Each file in the folder FLAGS is a fault: `eio-read`, `eio-write`,
`eio-fsync`, `enospc` and `erofs` fail the operation. With `volatile` there, what is written lies in the memory of this
process until fsync: a SIGKILL of it is a loss of power. Names and lengths of files are kept at once.
"""

import errno
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import mfusepy  # type: ignore[import-untyped]  # it has no types

PAGE_BYTES = 4096


class FaultDisk(mfusepy.Operations):  # type: ignore[misc]  # the library has no types
    """The operations."""

    use_ns = True

    def __init__(self, root: Path, flags: Path) -> None:
        self.root = root
        self.flags = flags
        self.unsaved: dict[str, dict[int, bytearray]] = {}

    def _real(self, path: str) -> Path:
        return self.root / path.lstrip("/")

    def _fail(self, **faults: int) -> None:
        for name, number in faults.items():
            if (self.flags / name.replace("_", "-")).exists():
                raise OSError(number, os.strerror(number))

    def getattr(self, path: str, fh: int | None = None) -> dict[str, Any]:
        """stat(2)."""
        status = self._real(path).lstat()
        names = ("st_atime_ns", "st_ctime_ns", "st_gid", "st_mode", "st_mtime_ns", "st_nlink", "st_size", "st_uid")
        found = {name.removesuffix("_ns"): getattr(status, name) for name in names}
        return found | {"st_blocks": status.st_blocks}

    def readdir(self, path: str, fh: int) -> Iterator[str]:
        """Names."""
        yield from (".", "..", *(entry.name for entry in self._real(path).iterdir()))

    def statfs(self, path: str) -> dict[str, int]:
        """Space."""
        found = os.statvfs(self._real(path))
        names = ("f_bavail", "f_bfree", "f_blocks", "f_bsize", "f_favail", "f_ffree", "f_files", "f_frsize")
        return {name: getattr(found, name) for name in names}

    def mkdir(self, path: str, mode: int) -> None:
        """A folder."""
        self._real(path).mkdir(mode)

    def rmdir(self, path: str) -> None:
        """No folder."""
        self._real(path).rmdir()

    def unlink(self, path: str) -> None:
        """No file."""
        self.unsaved.pop(path, None)
        self._real(path).unlink()

    def rename(self, old: str, new: str) -> None:
        """Another name."""
        self.unsaved.pop(new, None)
        if old in self.unsaved:
            self.unsaved[new] = self.unsaved.pop(old)
        self._real(old).rename(self._real(new))

    def chmod(self, path: str, mode: int) -> None:
        """Another mode."""
        self._real(path).chmod(mode)

    def create(self, path: str, mode: int, fi: Any = None) -> int:
        """A new file."""
        self._fail(enospc=errno.ENOSPC, erofs=errno.EROFS)
        return os.open(self._real(path), os.O_RDWR | os.O_CREAT | os.O_EXCL, mode)

    def open(self, path: str, flags: int) -> int:
        """A descriptor that reads and writes, whatever was asked for."""
        return os.open(self._real(path), os.O_RDWR)

    def release(self, path: str, fh: int) -> None:
        """The last user has closed it."""
        os.close(fh)

    def truncate(self, path: str, length: int, fh: int | None = None) -> None:
        """Another length."""
        self._fail(enospc=errno.ENOSPC, erofs=errno.EROFS)
        os.truncate(self._real(path), length)

    def read(self, path: str, size: int, offset: int, fh: int) -> bytes:
        """Bytes, those that are not saved among them."""
        self._fail(eio_read=errno.EIO)
        data = bytearray(os.pread(fh, size, offset))
        pages = self.unsaved.get(path)
        if pages:
            for number in range(offset // PAGE_BYTES, (offset + len(data) - 1) // PAGE_BYTES + 1):
                page = pages.get(number)
                if page is not None:
                    start = number * PAGE_BYTES
                    first, last = max(offset, start), min(offset + len(data), start + PAGE_BYTES)
                    data[first - offset : last - offset] = page[first - start : last - start]
        return bytes(data)

    def write(self, path: str, data: bytes, offset: int, fh: int) -> int:
        """Bytes to the file, or to memory."""
        self._fail(eio_write=errno.EIO, enospc=errno.ENOSPC, erofs=errno.EROFS)
        if not (self.flags / "volatile").exists():
            return os.pwrite(fh, data, offset)
        end = offset + len(data)
        if end > os.fstat(fh).st_size:
            os.ftruncate(fh, end)
        pages = self.unsaved.setdefault(path, {})
        for number in range(offset // PAGE_BYTES, (end - 1) // PAGE_BYTES + 1):
            start = number * PAGE_BYTES
            if number not in pages:
                pages[number] = bytearray(os.pread(fh, PAGE_BYTES, start).ljust(PAGE_BYTES, b"\0"))
            first, last = max(offset, start), min(end, start + PAGE_BYTES)
            pages[number][first - start : last - start] = data[first - offset : last - offset]
        return len(data)

    def fsync(self, path: str, datasync: int, fh: int) -> None:
        """What lies in memory is saved."""
        if (self.flags / "eio-fsync").exists():
            # As the kernel does it: said once, and what could not be saved is not kept for another try.
            self.unsaved.pop(path, None)
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        size = os.fstat(fh).st_size
        for number, page in self.unsaved.pop(path, {}).items():
            start = number * PAGE_BYTES
            if start < size:
                os.pwrite(fh, page[: size - start], start)

    def fsyncdir(self, path: str, datasync: int, fh: int) -> None:
        """Names are kept at once."""

    def flush(self, path: str, fh: int) -> None:
        """A descriptor was closed: that saves nothing."""


if __name__ == "__main__":
    root, at, flags = map(Path, sys.argv[1:4])
    options = {"foreground": True, "nothreads": True, "direct_io": True, "default_permissions": True}
    mfusepy.FUSE(FaultDisk(root, flags), str(at), **options)
