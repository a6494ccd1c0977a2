"""Limits: over any time no more than the limit and its burst; whoever waits is not read from, pinged, and goes on."""

from collections.abc import Callable
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lunaport.engine.embedded import throttle
from lunaport.engine.embedded.loop import Loop, Timer
from lunaport.engine.embedded.throttle import BURST_S, PING_S, Account, Throttle
from lunaport.engine.interface import LimitsSpec


def test_without_limits_nobody_waits() -> None:
    assert Account(LimitsSpec()).charge(5.0, 1 << 30) == 0


def test_commands_are_due_one_after_the_other() -> None:
    account = Account(LimitsSpec(iops=100))
    waits = [account.charge(10.0, 0) for _ in range(12)]
    assert waits[0] < 0
    assert waits[-1] == pytest.approx(12 / 100 - BURST_S)


def test_bytes_and_commands_count_whichever_is_later() -> None:
    account = Account(LimitsSpec(iops=1000, bytes_per_second=1 << 20))
    assert account.charge(10.0, 1 << 20) == pytest.approx(1 - BURST_S)


@given(
    st.lists(st.tuples(st.floats(0, 0.5), st.integers(0, 1 << 20)), min_size=1, max_size=100),
    st.integers(10, 10_000),
    st.integers(1 << 20, 1 << 30),
)
def test_whoever_waits_as_told_keeps_to_the_limits(
    steps: list[tuple[float, int]], iops: int, bytes_per_second: int
) -> None:
    account = Account(LimitsSpec(iops=iops, bytes_per_second=bytes_per_second))
    now = start = 100.0
    moved = 0
    for commands, (idle, size) in enumerate(steps, start=1):
        now += idle
        wait = account.charge(now, size)
        now += max(0.0, wait)
        moved += size
        # What was let in is made up for by now, but for the burst.
        assert commands <= (now - start + BURST_S) * iops + 1e-6
        assert moved <= (now - start + BURST_S) * bytes_per_second + 1


class FakeLoop:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.timers: list[tuple[float, Timer]] = []

    def call_later(self, delay_s: float, call: Callable[[], None]) -> Timer:
        timer = Timer(call)
        self.timers.append((self.now + delay_s, timer))
        return timer

    def move(self, seconds: float) -> None:
        end = self.now + seconds
        while due := [entry for entry in self.timers if entry[0] <= end]:
            entry = min(due, key=lambda each: each[0])
            self.timers.remove(entry)
            self.now = max(self.now, entry[0])
            call = entry[1].call
            if call is not None:
                call()
        self.now = end


class Peer:
    """A connection that notes what is done to it."""

    def __init__(self) -> None:
        self.done: list[str] = []

    def pause(self) -> None:
        self.done.append("pause")

    def resume(self) -> None:
        self.done.append("resume")

    def ping(self) -> None:
        self.done.append("ping")


class Command:
    """As much of a task as counts here."""

    def __init__(self, size: int) -> None:
        self.expected_length = size


@pytest.fixture
def loop(monkeypatch: pytest.MonkeyPatch) -> FakeLoop:
    made = FakeLoop()
    monkeypatch.setattr(throttle, "monotonic", lambda: made.now)
    return made


def throttled(loop: FakeLoop, limits: LimitsSpec, executed: list[Any]) -> tuple[Throttle, Peer]:
    peer = Peer()
    return Throttle(cast("Loop", loop), Account(limits), peer, cast("Any", executed.append)), peer


def test_a_command_too_many_is_executed_and_then_nothing_is_read(loop: FakeLoop) -> None:
    executed: list[Any] = []
    one, peer = throttled(loop, LimitsSpec(bytes_per_second=1 << 20), executed)
    one.execute(cast("Any", Command(1 << 20)))
    assert len(executed) == 1
    assert peer.done == ["pause"]
    loop.move(0.85)
    assert peer.done == ["pause"]
    loop.move(0.1)
    assert peer.done == ["pause", "resume"]


def test_a_long_wait_is_broken_by_pings(loop: FakeLoop) -> None:
    one, peer = throttled(loop, LimitsSpec(bytes_per_second=1 << 20), [])
    one.execute(cast("Any", Command(8 << 20)))
    loop.move(PING_S * 2 + 0.1)
    assert peer.done == ["pause", "ping", "ping"]
    loop.move(2)
    assert peer.done[-1] == "resume"


def test_limits_that_are_lifted_let_it_go_on_at_once(loop: FakeLoop) -> None:
    one, peer = throttled(loop, LimitsSpec(bytes_per_second=1 << 20), [])
    one.execute(cast("Any", Command(8 << 20)))
    one.lift()
    assert peer.done == ["pause", "resume"]
    loop.move(20)
    assert peer.done == ["pause", "resume"]
    one.lift()
    assert peer.done == ["pause", "resume"]
