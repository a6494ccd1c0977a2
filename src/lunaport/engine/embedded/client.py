"""The control side of the embedded engine: keeps the desired state, and a line to each data process.

Each target is with one process (`assignment`), which is told of it and of nothing else; process 0 has the portals and
is told of every target who has it. A data process that is not needed is not started: connecting to its socket is what
starts it. One more than there are targets is kept ready, so that the next target need not wait for its process.
"""

import asyncio
from collections.abc import AsyncIterator, Coroutine, Iterable, Sequence
from functools import partial
from typing import Any, Final, TypeVar

import structlog

from lunaport.engine import plan
from lunaport.engine.embedded import messages
from lunaport.engine.embedded.assignment import (
    Assignment,
    Part,
    after,
    concerns_all,
    neighbours,
    part_of,
    split,
    state_of,
)
from lunaport.engine.embedded.images import list_images, receive_image, remove_image
from lunaport.engine.embedded.line import Line
from lunaport.engine.embedded.merging import Totals, merge_refused, merge_status, merge_work
from lunaport.engine.embedded.news import News
from lunaport.engine.interface import (
    Change,
    DesiredState,
    EngineCounters,
    EngineError,
    EngineStatus,
    EngineUnavailableError,
    EventBatch,
    EventMark,
    FileReport,
    ImageInfo,
    MediumReport,
    RefusedLogin,
    SessionReport,
    StorageError,
    VolumeUsage,
)
from lunaport.engine.unit_state import ReservationReport, WorkReport

log = structlog.get_logger()

FIRST_START_TIMEOUT_S: Final = 20.0
"""How long a change waits for a data process that is started for it."""
Body = TypeVar("Body")


