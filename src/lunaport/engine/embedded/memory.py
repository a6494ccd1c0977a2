"""What a data process holds for its peers between two events, and who has to wait for more.

Counted are receive buffers with half a PDU, output that a peer has not taken, reads that a disk works on, data-out
that waits for a disk, commands out of order. Not counted is what an idle session costs, and what the kernel holds in
sockets. A buffer that is taken and given back within one event is not counted either: there is one at a time.

    scarce   half is used up: buffers are cut to what is in them
    short    all is used up: nobody is read from, but those who finish what they began; until a quarter is free again

Invariant: `used` is the sum of what the holders said. The limits are kept by stopping to read; commands are refused
only where even that comes too late.
"""

from collections.abc import Callable
from typing import Protocol

from lunaport.engine.embedded.limits import CONNECTION_BYTES_MAX, SHARE_SHIFT
from lunaport.engine.interface import MemoryUse


class Borrower(Protocol):
    """Somebody who waits for memory."""

    def borrow(self) -> bool:
        """Take what is there now; whether nothing is wanted any more."""


class Memory:
    """The account of one process."""

    def __init__(self, bytes_max: int) -> None:
        self.bytes_max = bytes_max
        self.used = 0
        self.peak = 0
        self.scarce = False
        self.short = False
        self.waiting: dict[Borrower, None] = {}
        self.on_short: Callable[[], None] = _nothing
        self.on_wait: Callable[[], None] = _nothing
        self.on_relief: Callable[[], None] = _nothing
        """No longer short, or somebody waits and something was given back: called often, to be put off."""

    def change(self, size_bytes: int) -> None:
        """So many bytes more are held, or less."""
        self.used = used = self.used + size_bytes
        assert used >= 0, "nobody gives back more than he took"
        self.scarce = used * 2 > self.bytes_max
        if size_bytes > 0:
            if used > self.peak:
                self.peak = used
            if used >= self.bytes_max and not self.short:
                self.short = True
                self.on_short()
        elif self.short and used * 4 < self.bytes_max * 3:
            self.short = False
            self.on_relief()
        elif self.waiting:
            self.on_relief()

    def share(self) -> int:
        """What one connection may hold now, while there are others who want something."""
        return min(CONNECTION_BYTES_MAX, self.bytes_max - self.used >> SHARE_SHIFT)

    def report(self) -> MemoryUse:
        """How much of it is used, for who looks from outside."""
        return MemoryUse(held_bytes=self.used, peak_bytes=self.peak, limit_bytes=self.bytes_max)

    def has_room(self, held_bytes: int, size_bytes: int) -> bool:
        """Whether a connection that holds `held_bytes` may have `size_bytes` more."""
        if self.used + size_bytes > self.bytes_max:
            return False
        return not held_bytes or held_bytes + size_bytes <= self.share()

    def wait(self, borrower: Borrower) -> None:
        """Ask `borrower` when something was given back."""
        self.waiting[borrower] = None
        if self.scarce:
            self.on_wait()

    def serve_waiting(self) -> None:
        """Ask those who wait, in the order in which they came."""
        for borrower in list(self.waiting):
            if borrower.borrow():
                self.waiting.pop(borrower, None)


def _nothing() -> None:
    """Nobody is told."""
