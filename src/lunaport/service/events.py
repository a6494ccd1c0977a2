"""What happens in the NAS, told to whoever listens, at once and in bounded memory.

Events are numbered within one run of the control process. A listener that comes back names the last one it saw, and
gets what it missed as long as that is remembered. One that does not keep up is told so and let go: nobody waits for it.
"""

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

REMEMBERED_COUNT_MAX: Final = 1000
QUEUE_COUNT_MAX: Final = 256
LISTENER_COUNT_MAX: Final = 32

MISSED: Final = "missed"
"""To a listener that came back too late: some events are lost to it. It goes on with what there is."""
DROPPED: Final = "dropped"
"""The last one to a listener that did not keep up."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Something that happened. `id` is empty for what only one listener is told."""

    kind: str
    at: float
    id: str = ""
    facts: Mapping[str, str] = field(default_factory=dict)


class TooManyListenersError(Exception):
    """No more listeners are taken."""


class Listener:
    """One listener's queue."""

    def __init__(self) -> None:
        self.queue: asyncio.Queue[Event | None] = asyncio.Queue(QUEUE_COUNT_MAX)
        self.dropped = False


class EventHub:
    """Takes events in and gives them out. `run` names this run of the process."""

    def __init__(self, run: str, clock: Callable[[], float] = time.time) -> None:
        self._run = run
        self._clock = clock
        self._count = 0
        self._remembered: deque[Event] = deque(maxlen=REMEMBERED_COUNT_MAX)
        self._listeners: set[Listener] = set()
        self._closed = False

    def publish(self, kind: str, facts: Mapping[str, str] | None = None, at: float | None = None) -> None:
        """Tell everybody; never waits."""
        self._count += 1
        when = self._clock() if at is None else at
        event = Event(kind=kind, at=when, id=f"{self._run}.{self._count}", facts=dict(facts or {}))
        self._remembered.append(event)
        for listener in self._listeners:
            if not listener.dropped:
                try:
                    listener.queue.put_nowait(event)
                except asyncio.QueueFull:
                    listener.dropped = True

    def check_room(self) -> None:
        """Raise TooManyListenersError where no more are taken."""
        if len(self._listeners) >= LISTENER_COUNT_MAX:
            raise TooManyListenersError

    async def listen(self, last_id: str = "", idle_s: float = 15.0) -> AsyncIterator[Event | None]:
        """Events after the one with `last_id` (empty: from now on); None whenever nothing came for `idle_s`."""
        self.check_room()
        listener = Listener()
        before = self._after(last_id)
        self._listeners.add(listener)
        try:
            for event in before:
                yield event
            while not self._closed:
                try:
                    async with asyncio.timeout(idle_s):
                        given = await listener.queue.get()
                except TimeoutError:
                    yield None
                    continue
                if given is None:
                    return
                yield given
                if listener.dropped and listener.queue.empty():
                    yield Event(kind=DROPPED, at=self._clock())
                    return
        finally:
            self._listeners.discard(listener)

    def close(self) -> None:
        """End every listener: the NAS stops."""
        self._closed = True
        for listener in self._listeners:
            listener.dropped = True
            if listener.queue.full():
                listener.queue.get_nowait()
            listener.queue.put_nowait(None)

    def _after(self, last_id: str) -> list[Event]:
        if not last_id:
            return []
        found = list(self._remembered)
        run, _, number = last_id.rpartition(".")
        if run == self._run and number.isascii() and number.isdigit() and len(number) < 16:
            seen = int(number)
            first = self._count - len(found)
            if seen >= first:
                return found[seen - first :]
        return [Event(kind=MISSED, at=self._clock()), *found]
