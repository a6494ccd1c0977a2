"""Targets that take one initiator at a time, so that two that know nothing of each other do not write to one disk.

An initiator may have several sessions. One that holds a reservation has said that it shares the disk knowingly: then
others are let in. An initiator that may be dead does not keep others out: when somebody else asks, its sessions have to
answer a ping, and are closed if they do not; the other's next attempt succeeds.
"""

from typing import TYPE_CHECKING

from lunaport.engine.embedded.targets import Target
from lunaport.iscsi.enums import LoginStatus
from lunaport.iscsi.errors import LoginRefused, Refusal

if TYPE_CHECKING:  # the data process makes both
    from lunaport.engine.embedded.nas import Nas
    from lunaport.engine.embedded.transport import Transport

PROBE_S = 3.0
"""How long an initiator may take to answer a ping when another one wants its target."""


class ExclusiveUse:
    """Who has what for himself."""

    def __init__(self, nas: "Nas") -> None:
        self._nas = nas
        self._probed: set[Transport] = set()

    def check(self, target: Target, initiator_name: str) -> None:
        """Raise LoginRefused where another initiator has a target that takes one at a time."""
        if not target.spec.single_initiator or target.scsi.is_reserved:
            return
        others = {
            transport: session.outcome.initiator_name
            for transport, session in self._nas.by_transport.items()
            if session.target is target and session.outcome.initiator_name != initiator_name
        }
        for transport in others:
            self._probe(transport)
        for name in others.values():
            reason = f"the target takes one initiator at a time, and {name} has it"
            # A status after which initiators try again.
            raise LoginRefused(LoginStatus.OUT_OF_RESOURCES, reason, refusal=Refusal.IN_USE)

    def _probe(self, transport: "Transport") -> None:
        if transport in self._probed or transport.connection is None:
            return
        receives = transport.receives

        def look() -> None:
            self._probed.discard(transport)
            if transport in self._nas.by_transport and transport.receives == receives:
                transport.close(f"another initiator wants its target, and it did not answer a ping in {PROBE_S:.0f} s")

        self._probed.add(transport)
        transport.connection.ping()
        self._nas.loop.call_later(PROBE_S, look)
