"""What is logged of those who are refused or cut off: each peer and reason once, then how often it came again.

A flood of refusals must not become a flood in the log. Bounded in lines and in memory; the clock is the caller's.
"""

from collections.abc import Callable

import structlog

from lunaport.engine.embedded.limits import REFUSAL_PAUSE_S, REFUSALS_KEPT_MAX

log = structlog.get_logger()

OTHERS = ("several", "too many different refusals to tell apart")


class Refusals:
    """The refusals of late."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self.clock = clock
        # By address and reason: since when lines are held back, and how many were.
        self.recent: dict[tuple[str, str], tuple[float, int]] = {}

    def note(self, event: str, host: str, address: str, reason: str) -> None:
        """Log a refusal of `address`, a port of `host`, unless the same was logged a moment ago."""
        now = self.clock()
        key = (host, reason)
        if key not in self.recent and len(self.recent) >= REFUSALS_KEPT_MAX:
            self._forget(now)
            if len(self.recent) >= REFUSALS_KEPT_MAX:
                key = OTHERS
        since, held_back = self.recent.get(key, (now - REFUSAL_PAUSE_S, 0))
        if now - since < REFUSAL_PAUSE_S:
            self.recent[key] = (since, held_back + 1)
            return
        self.recent[key] = (now, 0)
        if key is OTHERS:
            address, reason = OTHERS
        if held_back:
            log.info(event, address=address, reason=reason, times_since_logged=held_back + 1)
        else:
            log.info(event, address=address, reason=reason)

    def _forget(self, now: float) -> None:
        """Drop what is over, saying how often it came if that was not said yet."""
        for (host, reason), (since, held_back) in list(self.recent.items()):
            if now - since >= REFUSAL_PAUSE_S:
                del self.recent[host, reason]
                if held_back:
                    log.info("refused again", address=host, reason=reason, times=held_back)
