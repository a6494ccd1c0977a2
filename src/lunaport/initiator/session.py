"""A session over TCP: the sans-IO initiator with a task that receives and a task that sends.

Any number of requests may be under way at once. A request that is cancelled goes on at the target; its answer is
dropped. Timeouts are the caller's (`asyncio.timeout`), but for those of the login and of the logout at the end.
"""

import asyncio
import contextlib
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import TracebackType
from typing import Self

from lunaport.initiator.cdb import READ_CAPACITY_BYTES, block_bytes_of, read_blocks, read_capacity, write_blocks
from lunaport.initiator.errors import (
    AbortedError,
    CommandError,
    ConnectionEndedError,
    InitiatorError,
    LoginError,
    RejectedError,
    TargetMovedError,
)
from lunaport.iscsi.enums import LogoutReason, TaskFunction
from lunaport.iscsi.errors import TextError
from lunaport.iscsi.initiator import Initiator
from lunaport.iscsi.initiator_discovery import DiscoveredTarget, parse_send_targets, parse_target_address
from lunaport.iscsi.initiator_events import (
    Announced,
    CommandResult,
    ConnectionEnded,
    Event,
    LoggedIn,
    LoginFailed,
    LogoutResult,
    ManagementResult,
    PingReceived,
    PingResult,
    Rejected,
    TextResult,
)
from lunaport.iscsi.initiator_faults import Delay
from lunaport.iscsi.initiator_login import LoginFailure
from lunaport.iscsi.initiator_options import Options
from lunaport.iscsi.initiator_task import CommandRequest, lun_field
from lunaport.iscsi.negotiation import SessionParameters
from lunaport.iscsi.pdu import RESERVED_TAG
from lunaport.iscsi.text import parse_text

RECEIVE_BYTES = 262144
NOTICES_MAX = 1024
"""Notices that nobody has fetched; the oldest goes when there is one more."""
LOGIN_TIMEOUT_S = 15.0
LOGOUT_TIMEOUT_S = 5.0

Notice = Announced | Rejected | PingReceived


@dataclass(frozen=True, slots=True, kw_only=True)
class Submitted:
    """A command under way: its tag, for task management, and how it will have ended."""

    initiator_task_tag: int
    cmd_sn: int
    """The number it has, if the command window let it out at once."""
    result: asyncio.Future[Event]

    async def wait(self) -> CommandResult:
        """Wait for the end. Raises ConnectionEndedError, RejectedError, AbortedError."""
        result = await self.result
        assert isinstance(result, CommandResult)
        return result


