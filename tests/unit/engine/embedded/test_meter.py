"""Measuring: a sample of commands is timed, the others go by untouched."""

from typing import Any, cast

from lunaport.engine.embedded import meter
from lunaport.engine.embedded.loop import Loop
from lunaport.engine.embedded.meter import Execute, LatencySampler, RateMeter
from lunaport.engine.interface import Rates
from lunaport.iscsi.task import Task
from tests.unit.iscsi.full_feature import Peer


class Command:
    """As much of a task as counts here."""

    def __init__(self) -> None:
        self.finished = False
        self.on_finished: Any = None


class Bench:
    """A session's function that executes, and what came to the disk."""

    def __init__(self, *, at_once: bool) -> None:
        self.loop = Loop()
        self.at_once = at_once
        self.executed: list[Command] = []
        self.execute: Execute = self.inner
        self.sampler = LatencySampler(self.loop, self.inner, self.exchange)

    def inner(self, task: Task) -> None:
        command = cast("Command", task)
        self.executed.append(command)
        command.finished = self.at_once

    def exchange(self, execute: Execute) -> None:
        self.execute = execute

    def run(self, execute: Execute | None = None) -> Command:
        command = Command()
        (execute or self.execute)(cast("Task", command))
        return command


def test_one_command_is_timed_and_the_next_is_not() -> None:
    bench = Bench(at_once=True)
    bench.sampler.arm()
    bench.run()
    assert sum(bench.sampler.counts) == 1
    assert bench.execute == bench.inner
    bench.run()
    assert sum(bench.sampler.counts) == 1
    assert len(bench.executed) == 2


def test_of_a_batch_one_command_is_timed() -> None:
    bench = Bench(at_once=True)
    bench.sampler.arm()
    held = bench.execute
    for _ in range(5):
        bench.run(held)
    assert (sum(bench.sampler.counts), len(bench.executed)) == (1, 5)
    assert len(bench.loop.timers) == 1


def test_a_command_that_waits_counts_when_it_ends() -> None:
    bench = Bench(at_once=False)
    bench.sampler.arm()
    command = bench.run()
    assert sum(bench.sampler.counts) == 0
    command.on_finished()
    assert sum(bench.sampler.counts) == 1


def test_another_function_takes_over() -> None:
    bench = Bench(at_once=True)
    others: list[Task] = []
    bench.sampler.arm()
    bench.sampler.replace(others.append)
    bench.run()
    bench.run()
    assert (len(others), bench.executed) == (2, [])


def test_classes_end_with_powers_of_two(monkeypatch: Any) -> None:
    clock = iter([0, 2**14 - 1, 0, 2**14, 0, 2**15 - 1, 0, 2**60])
    monkeypatch.setattr(meter, "perf_counter_ns", lambda: next(clock))
    bench = Bench(at_once=True)
    for _ in range(4):
        bench.sampler.arm()
        bench.run()
    assert bench.sampler.counts[:2] == [1, 2]
    assert bench.sampler.counts[-1] == 1


def test_rates_are_those_between_two_looks() -> None:
    connection = Peer().connection
    rates = RateMeter(10.0)
    connection.reads, connection.bytes_read, connection.bytes_written = 50, 1000, 0
    rates.look(15.0, connection)
    assert rates.rates == Rates(commands=10, bytes_read=200, bytes_written=0)
    rates.look(20.0, connection)
    assert rates.rates == Rates()
    rates.look(20.0, connection)
    assert rates.rates == Rates()
