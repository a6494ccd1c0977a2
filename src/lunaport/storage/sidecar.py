"""Sidecars: a small document beside a file, replaced as a whole, durable when `save` returns, checked when it is read.

It does not look into the document. A sidecar goes where its file goes (`volume`). Only who serves the file (flock)
touches it. Everything blocks.

Invariant: at any moment, whatever is killed or loses power, the name leads to an old or a new document in full. What
does not match its checksum is an error until something else is saved, and is kept under another name then.
"""

import contextlib
import errno
import hashlib
import os
from pathlib import Path

from lunaport.blockdev.device import DeviceError, DeviceFault
from lunaport.storage import intent

RESERVATIONS, DAMAGED, TEMPORARY = ".reservations", ".reservations.damaged", ".reservations.new"
SUFFIXES = (RESERVATIONS, DAMAGED, TEMPORARY, intent.SUFFIX)
"""What can lie beside a file, by what is added to its name."""

_MAGIC = b"lunaport 1 sha256 "
_DOCUMENT_BYTES_MAX = 1 << 20
_FILE_MODE = 0o600


class ReservationsSidecar:
    """The persistent reservations of the LUN on the file at `path`: a `scsi.reservation_store.ReservationStore`."""

    def __init__(self, path: str) -> None:
        self._path = path + RESERVATIONS
        self._damaged = path + DAMAGED
        self._temporary = path + TEMPORARY
        self._is_damaged = False

    def load(self) -> bytes | None:
        """The document saved last, None where there is none. Raises DeviceError."""
        try:
            fd = os.open(self._path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
        except FileNotFoundError:
            return None
        except OSError as error:
            self._is_damaged = True
            raise self._error(error, DeviceFault.MEDIUM_READ) from error
        try:
            with os.fdopen(fd, "rb") as file:
                content = file.read(_DOCUMENT_BYTES_MAX + 1)
        except OSError as error:
            self._is_damaged = True
            raise self._error(error, DeviceFault.MEDIUM_READ) from error
        head, _, document = content.partition(b"\n")
        if head != _head(document) or len(content) > _DOCUMENT_BYTES_MAX:
            self._is_damaged = True
            raise DeviceError(DeviceFault.MEDIUM_READ, f"{self._path}: damaged (its checksum does not match)")
        return document

    def save(self, document: bytes | None) -> None:
        """Put a document in place of the one before; None: leave none. Raises DeviceError."""
        try:
            if self._is_damaged:
                self._keep_damaged()
            if document is None:
                Path(self._path).unlink(missing_ok=True)
            else:
                self._write(_head(document) + b"\n" + document)
                Path(self._temporary).replace(self._path)
            _sync(Path(self._path).parent)
        except OSError as error:
            raise self._error(error, DeviceFault.MEDIUM_WRITE) from error
        self._is_damaged = False

    def _keep_damaged(self) -> None:
        """For whoever wants to look into it, as far as the file system allows.

        By a second name, not by a move: between move and replacement there would be no sidecar at all.
        """
        with contextlib.suppress(OSError):
            Path(self._damaged).unlink(missing_ok=True)
            Path(self._damaged).hardlink_to(self._path)

    def _write(self, content: bytes) -> None:
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW
        fd = os.open(self._temporary, flags, _FILE_MODE)
        with os.fdopen(fd, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(fd)

    def _error(self, error: OSError, fault: DeviceFault) -> DeviceError:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            fault = DeviceFault.NO_SPACE
        elif error.errno == errno.EROFS:
            fault = DeviceFault.READ_ONLY
        return DeviceError(fault, f"{self._path}: {os.strerror(error.errno or errno.EIO).lower()}")


def _head(document: bytes) -> bytes:
    return _MAGIC + hashlib.sha256(document).hexdigest().encode()


def _sync(directory: Path) -> None:
    fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
