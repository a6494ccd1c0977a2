"""What happened in a data process, for control to read: the last events, numbered, in bounded memory.

Nobody is waited for. Control asks for what came after a mark; what was forgotten by then is counted as lost.
"""

import time
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import Final

from lunaport.engine.embedded.loop import Loop
from lunaport.engine.interface import EngineEvent, EventBatch, EventMark

EVENTS_MAX: Final = 1024
BATCH_EVENTS_MAX: Final = 256
FACT_CHARS_MAX: Final = 512
WAIT_S_MAX: Final = 10.0
"""An answer without events comes after this long, well before control takes the line for broken."""

Answer = Callable[[EventBatch], None]


class Journal:
    """The last events. `run` tells this process from the one before."""

    def __init__(self, loop: Loop, run: str) -> None:
        self.loop = loop
        self.run = run
        self.last = 0
        self.events: deque[EngineEvent] = deque(maxlen=EVENTS_MAX)
        self.waiting: dict[Answer, EventMark] = {}

    def add(self, kind: str, **facts: str) -> None:
        """Note an event and tell who waits for one."""
        cut = {name: value[:FACT_CHARS_MAX] for name, value in facts.items()}
        self.events.append(EngineEvent(kind=kind, at=time.time(), facts=cut))
        self.last += 1
        if self.waiting:
            # Together with what else happens in this round of the loop.
            self.loop.call_soon(self._tell)

    def after(self, mark: EventMark) -> EventBatch:
        """What happened after a mark, from its beginning; a mark of another run stands for the beginning of this one.

        Whoever asks for the first time (no run) learns of nothing that was before.
        """
        if not mark.run:
            return EventBatch(mark=EventMark(run=self.run, number=self.last))
        number = min(mark.number, self.last) if mark.run == self.run else 0
        first = self.last - len(self.events)
        lost = max(0, first - number)
        start = max(number, first) - first
        found = tuple(self.events)[start : start + BATCH_EVENTS_MAX]
        return EventBatch(mark=EventMark(run=self.run, number=first + start + len(found)), events=found, lost=lost)

    def wait(self, mark: EventMark, answer: Answer) -> Callable[[], None]:
        """Answer when there is something after the mark, or after WAIT_S_MAX; returns what ends the waiting."""
        batch = self.after(mark)
        if batch.events or batch.lost or not mark.run or mark.run != self.run:
            answer(batch)
            return lambda: None
        self.waiting[answer] = mark
        stop = partial(self._give_up, answer)
        timer = self.loop.call_later(WAIT_S_MAX, stop)

        def end() -> None:
            timer.cancel()
            stop()

        return end

    def _tell(self) -> None:
        waiting, self.waiting = self.waiting, {}
        for answer, mark in waiting.items():
            answer(self.after(mark))

    def _give_up(self, answer: Answer) -> None:
        mark = self.waiting.pop(answer, None)
        if mark is not None:
            answer(self.after(mark))
