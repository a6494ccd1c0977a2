"""A terminal that is asked for single keys, and is as it was afterwards, however the program ends."""

import os
import select
import signal
import sys
import termios
import tty
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Final

SLICE_S: Final = 0.1
"""How soon another size of the terminal is noticed."""


class EndedError(Exception):
    """Somebody told the program to end by a signal."""


@contextmanager
def single_keys() -> Iterator[None]:
    """Keys arrive one by one and are not shown; SIGTERM and SIGHUP end the context by EndedError."""

    def end(number: int, frame: FrameType | None) -> None:
        raise EndedError

    before = {number: signal.signal(number, end) for number in (signal.SIGTERM, signal.SIGHUP)}
    descriptor = sys.stdin.fileno() if sys.stdin.isatty() else None
    kept = termios.tcgetattr(descriptor) if descriptor is not None else None
    try:
        if descriptor is not None:
            tty.setcbreak(descriptor)
        yield
    finally:
        if descriptor is not None and kept is not None:
            termios.tcsetattr(descriptor, termios.TCSADRAIN, kept)
        for number, handler in before.items():
            signal.signal(number, handler)


def wait_for_key(timeout_s: float) -> str:
    """The next key; empty when there was none in that time. Arrows and the like are empty too."""
    if not sys.stdin.isatty():
        select.select([], [], [], timeout_s)
        return ""
    descriptor = sys.stdin.fileno()
    readable, _, _ = select.select([descriptor], [], [], timeout_s)
    typed = os.read(descriptor, 64).decode(errors="replace") if readable else ""
    if readable and not typed:
        raise EndedError  # the terminal is gone
    return typed if len(typed) == 1 else ""
