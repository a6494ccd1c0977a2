"""A data process beside process 0: takes the logins to its targets that came in there (`handing_over`).

It takes none before its targets are on the wire: until then they wait in the line. It tells process 0 which of the
connections have ended, and which there are when process 0 has been started anew.
"""

import socket
from typing import TYPE_CHECKING

import structlog

from lunaport.engine.embedded.channel import (
    CONNECTIONS_PER_MESSAGE_MAX,
    Channel,
    Ended,
    HandOver,
    Hello,
    Message,
    Present,
    Welcome,
)
from lunaport.engine.embedded.transport import Begun

if TYPE_CHECKING:  # the data process makes both
    from lunaport.engine.embedded.nas import Nas
    from lunaport.engine.embedded.transport import Transport

log = structlog.get_logger()


def begun_by(login: HandOver) -> Begun:
    """A login as far as process 0 has got with it."""
    return Begun(login.received, login.answered_count, login.until)


class TakingOver:
    """The connections that process 0 handed to this one."""

    def __init__(self, nas: "Nas", line: socket.socket) -> None:
        self.nas = nas
        self.channel = Channel(nas.loop, line, self._receive)
        # Number and host of each.
        self.connections: dict[Transport, tuple[int, str]] = {}
        self.ended: list[int] = []
        # Before that, process 0 may not count what it has handed over.
        self.is_welcome = False
        self.channel.send(Hello())

    def begin(self) -> None:
        """The targets are on the wire."""
        if not self.channel.reading:
            self.channel.listen()

    def forget(self, transport: "Transport") -> None:
        """A connection has ended."""
        number, _ = self.connections.pop(transport, (None, ""))
        if number is not None:
            self._end(number)

    def _receive(self, message: Message, sock: socket.socket | None) -> None:
        match message:
            case HandOver() if sock is not None:
                self._take(message, sock)
                return
            case HandOver(number=number):
                log.warning("no connection can be taken", reason="too many open files")
                self._end(number)
            case Hello():
                self.ended.clear()
                known = list(self.connections.values())
                for start in range(0, len(known), CONNECTIONS_PER_MESSAGE_MAX):
                    self.channel.send(Present(known[start : start + CONNECTIONS_PER_MESSAGE_MAX]))
            case Welcome():
                self.is_welcome = True
            case _:
                log.error("data process 0 said what only the others may say")
        if sock is not None:
            sock.close()

    def _take(self, message: HandOver, sock: socket.socket) -> None:
        host = message.address.rpartition(":")[0]
        if not self.is_welcome:
            self.channel.send(Present([(message.number, host)]))
        self.nas.sessions.elsewhere_count = message.sessions_elsewhere
        transport = self.nas.take_over(sock, message)
        if transport is None:
            self._end(message.number)
        else:
            self.connections[transport] = message.number, host

    def _end(self, number: int) -> None:
        self.ended.append(number)
        self.nas.loop.call_soon(self._tell)

    def _tell(self) -> None:
        while self.ended:
            told, self.ended = self.ended[:CONNECTIONS_PER_MESSAGE_MAX], self.ended[CONNECTIONS_PER_MESSAGE_MAX:]
            self.channel.send(Ended(told))

    def close(self) -> None:
        """Hang up."""
        self.channel.close()
