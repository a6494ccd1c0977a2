"""The intent record that makes a write atomic against a crash: written and synced before the write in place begins.

One record a LUN, in a file of its own beside the LUN's, made by the first atomic write and removed when the LUN is
closed. Opening a LUN carries out a record that is whole and not marked done; one that is torn was never begun in place.

Invariants, for a crash of this process (the page cache stays) and of the machine (it does not):
- A record is overwritten only after the write before it is on the medium.
- A record is marked done in the page cache as soon as its write is in place, so after the death of the process no
  later write is undone. Whoever flushes the LUN settles the record too, so after the death of the machine no later
  write that a flush had confirmed is undone.
"""

import contextlib
import os
import struct
import threading
from pathlib import Path

from crc32c import crc32c

from lunaport.blockdev.device import Buffer
from lunaport.storage.companion import sync_directory

SUFFIX = ".intent"
RECORD_BYTES_MAX = 8 << 20
"""More data than any record holds; a longer file is none of ours."""

_HEADER = struct.Struct("<8sQQII")  # magic, offset, length, checksum of the data, checksum of all that
_MAGIC = b"LPINTENT"
_MODE = 0o600


class IntentRecord:
    """The record of one open LUN. One write at a time, the caller sees to that; flushes may come in between."""

    def __init__(self, path: str) -> None:
        self._path = Path(path)
        self._fd = -1
        self._lock = threading.Lock()
        self._begun = 0
        self._done = 0
        self._settled = 0

    @property
    def unsettled(self) -> bool:
        """Whether a record may still be carried out after a crash of the machine."""
        return self._settled != self._begun

    @property
    def done(self) -> int:
        """How many writes are in place."""
        return self._done

    def put(self, offset: int, data: Buffer) -> None:
        """Write and sync the record. What an earlier one stands for has to be on the medium. Raises OSError."""
        if self._fd < 0:
            self._fd = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, _MODE)
            sync_directory(self._path.parent)
        with self._lock:
            self._begun += 1
        _write_all(self._fd, [memoryview(_header(offset, data)), memoryview(data)])
        os.fdatasync(self._fd)

    def mark_done(self) -> None:
        """The write is in place, in the page cache."""
        os.pwrite(self._fd, bytes(len(_MAGIC)), 0)
        self._done = self._begun

    def settle(self, done: int) -> None:
        """The first `done` writes are on the medium: make sure that the last of them is not carried out again.

        A write that has begun since then is not settled by this; its record has taken the place of theirs.
        """
        with self._lock:
            if done == self._begun != self._settled:
                os.fdatasync(self._fd)
                self._settled = done

    def close(self, *, remove: bool) -> None:
        """Let go of the file; `remove`: nothing has to be carried out any more."""
        fd, self._fd = self._fd, -1
        if fd >= 0:
            os.close(fd)
            if remove:
                with contextlib.suppress(OSError):
                    self._path.unlink()


def recover(path: str, fd: int, size_bytes: int) -> bool:
    """Carry out the record at `path`, if there is one, on the open LUN `fd`, and remove it. Raises OSError.

    True: there was one that had not been marked done.
    """
    record = Path(path)
    try:
        with record.open("rb") as file:
            found = file.read(_HEADER.size + RECORD_BYTES_MAX + 1)
    except FileNotFoundError:
        return False
    write = _parse(found, size_bytes)
    if write is not None:
        offset, data = write
        _write_all(fd, [data], offset)
        os.fdatasync(fd)
    record.unlink(missing_ok=True)
    sync_directory(record.parent)
    return write is not None


def _parse(record: bytes, size_bytes: int) -> tuple[int, memoryview] | None:
    if len(record) < _HEADER.size:
        return None
    magic, offset, length, data_sum, header_sum = _HEADER.unpack_from(record)
    if magic != _MAGIC or header_sum != crc32c(record[: _HEADER.size - 4]):
        return None
    data = memoryview(record)[_HEADER.size : _HEADER.size + length]
    if len(data) != length or crc32c(data) != data_sum or offset + length > size_bytes:
        return None
    return offset, data


def _header(offset: int, data: Buffer) -> bytes:
    start = _HEADER.pack(_MAGIC, offset, len(data), crc32c(data), 0)[:-4]
    return start + struct.pack("<I", crc32c(start))


def _write_all(fd: int, views: list[memoryview], offset: int = 0) -> None:
    for view in views:
        rest = view
        while rest:
            moved = os.pwrite(fd, rest, offset)
            rest = rest[moved:]
            offset += moved
