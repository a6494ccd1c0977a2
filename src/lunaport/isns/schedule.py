"""When a server is spoken to next. Pure: the time and a random number are passed in.

All is well: at the latest after a third of the period for which the server keeps us, and often enough to find soon that
it has forgotten us. A change is sent at once. While a server fails pauses grow, with jitter, so that many machines do
not come back in step.
"""

import math
from dataclasses import dataclass
from typing import Final

CHECK_INTERVAL_S: Final = 20.0
PERIOD_SHARE: Final = 3.0
PAUSE_S_MIN: Final = 1.0
PAUSE_S_MAX: Final = 30.0
LOOK_PAUSE_S: Final = 1.0
"""Between looks that callers ask for."""


@dataclass(slots=True)
class Schedule:
    """`due`: when to speak to the server."""

    due: float = math.inf
    failures: int = 0
    last: float = -math.inf

    def change(self, now: float) -> None:
        """There is something to tell. A server that fails is not asked for every change."""
        self.due = min(self.due, now if self.failures == 0 else max(now, self.last + LOOK_PAUSE_S))

    def look(self, now: float) -> None:
        """Somebody says that something has changed at the server."""
        self.due = min(self.due, max(now, self.last + LOOK_PAUSE_S))

    def rest(self) -> None:
        """There is nothing to do until something changes."""
        self.due = math.inf
        self.failures = 0

    def succeed(self, now: float, period_s: float, chance: float) -> None:
        """The server holds our registration, for `period_s` (0: for ever). `chance`: 0 to 1."""
        interval = min(CHECK_INTERVAL_S, period_s / PERIOD_SHARE) if period_s else CHECK_INTERVAL_S
        self.failures = 0
        self.last = now
        self.due = now + interval * (1 - chance / 10)

    def fail(self, now: float, chance: float) -> None:
        """It could not be done."""
        pause_s = min(PAUSE_S_MAX, PAUSE_S_MIN * 2 ** min(self.failures, 16))
        self.failures += 1
        self.last = now
        self.due = now + pause_s * (1 - chance / 2)
