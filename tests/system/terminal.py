"""A terminal with somebody in front of it: a program in it sees keys and a size, and what it draws is kept."""

import fcntl
import os
import re
import select
import signal
import struct
import subprocess
import termios
import time
from pathlib import Path
from typing import Any, Self

_ESCAPES = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]|\x1b[()][A-Z0-9]|\x1b[=>78]|\x1b\][^\x07]*\x07|\r")


class Terminal:
    """A program in a terminal of its own. Use it as a context: leaving ends it."""

    def __init__(
        self, words: list[str], environment: dict[str, str], folder: Path, *, width: int = 120, height: int = 30
    ) -> None:
        self._ours, self._theirs = os.openpty()
        self.resize(width, height, told=False)
        self.before = self.settings()
        self.shown = ""
        self.process = subprocess.Popen(
            words, stdin=self._theirs, stdout=self._theirs, stderr=self._theirs, cwd=folder, start_new_session=True,
            env=environment | {"TERM": "xterm-256color"},
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
        )  # fmt: skip

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
        os.close(self._ours)
        os.close(self._theirs)

    def settings(self) -> list[Any]:
        """How the terminal is set: what it echoes, what it collects into lines."""
        return termios.tcgetattr(self._theirs)

    def resize(self, width: int, height: int, *, told: bool = True) -> None:
        """Give it another size; its program is told."""
        fcntl.ioctl(self._theirs, termios.TIOCSWINSZ, struct.pack("HHHH", height, width, 0, 0))
        if told:
            os.killpg(self.process.pid, signal.SIGWINCH)

    def type(self, text: str) -> None:
        """Press keys."""
        os.write(self._ours, text.encode())

    def read(self, timeout_s: float = 0.0) -> None:
        """Take what was drawn."""
        while select.select([self._ours], [], [], timeout_s)[0]:
            self.shown += os.read(self._ours, 65536).decode(errors="replace")
            timeout_s = 0.0

    def wait_for(self, text: str, *, since: int = 0, timeout_s: float = 60) -> None:
        """Wait until this was drawn behind the first `since` characters; escape sequences left out."""
        end = time.monotonic() + timeout_s
        while text not in plain(self.shown[since:]):
            assert time.monotonic() < end, f"{text!r} was not drawn:\n{plain(self.shown[since:])[-3000:]}"
            self.read(0.1)
            if self.process.poll() is not None:
                self.read(0.1)
                assert text in plain(self.shown[since:]), f"it ended before {text!r}:\n{plain(self.shown)[-3000:]}"

    def wait(self, timeout_s: float = 60) -> int:
        """Wait until the program has ended; its exit code. What it draws meanwhile is taken."""
        end = time.monotonic() + timeout_s
        while self.process.poll() is None:
            assert time.monotonic() < end, f"it does not end:\n{plain(self.shown)[-3000:]}"
            self.read(0.1)
        self.read(0.1)
        return self.process.returncode


def plain(text: str) -> str:
    """What was drawn, without what moves and colours it."""
    return _ESCAPES.sub("", text)
