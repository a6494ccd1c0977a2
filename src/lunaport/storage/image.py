"""Images of discs: files in the folder `iso` of a volume, read by drives, as many at a time as want to.

A name is one step of a path: what is no regular file, or lies behind a symbolic link, is not there. Every function
blocks and raises StorageError. An image that is being received lies under a hidden name until it is whole and durable.
"""

import contextlib
import fcntl
import os
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from lunaport.storage.companion import sync_directory
from lunaport.storage.errors import StorageError, storage_error
from lunaport.storage.fallocate import is_in_memory
from lunaport.storage.file import FileDevice

IMAGES = "iso"
SECTOR_BYTES = 2048
IMAGES_MAX = 10_000
"""Of one volume, that are listed."""
_DRAFT = ".upload-"
_FOLDER_MODE, _FILE_MODE = 0o700, 0o600


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageFile:
    """An image. `modified_at`: seconds since 1970."""

    name: str
    size_bytes: int
    modified_at: float


def open_image(path: str, clock: Callable[[], float]) -> FileDevice:
    """Open an image for reading; nobody can remove it as long as it is open. What ends within a sector is cut there."""
    folder, name = os.path.split(path)
    with _errors(path), _opened(folder) as directory:
        fd = os.open(name, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=directory)
        try:
            status = os.fstat(fd)
            if not stat.S_ISREG(status.st_mode) or status.st_size < SECTOR_BYTES:
                raise StorageError("i/o", path, "not a file of a sector at least")
            fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
            return FileDevice(
                fd,
                path=path,
                size_bytes=status.st_size - status.st_size % SECTOR_BYTES,
                can_unmap=False,
                in_memory=is_in_memory(fd),
                clock=clock,
            )
        except BaseException:
            os.close(fd)
            raise


def list_images(volume: str) -> list[ImageFile]:
    """The images of a volume by name; none where it has no folder for them yet."""
    folder = os.path.join(volume, IMAGES)  # noqa: PTH118 - a path that goes to the system as text
    found: list[ImageFile] = []
    with _errors(folder):
        try:
            with _opened(folder) as directory, os.scandir(directory) as entries:
                for entry in entries:
                    status = entry.stat(follow_symlinks=False)
                    if stat.S_ISREG(status.st_mode) and not entry.name.startswith(".") and len(found) < IMAGES_MAX:
                        found.append(ImageFile(name=entry.name, size_bytes=status.st_size, modified_at=status.st_mtime))
        except FileNotFoundError:
            return []
    return sorted(found, key=lambda image: image.name)


def remove_image(path: str) -> None:
    """Remove an image, for good. Raises `missing`, and `in use` while it lies in a drive."""
    folder, name = os.path.split(path)
    with _errors(path), _opened(folder) as directory:
        fd = os.open(name, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=directory)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.unlink(name, dir_fd=directory)
        finally:
            os.close(fd)
        os.fsync(directory)


class ImageDraft:
    """An image that is being received. `finish` or `abandon` it."""

    def __init__(self, volume: str, unique: str) -> None:
        """Begin. `unique`: a text that no other has. What crashes have left in the volume goes first."""
        self._folder = Path(volume, IMAGES)
        self._path = self._folder / (_DRAFT + unique)
        with _errors(str(self._path)):
            if not self._folder.is_dir():
                self._folder.mkdir(mode=_FOLDER_MODE, exist_ok=True)
                sync_directory(self._folder.parent)
            _clear(self._folder)
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW
            self._fd = os.open(self._path, flags, _FILE_MODE)
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)

    def write(self, data: bytes) -> None:
        """What comes next."""
        with _errors(str(self._path)):
            rest = memoryview(data)
            while rest:
                rest = rest[os.write(self._fd, rest) :]

    def finish(self, name: str) -> None:
        """Make it durable and give it its name. Raises `exists`; then it is still a draft."""
        with _errors(str(self._folder / name)):
            os.fsync(self._fd)
            os.link(self._path, self._folder / name)
            self._path.unlink()
            sync_directory(self._folder)
            self._close()

    def abandon(self) -> None:
        """Forget it; after `finish` nothing is left to do."""
        if self._fd >= 0:
            with contextlib.suppress(OSError):
                self._path.unlink(missing_ok=True)
            self._close()

    def _close(self) -> None:
        fd, self._fd = self._fd, -1
        os.close(fd)


def _clear(folder: Path) -> None:
    """Remove drafts that nobody writes to."""
    for path in folder.glob(_DRAFT + "*"):
        with contextlib.suppress(OSError):
            fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
            try:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                path.unlink()
            finally:
                os.close(fd)


@contextlib.contextmanager
def _opened(folder: str) -> Iterator[int]:
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        yield fd
    finally:
        os.close(fd)


@contextlib.contextmanager
def _errors(path: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise storage_error(error, path) from error