class EmbeddedEngine:
    """`engine.interface.Engine` over Unix sockets, one for each data process.

    `running`: the numbers of those that are known to run already; they are asked what they serve.
    """

    def __init__(self, socket_paths: Sequence[str], running: Iterable[int] = (0,)) -> None:
        self.lines = [Line(path, partial(self._opening, process)) for process, path in enumerate(socket_paths)]
        self.running = tuple(running)
        self.desired = DesiredState()
        self.started = False
        self.process_of = Assignment(len(self.lines))
        self.news = News(self._is_drained)
        self.totals = Totals()

    @property
    def _first(self) -> Line:
        return self.lines[0]

    async def start(self, desired: DesiredState) -> None:
        """See `Engine.start`. Raises EngineUnavailableError when a data process does not come up in time."""
        if not self.started and len(self.lines) > 1:
            await self._observe()
        self.process_of.remove(
            [spec.name for spec in self.desired.targets if spec.name not in {each.name for each in desired.targets}]
        )
        self.process_of.put(self.process_of.place(desired.targets, range(len(self.lines))))
        self.desired = desired
        self.started = True
        needed = {0, *self.running, *(self.process_of[spec.name] for spec in desired.targets)}
        # All at once: who does not come up keeps nobody else from serving.
        await together([self._start_one(process) for process in sorted(needed)])
        self._keep_one_ready()

    async def _observe(self) -> None:
        """Find out which targets run where. Who runs has to answer: his targets may be nowhere else."""
        for process in self.running:
            names = (await self.lines[process].expect(messages.ListTargets(), messages.Targets)).names
            self.process_of.put({name: process for name in names if name not in self.process_of})

    async def _start_one(self, process: int) -> None:
        line = self.lines[process]
        # A line that exists already was opened before there was a desired state: it is told now.
        if line.available.is_set():
            opening = self._opening(process)
            assert opening is not None
            await line.done(opening)
        else:
            await line.wait_available()
        self._follow(process)

    def _follow(self, process: int, *, from_the_beginning: bool = False) -> None:
        """Read its events; of a single process they are read as they are asked for."""
        if len(self.lines) > 1:
            self.news.follow(process, self.lines[process], from_the_beginning=from_the_beginning)

    def _opening(self, process: int) -> messages.Start | None:
        """What a process is told first."""
        if not self.started:
            return None
        mine = state_of(process, self.desired, self.process_of)
        elsewhere = neighbours(self.desired.targets, self.process_of) if process == 0 else ()
        return messages.Start(mine, list(elsewhere))

    def _keep_one_ready(self) -> None:
        idle = [process for process, line in enumerate(self.lines) if not line.begun]
        if idle and len(self.desired.targets) >= len(self.lines) - len(idle):
            self.lines[idle[0]].begin()
            self._follow(idle[0], from_the_beginning=True)

    async def apply(self, change: Change) -> None:
        """See `Engine.apply`. Where one process cannot do its part, all are brought back to what was before."""
        before = self.desired
        targets = plan.step({spec.name: spec for spec in before.targets}, change)
        if change.draining is not None:
            self.news.steered()
        await self._first.wait_available()
        removed = set(change.removed)
        going = [spec for spec in before.targets if spec.name in removed] if removed else []
        placed = self.process_of.place(change.put, self._candidates(), going)
        touched = [*change.removed, *(spec.name for spec in change.put)]
        process_of = placed | {name: self.process_of[name] for name in touched if name in self.process_of}
        steps = split(change, process_of, self._serving() - {0})
        # The lines that took it.
        told: dict[int, int] = {}
        try:
            for step in steps:
                await together(
                    [self._tell(each, part_of(each, step.change, process_of), told) for each in step.processes]
                )
        except EngineError:
            if told:
                await self._bring_back({each for step in steps for each in step.processes})
            raise
        self.process_of.remove(name for name in removed if name not in targets)
        self.process_of.put(placed)
        self.desired = after(before, change, tuple(targets.values()))
        for process, line in enumerate(self.lines):
            if line.begun and (concerns_all(change) or process in told) and told.get(process) != line.count:
                # It was told the desired state of before: it began anew meanwhile, or for the first time.
                line.is_stale = True
                if line.available.is_set():
                    await self._start_one(process)
        self._keep_one_ready()

    def _candidates(self) -> list[int]:
        """Who may get another target: not one that does not come up."""
        found = [
            process
            for process, line in enumerate(self.lines)
            if line.available.is_set() or not (line.was_available or line.was_missed)
        ]
        return found or [0]

    async def _tell(self, process: int, part: Part, told: dict[int, int]) -> None:
        line = self.lines[process]
        await line.wait_available(None if line.was_available else FIRST_START_TIMEOUT_S)
        await line.done(messages.Apply(part.change, list(part.elsewhere), list(part.elsewhere_removed)))
        told[process] = line.count

    async def _bring_back(self, processes: Iterable[int]) -> None:
        """Tell these the desired state, which a change has not become. Who is not there begins with it anyway."""
        for process in sorted(processes, reverse=True):
            if self.lines[process].available.is_set():
                try:
                    await self._start_one(process)
                except EngineError as error:
                    log.error("a change could not be undone", process=process, reason=str(error))

    # What they report

    def _serving(self) -> set[int]:
        """The processes that are needed now: process 0, and those with targets."""
        return {0, *(each for each in range(1, len(self.lines)) if self.process_of.target_count(each))}

    async def _ask(self, body: messages.RequestBody, kind: type[Body], *, attempts: int = 2) -> list[Body]:
        """The replies of all that are needed."""
        lines = [self.lines[process] for process in sorted(self._serving())]
        return await together([line.expect(body, kind, attempts=attempts) for line in lines])

    async def sessions(self) -> Sequence[SessionReport]:
        """See `Engine.sessions`."""
        replies = await self._ask(messages.ListSessions(), messages.Sessions)
        return [session for reply in replies for session in reply.sessions]

    async def close_session(self, session_id: str) -> bool:
        """See `Engine.close_session`."""
        return any(reply.found for reply in await self._ask(messages.CloseSession(session_id), messages.Closed))

    async def refused_logins(self) -> Sequence[RefusedLogin]:
        """See `Engine.refused_logins`."""
        replies = await self._ask(messages.ListRefusedLogins(), messages.RefusedLogins)
        return merge_refused(reply.refused for reply in replies)

    async def reservations(self, target: str) -> Sequence[ReservationReport]:
        """See `Engine.reservations`."""
        if target not in self.process_of:
            return []
        line = self.lines[self.process_of[target]]
        return (await line.expect(messages.GetReservations(target), messages.Reservations)).reservations

    async def work(self) -> Sequence[WorkReport]:
        """See `Engine.work`."""
        return merge_work([reply.work for reply in await self._ask(messages.GetWork(), messages.Work, attempts=1)])

    async def counters(self) -> EngineCounters:
        """See `Engine.counters`."""
        replies = await self._ask(messages.GetCounters(), messages.CountersReply, attempts=1)
        return self.totals.merge([reply.counters for reply in replies])

    async def events(self, after: EventMark) -> EventBatch:
        """See `Engine.events`. With several processes, there is one who reads them."""
        if len(self.lines) > 1:
            self._first.begin()
            self._follow(0)
            return await self.news.next()
        return (await self._first.expect(messages.AwaitEvents(after), messages.Events, attempts=1)).batch

    async def _is_drained(self) -> bool:
        try:
            return not any(session.target for session in await self.sessions())
        except EngineError:
            return False

    async def status(self) -> EngineStatus:
        """See `Engine.status`."""
        lines = [self.lines[process] for process in sorted(self._serving())]
        return merge_status(await together([_status_of(line) for line in lines]))

    async def make_volume(self, path: str) -> None:
        """See `Engine.make_volume`."""
        await self._first.done(messages.MakeVolume(path))

    async def volume_usage(self, path: str, *, counted: bool = True) -> VolumeUsage:
        """See `Engine.volume_usage`."""
        return (await self._first.expect(messages.GetVolumeUsage(path, counted), messages.Usage)).usage

    async def file_usage(self, paths: Sequence[str]) -> Sequence[int]:
        """See `Engine.file_usage`."""
        return (await self._first.expect(messages.GetFileUsage(list(paths)), messages.FileUsage)).used_bytes

    async def create_file(self, path: str, size_bytes: int, *, key: str = "") -> None:
        """See `Engine.create_file`."""
        request = messages.CreateFile(path, size_bytes, key)
        try:
            await self._first.done(request, attempts=1)
        except EngineUnavailableError:
            # The data process went away with the request; it may or may not have made the file, whose name is unique.
            try:
                await self._first.done(request, attempts=1)
            except StorageError as error:
                if error.fault != "exists":
                    raise

    async def find_file(self, path: str) -> FileReport:
        """See `Engine.find_file`."""
        return (await self._first.expect(messages.FindFile(path), messages.Found)).report

    async def grow_file(self, path: str, size_bytes: int) -> None:
        """See `Engine.grow_file`."""
        await self._first.done(messages.GrowFile(path, size_bytes))

    async def move_file(self, path: str, destination: str) -> None:
        """See `Engine.move_file`."""
        await self._first.done(messages.MoveFile(path, destination))

    async def remove_file(self, path: str) -> None:
        """See `Engine.remove_file`."""
        await self._first.done(messages.RemoveFile(path))

    async def medium(self, target: str, lun: int, *, request_eject: bool = False) -> MediumReport | None:
        """See `Engine.medium`."""
        if target not in self.process_of:
            return None
        request = messages.GetMedium(target, lun, request_eject)
        return (await self.lines[self.process_of[target]].expect(request, messages.MediumIs)).medium

    async def images(self, volume: str) -> Sequence[ImageInfo]:
        """See `Engine.images`."""
        return await list_images(volume)

    async def receive_image(self, volume: str, name: str, pieces: AsyncIterator[bytes]) -> None:
        """See `Engine.receive_image`."""
        await receive_image(volume, name, pieces)

    async def remove_image(self, path: str) -> None:
        """See `Engine.remove_image`."""
        await remove_image(path)

    async def close(self) -> None:
        """See `Engine.close`."""
        await self.news.close()
        for line in self.lines:
            await line.close()


async def _status_of(line: Line) -> EngineStatus:
    if not line.available.is_set():
        return EngineStatus(available=False)
    try:
        return (await line.expect(messages.GetStatus(), messages.Status, attempts=1)).status
    except EngineError:
        return EngineStatus(available=False)


async def together(work: Sequence[Coroutine[Any, Any, Body]]) -> list[Body]:
    """Do all of it at once; when all has ended, the results in this order, or the first error. Cancelled with it."""
    if len(work) == 1:
        return [await work[0]]
    results = await asyncio.gather(*work, return_exceptions=True)
    for result in results:
        if isinstance(result, BaseException):
            raise result
    return [result for result in results if not isinstance(result, BaseException)]
