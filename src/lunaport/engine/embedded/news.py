"""The events of several data processes as one stream, for the one who reads them.

Each process is asked for its own, from where it was read up to. What every process says for itself is said once: that
a volume gets scarce of space, by the first; that there is enough again, by the last; that the NAS is drained, when no
process has a session of a target any more.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

from lunaport.engine.embedded import messages
from lunaport.engine.embedded.line import Line
from lunaport.engine.interface import EngineEvent, EngineUnavailableError, EventBatch, EventMark

WAIT_S_MAX: Final = 10.0
QUEUED_MAX: Final = 16
"""Batches that were read and not yet asked for."""
RETRY_S: Final = 0.5
FROM_THE_BEGINNING: Final = EventMark(run="none")
"""Of a process that is read for the first time, when events were read before it was there."""


class News:
    """The stream. `is_drained`: whether no process has a session of a target now."""

    def __init__(self, is_drained: Callable[[], Awaitable[bool]]) -> None:
        self._is_drained = is_drained
        self._queue: asyncio.Queue[tuple[int, EventBatch] | EngineUnavailableError] = asyncio.Queue(QUEUED_MAX)
        self._followers: dict[int, asyncio.Task[None]] = {}
        self._runs: dict[int, str] = {}
        self._restarts = 0
        self._number = 0
        self._scarce: dict[str, set[int]] = {}
        self._drained = False

    def follow(self, process: int, line: Line, *, from_the_beginning: bool) -> None:
        """Read the events of one process, from now on."""
        if process not in self._followers:
            mark = FROM_THE_BEGINNING if from_the_beginning else EventMark()
            self._followers[process] = asyncio.create_task(self._follow(process, line, mark))

    async def next(self) -> EventBatch:
        """What happened since the last call, as soon as something did. Raises EngineUnavailableError."""
        while True:
            try:
                async with asyncio.timeout(WAIT_S_MAX):
                    found = await self._queue.get()
            except TimeoutError:
                return EventBatch(mark=self._mark())
            if isinstance(found, EngineUnavailableError):
                raise found
            process, batch = found
            is_another_run = self._take_run(process, batch.mark.run)
            events = tuple([event for event in batch.events if await self._is_news(process, event)])
            if is_another_run or events or batch.lost:
                self._number += len(events)
                return EventBatch(mark=self._mark(), events=events, lost=batch.lost)

    def steered(self) -> None:
        """What is drained changes: it may come to be drained anew."""
        self._drained = False

    async def close(self) -> None:
        """Read no more."""
        for follower in self._followers.values():
            follower.cancel()
        await asyncio.gather(*self._followers.values(), return_exceptions=True)
        self._followers.clear()

    async def _follow(self, process: int, line: Line, mark: EventMark) -> None:
        away = False
        await line.available.wait()
        while True:
            try:
                batch = (await line.expect(messages.AwaitEvents(mark), messages.Events, attempts=1)).batch
            except EngineUnavailableError as error:
                if not away:
                    away = True
                    await self._queue.put(error)
                await asyncio.sleep(RETRY_S)
                continue
            away = False
            if batch.events or batch.lost or batch.mark.run != mark.run:
                await self._queue.put((process, batch))
            mark = batch.mark

    def _mark(self) -> EventMark:
        return EventMark(run=f"run-{self._restarts}", number=self._number)

    def _take_run(self, process: int, run: str) -> bool:
        """Whether the process has been started anew, or is the very first that is read."""
        if not self._runs:
            self._runs[process] = run
            return True
        before = self._runs.get(process, run)
        self._runs[process] = run
        if before == run:
            return False
        self._restarts += 1
        for found in self._scarce.values():
            found.discard(process)
        return True

    async def _is_news(self, process: int, event: EngineEvent) -> bool:
        volume = event.facts.get("volume", "")
        match event.kind:
            case "space_scarce":
                found = self._scarce.setdefault(volume, set())
                found.add(process)
                return len(found) == 1
            case "space_enough":
                found = self._scarce.setdefault(volume, set())
                found.discard(process)
                return not found
            case "drained" if not event.facts.get("target"):
                if self._drained or not await self._is_drained():
                    return False
                self._drained = True
        return True
