"""The account of a process's memory: shares, and who waits, at n - 1, n and n + 1."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lunaport.engine.embedded.limits import CONNECTION_BYTES_MAX, SHARE_SHIFT
from lunaport.engine.embedded.memory import Memory
from lunaport.engine.interface import MemoryUse

MAX = 1000


class Waiter:
    """Wants `size` bytes, once."""

    def __init__(self, memory: Memory, size: int, held: int = 0) -> None:
        self.memory = memory
        self.size = size
        self.held = held

    def borrow(self) -> bool:
        if self.memory.has_room(self.held, self.size):
            self.held += self.size
            self.memory.change(self.size)
            return True
        return False


@pytest.mark.parametrize(("used", "short"), [(MAX - 1, False), (MAX, True), (MAX + 1, True)])
def test_all_that_there_is_can_be_held(used: int, short: bool) -> None:
    memory = Memory(MAX)
    memory.change(used)
    assert memory.short is short


@pytest.mark.parametrize(("used", "scarce"), [(MAX // 2 - 1, False), (MAX // 2, False), (MAX // 2 + 1, True)])
def test_more_than_half_is_scarce(used: int, scarce: bool) -> None:
    memory = Memory(MAX)
    memory.change(used)
    assert memory.scarce is scarce


def test_short_lasts_until_a_quarter_is_free_and_each_side_is_told_once() -> None:
    memory = Memory(MAX)
    told: list[str] = []
    memory.on_short = lambda: told.append("short")
    memory.on_relief = lambda: told.append("relief")
    for change in (MAX, 50, -150, 50, -200, 10, -10):
        memory.change(change)
    assert memory.used == MAX * 3 // 4
    assert told == ["short"]
    memory.change(-1)
    assert told == ["short", "relief"]


def test_it_tells_what_is_held_the_most_that_was_and_the_limit() -> None:
    memory = Memory(MAX)
    for change in (300, 100, -350, 200):
        memory.change(change)
    assert memory.report() == MemoryUse(held_bytes=250, peak_bytes=400, limit_bytes=MAX)


@pytest.mark.parametrize(("used", "room"), [(MAX - 11, True), (MAX - 10, True), (MAX - 9, False)])
def test_who_holds_nothing_may_have_what_is_left(used: int, room: bool) -> None:
    memory = Memory(MAX)
    memory.change(used)
    assert memory.has_room(0, 10) is room


@pytest.mark.parametrize("more", [-1, 0, 1])
def test_who_holds_something_may_have_an_eighth_of_what_is_free(more: int) -> None:
    memory = Memory(MAX)
    memory.change(200)
    share = 800 >> SHARE_SHIFT
    assert memory.share() == share
    assert memory.has_room(60, share - 60 + more) is (more <= 0)


@pytest.mark.parametrize("more", [-1, 0, 1])
def test_no_connection_holds_more_than_a_fixed_amount(more: int) -> None:
    memory = Memory(1 << 40)
    assert memory.has_room(1, CONNECTION_BYTES_MAX - 1 + more) is (more <= 0)


def test_those_who_wait_are_served_in_turn_and_none_waits_for_nothing() -> None:
    memory = Memory(MAX)
    memory.change(MAX)
    waiters = [Waiter(memory, 400), Waiter(memory, 700), Waiter(memory, 100)]
    for waiter in waiters:
        memory.wait(waiter)
    memory.change(-500)
    memory.serve_waiting()
    assert [waiter.held for waiter in waiters] == [400, 0, 100]
    assert list(memory.waiting) == [waiters[1]]


@given(st.lists(st.tuples(st.integers(0, 7), st.integers(1, 400), st.booleans())))
def test_what_is_lent_never_exceeds_what_there_is(steps: list[tuple[int, int, bool]]) -> None:
    """Connections that borrow and give back in any order."""
    memory = Memory(MAX)
    held = [0] * 8
    for who, size, gives in steps:
        if gives:
            size = min(size, held[who])
            held[who] -= size
            memory.change(-size)
        elif memory.has_room(held[who], size):
            held[who] += size
            memory.change(size)
        assert memory.used == sum(held) <= MAX
