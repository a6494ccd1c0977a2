"""Messages over TCP (RFC 4171 section 2.9): conversations with a server, and listeners for its calls.

Every wait has a bound. What goes wrong is an IsnsError with a text for the administrator.
"""

import asyncio
import contextlib
import ipaddress
import logging
import os
import socket
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from lunaport.isns.calls import Call, answer_call
from lunaport.isns.client import Conversation
from lunaport.isns.enums import RESPONSE
from lunaport.isns.errors import AnswerError, FormatError, UnreachableError
from lunaport.isns.limits import CALL_BYTES_MAX, CALLS_MAX
from lunaport.isns.message import Message, MessageReader, serialize_message
from lunaport.isns.resolve import resolve

LOG = logging.getLogger(__name__)

CONNECT_TIMEOUT_S: Final = 5.0
ANSWER_TIMEOUT_S: Final = 10.0
CONVERSATION_TIMEOUT_S: Final = 120.0
CALL_IDLE_TIMEOUT_S: Final = 60.0
READ_BYTES: Final = 1 << 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeouts:
    """How long is waited, in seconds."""

    connect_s: float = CONNECT_TIMEOUT_S
    answer_s: float = ANSWER_TIMEOUT_S
    conversation_s: float = CONVERSATION_TIMEOUT_S


class Connection:
    """An open connection to a server. Use `connect`."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, timeouts: Timeouts) -> None:
        self._reader = reader
        self._writer = writer
        self._timeouts = timeouts
        self._messages = MessageReader()
        self._transaction_id = 0

    @property
    def peer(self) -> str:
        """The server's IP address."""
        address = self._writer.get_extra_info("peername")
        return str(address[0]).partition("%")[0] if address else ""

    @property
    def is_local(self) -> bool:
        """Whether the server is on this machine, and so can use addresses that lead nowhere from elsewhere."""
        peer = self.peer
        return bool(peer) and ipaddress.ip_address(peer).is_loopback

    async def converse(self, conversation: Conversation) -> None:
        """Carry a conversation to its end. Raises IsnsError."""
        try:
            async with asyncio.timeout(self._timeouts.conversation_s):
                await self._converse(conversation)
        except TimeoutError:
            seconds = self._timeouts.conversation_s
            raise UnreachableError(f"the server did not take our registration within {seconds:g} s") from None
        finally:
            conversation.close()

    async def _converse(self, conversation: Conversation) -> None:
        request = next(conversation, None)
        while request is not None:
            self._transaction_id = self._transaction_id % 0xFFFF + 1
            answer = await self._exchange(
                Message(
                    function=request.function,
                    transaction_id=self._transaction_id,
                    attributes=request.attributes,
                    replace=request.replace,
                )
            )
            try:
                request = conversation.send(answer)
            except StopIteration:
                request = None

    async def _exchange(self, message: Message) -> Message:
        try:
            async with asyncio.timeout(self._timeouts.answer_s):
                self._writer.write(serialize_message(message))
                await self._writer.drain()
                answer = await self._answer()
        except TimeoutError:
            raise UnreachableError(f"the server does not answer within {self._timeouts.answer_s:g} s") from None
        except OSError as error:
            raise UnreachableError(f"the connection broke: {_reason(error)}") from error
        if answer.function != message.function | RESPONSE or answer.transaction_id != message.transaction_id:
            raise AnswerError(
                f"function {answer.function:#06x} of transaction {answer.transaction_id} instead of "
                f"{message.function | RESPONSE:#06x} of {message.transaction_id}"
            )
        return answer

    async def _answer(self) -> Message:
        while True:
            data = await self._reader.read(READ_BYTES)
            if not data:
                raise UnreachableError("the server closed the connection instead of an answer")
            messages = self._messages.receive(data)
            if len(messages) > 1:
                raise AnswerError("several messages at once")
            if messages:
                return messages[0]

    async def close(self) -> None:
        """Close it, at once."""
        await _abort(self._writer)


async def connect(host: str, port: int, timeouts: Timeouts) -> Connection:
    """Connect to a server. Raises UnreachableError."""
    try:
        async with asyncio.timeout(timeouts.connect_s):
            reader, writer = await _open(await resolve(host), port, timeouts.connect_s)
    except TimeoutError:
        raise UnreachableError(f"no connection within {timeouts.connect_s:g} s") from None
    except OSError as error:
        raise UnreachableError(f"no connection: {_reason(error)}") from error
    return Connection(reader, writer, timeouts)


async def _open(addresses: list[str], port: int, timeout_s: float) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A connection to the first address that takes one; each has its share of the time. Raises the last's OSError."""
    for address in addresses[:-1]:
        with contextlib.suppress(OSError, TimeoutError):
            async with asyncio.timeout(timeout_s / len(addresses)):
                return await asyncio.open_connection(address, port)
    return await asyncio.open_connection(addresses[-1], port)


async def _abort(writer: asyncio.StreamWriter) -> None:
    writer.transport.abort()
    with contextlib.suppress(OSError):
        await writer.wait_closed()


def _reason(error: OSError) -> str:
    """What the system says, without the address that asyncio puts around it."""
    if isinstance(error, socket.gaierror) or not error.errno:
        return error.strerror or str(error)
    return os.strerror(error.errno)


@dataclass(slots=True)
class Listener:
    """Listens on one address, on a port of its own choice, for servers that call."""

    called: Callable[[str, Call], None]
    """Told the caller's address and what it wants."""
    port: int = 0
    _server: asyncio.Server | None = None
    _open: dict[asyncio.StreamWriter, None] = field(default_factory=dict)

    async def start(self, host: str) -> None:
        """Listen. Raises OSError."""
        self._server = await asyncio.start_server(self._serve, host, 0, limit=READ_BYTES)
        self.port = self._server.sockets[0].getsockname()[1]

    async def close(self) -> None:
        """Stop listening, and end every connection."""
        if self._server is not None:
            self._server.close()
            self._server = None
        for writer in list(self._open):
            await _abort(writer)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if len(self._open) >= CALLS_MAX:
            # The oldest has had its time: so nobody can keep the servers out by keeping connections open.
            next(iter(self._open)).transport.abort()
        self._open[writer] = None
        try:
            await self._answer(reader, writer)
        except FormatError as error:
            LOG.info("a call that is no iSNS message: %s", error.args[0])
        except (OSError, TimeoutError):
            LOG.debug("a caller went away, or kept silent")
        finally:
            self._open.pop(writer, None)
            await _abort(writer)

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        messages = MessageReader(CALL_BYTES_MAX)
        peer = str(writer.get_extra_info("peername")[0])
        while True:
            async with asyncio.timeout(CALL_IDLE_TIMEOUT_S):
                data = await reader.read(READ_BYTES)
                if not data:
                    return
                for message in messages.receive(data):
                    response, call = answer_call(message)
                    if response is not None:
                        writer.write(serialize_message(response))
                        await writer.drain()
                    if call is not None:
                        self.called(peer, call)
