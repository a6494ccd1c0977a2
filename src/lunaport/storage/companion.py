"""Companions: small documents beside a LUN's file, replaced as a whole and durable when `save` returns.

What is in them is for others to say. A companion goes where its file goes (`volume`). Only who serves the file (flock)
touches it. Everything blocks.

Invariant: whatever is killed or loses power, the name leads to an old or a new document in full; one that does not
match its checksum is an error.
"""

import errno
import hashlib
import os
from pathlib import Path

from lunaport.blockdev.device import DeviceError, DeviceFault

ERASING = ".erasing"
"""What SANITIZE or FORMAT UNIT has to go on with."""
KEY = ".key"
"""The key an encrypted file is encrypted with, itself encrypted."""
TRAY = ".tray"
"""Whether an initiator has taken the medium out."""
DRAFT = ".new"
SUFFIXES = (ERASING, ERASING + DRAFT, KEY, KEY + DRAFT, TRAY, TRAY + DRAFT)
"""What can lie beside a file."""

_CHECKSUM_BYTES = 32
_FILE_MODE = 0o600


class Companion:
    """The companion of the file at `path` whose name ends in `suffix`."""

    bytes_max = 1 << 16
    """Of its file; a longer one is damaged."""

    def __init__(self, path: str, suffix: str) -> None:
        self._path = Path(path + suffix)
        self._draft = Path(path + suffix + DRAFT)

    def load(self) -> bytes | None:
        """The document saved last, None where there is none. Raises DeviceError."""
        return self._read(self._path)

    def save(self, document: bytes | None) -> None:
        """Put a document in place of the one before; None: leave none. Raises DeviceError."""
        try:
            self._before_save()
            if document is None:
                self._path.unlink(missing_ok=True)
            else:
                self._write(self._draft, document)
                self._draft.replace(self._path)
            sync_directory(self._path.parent)
        except OSError as error:
            raise self._error(error, DeviceFault.MEDIUM_WRITE) from error

    def replace_and_destroy(self, document: bytes) -> None:
        """As `save`, but the old document's bytes are overwritten where they lie before its file goes.

        Between, the new document is on the disk under its draft's name: `load_or_finish` takes it from there. A file
        system that never writes in place, and a solid-state disk, may keep the old bytes all the same.
        """
        try:
            self._write(self._draft, document)
            sync_directory(self._path.parent)
            length = self._path.stat().st_size
            fd = os.open(self._path, os.O_WRONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
            with os.fdopen(fd, "wb") as file:
                file.write(bytes(length))
                file.flush()
                os.fsync(fd)
            self._draft.replace(self._path)
            sync_directory(self._path.parent)
        except OSError as error:
            raise self._error(error, DeviceFault.MEDIUM_WRITE) from error

    def load_or_finish(self) -> bytes | None:
        """The document; where `replace_and_destroy` was interrupted after its draft was whole, the new one.

        Raises DeviceError.
        """
        try:
            draft = self._read(self._draft)
        except DeviceError:  # not whole: the old document was not touched yet
            draft = None
        if draft is None:
            return self.load()
        self.save(draft)
        return draft

    def _read(self, path: Path) -> bytes | None:
        try:
            fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
            with os.fdopen(fd, "rb") as file:
                content = file.read(self.bytes_max + 1)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise self._error(error, DeviceFault.MEDIUM_READ) from error
        document = None if len(content) > self.bytes_max else self._unseal(content)
        if document is None:
            raise DeviceError(DeviceFault.MEDIUM_READ, f"{path}: damaged (its checksum does not match)")
        return document

    def _before_save(self) -> None:
        """What has to happen before another document takes the place of the one there. Raises OSError."""

    def _seal(self, document: bytes) -> bytes:
        """The content of the file."""
        return hashlib.sha256(document).digest() + document

    def _unseal(self, content: bytes) -> bytes | None:
        """The opposite; None where the checksum does not match."""
        checksum, document = content[:_CHECKSUM_BYTES], content[_CHECKSUM_BYTES:]
        return document if hashlib.sha256(document).digest() == checksum else None

    def _write(self, path: Path, document: bytes) -> None:
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW, _FILE_MODE)
        with os.fdopen(fd, "wb") as file:
            file.write(self._seal(document))
            file.flush()
            os.fsync(fd)

    def _error(self, error: OSError, fault: DeviceFault) -> DeviceError:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            fault = DeviceFault.NO_SPACE
        elif error.errno == errno.EROFS:
            fault = DeviceFault.READ_ONLY
        return DeviceError(fault, f"{self._path}: {os.strerror(error.errno or errno.EIO).lower()}")


def sync_directory(path: Path) -> None:
    """Make what was renamed or removed in a directory durable."""
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
