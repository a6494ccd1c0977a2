"""Limits on what a target's sessions may do in a second: flow control, never an error.

Commands and bytes are counted when a command comes in. Whoever used up more than there is stops being read from until
it has been made up for; all sessions of the target draw from the same account, so each waits for its own part. While
one waits long it is pinged, so that its initiator hears from us and does not take the target for dead.

Invariant: time moves the account forward only; a pause of the initiator saves it at most BURST_S of the limit.
"""

from collections.abc import Callable
from time import monotonic
from typing import Final, Protocol

from lunaport.engine.embedded.loop import Loop, Timer
from lunaport.engine.interface import LimitsSpec
from lunaport.iscsi.task import Task

BURST_S: Final = 0.1
PAUSE_S_MIN: Final = 0.001
"""What is owed for less than this is not worth a timer: it is made up for with the next command."""
PING_S: Final = 3.0
"""Initiators ask for a sign of life after 5 s without one, and would get no answer while they are not read from."""


class Account:
    """When the next command is due, by commands and by bytes, whichever is later."""

    def __init__(self, limits: LimitsSpec) -> None:
        self.limits = limits
        self.commands_due = 0.0
        self.bytes_due = 0.0

    def charge(self, now: float, size_bytes: int) -> float:
        """Count a command; returns the seconds until it is made up for."""
        limits = self.limits
        wait = 0.0
        if limits.iops:
            self.commands_due = max(self.commands_due, now - BURST_S) + 1 / limits.iops
            wait = self.commands_due - now
        if limits.bytes_per_second:
            self.bytes_due = max(self.bytes_due, now - BURST_S) + size_bytes / limits.bytes_per_second
            wait = max(wait, self.bytes_due - now)
        return wait


class Pausable(Protocol):
    """A connection that can be left unread."""

    def pause(self) -> None:
        """Read and handle nothing more."""

    def resume(self) -> None:
        """Go on, with what was left unhandled first."""

    def ping(self) -> None:
        """Let the initiator hear from us."""


class Throttle:
    """One session of a target with limits: it executes commands in place of the nexus."""

    def __init__(self, loop: Loop, account: Account, connection: Pausable, execute: Callable[[Task], None]) -> None:
        self.loop = loop
        self.account = account
        self.connection = connection
        self.inner = execute
        self.until = 0.0
        self.timer: Timer | None = None

    def execute(self, task: Task) -> None:
        """Run a command, and pause the connection after it when the target has done too much."""
        wait = self.account.charge(monotonic(), task.expected_length)
        if wait > PAUSE_S_MIN and self.timer is None:
            self.until = monotonic() + wait
            self.connection.pause()
            self._sleep(wait)
        self.inner(task)

    def lift(self) -> None:
        """The limits are gone, or the session is: go on now."""
        if self.timer is not None:
            self.timer.cancel()
            self.timer = None
            self.connection.resume()

    def _sleep(self, wait: float) -> None:
        self.timer = self.loop.call_later(min(wait, PING_S), self._wake)

    def _wake(self) -> None:
        left = self.until - monotonic()
        if left > PAUSE_S_MIN:
            self.connection.ping()
            self._sleep(left)
        else:
            self.timer = None
            self.connection.resume()
