"""Wrong passwords cost time: after some failures whoever comes from that address, or tries that user, has to wait.

The wait doubles with each further failure up to `WAIT_S_MAX`, and is forgotten after `FORGET_S` without one. Who is
known already (his password was verified before) never waits: nobody can lock an administrator out by failing in his
name. Bounded: of too many addresses or users the ones that failed longest ago are forgotten.
"""

from collections import OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final

FREE_FAILURES: Final = 10
WAIT_S_FIRST: Final = 1.0
WAIT_S_MAX: Final = 60.0
FORGET_S: Final = 900.0
KEYS_MAX: Final = 4096

Key = tuple[str, str]


@dataclass(slots=True)
class _Failures:
    count: int = 0
    last: float = 0.0


class Throttle:
    """Failures by key. `clock` counts seconds monotonically."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._failures: OrderedDict[Key, _Failures] = OrderedDict()

    def wait_s(self, keys: Iterable[Key]) -> float:
        """How long these have to wait from now on; 0: not at all."""
        now = self._clock()
        return max((self._wait_s(key, now) for key in keys), default=0.0)

    def _wait_s(self, key: Key, now: float) -> float:
        failures = self._failures.get(key)
        if failures is None:
            return 0.0
        if now - failures.last >= FORGET_S:
            del self._failures[key]
            return 0.0
        over = failures.count - FREE_FAILURES
        if over < 0:
            return 0.0
        return max(0.0, failures.last + min(WAIT_S_FIRST * 2.0 ** min(over, 16), WAIT_S_MAX) - now)

    def failed(self, keys: Iterable[Key]) -> None:
        """Note a failure."""
        now = self._clock()
        for key in keys:
            failures = self._failures.setdefault(key, _Failures())
            failures.count += 1
            failures.last = now
            self._failures.move_to_end(key)
        while len(self._failures) > KEYS_MAX:
            self._failures.popitem(last=False)

    def succeeded(self, keys: Iterable[Key]) -> None:
        """Forget the failures."""
        for key in keys:
            self._failures.pop(key, None)
