"""Where reservations lie while there is no power: the protocol of the place, and the document that is put there.

Fail safe: what cannot be read or makes no sense is a loss of reservation information (SPC-4 5.12.5.3), never an empty
list. An empty list would let a host on the disk that the others had shut out, and its writes would destroy a cluster's
file system; a disk that answers DATA PROTECT until somebody replaces the reservation destroys nothing.
"""

from typing import Annotated, Protocol

import msgspec

from lunaport.blockdev.device import DeviceError
from lunaport.scsi.enums import ReservationType
from lunaport.scsi.limits import REGISTRATIONS_MAX
from lunaport.scsi.reservations import ALL_REGISTRANTS, NexusId, Reservations


class ReservationStore(Protocol):
    """A place for one document that survives the loss of power. Both methods block."""

    def load(self) -> bytes | None:
        """The document put there last; None: there is none. Raises DeviceError when it is damaged or unreadable."""

    def save(self, document: bytes | None) -> None:
        """Put a document there, or (None) take it away: whole, and durable when this returns. Raises DeviceError."""


class _Registration(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    initiator_port: Annotated[str, msgspec.Meta(min_length=1, max_length=244)]
    target_port: Annotated[int, msgspec.Meta(ge=1, le=0xFFFF)]
    key: Annotated[int, msgspec.Meta(ge=1)]


class _Document(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    registrations: Annotated[list[_Registration], msgspec.Meta(min_length=1, max_length=REGISTRATIONS_MAX)]
    type: ReservationType | None = None
    holder: Annotated[int, msgspec.Meta(ge=0)] | None = None
    """Index of the registration."""


def serialize_reservations(now: Reservations) -> bytes | None:
    """What has to be kept through a loss of power; None: nothing."""
    if not now.persist or not now.registrations:
        return None
    document = _Document(
        registrations=[
            _Registration(initiator_port=nexus.initiator_port, target_port=nexus.target_port, key=key)
            for nexus, key in now.registrations.items()
        ],
        type=now.type,
        holder=None if now.holder is None else list(now.registrations).index(now.holder),
    )
    return msgspec.json.encode(document)


def parse_reservations(data: bytes) -> Reservations:
    """The opposite. Raises ValueError for what `serialize_reservations` cannot have made."""
    document = msgspec.json.decode(data, type=_Document)
    nexuses = [
        NexusId(initiator_port=row.initiator_port, target_port=row.target_port) for row in document.registrations
    ]
    if len(set(nexuses)) != len(nexuses):
        raise ValueError("a nexus is registered twice")
    if any(row.key > 0xFFFFFFFFFFFFFFFF for row in document.registrations):
        raise ValueError("a reservation key is longer than 8 bytes")
    one_holder = document.type is not None and document.type not in ALL_REGISTRANTS
    if (document.holder is not None) != one_holder or (document.holder or 0) >= len(nexuses):
        raise ValueError("type and holder of the reservation do not fit")
    return Reservations(
        registrations=dict(zip(nexuses, (row.key for row in document.registrations), strict=True)),
        type=document.type,
        holder=None if document.holder is None else nexuses[document.holder],
        persist=True,
    )


def load_reservations(store: ReservationStore) -> tuple[Reservations, str]:
    """The reservations after a start, and what is wrong with them (empty: nothing). Blocks."""
    try:
        document = store.load()
        return (Reservations() if document is None else parse_reservations(document)), ""
    except (DeviceError, ValueError) as error:  # msgspec's errors are ValueErrors
        return Reservations(lost=True, persist=True), str(error)
