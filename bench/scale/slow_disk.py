"""A file system that answers late, or not at all: `python -m bench.scale.slow_disk ROOT AT FLAGS`.

It shows ROOT at AT through FUSE. While the file `slow` is in FLAGS, each read, write and flush takes DELAY_S; while
`hang` is there, none of them ends.
"""

import sys
import time
from pathlib import Path
from typing import Final

import mfusepy  # type: ignore[import-untyped]  # it has no types
from tests.faults.disk import FaultDisk

DELAY_S: Final = 0.2
LOOK_S: Final = 0.02


class SlowDisk(FaultDisk):
    """The operations that wait. They do so side by side: each has a thread."""

    def _wait(self) -> None:
        if (self.flags / "slow").exists():
            time.sleep(DELAY_S)
        while (self.flags / "hang").exists():
            time.sleep(LOOK_S)

    def read(self, path: str, size: int, offset: int, fh: int) -> bytes:
        """Late."""
        self._wait()
        return super().read(path, size, offset, fh)

    def write(self, path: str, data: bytes, offset: int, fh: int) -> int:
        """Late."""
        self._wait()
        return super().write(path, data, offset, fh)

    def fsync(self, path: str, datasync: int, fh: int) -> None:
        """Late."""
        self._wait()
        super().fsync(path, datasync, fh)


if __name__ == "__main__":
    root, at, flags = map(Path, sys.argv[1:4])
    mfusepy.FUSE(SlowDisk(root, flags), str(at), foreground=True, direct_io=True, default_permissions=True)
