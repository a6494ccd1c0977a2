"""When a server is spoken to."""

import math

from hypothesis import given
from hypothesis import strategies as st

from lunaport.isns.schedule import CHECK_INTERVAL_S, LOOK_PAUSE_S, PAUSE_S_MAX, PAUSE_S_MIN, Schedule


def test_nothing_is_due_before_there_is_something() -> None:
    assert Schedule().due == math.inf


def test_a_change_is_due_at_once() -> None:
    schedule = Schedule()
    schedule.change(100.0)
    assert schedule.due == 100.0


def test_it_looks_again_before_the_period_ends() -> None:
    schedule = Schedule()
    schedule.succeed(100.0, 6, 0.0)
    assert schedule.due == 102.0
    for period_s in (3600, 0):
        schedule.succeed(100.0, period_s, 0.0)
        assert schedule.due == 100.0 + CHECK_INTERVAL_S
    schedule.succeed(100.0, 3600, 1.0)
    assert schedule.due == 100.0 + CHECK_INTERVAL_S * 0.9


def test_pauses_grow_up_to_a_bound_and_begin_anew_after_a_success() -> None:
    schedule = Schedule()
    pauses = []
    for _ in range(8):
        schedule.fail(0.0, 0.0)
        pauses.append(schedule.due)
    assert pauses == [1.0, 2.0, 4.0, 8.0, 16.0, PAUSE_S_MAX, PAUSE_S_MAX, PAUSE_S_MAX]
    schedule.succeed(0.0, 60, 0.0)
    schedule.fail(0.0, 1.0)
    assert schedule.due == PAUSE_S_MIN / 2


def test_changes_do_not_hammer_a_server_that_fails() -> None:
    schedule = Schedule()
    for _ in range(5):
        schedule.fail(100.0, 0.0)
    for now in (100.1, 100.2, 100.9):
        schedule.change(now)
        assert schedule.due == 100.0 + LOOK_PAUSE_S
    schedule.change(105.0)
    assert schedule.due == 100.0 + LOOK_PAUSE_S


def test_callers_do_not_make_it_look_all_the_time() -> None:
    schedule = Schedule()
    schedule.succeed(100.0, 60, 0.0)
    for now in (100.0, 100.3):
        schedule.look(now)
        assert schedule.due == 101.0
    schedule.succeed(101.0, 60, 0.0)
    schedule.look(110.0)
    assert schedule.due == 110.0


def test_rest() -> None:
    schedule = Schedule()
    schedule.fail(0.0, 0.0)
    schedule.rest()
    assert (schedule.due, schedule.failures) == (math.inf, 0)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=200))
def test_however_often_it_fails_it_is_tried_again_within_the_bound(chances: list[float]) -> None:
    schedule = Schedule()
    now = 0.0
    for chance in chances:
        schedule.fail(now, chance)
        assert schedule.due - now + 1e-6 >= PAUSE_S_MIN / 2
        assert schedule.due - now <= PAUSE_S_MAX + 1e-6
        now = schedule.due
