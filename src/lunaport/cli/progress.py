"""What takes long shows how far it is, on standard error, where somebody looks at it; elsewhere nothing is drawn."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, BinaryIO, Final, TypeVar

if TYPE_CHECKING:  # loaded where something is drawn
    from rich.console import Console

POLL_S: Final = 0.5
Answer = TypeVar("Answer")


@contextmanager
def sending(file: BinaryIO, size_bytes: int, name: str) -> Iterator[BinaryIO]:
    """A file that is read from its beginning to its end, with a bar, the rate and the time that is left."""
    if not sys.stderr.isatty():
        yield file
        return
    from rich.progress import (
        BarColumn,
        DownloadColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
        TransferSpeedColumn,
    )

    from lunaport.cli.output import plain

    columns = (TextColumn("{task.description}", markup=False), BarColumn(), DownloadColumn(binary_units=True))
    with Progress(*columns, TransferSpeedColumn(), TimeRemainingColumn(), console=_console()) as bar:
        yield bar.wrap_file(file, size_bytes, description=plain(name))


@contextmanager
def working(text: str) -> Iterator[None]:
    """Something whose end is not known: a moving bar and the time that it took so far."""
    if not sys.stderr.isatty():
        yield
        return
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    from lunaport.cli.output import plain

    description = TextColumn("{task.description}", markup=False)
    with Progress(description, BarColumn(), TimeElapsedColumn(), console=_console(), transient=True) as bar:
        bar.add_task(plain(text), total=None)
        yield


def wait_for(look: Callable[[], Answer], ended: Callable[[Answer], bool], limit_s: float, text: str) -> Answer:
    """Look again and again until it has `ended`, for `limit_s` at most; the last look. `text`: what is waited for."""
    end = time.monotonic() + limit_s
    answer = look()
    if ended(answer) or limit_s <= 0:
        return answer
    with working(text):
        while not ended(answer) and time.monotonic() < end:
            time.sleep(min(POLL_S, max(0.0, end - time.monotonic())))
            answer = look()
    return answer


def _console() -> "Console":
    from rich.console import Console

    return Console(stderr=True, highlight=False)
