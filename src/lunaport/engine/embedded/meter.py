"""What a session does, measured without costing its commands anything: rates from the counters that are kept anyway,
and the latencies of a sample.

Every SAMPLE_S at most, one command of a session is timed: the function that executes commands is exchanged for one that
looks at the clock and puts the other back. Between samples the path of a command is as if nobody measured. A latency is
the time from when a command has arrived until its status is laid down to be sent: disk and transfer of data-out are in
it, the network back is not. A sample says how long commands take, not how many there are.
"""

from collections.abc import Callable
from time import perf_counter_ns
from typing import Final

from lunaport.engine.embedded.loop import Loop
from lunaport.engine.interface import Rates
from lunaport.iscsi.connection import Connection
from lunaport.iscsi.task import Task

SAMPLE_S: Final = 0.02
FIRST_BITS: Final = 14
"""The first class of latencies ends with 2**14 ns, about 16 us."""
CLASSES: Final = 22
"""The last but one ends with 2**34 ns, about 17 s."""

Execute = Callable[[Task], None]


class LatencySampler:
    """Times a command now and then. `exchange` sets what executes the session's commands."""

    __slots__ = ("_armed", "_exchange", "_inner", "_loop", "counts", "total_ns")

    def __init__(self, loop: Loop, execute: Execute, exchange: Callable[[Execute], None]) -> None:
        self._loop = loop
        self._exchange = exchange
        self._inner = execute
        self._armed = False
        self.counts = [0] * CLASSES
        self.total_ns = 0

    def arm(self) -> None:
        """Time the next command that comes."""
        self._armed = True
        self._exchange(self._execute)

    def replace(self, execute: Execute) -> None:
        """Commands are executed by another function from now on."""
        self._inner = execute
        self._exchange(self._execute if self._armed else execute)

    def _execute(self, task: Task) -> None:
        if not self._armed:
            # The batch that is being received comes here with all of its commands.
            self._inner(task)
            return
        self._armed = False
        self._exchange(self._inner)
        started = perf_counter_ns()
        self._inner(task)
        if task.finished:
            self._count(started)
            return
        earlier = task.on_finished

        def finished() -> None:
            self._count(started)
            if earlier is not None:
                earlier()

        task.on_finished = finished

    def _count(self, started: int) -> None:
        took = perf_counter_ns() - started
        self.total_ns += took
        self.counts[min(max(0, took.bit_length() - FIRST_BITS), CLASSES - 1)] += 1
        self._loop.call_later(SAMPLE_S, self.arm)


class RateMeter:
    """What a session did a second, between the last two looks at its counters."""

    __slots__ = ("_before", "rates")

    def __init__(self, now: float) -> None:
        self._before = (now, 0, 0, 0)
        self.rates = Rates()

    def look(self, now: float, connection: Connection) -> None:
        """Look at the counters."""
        then, commands, bytes_read, bytes_written = self._before
        self._before = (now, connection.commands, connection.bytes_read, connection.bytes_written)
        passed = now - then
        if passed > 0:
            self.rates = Rates(
                commands=(connection.commands - commands) / passed,
                bytes_read=(connection.bytes_read - bytes_read) / passed,
                bytes_written=(connection.bytes_written - bytes_written) / passed,
            )
