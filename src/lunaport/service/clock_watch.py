"""Whether the wall clock can be trusted to count days with.

What is kept for some days is dated by the wall clock, for days in which the NAS is off count too. But that clock can be
wrong: a machine whose clock has no battery starts in another year, and is put right when the network is there. So
nothing is thrown away before the clock has gone on steadily for a while, compared with one that counts since the
machine was started and never jumps; and when it jumps forward, what is kept gets so much more time.
"""

import time
from collections.abc import Callable
from typing import Final

JUMP_S: Final = 3600.0
"""What the clock may differ between two looks and count as steady: summer time is no matter of it, corrections are."""
STEADY_S: Final = 3000.0


def since_boot() -> float:
    """Seconds since the machine was started, those in which it was asleep among them."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


class ClockWatch:
    """Looks at the wall clock from time to time. `uptime` counts seconds and never jumps."""

    def __init__(self, uptime: Callable[[], float] = since_boot) -> None:
        self._uptime = uptime
        self._before: tuple[float, float] | None = None
        self.is_steady = False

    def look(self, now: float) -> float:
        """Compare; returns by how many seconds the wall clock has jumped forward since the look before, usually 0."""
        uptime, before = self._uptime(), self._before
        if before is None:
            self._before = now, uptime
            return 0.0
        passed = uptime - before[1]
        jump = now - before[0] - passed
        if abs(jump) >= JUMP_S:
            self._before, self.is_steady = (now, uptime), False
            return max(jump, 0.0)
        if passed >= STEADY_S:
            self._before, self.is_steady = (now, uptime), True
        return 0.0
