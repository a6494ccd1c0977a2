"""The event loop and the worker threads that report to it."""

import os
import threading
from time import monotonic

import pytest

from lunaport.engine.embedded.loop import READABLE, Loop
from lunaport.engine.embedded.workers import Workers


def test_readiness_timers_and_calls_from_threads() -> None:
    """Each step asks for the next, so that no order of theirs is owed to the clock."""
    loop = Loop()
    reading, writing = os.pipe()
    seen: list[str] = []

    def write() -> None:
        seen.append("timer")
        os.write(writing, b"pipe")

    def from_thread() -> None:
        assert threading.current_thread() is threading.main_thread()
        seen.append("thread")
        loop.call_later(0.001, write)

    def on_readable(_mask: int) -> None:
        seen.append(os.read(reading, 10).decode())
        loop.call_soon(soon)

    def soon() -> None:
        seen.append("soon")
        loop.call_later(0.01, loop.stop)

    loop.register(reading, on_readable, READABLE)
    thread = threading.Thread(target=lambda: loop.call_from_thread(from_thread))
    loop.call_later(0.005, thread.start)
    cancelled = loop.call_later(0.001, lambda: seen.append("cancelled"))
    cancelled.cancel()
    loop.run()
    thread.join()
    assert seen == ["thread", "timer", "pipe", "soon"]
    loop.unregister(reading)
    loop.close()
    os.close(reading)
    os.close(writing)


def test_a_call_asked_for_twice_runs_once() -> None:
    loop = Loop()
    calls: list[int] = []

    def call() -> None:
        calls.append(1)

    loop.call_soon(call)
    loop.call_soon(call)
    loop.call_later(0, loop.stop)
    loop.run()
    loop.close()
    assert calls == [1]


def test_a_call_asked_for_by_a_call_does_not_wait_for_an_event() -> None:
    loop = Loop()
    loop.call_soon(lambda: loop.call_soon(lambda: loop.call_soon(loop.stop)))
    loop.run()
    loop.close()


def test_timers_run_in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    loop = Loop()
    seen: list[int] = []
    with monkeypatch.context() as clock:  # asked for at one moment, however slow this machine is
        now = monotonic()
        clock.setattr("lunaport.engine.embedded.loop.monotonic", lambda: now)
        for delay in (3, 1, 2):
            loop.call_later(delay / 1000, lambda delay=delay: seen.append(delay))  # type: ignore[misc]  # default binds
        loop.call_later(0.01, loop.stop)
    loop.run()
    loop.close()
    assert seen == [1, 2, 3]


def test_workers_report_results_on_the_loop_and_close_when_idle() -> None:
    loop = Loop()
    workers = Workers(loop, "test", threads_max=2)
    gate = threading.Event()
    seen: list[object] = []
    error = OSError("no")

    def fail() -> None:
        raise error

    def done(failure: BaseException | None) -> None:
        seen.append((threading.current_thread() is threading.main_thread(), failure))
        if len(seen) == 2:
            loop.stop()

    workers.submit(fail, done)

    def wait() -> None:
        gate.wait(5)

    workers.submit(wait, done)
    workers.close(lambda: seen.append("idle"))
    assert seen == []
    gate.set()
    loop.run()
    loop.close()
    assert seen == [(True, error), (True, None), "idle"]


def test_a_mistake_in_one_call_keeps_no_other_from_being_made() -> None:
    loop = Loop()
    reading, writing = os.pipe()
    seen: list[str] = []

    def fail(_mask: int = 0) -> None:
        seen.append("failed")
        os.read(reading, 1)
        if len(seen) == 6:
            loop.stop()
        raise ValueError

    loop.register(reading, fail, READABLE)
    os.write(writing, b"123456")
    loop.call_soon(fail)
    loop.call_from_thread(fail)
    loop.call_later(0, fail)
    loop.run()
    loop.unregister(reading)
    loop.close()
    os.close(reading)
    os.close(writing)


def test_the_loop_asks_on_only_while_events_are_close(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 0.0

    class Poll:
        """Events that come at given times."""

        def __init__(self, *due: float) -> None:
            self.due = list(due)
            self.asked = 0
            self.slept = 0

        def poll(self, timeout_s: float, _events_max: int) -> list[tuple[int, int]]:
            nonlocal now
            now += 1e-6
            if timeout_s == 0:
                self.asked += 1
            else:
                self.slept += 1
                now = max(now, self.due[0])
            return [(99, 1)] if self.due[0] <= now and self.due.pop(0) else []

        def close(self) -> None:
            pass

    loop = Loop()
    loop.epoll.close()
    monkeypatch.setattr("lunaport.engine.embedded.loop.monotonic", lambda: now)

    def wait_for(*due: float) -> tuple[int, int]:
        poll = Poll(*due)
        monkeypatch.setattr(loop, "epoll", poll)
        for _ in due:
            assert loop.wait()
        return poll.asked > 0, poll.slept

    assert wait_for(1.0) == (False, 1)
    assert wait_for(2.0, 2.0001, 2.00013) == (True, 2)
    assert loop.busy
    assert wait_for(3.0) == (True, 1)
    assert not loop.busy
    assert wait_for(4.0) == (False, 1)
    os.close(loop.wake_fd)
