"""The event loop of a data process: readiness by epoll, timers, and calls that come from worker threads.

Plain on purpose: between a system call that says what is ready and the one that receives it stands one dictionary
look-up. Nothing in it knows what it drives.
"""

import heapq
import os
import select
from collections import deque
from collections.abc import Callable
from itertools import count
from time import monotonic

import structlog

log = structlog.get_logger()

EVENTS_PER_WAIT_MAX = 256
SPIN_S = 50e-6
"""How long the loop asks on before it sleeps, while events follow each other closely."""
BUSY_SLEEP_S = 150e-6
"""A sleep shorter than this says that they do: it was hardly more than being woken."""
READABLE = select.EPOLLIN
WRITABLE = select.EPOLLOUT
HUNG_UP = select.EPOLLRDHUP
"""For who does not read, but wants to know that nothing more will come."""


class Timer:
    """A call that is due later; `cancel` makes it not happen."""

    __slots__ = ("call",)

    def __init__(self, call: Callable[[], None]) -> None:
        self.call: Callable[[], None] | None = call

    def cancel(self) -> None:
        """Drop the call."""
        self.call = None


class Loop:
    """One thread's events. Only `call_from_thread` may be used by other threads."""

    def __init__(self) -> None:
        self.epoll = select.epoll()
        self.handlers: dict[int, Callable[[int], None]] = {}
        self.timers: list[tuple[float, int, Timer]] = []
        self.order = count()
        self.running = True
        self.busy = False
        # What wants a call before the loop waits again, once however often it asked.
        self.soon: dict[Callable[[], None], None] = {}
        self.from_threads: deque[Callable[[], None]] = deque()
        self.wake_fd = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self.register(self.wake_fd, self._on_wake, READABLE)

    def register(self, fd: int, handler: Callable[[int], None], mask: int) -> None:
        """Call `handler` with the event mask whenever `fd` is ready."""
        self.handlers[fd] = handler
        self.epoll.register(fd, mask)

    def modify(self, fd: int, mask: int) -> None:
        """Change what `fd` is watched for."""
        self.epoll.modify(fd, mask)

    def unregister(self, fd: int) -> None:
        """Stop watching `fd`."""
        del self.handlers[fd]
        self.epoll.unregister(fd)

    def call_later(self, delay_s: float, call: Callable[[], None]) -> Timer:
        """Call once after `delay_s` seconds."""
        timer = Timer(call)
        heapq.heappush(self.timers, (monotonic() + delay_s, next(self.order), timer))
        return timer

    def now(self) -> float:
        """Seconds of the clock that `call_later` counts by."""
        return monotonic()

    def call_soon(self, call: Callable[[], None]) -> None:
        """Call once before the loop waits again."""
        self.soon[call] = None

    def call_from_thread(self, call: Callable[[], None]) -> None:
        """Call on the loop's thread; for worker threads."""
        self.from_threads.append(call)
        os.eventfd_write(self.wake_fd, 1)

    def stop(self) -> None:
        """Return from `run` after this round."""
        self.running = False

    def run(self) -> None:
        """Serve events until `stop`."""
        handlers = self.handlers
        while self.running:
            if self.soon:
                self._run_soon()
            for fd, mask in self.wait():
                handler = handlers.get(fd)
                if handler is not None:
                    try:
                        handler(mask)
                    except Exception:
                        log.exception("internal error")
            if self.timers and self.timers[0][0] <= monotonic():
                self._run_timers()

    def wait(self) -> list[tuple[int, int]]:
        """What is ready, now or as soon as something is.

        Falling asleep and being woken costs more than answering a small read. So while events follow each other
        closely, the loop asks on for a moment before it sleeps; once a sleep was long, it sleeps at once again.
        """
        poll = self.epoll.poll
        # What was asked for while the calls before ran is due as well: without waiting, but not before what is ready.
        if self.soon or not self.running:
            return poll(0, EVENTS_PER_WAIT_MAX)
        before = monotonic()
        if self.busy:
            until = before + SPIN_S
            while before < until:
                events = poll(0, EVENTS_PER_WAIT_MAX)
                if events:
                    return events
                before = monotonic()
        timeout_s = max(0.0, self.timers[0][0] - before) if self.timers else -1
        events = poll(timeout_s, EVENTS_PER_WAIT_MAX)
        self.busy = monotonic() - before < BUSY_SLEEP_S
        return events

    def close(self) -> None:
        """Give the descriptors back."""
        self.epoll.close()
        os.close(self.wake_fd)

    def _run_soon(self) -> None:
        calls = list(self.soon)
        self.soon.clear()
        for call in calls:
            self._guarded(call)

    def _guarded(self, call: Callable[[], None]) -> None:
        """A mistake of ours in one call keeps no other from being made: all sessions live in this process."""
        try:
            call()
        except Exception:
            log.exception("internal error")

    def _run_timers(self) -> None:
        now = monotonic()
        while self.timers and self.timers[0][0] <= now:
            call = heapq.heappop(self.timers)[2].call
            if call is not None:
                self._guarded(call)

    def _on_wake(self, _mask: int) -> None:
        os.eventfd_read(self.wake_fd)
        while self.from_threads:
            self._guarded(self.from_threads.popleft())
