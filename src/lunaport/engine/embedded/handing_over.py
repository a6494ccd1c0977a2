"""Process 0, where every connection comes in, hands logins to the processes that serve their targets.

A login that the other process does not take at once waits here like one that has not named its target: bounded in
number and time, and crowded out by newer ones. What was handed over still counts: for the limit of its address, of all
connections and of all sessions. So the others tell which of their connections have ended; who has been started anew
tells or is told which there are.
"""

import socket
import time
from collections import Counter
from collections.abc import Callable, Mapping
from functools import partial
from itertools import count
from typing import TYPE_CHECKING

import structlog

from lunaport.engine.embedded.channel import (
    Channel,
    Ended,
    HandOver,
    Hello,
    Message,
    Parcel,
    Present,
    TooLongError,
    Welcome,
)
from lunaport.engine.embedded.limits import HAND_OVERS_WAITING_MAX
from lunaport.iscsi.enums import LoginStatus
from lunaport.iscsi.errors import LoginRefused, Refusal

if TYPE_CHECKING:  # the data process makes both
    from lunaport.engine.embedded.nas import Nas
    from lunaport.engine.embedded.transport import Begun, Transport

log = structlog.get_logger()


class HandingOver:
    """What process 0 knows of the connections of the others. `lines`: the socket to each, by its number."""

    def __init__(
        self, nas: "Nas", lines: Mapping[int, socket.socket], *, number: Callable[[], int] = time.time_ns
    ) -> None:
        self.nas = nas
        # Beyond those of the process before this one, whose connections the others may still have.
        self.numbers = count(number())
        self.channels = {
            process: Channel(nas.loop, sock, partial(self._receive, process)) for process, sock in lines.items()
        }
        self.waiting: dict[Transport, tuple[Channel, Parcel]] = {}
        # By number: which process has it, and from which host it came.
        self.away: dict[int, tuple[int, str]] = {}
        self.per_process: Counter[int] = Counter()
        for channel in self.channels.values():
            channel.send(Hello())
            channel.listen()

    def hand_over(self, transport: "Transport", process: int, begun: "Begun") -> None:
        """Give a login to the process with this number, or refuse it."""
        channel = self.channels[process]
        if len(channel.unsent) >= HAND_OVERS_WAITING_MAX:
            reason = f"{HAND_OVERS_WAITING_MAX} logins wait for data process {process} already"
            transport.refuse(LoginRefused(LoginStatus.SERVICE_UNAVAILABLE, reason, refusal=Refusal.BUSY))
            return
        number = next(self.numbers)
        message = HandOver(
            number=number,
            address=transport.address,
            portal=transport.portal,
            portal_group=transport.portal_group,
            received=begun.received,
            answered_count=begun.answered_count,
            until=begun.until,
            sessions_elsewhere=self.sessions_beside(process),
        )
        # The socket may take it at once, before there is a parcel to remember.
        gone = False

        def sent() -> None:
            nonlocal gone
            gone = True
            self.waiting.pop(transport, None)
            self._keep(number, process, self.nas.admission.leave(transport))
            transport.let_go()

        try:
            parcel = channel.send(message, transport.sock, sent)
        except TooLongError:
            reason = "its first request is too long to be handed to the process that serves the target"
            transport.refuse(LoginRefused(LoginStatus.INITIATOR_ERROR, reason))
            return
        if not gone:
            self.waiting[transport] = channel, parcel

    def forget(self, transport: "Transport") -> None:
        """A connection has ended, while it waited perhaps."""
        channel, parcel = self.waiting.pop(transport, (None, None))
        if channel is not None and parcel is not None:
            channel.take_back(parcel)

    def sessions_beside(self, process: int) -> int:
        """Sessions, and logins under way, of all processes but one; of this one (0) sessions only."""
        beside = sum(self.per_process.values()) - self.per_process[process]
        return beside + (len(self.nas.by_transport) if process else 0)

    def _receive(self, process: int, message: Message, sock: socket.socket | None) -> None:
        if sock is not None:
            sock.close()  # none is expected
        match message:
            case Hello():
                log.info("data process came up", process=process)
                self._end([number for number, (owner, _) in self.away.items() if owner == process])
                self.channels[process].send(Welcome())
            case Present(connections):
                for number, host in connections:
                    if number not in self.away:
                        self.nas.admission.count_away(host)
                        self._keep(number, process, host)
            case Ended(numbers):
                self._end(numbers)
            case _:
                log.error("a data process said what only this one may say", process=process)

    def _keep(self, number: int, process: int, host: str) -> None:
        self.away[number] = process, host
        self.per_process[process] += 1
        self.nas.sessions.elsewhere_count = self.sessions_beside(0)

    def _end(self, numbers: list[int]) -> None:
        for number in numbers:
            process, host = self.away.pop(number, (None, ""))
            if process is not None:
                self.per_process[process] -= 1
                self.nas.admission.end_away(host)
        self.nas.sessions.elsewhere_count = self.sessions_beside(0)

    def close(self) -> None:
        """Hang up."""
        for channel in self.channels.values():
            channel.close()
