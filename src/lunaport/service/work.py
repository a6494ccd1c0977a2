"""Long work that is under way, whoever began it: the engine's (erasures, copies, draining) and the use cases' own.

What runs here is put down while it runs; it goes on when whoever asked for it looks elsewhere, or goes.
"""

from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final, Literal

from lunaport.engine.unit_state import WorkReport

KINDS: Final = ("sanitize", "format", "copy", "drain", "image", "restore", "apply")
Kind = Literal["sanitize", "format", "copy", "drain", "image", "restore", "apply"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """`image`: one is taken in; `restore`: of a backup; `apply`: of a configuration. Else as in `WorkReport`."""

    kind: Kind
    target: str = ""
    lun: int | None = None
    volume: str = ""
    image: str = ""
    done_bytes: int = 0
    total_bytes: int = 0
    """0: nobody knows how much there is to do."""
    sessions: int = 0
    failed: bool = False
    by: str = ""
    """Who asked for it: an initiator, or a user."""
    since: float | None = None
    """Seconds since 1970, where that is known."""

    @property
    def part(self) -> float | None:
        """How much of it is done, from 0 to 1; None: not known."""
        return min(1.0, self.done_bytes / self.total_bytes) if self.total_bytes and not self.failed else None


class Running:
    """Something that runs in the control process."""

    def __init__(self, kind: Kind, *, volume: str, image: str, total_bytes: int, by: str, since: float) -> None:
        self.kind = kind
        self.volume = volume
        self.image = image
        self.total_bytes = total_bytes
        self.by = by
        self.since = since
        self.done_bytes = 0

    async def count(self, pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        """The pieces as they come, counted."""
        async for piece in pieces:
            self.done_bytes += len(piece)
            yield piece


class WorkBook:
    """What runs in the control process. `clock`: seconds since 1970."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._running: list[Running] = []

    @contextmanager
    def running(
        self, kind: Kind, *, volume: str = "", image: str = "", total_bytes: int = 0, by: str = ""
    ) -> Iterator[Running]:
        """Put something down while it runs."""
        running = Running(kind, volume=volume, image=image, total_bytes=total_bytes, by=by, since=self._clock())
        self._running.append(running)
        try:
            yield running
        finally:
            self._running.remove(running)

    def all(self, of_engine: Sequence[WorkReport]) -> list[Work]:
        """Everything that is under way."""
        own = [
            Work(
                kind=each.kind,
                volume=each.volume,
                image=each.image,
                done_bytes=each.done_bytes,
                total_bytes=each.total_bytes,
                by=each.by,
                since=each.since,
            )
            for each in self._running
        ]
        return own + [
            Work(
                kind=each.kind,
                target=each.target,
                lun=each.lun,
                done_bytes=each.done_bytes,
                total_bytes=each.total_bytes,
                sessions=each.sessions,
                failed=each.failed,
                by=each.initiator,
            )
            for each in of_engine
        ]
