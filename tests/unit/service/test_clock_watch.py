"""Whether the wall clock can be trusted."""

import time

import pytest

from lunaport.service.clock_watch import JUMP_S, STEADY_S, ClockWatch, since_boot
from tests.unit.service.test_throttle import Clock


def test_it_is_trusted_after_a_while() -> None:
    uptime = Clock()
    watch = ClockWatch(uptime)
    assert watch.look(1000.0) == 0
    assert not watch.is_steady
    uptime.now = STEADY_S - 1
    assert watch.look(1000.0 + uptime.now) == 0
    assert not watch.is_steady
    uptime.now = STEADY_S
    assert watch.look(1000.0 + uptime.now) == 0
    assert watch.is_steady
    uptime.now += 1
    assert watch.look(1000.0 + uptime.now) == 0
    assert watch.is_steady


@pytest.mark.parametrize(("by_s", "told"), [(JUMP_S, JUMP_S), (-JUMP_S, 0.0), (JUMP_S - 1, None), (1 - JUMP_S, None)])
def test_a_jump(by_s: float, told: float | None) -> None:
    uptime = Clock()
    watch = ClockWatch(uptime)
    watch.look(0.0)
    uptime.now = STEADY_S
    watch.look(uptime.now)
    uptime.now += STEADY_S
    assert watch.look(uptime.now + by_s) == (told or 0.0)
    assert watch.is_steady == (told is None)


def test_a_slow_drift_is_none() -> None:
    uptime = Clock()
    watch = ClockWatch(uptime)
    for hour in range(1000):
        uptime.now = hour * 3600.0
        assert watch.look(uptime.now * 1.01) == 0
    assert watch.is_steady


def test_the_uptime_of_this_machine() -> None:
    assert since_boot() >= time.monotonic() - 1
