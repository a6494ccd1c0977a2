"""Persistent reservations of one logical unit as a value (SPC-4 5.12): who is registered, who has access.

Nothing changes here: `reservation_changes` makes the next value, `reservation_book` keeps the one that counts.

Invariants: a reservation has a type; one that is no all registrants type has a holder too, which is registered; an all
registrants reservation has no single holder, and at least one nexus is registered.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from lunaport.scsi.enums import Access, ReservationType

REGISTRANTS_ONLY = frozenset(
    (ReservationType.WRITE_EXCLUSIVE_REGISTRANTS_ONLY, ReservationType.EXCLUSIVE_ACCESS_REGISTRANTS_ONLY)
)
ALL_REGISTRANTS = frozenset(
    (ReservationType.WRITE_EXCLUSIVE_ALL_REGISTRANTS, ReservationType.EXCLUSIVE_ACCESS_ALL_REGISTRANTS)
)
FOR_REGISTRANTS = REGISTRANTS_ONLY | ALL_REGISTRANTS
"""The types that give every registered nexus access."""
_WRITE_EXCLUSIVE = frozenset(
    (
        ReservationType.WRITE_EXCLUSIVE,
        ReservationType.WRITE_EXCLUSIVE_REGISTRANTS_ONLY,
        ReservationType.WRITE_EXCLUSIVE_ALL_REGISTRANTS,
    )
)


@dataclass(frozen=True, slots=True, kw_only=True)
class NexusId:
    """What a registration belongs to: it outlives the sessions of its I_T nexus."""

    initiator_port: str
    """The SCSI port name, for iSCSI `<name>,i,0x<ISID>`."""
    target_port: int
    """The relative target port identifier."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reservations:
    """Registrations and reservation at one time."""

    generation: int = 0
    """PRGENERATION; starts at 0 with each start, even where the rest is kept."""
    registrations: Mapping[NexusId, int] = field(default_factory=dict)
    """Reservation keys in the order of registration; never changed in place."""
    type: ReservationType | None = None
    """None: nobody has reserved."""
    holder: NexusId | None = None
    persist: bool = False
    """APTPL: registrations and reservation survive the loss of power."""
    lost: bool = False
    """What was kept through a loss of power cannot be read: nobody gets access until it is replaced (5.12.5.3)."""

    def is_holder(self, nexus: NexusId) -> bool:
        """Whether a nexus holds the reservation, alone or as one of all registrants."""
        return nexus in self.registrations if self.type in ALL_REGISTRANTS else nexus == self.holder

    def is_unrestricted(self, nexus: NexusId) -> bool:
        """Whether every command of a nexus is legal."""
        if self.type is None:
            return not self.lost
        return nexus == self.holder or (self.type in FOR_REGISTRANTS and nexus in self.registrations)

    def allows(self, nexus: NexusId, access: Access) -> bool:
        """Whether a command is no reservation conflict."""
        if access is Access.ALWAYS or self.type is None or self.is_unrestricted(nexus):
            return True
        return access is Access.READING and self.type in _WRITE_EXCLUSIVE
