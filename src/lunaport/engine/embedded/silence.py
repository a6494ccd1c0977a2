"""Which sessions have gone quiet: pinged first, closed when nothing comes of it.

Looked at now and then, so that no connection needs a timer of its own. Three kinds of quiet:

- A peer that sends nothing is pinged, and closed when it is silent as long again.
- A peer that takes nothing of what it asked for is closed after the same time: it is not read from, so a ping would
  not be answered either.
- A PDU that was begun has to be finished within that time, however alive the peer is. Without that rule a byte now and
  then would keep half a PDU for ever; with it even 256 KiB need no more than 5 KiB a second. While we do not read (for
  want of memory) the time does not count.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from lunaport.engine.embedded.transport import Transport
from lunaport.iscsi.announcements import announce_connection_drop
from lunaport.iscsi.limits import SILENCE_S_MAX


@dataclass(frozen=True, slots=True, kw_only=True)
class _Look:
    """What was seen of a session."""

    receives: int
    moved_bytes: int
    partial: int
    pinged: bool = False
    partial_is_old: bool = False


class Silence:
    """What the last look saw."""

    def __init__(self, ping_timed_out: Callable[[Transport], None] = lambda _: None) -> None:
        self.seen: dict[Transport, _Look] = {}
        self.ping_timed_out = ping_timed_out

    def look(self, transports: Iterable[Transport]) -> None:
        """Ping and close; to be called every `SILENCE_S_MAX` seconds."""
        before, self.seen = self.seen, {}
        for transport in transports:
            look = _Look(receives=transport.receives, moved_bytes=transport.moved_bytes, partial=transport.partial)
            last = before.get(transport)
            if last is not None and not transport.is_kept_waiting:
                silent = look.receives == last.receives and look.moved_bytes == last.moved_bytes
                same = look.partial != 0 and look.partial == last.partial
                waited_s = 2 * SILENCE_S_MAX
                if silent and last.pinged:
                    self.ping_timed_out(transport)
                    _end(transport, f"the initiator was silent for {waited_s:.0f} s and did not answer a ping")
                    continue
                if same and last.partial_is_old:
                    _end(transport, f"a PDU that was begun was not finished within {waited_s:.0f} s")
                    continue
                if silent and transport.connection is not None:
                    transport.connection.ping()
                look = replace(look, pinged=silent, partial_is_old=same)
            self.seen[transport] = look


def _end(transport: Transport, reason: str) -> None:
    if transport.connection is not None:
        announce_connection_drop(transport.connection)
    transport.end(reason)
