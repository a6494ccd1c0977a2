"""A sign of life of control and data for the supervisor, every BEAT_S, over the socket that is their standard input.

Whoever does not give it for long hangs: the event loop does not come round any more. The supervisor then kills it, and
a new one does its work. Nothing is said where standard input is something else, such as a terminal.
"""

import contextlib
import os
import socket
import stat
from typing import Final

BEAT_S: Final = 2.0


class Heartbeat:
    """The end of the one who lives."""

    def __init__(self, fd: int = 0) -> None:
        is_socket = stat.S_ISSOCK(os.fstat(fd).st_mode)
        self._line = socket.socket(fileno=os.dup(fd)) if is_socket else None

    def beat(self) -> None:
        """Say it once. A supervisor that does not read, or is gone, is no reason to wait or to fail."""
        if self._line is not None:
            with contextlib.suppress(OSError):
                self._line.send(b".", socket.MSG_DONTWAIT)

    def close(self) -> None:
        """Say nothing any more."""
        if self._line is not None:
            self._line.close()