class Session:
    """A logged-in session with its one connection; made by `connect`."""

    def __init__(self, initiator: Initiator, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.initiator = initiator
        """The protocol's own side: numbers to look at, or to set by hand."""
        self.ended = ""
        """Why the connection has ended, once it has."""
        self._reader = reader
        self._writer = writer
        self._has_output = asyncio.Event()
        self._login: asyncio.Future[Event] = asyncio.get_running_loop().create_future()
        self._futures: dict[int, asyncio.Future[Event]] = {}
        self._notices: asyncio.Queue[Notice] = asyncio.Queue(NOTICES_MAX)
        self._tasks: list[asyncio.Task[None]] = []
        self._block_bytes: dict[int, int] = {}

    @property
    def parameters(self) -> SessionParameters:
        """What was agreed on; `peer_max_recv_data_segment_length` is the target's."""
        return self.initiator.parameters

    async def log_in(self) -> None:
        """Log in. Raises LoginError (TargetMovedError where the target says where it is now), ConnectionEndedError."""
        for job in (self._receive(), self._send()):
            task = asyncio.create_task(job)
            task.add_done_callback(self._job_ended)
            self._tasks.append(task)
        self.initiator.start()
        self._has_output.set()
        event = await self._login
        if isinstance(event, LoginFailed):
            raise _login_error(event.failure)

    # Requests

    async def read(self, lun: int, lba: int, blocks: int, *, block_bytes: int = 0) -> bytes:
        """Blocks of a logical unit. Raises CommandError, and what `Submitted.wait` raises."""
        block_bytes = block_bytes or await self.block_bytes(lun)
        return _good(await self.command(read_blocks(lba, blocks), lun=lun, read_length=blocks * block_bytes)).data

    async def write(self, lun: int, lba: int, data: bytes, *, block_bytes: int = 0) -> None:
        """Write whole blocks. Raises as `read` does, ValueError for data that is not whole blocks."""
        block_bytes = block_bytes or await self.block_bytes(lun)
        if not data or len(data) % block_bytes:
            raise ValueError(f"{len(data)} bytes are not whole blocks of {block_bytes}")
        _good(await self.command(write_blocks(lba, len(data) // block_bytes), lun=lun, data_out=data))

    async def block_bytes(self, lun: int) -> int:
        """How long the blocks of a logical unit are; asked for once."""
        if lun not in self._block_bytes:
            result = _good(await self.command(read_capacity(), lun=lun, read_length=READ_CAPACITY_BYTES))
            self._block_bytes[lun] = block_bytes_of(result.data)
        return self._block_bytes[lun]

    async def command(
        self, cdb: bytes, *, lun: int = 0, data_out: bytes = b"", read_length: int = 0, immediate: bool = False
    ) -> CommandResult:
        """Send any CDB; whatever its status is, it is the result. `submit` takes more."""
        request = CommandRequest(
            cdb=cdb, lun=lun_field(lun), data_out=data_out, read_length=read_length, immediate=immediate
        )
        return await self.submit(request).wait()

    def submit(self, request: CommandRequest) -> Submitted:
        """Send a command without waiting for its end."""
        self._check_open()
        cmd_sn = self.initiator.cmd_sn
        tag = self.initiator.command(request)
        return Submitted(initiator_task_tag=tag, cmd_sn=cmd_sn, result=self._expect(tag))

    async def manage(
        self,
        function: TaskFunction,
        *,
        lun: int = 0,
        referenced_task_tag: int = RESERVED_TAG,
        ref_cmd_sn: int = 0,
    ) -> ManagementResult:
        """Task management. The commands that it ends raise AbortedError where they are waited for."""
        self._check_open()
        tag = self.initiator.manage(
            function, lun=lun_field(lun), referenced_task_tag=referenced_task_tag, ref_cmd_sn=ref_cmd_sn
        )
        event = await self._expect(tag)
        assert isinstance(event, ManagementResult)
        return event

    async def ping(self, data: bytes = b"") -> bytes:
        """NOP-Out; returns the data that came back."""
        self._check_open()
        event = await self._expect(self.initiator.ping(data))
        assert isinstance(event, PingResult)
        return event.data

    async def text(self, data: bytes) -> bytes:
        """Any text request; returns the whole answer."""
        self._check_open()
        event = await self._expect(self.initiator.text(data))
        assert isinstance(event, TextResult)
        return event.data

    async def renegotiate(self, keys: Mapping[str, str] | None = None) -> dict[str, str]:
        """Declare keys anew, MaxRecvDataSegmentLength above all; returns the target's answers.

        What was declared holds from now on. Without keys it is what a target gets that asks for a negotiation.
        """
        self._check_open()
        event = await self._expect(self.initiator.renegotiate(keys or {}))
        assert isinstance(event, TextResult)
        return parse_text(event.data)

    async def send_targets(self, query: str = "") -> list[DiscoveredTarget]:
        """Discovery: all targets in a discovery session, or the one named; in a normal session its own."""
        query = query or ("" if self.initiator.options.target_name else "All")
        return parse_send_targets(await self.text(f"SendTargets={query}\0".encode()))

    async def logout(self, reason: LogoutReason = LogoutReason.CLOSE_SESSION) -> LogoutResult:
        """Log out; when the target agrees the connection ends."""
        self._check_open()
        event = await self._expect(self.initiator.logout(reason))
        assert isinstance(event, LogoutResult)
        return event

    async def next_notice(self) -> Notice:
        """Wait for what the target says unasked: asynchronous messages, Rejects, pings. In their order."""
        return await self._notices.get()

    def send_raw(self, wire: bytes) -> None:
        """Send bytes as they are, digests and all."""
        self._check_open()
        self.initiator.send_raw(wire)
        self._has_output.set()

    def send_pdu(self, serialized: bytes) -> None:
        """Send a PDU of one's own making; its digests are added, its answer, if any, is a notice or ends it all."""
        self._check_open()
        self.initiator.send_pdu(serialized)
        self._has_output.set()

    async def wait_ended(self) -> str:
        """Wait until the connection has ended; returns why."""
        await asyncio.wait(self._tasks[:1])
        return self.ended

    # The end

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Log out where that is still possible, and close."""
        if not self.ended:
            with contextlib.suppress(InitiatorError, TimeoutError):
                async with asyncio.timeout(LOGOUT_TIMEOUT_S):
                    await self.logout()
        await self.close()

    async def close(self) -> None:
        """Close without a logout: to the target it is as if the initiator had died."""
        self._end("closed by the initiator")
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._writer.close()
        with contextlib.suppress(OSError):
            await self._writer.wait_closed()

    def _end(self, reason: str) -> None:
        if self.ended:
            return
        self.ended = reason
        for future in (self._login, *self._futures.values()):
            if not future.done():
                future.set_exception(ConnectionEndedError(reason))
        self._futures.clear()
        if not self._login.cancelled():
            self._login.exception()

    def _check_open(self) -> None:
        if self.ended:
            raise ConnectionEndedError(self.ended)

    def _job_ended(self, task: asyncio.Task[None]) -> None:
        """A job that failed takes the connection with it; its own failure is told as the reason."""
        if not task.cancelled() and (error := task.exception()) is not None:
            self._end(f"internal error: {error!r}")

    # Bytes

    async def _receive(self) -> None:
        while not self.ended:
            try:
                data = await self._reader.read(RECEIVE_BYTES)
            except OSError as error:
                self._end(f"connection lost: {error.strerror}")
                return
            if not data:
                self._end("closed by the target")
                return
            for event in self.initiator.receive(data):
                self._take(event)
            self._has_output.set()

    async def _send(self) -> None:
        while not self.ended:
            await self._has_output.wait()
            self._has_output.clear()
            try:
                for chunk in self.initiator.take_output():
                    if isinstance(chunk, Delay):
                        await asyncio.sleep(chunk.seconds)
                    else:
                        self._writer.write(chunk)
                        await self._writer.drain()
            except OSError:
                return  # what the target said last is still to be read; that side tells the end

    # Events

    def _expect(self, tag: int) -> asyncio.Future[Event]:
        """The answer to the request under `tag`, which is on its way."""
        future: asyncio.Future[Event] = asyncio.get_running_loop().create_future()
        future.add_done_callback(_look_at)
        self._futures[tag] = future
        self._has_output.set()
        return future

    def _take(self, event: Event) -> None:
        match event:
            case LoggedIn() | LoginFailed():
                if not self._login.done():
                    self._login.set_result(event)
            case ConnectionEnded():
                self._end(event.reason)
            case LogoutResult():
                self._answer(event.message.initiator_task_tag, event)
            case Announced() | PingReceived():
                self._notify(event)
            case Rejected():
                self._notify(event)
                if event.initiator_task_tag is not None:
                    self._fail(event.initiator_task_tag, RejectedError(event.message))
            case _:
                if isinstance(event, ManagementResult):
                    for tag in event.aborted:
                        self._fail(tag, AbortedError(tag))
                self._answer(event.initiator_task_tag, event)

    def _notify(self, notice: Notice) -> None:
        if self._notices.full():
            self._notices.get_nowait()
        self._notices.put_nowait(notice)

    def _answer(self, tag: int, event: Event) -> None:
        future = self._futures.pop(tag, None)
        if future is not None and not future.done():
            future.set_result(event)

    def _fail(self, tag: int, error: InitiatorError) -> None:
        future = self._futures.pop(tag, None)
        if future is not None and not future.done():
            future.set_exception(error)


async def connect(
    host: str, port: int, options: Options, *, timeout_s: float = LOGIN_TIMEOUT_S, redirections_max: int = 0
) -> Session:
    """Connect and log in: `async with await connect(host, port, Options(...)) as session`.

    A target that has moved is followed `redirections_max` times; once more, and it is a TargetMovedError. Raises
    LoginError, ConnectionEndedError, OSError, and TimeoutError when all of it takes longer than `timeout_s`.
    """
    async with asyncio.timeout(timeout_s):
        while True:
            try:
                return await _connect_once(host, port, options)
            except TargetMovedError as moved:
                if redirections_max <= 0:
                    raise
                redirections_max -= 1
                host, port = moved.host, moved.port


async def _connect_once(host: str, port: int, options: Options) -> Session:
    reader, writer = await asyncio.open_connection(host, port)
    session = Session(Initiator(options, secrets.token_bytes), reader, writer)
    try:
        await session.log_in()
    except BaseException:
        await session.close()
        raise
    return session


def _login_error(failure: LoginFailure) -> LoginError:
    if not failure.target_address:
        return LoginError(failure)
    try:
        return TargetMovedError(failure, *parse_target_address(failure.target_address))
    except TextError as error:
        return LoginError(replace(failure, reason=f"{failure.reason}, but {error}"))


def _good(result: CommandResult) -> CommandResult:
    if result.status or result.response:
        raise CommandError(result)
    return result


def _look_at(future: asyncio.Future[Event]) -> None:
    """A request that nobody waits for any more may fail without a word."""
    if not future.cancelled():
        future.exception()
