"""How a served file is: what has gone wrong with it, and whether it is still the file that it was.

Nothing here is on the way of a command that succeeds. Errors are counted where they are raised; whoever tells the
administrator looks at the counts from time to time.
"""

import os
import stat
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from lunaport.blockdev.device import DeviceFault

CUT: Final = "the file was cut"
REMOVED: Final = "the file was removed"
REPLACED: Final = "the file is no longer at its place"


@dataclass(frozen=True, slots=True)
class Tally:
    """How often a fault came, and what the system said the last time."""

    count: int
    detail: str


class Errors:
    """The errors of one file by fault. Noted by worker threads, read by the event loop."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._tallies: dict[DeviceFault, Tally] = {}

    def __bool__(self) -> bool:
        """Whether there are any."""
        return bool(self._tallies)

    def note(self, fault: DeviceFault, detail: str) -> None:
        """One more."""
        with self._lock:
            before = self._tallies.get(fault)
            self._tallies[fault] = Tally((before.count if before else 0) + 1, detail)

    def tallies(self) -> dict[DeviceFault, Tally]:
        """All of them; counts only grow."""
        with self._lock:
            return dict(self._tallies)


def harm(fd: int, size_bytes: int) -> str:
    """What was done to an open file that makes it useless for new writes; empty: nothing. Raises OSError.

    A file that was removed takes writes as long as it is open, and they are gone with it. One that was cut is made
    longer by the next write behind its end, with zeros in between that nobody wrote.
    """
    status = os.fstat(fd)
    if status.st_nlink == 0:
        return REMOVED
    if status.st_size < size_bytes:
        return f"{CUT}: it has {status.st_size} bytes and should have {size_bytes}"
    return ""


def displaced(fd: int, path: str) -> str:
    """Whether `path` leads to another file, or to none, by now; empty: it does not. Blocks. Raises OSError."""
    opened = os.fstat(fd)
    try:
        found = Path(path).lstat()
    except FileNotFoundError:
        return REPLACED
    same = stat.S_ISREG(found.st_mode) and (found.st_dev, found.st_ino) == (opened.st_dev, opened.st_ino)
    return "" if same else REPLACED
