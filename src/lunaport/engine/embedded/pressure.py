"""What happens while memory is short: sessions are not read from, and who holds memory without moving is closed.

Stopping to read hurts nobody for long, as long as those who hold memory give it back. A peer that takes nothing of its
output, or sends nothing of the PDU that it began, would keep all others waiting; it has `STALL_S` to go on.
"""

from collections.abc import Callable, Iterable

import structlog

from lunaport.engine.embedded import limits
from lunaport.engine.embedded.loop import Loop
from lunaport.engine.embedded.memory import Memory
from lunaport.engine.embedded.transport import Transport

log = structlog.get_logger()

STALLED = "it held memory that others needed and did not go on"


class Pressure:
    """Watches over one process's memory. `transports`: the connections there are."""

    def __init__(self, loop: Loop, memory: Memory, transports: Callable[[], Iterable[Transport]]) -> None:
        self.loop = loop
        self.memory = memory
        self.transports = transports
        self.halted: list[Transport] = []
        self.moved: dict[Transport, int] | None = None
        self.told_at = -limits.REFUSAL_PAUSE_S
        memory.on_short = self.begin
        memory.on_wait = self.watch
        memory.on_relief = self.relieve

    def begin(self) -> None:
        """Memory is short: read from nobody who has nothing to finish."""
        if not self.halted:
            self.halted = list(self.transports())
            for transport in self.halted:
                transport.halt()
            now = self.loop.now()
            if now - self.told_at >= limits.REFUSAL_PAUSE_S:
                self.told_at = now
                log.warning(
                    "memory for data under way is used up: sessions wait",
                    mib=self.memory.bytes_max >> 20,
                    sessions=len(self.halted),
                )
        self.watch()

    def take_in(self, transport: Transport) -> None:
        """A session begins."""
        if self.memory.short:
            self.halted.append(transport)
            transport.halt()

    def relieve(self) -> None:
        """Something was given back."""
        self.loop.call_soon(self._go_on)

    def watch(self) -> None:
        """Somebody has to wait: see to it that those who hold memory move."""
        if self.moved is None:
            self.moved = {transport: transport.moved_bytes for transport in self.transports() if transport.peer_bytes}
            self.loop.call_later(limits.STALL_S, self._end_stalled)

    def _go_on(self) -> None:
        if not self.memory.short:
            halted, self.halted = self.halted, []
            for transport in halted:
                transport.go_on()
        self.memory.serve_waiting()

    def _end_stalled(self) -> None:
        before, self.moved = self.moved or {}, None
        if not self._is_needed():
            return
        stalled = [
            transport
            for transport, moved in before.items()
            if transport.peer_bytes and transport.moved_bytes - moved < limits.STALL_PROGRESS_BYTES
        ]
        for transport in sorted(stalled, key=lambda transport: transport.peer_bytes, reverse=True):
            transport.close(STALLED)
            if not self.memory.scarce:
                break
        if self._is_needed():
            self.watch()

    def _is_needed(self) -> bool:
        memory = self.memory
        return memory.short or (memory.scarce and bool(memory.waiting))
