"""What can go wrong with a volume's directory or with a file in it, before any block is moved.

What goes wrong while blocks move is a `lunaport.blockdev.device.DeviceError`.
"""

import errno
import os
from typing import Literal

StorageFault = Literal["no space", "too large", "exists", "missing", "read only", "not a directory", "in use", "i/o"]
"""The literals of the engine's interface, which this package may not import; the engine turns one into the other."""

_FAULTS: dict[int, StorageFault] = {
    errno.ENOSPC: "no space",
    errno.EDQUOT: "no space",
    errno.EFBIG: "too large",
    errno.EEXIST: "exists",
    errno.ENOENT: "missing",
    errno.EROFS: "read only",
    errno.EACCES: "read only",
    errno.EPERM: "read only",
    errno.ENOTDIR: "not a directory",
    errno.EWOULDBLOCK: "in use",
    errno.ETXTBSY: "in use",
}


class StorageError(Exception):
    """A file or directory could not be made, opened, grown or moved."""

    def __init__(self, fault: StorageFault, path: str, reason: str) -> None:
        super().__init__(fault, path, reason)
        self.fault = fault
        self.path = path
        self.reason = reason

    def __str__(self) -> str:
        return f"{self.path}: {self.reason}"


def storage_error(error: OSError, path: str) -> StorageError:
    """The StorageError that says what `error`, raised for `path`, means."""
    number = error.errno or errno.EIO
    return StorageError(_FAULTS.get(number, "i/o"), path, os.strerror(number).lower())
