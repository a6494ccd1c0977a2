"""StorageError: the errors of the operating system in the terms of the engine's interface."""

import errno
from typing import get_args

import pytest

from lunaport.engine import interface
from lunaport.storage.errors import StorageError, StorageFault, storage_error


def test_faults_are_those_of_the_engine_interface() -> None:
    assert get_args(StorageFault) == get_args(interface.StorageFault)


@pytest.mark.parametrize(
    ("number", "fault"),
    [
        (errno.ENOSPC, "no space"),
        (errno.EDQUOT, "no space"),
        (errno.EFBIG, "too large"),
        (errno.EEXIST, "exists"),
        (errno.ENOENT, "missing"),
        (errno.EROFS, "read only"),
        (errno.EACCES, "read only"),
        (errno.ENOTDIR, "not a directory"),
        (errno.EWOULDBLOCK, "in use"),
        (errno.EIO, "i/o"),
        (errno.ELOOP, "i/o"),
    ],
)
def test_errno(number: int, fault: str) -> None:
    error = storage_error(OSError(number, "whatever"), "/a/b")
    assert (error.fault, error.path) == (fault, "/a/b")


def test_says_path_and_reason() -> None:
    assert str(StorageError("exists", "/a/b", "is there")) == "/a/b: is there"
    assert str(storage_error(OSError(errno.ENOENT, "x"), "/a/b")) == "/a/b: no such file or directory"
