"""What an engine tells of its logical units beyond the sessions: reservations held, and long work under way."""

from dataclasses import dataclass
from typing import Final, Literal

WORK_MAX: Final = 1000
"""Pieces of work that are told of."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Registration:
    """An initiator port that is registered with a LUN's persistent reservations. It outlives its sessions."""

    initiator: str
    port: str
    """The SCSI port name: `<name>,i,0x<ISID>`."""
    portal_group: int
    key: str
    """16 hexadecimal digits; empty for the older RESERVE, which has none."""
    holder: bool
    """It holds the reservation, alone or as one of all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReservationReport:
    """Who has reserved a LUN, and who is registered with it."""

    lun: int
    type: str
    """SPC-4 table 164 in one word: `write_exclusive`, `exclusive_access` and with `_registrants_only` or
    `_all_registrants` behind it; `reserve`: the older RESERVE of SPC-2; empty: registrations only."""
    generation: int = 0
    persistent: bool = False
    """It survives the loss of power."""
    lost: bool = False
    """What was kept cannot be read: the disk lets nobody in until somebody replaces it."""
    registrations: tuple[Registration, ...] = ()
    count: int = 0
    """Of registrations; only some hundred are told."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkReport:
    """Something under way that takes long."""

    kind: Literal["sanitize", "format", "copy", "drain"]
    target: str = ""
    """Empty: the NAS as a whole."""
    lun: int | None = None
    done_bytes: int = 0
    total_bytes: int = 0
    sessions: int = 0
    """Those that are still there, while it is drained."""
    failed: bool = False
    """It ended with an error and the LUN stays closed until it is done anew."""
    initiator: str = ""
    """Who asked for it."""
