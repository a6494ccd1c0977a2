"""Opening a file that is served for reading for writing too, under the same descriptor: its users notice nothing."""

import fcntl
import os

from lunaport.storage import intent


def reopen_for_writing(fd: int, path: str) -> None:
    """Make `fd`, open for reading on the locked file at `path`, one that can write.

    Blocks. Raises OSError; then it is as it was. An atomic write that a crash broke off before the file was opened is
    completed. BlockingIOError: somebody else took the file in the moment in which it was not locked; then it is not
    ours any more.
    """
    new = os.open(path, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    try:
        before, after = os.fstat(fd), os.fstat(new)
        if not os.path.samestat(before, after):
            raise FileNotFoundError(2, "the file was replaced by another", path)
        # Two descriptors of one process lock each other out.
        fcntl.flock(fd, fcntl.LOCK_UN)
        try:
            fcntl.flock(new, fcntl.LOCK_EX | fcntl.LOCK_NB)
            intent.recover(path + intent.SUFFIX, new, after.st_size)
        except OSError:
            fcntl.flock(new, fcntl.LOCK_UN)
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            raise
        os.dup2(new, fd, inheritable=False)  # who reads meanwhile reads on from the one before
    finally:
        os.close(new)
