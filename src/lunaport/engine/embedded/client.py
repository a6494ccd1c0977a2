"""The control side of the embedded engine: keeps the desired state and a line to the data process.

The line is a Unix socket that the supervisor keeps open over restarts of either side. Whenever it is new the whole
desired state goes over it first; the data process compares and touches only what differs. A request that a restart
swallowed is sent once more: all of them may be repeated.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from typing import Final, TypeVar

import structlog

from lunaport.engine import plan
from lunaport.engine.embedded import messages
from lunaport.engine.embedded.images import list_images, receive_image, remove_image
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

AVAILABLE_TIMEOUT_S: Final = 5.0
"""How long a request waits for a data process that is restarting."""
REPLY_TIMEOUT_S: Final = 30.0
CONNECT_RETRY_S: Final = 0.05
Body = TypeVar("Body")


class EmbeddedEngine:
    """`engine.interface.Engine` over a Unix socket."""

    def __init__(self, socket_path: str) -> None:
        self.socket_path = socket_path
        self.desired = DesiredState()
        self.started = False
        self.available = asyncio.Event()
        self.writer: asyncio.StreamWriter | None = None
        self.number = 0
        self.replies: dict[int, asyncio.Future[messages.ReplyBody]] = {}
        self.keeper: asyncio.Task[None] | None = None

    async def start(self, desired: DesiredState) -> None:
        """See `Engine.start`. Raises EngineUnavailableError when the data process does not come up in time."""
        self.desired = desired
        self.started = True
        # A line that exists already was opened before there was a desired state: it is told now.
        if self.available.is_set():
            await self._done(messages.Start(desired))
        else:
            await self._wait_available()

    async def apply(self, change: Change) -> None:
        """See `Engine.apply`."""
        before = self.desired
        targets = plan.step({spec.name: spec for spec in before.targets}, change)
        portals = before.portals if change.portals is None else change.portals
        await self._wait_available()
        await self._done(messages.Apply(change))
        self.desired = DesiredState(
            portals=portals,
            targets=tuple(targets.values()),
            discovery=change.discovery or before.discovery,
            draining=before.draining if change.draining is None else change.draining,
            blocks=before.blocks if change.blocks is None else change.blocks,
        )

    async def sessions(self) -> Sequence[SessionReport]:
        """See `Engine.sessions`."""
        return (await self._expect(messages.ListSessions(), messages.Sessions)).sessions

    async def close_session(self, session_id: str) -> bool:
        """See `Engine.close_session`."""
        return (await self._expect(messages.CloseSession(session_id), messages.Closed)).found

    async def refused_logins(self) -> Sequence[RefusedLogin]:
        """See `Engine.refused_logins`."""
        return (await self._expect(messages.ListRefusedLogins(), messages.RefusedLogins)).refused

    async def reservations(self, target: str) -> Sequence[ReservationReport]:
        """See `Engine.reservations`."""
        return (await self._expect(messages.GetReservations(target), messages.Reservations)).reservations

    async def work(self) -> Sequence[WorkReport]:
        """See `Engine.work`."""
        return (await self._expect(messages.GetWork(), messages.Work, attempts=1)).work

    async def counters(self) -> EngineCounters:
        """See `Engine.counters`."""
        return (await self._expect(messages.GetCounters(), messages.CountersReply, attempts=1)).counters

    async def events(self, after: EventMark) -> EventBatch:
        """See `Engine.events`."""
        return (await self._expect(messages.AwaitEvents(after), messages.Events, attempts=1)).batch

    async def status(self) -> EngineStatus:
        """See `Engine.status`."""
        if not self.available.is_set():
            return EngineStatus(available=False)
        try:
            return (await self._expect(messages.GetStatus(), messages.Status, attempts=1)).status
        except EngineError:
            return EngineStatus(available=False)

    async def make_volume(self, path: str) -> None:
        """See `Engine.make_volume`."""
        await self._done(messages.MakeVolume(path))

    async def volume_usage(self, path: str, *, counted: bool = True) -> VolumeUsage:
        """See `Engine.volume_usage`."""
        return (await self._expect(messages.GetVolumeUsage(path, counted), messages.Usage)).usage

    async def file_usage(self, paths: Sequence[str]) -> Sequence[int]:
        """See `Engine.file_usage`."""
        return (await self._expect(messages.GetFileUsage(list(paths)), messages.FileUsage)).used_bytes

    async def create_file(self, path: str, size_bytes: int, *, key: str = "") -> None:
        """See `Engine.create_file`."""
        request = messages.CreateFile(path, size_bytes, key)
        try:
            await self._done(request, attempts=1)
        except EngineUnavailableError:
            # The data process went away with the request; it may or may not have made the file, whose name is unique.
            try:
                await self._done(request, attempts=1)
            except StorageError as error:
                if error.fault != "exists":
                    raise

    async def find_file(self, path: str) -> FileReport:
        """See `Engine.find_file`."""
        return (await self._expect(messages.FindFile(path), messages.Found)).report

    async def grow_file(self, path: str, size_bytes: int) -> None:
        """See `Engine.grow_file`."""
        await self._done(messages.GrowFile(path, size_bytes))

    async def move_file(self, path: str, destination: str) -> None:
        """See `Engine.move_file`."""
        await self._done(messages.MoveFile(path, destination))

    async def remove_file(self, path: str) -> None:
        """See `Engine.remove_file`."""
        await self._done(messages.RemoveFile(path))

    async def medium(self, target: str, lun: int, *, request_eject: bool = False) -> MediumReport | None:
        """See `Engine.medium`."""
        request = messages.GetMedium(target, lun, request_eject)
        return (await self._expect(request, messages.MediumIs)).medium

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
        if self.keeper is not None:
            self.keeper.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self.keeper
            self.keeper = None

    # The line

    async def _wait_available(self) -> None:
        if self.keeper is None:
            self.keeper = asyncio.create_task(self._keep_connected())
        # Not wait_for: before Python 3.12 it loses a cancellation that comes together with what is waited for.
        try:
            async with asyncio.timeout(AVAILABLE_TIMEOUT_S):
                await self.available.wait()
        except TimeoutError:
            raise EngineUnavailableError("the data process does not answer; try again in a moment") from None

    async def _done(self, body: messages.RequestBody, *, attempts: int = 2) -> None:
        await self._expect(body, messages.Done, attempts=attempts)

    async def _expect(self, body: messages.RequestBody, kind: type[Body], *, attempts: int = 2) -> Body:
        """Send a request and wait for its reply, which must be of this kind."""
        for attempt in range(attempts):
            await self._wait_available()
            try:
                reply = await self._exchange(body)
            except EngineUnavailableError:
                if attempt + 1 == attempts:
                    raise
                continue
            if isinstance(reply, messages.Failure):
                raise reply.to_error()
            if not isinstance(reply, kind):
                raise EngineError("the data process answered something else than was asked")
            return reply
        raise AssertionError("there is at least one attempt")

    async def _exchange(self, body: messages.RequestBody) -> messages.ReplyBody:
        writer = self.writer
        if writer is None:
            raise EngineUnavailableError("the line to the data process is down")
        self.number += 1
        number = self.number
        reply: asyncio.Future[messages.ReplyBody] = asyncio.get_running_loop().create_future()
        self.replies[number] = reply
        try:
            writer.write(messages.encode(messages.Request(number, body)))
            await writer.drain()
            async with asyncio.timeout(REPLY_TIMEOUT_S):
                return await reply
        except TimeoutError:
            raise EngineUnavailableError("the data process did not answer in time") from None
        except OSError as error:
            if self.writer is writer:
                # Before the keeper notices: the next attempt has to wait for the next line.
                self.available.clear()
            raise EngineUnavailableError("the line to the data process broke") from error
        finally:
            self.replies.pop(number, None)
            if reply.done() and not reply.cancelled():
                reply.exception()  # looked at, also where sending failed before anybody waited for it

    async def _keep_connected(self) -> None:
        """Connect, hand the desired state over, read replies; again from the start when the line breaks."""
        while True:
            try:
                reader, self.writer = await asyncio.open_unix_connection(self.socket_path)
            except OSError:
                await asyncio.sleep(CONNECT_RETRY_S)
                continue
            reading = asyncio.create_task(self._read(reader))
            try:
                if self.started:
                    await self._exchange(messages.Start(self.desired))
                self.available.set()
                await reading
            except EngineUnavailableError as error:
                log.warning("data process unavailable", reason=str(error))
            finally:
                self.available.clear()
                reading.cancel()
                self.writer.close()
                self.writer = None
                self._fail_waiting()
            await asyncio.sleep(CONNECT_RETRY_S)

    async def _read(self, reader: asyncio.StreamReader) -> None:
        try:
            while True:
                (length,) = messages.LENGTH.unpack(await reader.readexactly(messages.LENGTH.size))
                reply = messages.reply_decoder.decode(await reader.readexactly(length))
                waiting = self.replies.get(reply.number)
                if waiting is not None and not waiting.done():
                    waiting.set_result(reply.body)
        except (OSError, asyncio.IncompleteReadError):
            self.available.clear()
            self._fail_waiting()

    def _fail_waiting(self) -> None:
        for reply in self.replies.values():
            if not reply.done():
                reply.set_exception(EngineUnavailableError("the data process went away"))
