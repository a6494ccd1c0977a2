"""What moves: rates from the engine's counters, whatever happens to the engine in between."""

from typing import cast

import pytest

from lunaport.engine.interface import Counters, EngineCounters
from lunaport.service.errors import UnavailableError
from lunaport.service.nas import Nas
from lunaport.web.watching import MOMENTS, TARGETS_MAX, Watching, quantile

pytestmark = pytest.mark.anyio


class Double:
    """A NAS that counts what a test says."""

    def __init__(self) -> None:
        self.given: EngineCounters | None = EngineCounters()
        self.now = 100.0

    async def counters(self) -> EngineCounters:
        if self.given is None:
            raise UnavailableError
        return self.given

    def clock(self) -> float:
        return self.now


async def looked(double: Double, watching: Watching, passed: float, total: Counters, **targets: Counters) -> None:
    double.given = EngineCounters(total=total, targets=targets)
    double.now += passed
    await watching.look()


async def test_rates_are_of_the_time_between_two_looks() -> None:
    double = Double()
    watching = Watching(cast("Nas", double), double.clock)
    await looked(double, watching, 0, Counters(reads=10, bytes_read=100))
    assert not watching.whole.moments
    new = Counters(reads=30, writes=4, bytes_read=1100, latency=(0, 4), latency_s=0.004)
    await looked(double, watching, 2, new)
    now = watching.whole.now
    assert (now.reads, now.writes, now.bytes_read, now.commands) == (10, 2, 500, 12)
    assert (now.latency, now.latency_99) == (0.001, 2**15 / 1e9)


async def test_a_new_engine_begins_anew() -> None:
    double = Double()
    watching = Watching(cast("Nas", double), double.clock)
    await looked(double, watching, 0, Counters(reads=1000))
    double.given = None
    await watching.look()
    assert not watching.available
    await looked(double, watching, 2, Counters(reads=5))
    assert (watching.available, len(watching.whole.moments)) == (True, 0)
    await looked(double, watching, 2, Counters(reads=7))
    assert watching.whole.now.reads == 1


async def test_the_busiest_come_first_and_those_that_are_gone_do_not() -> None:
    double = Double()
    watching = Watching(cast("Nas", double), double.clock)
    for step in (0, 1):
        await looked(
            double, watching, 1, Counters(), a=Counters(reads=1 + step, bytes_read=step, sessions=1),
            b=Counters(reads=1 + step, bytes_read=9 * step, sessions=1), c=Counters(),
        )  # fmt: skip
    assert [name for name, _ in watching.busiest(5)] == ["b", "a"]
    await looked(double, watching, 1, Counters(), a=Counters(reads=2, sessions=1))
    assert list(watching.targets) == ["a"]
    assert watching.counters("nobody") == Counters()


async def test_the_past_is_bounded() -> None:
    double = Double()
    watching = Watching(cast("Nas", double), double.clock)
    many = {f"t{number}": Counters(reads=1, sessions=1) for number in range(TARGETS_MAX + 10)}
    for _ in range(MOMENTS + 10):
        await looked(double, watching, 1, Counters(), **many)
    assert len(watching.whole.moments) == MOMENTS
    assert len(watching.targets) == TARGETS_MAX


def test_the_quantile_of_what_came_between() -> None:
    assert quantile((5, 0), (5, 0), 0.99) == 0
    assert quantile((5, 0, 0), (104, 1, 0), 0.99) == 2**14 / 1e9
    assert quantile((), (0, 0, 3), 0.5) == 2**16 / 1e9
