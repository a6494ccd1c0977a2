"""Small facts about a LUN that are kept with its file, as an extended attribute: they move with it and go with it.

For what initiators choose at run time (saved mode pages); what users choose stands in the configuration. What has to be
replaced as a whole, or noticed when it is damaged, lies in a file beside it instead (`companion`).
"""

import errno
import os

NAME = "user.lunaport.modes"
VALUE_BYTES_MAX = 1024

_ABSENT = (errno.ENODATA, errno.EOPNOTSUPP)


def can_keep(fd: int) -> bool:
    """Whether the file system has extended attributes for this file."""
    try:
        os.listxattr(fd)
    except OSError:
        return False
    try:
        os.getxattr(fd, NAME)
    except OSError as error:
        return error.errno == errno.ENODATA
    return True


def read(fd: int) -> bytes:
    """What is kept; empty when there is nothing. Raises OSError."""
    try:
        value = os.getxattr(fd, NAME)
    except OSError as error:
        if error.errno in _ABSENT:
            return b""
        raise
    return value[:VALUE_BYTES_MAX]


def write(fd: int, value: bytes) -> None:
    """Keep `value`, durably. Raises OSError."""
    os.setxattr(fd, NAME, value)
    os.fsync(fd)
