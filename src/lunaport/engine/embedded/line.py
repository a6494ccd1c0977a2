"""Control's end of the line to one data process.

The line is a Unix socket that the supervisor keeps open over restarts of either side. Whenever it is new, what the
process shall serve goes over it first; the process compares and touches only what differs. A request that a restart
swallowed is sent once more: all of them may be repeated.
"""

import asyncio
import contextlib
from collections.abc import Callable
from typing import Final, TypeVar

import structlog

from lunaport.engine.embedded import messages
from lunaport.engine.interface import EngineError, EngineUnavailableError

log = structlog.get_logger()

AVAILABLE_TIMEOUT_S: Final = 5.0
"""How long a request waits for a data process that is restarting."""
REPLY_TIMEOUT_S: Final = 30.0
CONNECT_RETRY_S: Final = 0.05
Body = TypeVar("Body")


class Line:
    """Requests to one data process, and their replies. `opening`: what goes over a new line first; None: nothing."""

    def __init__(self, socket_path: str, opening: Callable[[], messages.Start | None]) -> None:
        self.socket_path = socket_path
        self.opening = opening
        self.available = asyncio.Event()
        self.was_available = False
        # Somebody waited for it in vain before it ever was.
        self.was_missed = False
        # How often it was made: another number says that the process has been told `opening` meanwhile.
        self.count = 0
        # What is told first has changed since it may have been asked for.
        self.is_stale = False
        self.writer: asyncio.StreamWriter | None = None
        self.number = 0
        self.replies: dict[int, asyncio.Future[messages.ReplyBody]] = {}
        self.keeper: asyncio.Task[None] | None = None

    @property
    def begun(self) -> bool:
        """Whether the data process is wanted."""
        return self.keeper is not None

    def begin(self) -> None:
        """Connect, and stay connected. A data process that does not run yet is started by that."""
        if self.keeper is None:
            self.keeper = asyncio.create_task(self._keep_connected())

    async def wait_available(self, timeout_s: float | None = None) -> None:
        """Wait until it takes requests. Raises EngineUnavailableError when it does not come up in time."""
        self.begin()
        # Not wait_for: before Python 3.12 it loses a cancellation that comes together with what is waited for.
        try:
            async with asyncio.timeout(AVAILABLE_TIMEOUT_S if timeout_s is None else timeout_s):
                await self.available.wait()
        except TimeoutError:
            self.was_missed = True
            raise EngineUnavailableError("the data process does not answer; try again in a moment") from None

    async def done(self, body: messages.RequestBody, *, attempts: int = 2) -> None:
        """Send a request that is answered by no more than that it was done."""
        await self.expect(body, messages.Done, attempts=attempts)

    async def expect(self, body: messages.RequestBody, kind: type[Body], *, attempts: int = 2) -> Body:
        """Send a request and wait for its reply, which must be of this kind. Raises EngineError."""
        for attempt in range(attempts):
            await self.wait_available()
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

    async def close(self) -> None:
        """Hang up."""
        if self.keeper is not None:
            self.keeper.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self.keeper
            self.keeper = None

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
            self.count += 1
            try:
                self.is_stale = True
                while self.is_stale:
                    self.is_stale = False
                    opening = self.opening()
                    if opening is not None:
                        await self._exchange(opening)
                self.available.set()
                self.was_available = True
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
