"""Overlapping work of one logical unit, one after the other: what runs in worker threads never interleaves torn.

A span of bytes that is written excludes every other span that overlaps it; spans that are read exclude writes only.
Who has to wait waits in the order of arrival, so nobody starves. Commands that the event loop answers at once are not
entered: between two of them nothing can happen. They only have to keep off the spans that are being written, and that
is what `Guarded` does. It stands before the device as long as there are such spans and not a moment longer, so a unit
without background writes pays nothing.

Everything here runs on the event loop. SAM-5 8.8 leaves the order of simple tasks to us; WRITE ATOMIC, ORWRITE and
COMPARE AND WRITE need this (SBC-4 4.27, SBC-3 5.2 and 5.7).
"""

from collections import deque
from collections.abc import Callable, Sequence

from lunaport.blockdev.device import BlockDevice, Buffer
from lunaport.blockdev.filters import Filter
from lunaport.scsi.limits import SPANS_WAITING_MAX


class Span:
    """A run of bytes and what is done to it. Compared by identity: two commands may touch the same bytes."""

    __slots__ = ("end", "start", "writes")

    def __init__(self, start: int, length: int, *, writes: bool) -> None:
        self.start = start
        self.end = start + length
        self.writes = writes

    def excludes(self, start: int, end: int, *, writes: bool) -> bool:
        """Whether something else on `start` to `end` has to wait for this."""
        return (writes or self.writes) and start < self.end and self.start < end

    @property
    def parts(self) -> "tuple[Span, ...]":
        """The runs it is made of."""
        return (self,)


class Spans(Span):
    """Several runs that one piece of work has to have at once: it waits for all of them, and holds none meanwhile."""

    __slots__ = ("_parts",)

    def __init__(self, *parts: Span) -> None:
        start = min(part.start for part in parts)
        length = max(part.end for part in parts) - start
        super().__init__(start, length, writes=any(part.writes for part in parts))
        self._parts = parts

    def excludes(self, start: int, end: int, *, writes: bool) -> bool:
        return any(part.excludes(start, end, writes=writes) for part in self._parts)

    @property
    def parts(self) -> tuple[Span, ...]:
        return self._parts


class Ranges:
    """The spans that are worked on, and those that wait."""

    __slots__ = ("_active", "_install", "_waiting", "_writes")

    def __init__(self, install: Callable[[bool], None]) -> None:
        """`install` is called with True when the first span that writes comes, with False when the last has gone."""
        self._install = install
        self._active: list[Span] = []
        self._waiting: deque[tuple[Span, Callable[[], None]]] = deque()
        self._writes = 0

    def enter(self, span: Span, go: Callable[[], None], *, bounded: bool = True) -> bool:
        """Call `go` when nothing that overlaps is in the way, perhaps at once; `leave` has to follow.

        False: too many wait already, and `go` is never called. Not so unless `bounded`: for work of which there is
        little by itself.
        """
        if span.writes or self._writes:
            if any(self.excludes(part.start, part.end, writes=part.writes) for part in span.parts):
                if bounded and len(self._waiting) >= SPANS_WAITING_MAX:
                    return False
                self._waiting.append((span, go))
                self._count(span, 1)
                return True
            self._count(span, 1)
        self._active.append(span)
        go()
        return True

    def leave(self, span: Span) -> None:
        """The work on `span` has ended: those whose way is free now begin."""
        self._active.remove(span)
        still: list[tuple[Span, Callable[[], None]]] = []
        free: list[Callable[[], None]] = []
        for waiting, go in self._waiting:
            ahead = (*self._active, *(other for other, _ in still))
            if any(
                other.excludes(part.start, part.end, writes=part.writes) for other in ahead for part in waiting.parts
            ):
                still.append((waiting, go))
            else:
                self._active.append(waiting)
                free.append(go)
        self._waiting = deque(still)
        self._count(span, -1)
        for go in free:
            go()

    def excludes(self, start: int, end: int, *, writes: bool) -> bool:
        """Whether something on `start` to `end` would have to wait."""
        return any(span.excludes(start, end, writes=writes) for span in self._active) or any(
            span.excludes(start, end, writes=writes) for span, _ in self._waiting
        )

    def _count(self, span: Span, change: int) -> None:
        if span.writes:
            before = self._writes
            self._writes += change
            if not before or not self._writes:
                self._install(bool(self._writes))


class Guarded(Filter):
    """Says "would block" where a span is in the way: the command then goes to the background and waits its turn."""

    def __init__(self, device: BlockDevice, ranges: Ranges) -> None:
        super().__init__(device)
        self._ranges = ranges

    @property
    def behind(self) -> BlockDevice:
        return self._device

    def read_now(self, offset: int, buffers: Sequence[Buffer]) -> int:
        if self._ranges.excludes(offset, offset + sum(map(len, buffers)), writes=False):
            return 0
        return super().read_now(offset, buffers)

    def write_now(self, offset: int, buffers: Sequence[Buffer]) -> int:
        if self._ranges.excludes(offset, offset + sum(map(len, buffers)), writes=True):
            return 0
        return super().write_now(offset, buffers)
