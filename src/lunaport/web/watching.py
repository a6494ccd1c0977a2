"""What the page shows moving: the engine's counters looked at every two seconds, kept for ten minutes.

They are the counters that `/metrics` tells, so both say the same. Looking begins when the page is first loaded.
"""

import asyncio
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from lunaport.service.errors import ServiceError
from lunaport.service.nas import Counters, EngineCounters, Nas

INTERVAL_S: Final = 2.0
MOMENTS: Final = 300
TARGETS_MAX: Final = 64
"""Whose past is kept: those that did something last."""
FIRST_CLASS_S: Final = 2**14 / 1e9


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """What was done a second, in the two seconds before `at`; latencies in seconds."""

    at: float = 0.0
    bytes_read: float = 0.0
    bytes_written: float = 0.0
    reads: float = 0.0
    writes: float = 0.0
    others: float = 0.0
    latency: float = 0.0
    latency_99: float = 0.0

    @property
    def commands(self) -> float:
        """All kinds."""
        return self.reads + self.writes + self.others

    @property
    def bytes(self) -> float:
        """Both ways."""
        return self.bytes_read + self.bytes_written


@dataclass(slots=True)
class Past:
    """The moments of the NAS or of a target."""

    moments: deque[Moment] = field(default_factory=lambda: deque(maxlen=MOMENTS))
    counters: Counters = field(default_factory=Counters)

    @property
    def now(self) -> Moment:
        """The last one."""
        return self.moments[-1] if self.moments else Moment()


class Watching:
    """Looks at the counters while the page is there."""

    def __init__(self, nas: Nas, clock: Callable[[], float] = time.monotonic) -> None:
        self._nas = nas
        self._clock = clock
        self._looked = 0.0
        self.whole = Past()
        self.targets: dict[str, Past] = {}
        self.available = True

    async def run(self) -> None:
        """Look, for ever."""
        while True:
            await self.look()
            await asyncio.sleep(INTERVAL_S)

    async def look(self) -> None:
        """Look once."""
        try:
            found = await self._nas.counters()
        except ServiceError:
            self.available = False
            return
        self.available = True
        now = self._clock()
        passed, self._looked = now - self._looked if self._looked else 0.0, now
        self._take(found, passed)

    def _take(self, found: EngineCounters, passed: float) -> None:
        at = time.time()
        _step(self.whole, found.total, passed, at)
        for name, counters in found.targets.items():
            past = self.targets.get(name)
            if past is None:
                if counters.sessions == 0 and counters.reads + counters.writes == 0:
                    continue
                past = self.targets[name] = Past(counters=counters)
            _step(past, counters, passed, at)
        for name in [name for name in self.targets if name not in found.targets]:
            del self.targets[name]
        if len(self.targets) > TARGETS_MAX:
            quiet = sorted(self.targets, key=lambda name: sum(each.commands for each in self.targets[name].moments))
            for name in quiet[: len(self.targets) - TARGETS_MAX]:
                del self.targets[name]

    def busiest(self, count: int) -> list[tuple[str, Moment]]:
        """The targets that do most now."""
        doing = [(name, past.now) for name, past in self.targets.items() if past.now.commands > 0]
        return sorted(doing, key=lambda each: (-each[1].bytes, -each[1].commands))[:count]

    def now(self, target: str) -> Moment:
        """What a target does now."""
        past = self.targets.get(target)
        return past.now if past is not None else Moment()

    def counters(self, target: str) -> Counters:
        """What a target did since the engine started."""
        past = self.targets.get(target)
        return past.counters if past is not None else Counters()


def _step(past: Past, new: Counters, passed: float, at: float) -> None:
    old, past.counters = past.counters, new
    commands = new.reads + new.writes + new.others
    if passed <= 0 or commands < old.reads + old.writes + old.others:
        return  # the first look, or another engine
    timed = sum(new.latency) - sum(old.latency)
    past.moments.append(
        Moment(
            at=at,
            bytes_read=max(0, new.bytes_read - old.bytes_read) / passed,
            bytes_written=max(0, new.bytes_written - old.bytes_written) / passed,
            reads=max(0, new.reads - old.reads) / passed,
            writes=max(0, new.writes - old.writes) / passed,
            others=max(0, new.others - old.others) / passed,
            latency=max(0.0, new.latency_s - old.latency_s) / timed if timed > 0 else 0.0,
            latency_99=quantile(old.latency, new.latency, 0.99),
        )
    )


def quantile(old: tuple[int, ...], new: tuple[int, ...], part: float) -> float:
    """Below what that part of the commands between two looks stayed, in seconds; 0 where there was none."""
    counts = [after - (old[index] if index < len(old) else 0) for index, after in enumerate(new)]
    wanted = part * sum(counts)
    if wanted <= 0:
        return 0.0
    seen = 0.0
    for index, count in enumerate(counts):
        seen += count
        if seen >= wanted:
            return float(FIRST_CLASS_S * 2**index)
    return float(FIRST_CLASS_S * 2 ** (len(counts) - 1))
