"""The line between two data processes: whole messages over a pair of SEQPACKET sockets, some with a connection.

The supervisor made the pair and keeps both ends open: what was said to a process that has died waits for the one that
is started in its place. Nobody is waited for: what the socket does not take lies here, and may be taken back. How much
may lie here is the caller's to bound. Both ends are processes of one NAS; a message that cannot be read is logged.
"""

import array
import socket
from collections import deque
from collections.abc import Callable
from typing import Final

import msgspec
import structlog

from lunaport.engine.embedded.loop import READABLE, WRITABLE, Loop

log = structlog.get_logger()

MESSAGE_BYTES_MAX: Final = 1 << 16
CONNECTIONS_PER_MESSAGE_MAX: Final = 512
"""Of those that a process tells of: a message with as many fits."""
MESSAGES_PER_EVENT_MAX: Final = 64
RETRY_S: Final = 0.05
_DESCRIPTOR_BYTES: Final = array.array("i", [0]).itemsize


class HandOver(msgspec.Struct, tag=True, kw_only=True, frozen=True):
    """A login, with its socket: begin it from its first byte. `number` tells it from all others."""

    number: int
    address: str
    portal: str
    portal_group: int
    received: bytes
    answered_count: int
    until: float
    """When it has to be complete, by the clock of the machine (CLOCK_MONOTONIC)."""
    sessions_elsewhere: int
    """Of the whole NAS but this process."""


class Hello(msgspec.Struct, tag=True, frozen=True):
    """A process has come up, and knows nothing of its predecessor's."""


class Welcome(msgspec.Struct, tag=True, frozen=True):
    """The answer to `Hello` of one that takes logins: what was handed over before this is not counted any more."""


class Present(msgspec.Struct, tag=True, frozen=True):
    """Connections that a process has: number and host of each."""

    connections: list[tuple[int, str]]


class Ended(msgspec.Struct, tag=True, frozen=True):
    """Connections that a process has no longer."""

    numbers: list[int]


Message = HandOver | Hello | Welcome | Present | Ended
_decoder: Final[msgspec.msgpack.Decoder[Message]] = msgspec.msgpack.Decoder(Message)
_encoder: Final = msgspec.msgpack.Encoder()

Handler = Callable[[Message, socket.socket | None], None]
"""A message, and the connection that came with it, which is the handler's to close."""


class TooLongError(Exception):
    """A message of more than MESSAGE_BYTES_MAX."""


def serialize(message: Message) -> bytes:
    """A message on the line. Raises TooLongError."""
    data = _encoder.encode(message)
    if len(data) > MESSAGE_BYTES_MAX:
        raise TooLongError
    return data


def parse(data: bytes) -> Message | None:
    """A message from the line; None for what is none."""
    try:
        return _decoder.decode(data)
    except msgspec.DecodeError:
        return None


class Parcel:
    """A message on its way. `sent` is called once the socket has taken it."""

    __slots__ = ("data", "sent", "sock")

    def __init__(self, data: bytes, sock: socket.socket | None, sent: Callable[[], None] | None) -> None:
        self.data = data
        self.sock = sock
        self.sent = sent


class Channel:
    """One end of a line."""

    def __init__(self, loop: Loop, sock: socket.socket, handler: Handler) -> None:
        self.loop = loop
        self.sock = sock
        self.handler = handler
        self.unsent: deque[Parcel] = deque()
        self.reading = False
        self.closed = False
        self.retrying = False
        sock.setblocking(False)
        loop.register(sock.fileno(), self._on_event, 0)

    def listen(self) -> None:
        """Begin to receive."""
        self.reading = True
        self._watch()

    def send(
        self, message: Message, sock: socket.socket | None = None, sent: Callable[[], None] | None = None
    ) -> Parcel:
        """Send when the messages before it are gone. Raises TooLongError."""
        parcel = Parcel(serialize(message), sock, sent)
        self.unsent.append(parcel)
        self._flush()
        return parcel

    def take_back(self, parcel: Parcel) -> None:
        """Do not send it after all, if it lies here still."""
        if parcel in self.unsent:
            self.unsent.remove(parcel)

    def _on_event(self, mask: int) -> None:
        if mask & WRITABLE:
            self._flush()
        if mask & ~WRITABLE and self.reading:
            self._receive()

    def _receive(self) -> None:
        for _ in range(MESSAGES_PER_EVENT_MAX):
            try:
                data, ancillary, _, _ = self.sock.recvmsg(
                    MESSAGE_BYTES_MAX, socket.CMSG_SPACE(_DESCRIPTOR_BYTES), socket.MSG_CMSG_CLOEXEC
                )
            except BlockingIOError:
                return
            except OSError as error:
                log.warning("the line between the data processes does not work", reason=error.strerror)
                return
            if not data:  # both ends are closed: the NAS ends
                self.close()
                return
            self._handle(data, _connection_in(ancillary))
            if self.closed:
                return

    def _handle(self, data: bytes, sock: socket.socket | None) -> None:
        message = parse(data)
        if message is None:
            log.error("a data process said what is no message")
            if sock is not None:
                sock.close()
            return
        self.handler(message, sock)

    def _flush(self) -> None:
        while self.unsent and not self.closed:
            parcel = self.unsent[0]
            if not self._send(parcel):
                return
            self.unsent.popleft()
            if parcel.sent is not None:
                parcel.sent()
        self._watch()

    def _send(self, parcel: Parcel) -> bool:
        ancillary = []
        if parcel.sock is not None:
            descriptors = array.array("i", [parcel.sock.fileno()])
            ancillary = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, descriptors)]
        try:
            self.sock.sendmsg([parcel.data], ancillary)
        except BlockingIOError:
            self._watch()
            return False
        except OSError as error:  # ENOBUFS, ETOOMANYREFS: the system is short of something, and does not say until when
            log.warning("the line between the data processes does not work", reason=error.strerror)
            if not self.retrying:
                self.retrying = True
                self.loop.call_later(RETRY_S, self._retry)
            return False
        return True

    def _retry(self) -> None:
        self.retrying = False
        self._flush()

    def _watch(self) -> None:
        if not self.closed:
            self.loop.modify(self.sock.fileno(), READABLE * self.reading | WRITABLE * bool(self.unsent))

    def close(self) -> None:
        """Hang up."""
        if not self.closed:
            self.closed = True
            self.unsent.clear()
            self.loop.unregister(self.sock.fileno())
            self.sock.close()


def _connection_in(ancillary: list[tuple[int, int, bytes]]) -> socket.socket | None:
    """The one connection that came with a message; None where the system could not give us its descriptor."""
    for level, kind, data in ancillary:
        if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS and len(data) >= _DESCRIPTOR_BYTES:
            return socket.socket(fileno=array.array("i", data[:_DESCRIPTOR_BYTES])[0])
    return None
