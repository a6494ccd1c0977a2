"""The journal: what is asked for comes once, in order; nothing waits, nothing grows."""

import time

from hypothesis import given
from hypothesis import strategies as st

from lunaport.engine.embedded import journal
from lunaport.engine.embedded.journal import Journal
from lunaport.engine.embedded.loop import Loop
from lunaport.engine.interface import EventBatch, EventMark


def make() -> Journal:
    return Journal(Loop(), "run-1")


def test_who_asks_for_the_first_time_learns_of_nothing_before() -> None:
    made = make()
    made.add("login", initiator="a")
    assert made.after(EventMark()) == EventBatch(mark=EventMark(run="run-1", number=1))


def test_events_come_in_order_and_once() -> None:
    made = make()
    mark = made.after(EventMark()).mark
    made.add("login", initiator="a")
    made.add("logout", initiator="a")
    batch = made.after(mark)
    assert [event.kind for event in batch.events] == ["login", "logout"]
    assert made.after(batch.mark).events == ()


def test_a_mark_of_another_run_stands_for_the_beginning() -> None:
    made = make()
    made.add("login")
    batch = made.after(EventMark(run="run-0", number=500))
    assert (len(batch.events), batch.lost, batch.mark) == (1, 0, EventMark(run="run-1", number=1))


def test_what_was_forgotten_is_counted() -> None:
    made = make()
    for _ in range(journal.EVENTS_MAX + 3):
        made.add("login")
    batch = made.after(EventMark(run="run-1", number=1))
    assert batch.lost == 2
    assert len(batch.events) == journal.BATCH_EVENTS_MAX
    assert batch.mark.number == 3 + journal.BATCH_EVENTS_MAX


@given(st.integers(0, 3000), st.integers(-1, 10**6))
def test_reading_on_ends_at_the_newest_whatever_the_mark(count: int, number: int) -> None:
    made = make()
    try:
        for _ in range(count):
            made.add("login")
        mark = EventMark(run="run-1", number=max(0, number))
        total = 0
        while True:
            batch = made.after(mark)
            total += len(batch.events) + batch.lost
            mark = batch.mark
            if not batch.events:
                break
        assert mark.number == count
        assert total == count - min(max(0, number), count)
    finally:
        made.loop.close()


def run_until(made: Journal, answers: list[EventBatch]) -> None:
    end = time.monotonic() + 5

    def check() -> None:
        if answers or time.monotonic() > end:
            made.loop.stop()
        else:
            made.loop.call_later(0.005, check)

    check()
    made.loop.run()


def test_who_waits_is_told_of_what_happens_together() -> None:
    made = make()
    answers: list[EventBatch] = []
    made.wait(EventMark(run="run-1"), answers.append)
    assert answers == []
    made.add("login")
    made.add("logout")
    run_until(made, answers)
    [batch] = answers
    assert [event.kind for event in batch.events] == ["login", "logout"]


def test_who_waits_long_is_answered_without_events() -> None:
    made = make()
    answers: list[EventBatch] = []
    stop = made.wait(EventMark(run="run-1"), answers.append)
    stop()
    assert [batch.events for batch in answers] == [()]
    stop()
    assert len(answers) == 1


def test_a_long_fact_is_cut() -> None:
    made = make()
    made.add("login_refused", detail="x" * 10_000)
    assert len(made.events[0].facts["detail"]) == journal.FACT_CHARS_MAX
