"""While memory is short: who is halted, who is closed, and that it ends."""

from collections.abc import Callable
from typing import cast

import pytest
from structlog.testing import capture_logs

from lunaport.engine.embedded import limits
from lunaport.engine.embedded.loop import Loop
from lunaport.engine.embedded.memory import Memory
from lunaport.engine.embedded.pressure import STALLED, Pressure
from lunaport.engine.embedded.transport import Transport

MAX = 1 << 20


class Clock:
    """A loop whose time passes when a test says so."""

    def __init__(self) -> None:
        self.time = 0.0
        self.later: list[tuple[float, Callable[[], None]]] = []
        self.soon: dict[Callable[[], None], None] = {}

    def now(self) -> float:
        return self.time

    def call_later(self, delay_s: float, call: Callable[[], None]) -> None:
        self.later.append((self.time + delay_s, call))

    def call_soon(self, call: Callable[[], None]) -> None:
        self.soon[call] = None

    def settle(self) -> None:
        while self.soon:
            calls = list(self.soon)
            self.soon.clear()
            for call in calls:
                call()

    def pass_time(self, seconds: float) -> None:
        self.time += seconds
        due = [call for at, call in self.later if at <= self.time]
        self.later = [(at, call) for at, call in self.later if at > self.time]
        for call in due:
            call()
        self.settle()


class Peer:
    """A session that holds memory."""

    def __init__(self, bench: "Bench", size: int) -> None:
        self.bench = bench
        self.peer_bytes = size
        self.moved_bytes = 0
        self.halted = False
        self.reason = ""
        bench.peers.append(self)
        bench.memory.change(size)

    def halt(self) -> None:
        self.halted = True

    def go_on(self) -> None:
        self.halted = False

    def close(self, reason: str) -> None:
        self.reason = reason
        self.bench.peers.remove(self)
        self.give(self.peer_bytes)

    def give(self, size: int) -> None:
        self.peer_bytes -= size
        self.bench.memory.change(-size)


class Bench:
    def __init__(self) -> None:
        self.clock = Clock()
        self.memory = Memory(MAX)
        self.peers: list[Peer] = []
        self.pressure = Pressure(
            cast("Loop", self.clock), self.memory, lambda: [cast("Transport", peer) for peer in self.peers]
        )


def test_all_are_halted_until_a_quarter_is_free() -> None:
    bench = Bench()
    idle, big = Peer(bench, 0), Peer(bench, MAX - 1)
    assert not idle.halted
    Peer(bench, 1)
    assert idle.halted
    assert big.halted
    newcomer = Peer(bench, 0)
    bench.pressure.take_in(cast("Transport", newcomer))
    assert newcomer.halted
    big.give(MAX // 4)
    bench.clock.settle()
    assert idle.halted
    big.give(1)
    bench.clock.settle()
    assert not any(peer.halted for peer in bench.peers)


@pytest.mark.parametrize(("moved", "closed"), [(-1, True), (0, False), (1, False)])
def test_who_does_not_move_enough_is_closed(moved: int, closed: bool) -> None:
    bench = Bench()
    peer, idle = Peer(bench, MAX), Peer(bench, 0)
    bench.clock.pass_time(limits.STALL_S - 0.1)
    peer.moved_bytes += limits.STALL_PROGRESS_BYTES + moved
    assert peer.reason == ""
    bench.clock.pass_time(0.1)
    assert (peer.reason == STALLED) is closed
    assert idle.reason == ""
    bench.clock.pass_time(limits.STALL_S)
    assert peer.reason == STALLED, "not in the next two seconds either"
    assert not idle.halted
    assert bench.clock.later == [], "nobody is watched when there is enough"


def test_no_more_are_closed_than_is_needed_and_those_who_hold_most_first() -> None:
    bench = Bench()
    small = [Peer(bench, MAX // 16) for _ in range(8)]
    big = Peer(bench, MAX // 2)
    bench.clock.pass_time(limits.STALL_S)
    assert big.reason == STALLED
    assert [peer.reason for peer in small] == [""] * 8


def test_who_waits_for_a_loan_is_served_when_somebody_stalls() -> None:
    bench = Bench()
    stalled = Peer(bench, MAX * 3 // 4)
    granted: list[bool] = []

    class Borrower:
        def borrow(self) -> bool:
            if bench.memory.has_room(0, MAX // 2):
                granted.append(True)
            return bool(granted)

    bench.memory.wait(Borrower())
    bench.clock.pass_time(limits.STALL_S)
    assert stalled.reason == STALLED
    assert granted == [True]


def test_it_is_logged_once_in_a_while() -> None:
    bench = Bench()
    with capture_logs() as lines:
        for _ in range(10):
            peer = Peer(bench, MAX)
            peer.close("over")
            bench.clock.settle()
        assert len(lines) == 1
        bench.clock.pass_time(limits.REFUSAL_PAUSE_S)
        Peer(bench, MAX)
        assert len(lines) == 2
