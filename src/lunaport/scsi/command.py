"""What the device server knows of a command before it runs: one row each, and the table made of the rows.

Field validation and REPORT SUPPORTED OPERATION CODES both follow from a row's CDB usage data, so they cannot disagree.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING

from lunaport.scsi.enums import Access, DeviceType
from lunaport.scsi.ordering import Ordering
from lunaport.scsi.sense import ScsiError, invalid_field_in_cdb, invalid_opcode
from lunaport.scsi.task import Task

if TYPE_CHECKING:  # both need this module
    from lunaport.scsi.logical_unit import LogicalUnit
    from lunaport.scsi.nexus import Nexus

Handler = Callable[["Nexus", "LogicalUnit", Task], None]
AbsentHandler = Callable[["Nexus", Task], None]
"""Answers a command for a LUN that has no logical unit (SPC-4 6.6.2, SAM-5 5.11)."""

DISKS, DRIVES = frozenset({DeviceType.DISK}), frozenset({DeviceType.CDROM})
EVERY_DEVICE = DISKS | DRIVES
CDB_BYTES = 16
"""No command here is longer; a shorter one is padded with zeros."""
_CDB_BITS = CDB_BYTES * 8
_SERVICE_ACTION = 0x1F


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """One command."""

    usage: bytes
    """CDB usage data (SPC-4 6.34.3): operation code, service action, and a 1 for each bit that may be set."""
    handler: Handler
    service_action: int | None = None
    recommended_timeout_s: int = 30
    with_reservation: bool = False
    """Legal while another nexus holds the reservation of RESERVE (SPC-2 table 10)."""
    access: Access = Access.CHANGING
    """When it is legal while others hold a persistent reservation (SPC-4 table 65, SBC-3 table 13)."""
    exempt: Callable[[bytes], bool] | None = None
    """Which CDBs of it are legal under every reservation, whatever the columns for reservations say."""
    when_lost: bool = False
    """Legal while the persistent reservations are lost (SPC-4 5.12.5.3)."""
    when_stopped: bool = False
    """Legal while the unit is stopped (SBC-3 4.20)."""
    when_erasing: bool = False
    """Legal while SANITIZE or FORMAT UNIT is under way, and after it has failed (SBC-3 4.11.3)."""
    when_erasure_failed: bool = False
    """Legal after it has failed: leads out of that."""
    ignores_attention: bool = False
    """Runs while a unit attention is pending, and leaves it (SPC-4 5.14)."""
    writes: bool = False
    """Changes what is stored: refused to a nexus that may only read."""
    ordering: Ordering = Ordering.APART
    """Its ordering class, as a simple command."""
    encrypted_only: bool = False
    """Exists on encrypted units only."""
    thin_only: bool = False
    """Exists on thin units only."""
    removable_only: bool = False
    """Exists on units whose medium can be taken out."""
    devices: frozenset[DeviceType] = DISKS
    """The peripheral device types that have it."""

    @property
    def opcode(self) -> int:
        return self.usage[0]

    @property
    def illegal(self) -> int:
        """The bits of a 16-byte CDB that have to be zero. What follows a shorter CDB is padding: not looked at."""
        used = bytearray(self.usage)
        used[0] = 0xFF
        if self.service_action is not None:
            used[1] |= _SERVICE_ACTION
        return int.from_bytes(bytes(byte ^ 0xFF for byte in used)) << 8 * (CDB_BYTES - len(used))


class CommandTable:
    """All commands of one peripheral device type, by operation code and service action."""

    def __init__(
        self,
        rows: Iterable[Command],
        absent: Mapping[int, AbsentHandler],
        device_type: DeviceType = DeviceType.DISK,
        *,
        well_known: Mapping[int, AbsentHandler] = MappingProxyType({}),
    ) -> None:
        """`absent`: what runs where there is no unit. `well_known`: what the REPORT LUNS well known unit has."""
        self._rows = {(row.opcode, row.service_action): row for row in rows if device_type in row.devices}
        self._with_service_actions = {row.opcode for row in self.rows if row.service_action is not None}
        self.absent = dict(absent)
        self.well_known = dict(well_known)
        self._dispatches: dict[tuple[Handler, Handler, Handler | None], Sequence[tuple[Handler, int]]] = {}

    @property
    def rows(self) -> Iterable[Command]:
        return self._rows.values()

    def has_service_actions(self, opcode: int) -> bool:
        return opcode in self._with_service_actions

    def get(self, opcode: int, service_action: int | None) -> Command | None:
        return self._rows.get((opcode, service_action))

    def ordering_of(self, cdb: bytes) -> Ordering:
        """The ordering class of a CDB; APART where there is no such command."""
        opcode = cdb[0]
        row = self.get(opcode, cdb[1] & _SERVICE_ACTION if opcode in self._with_service_actions else None)
        return Ordering.APART if row is None else row.ordering

    def find(self, cdb: bytes) -> Command:
        """The command of a CDB. Raises ScsiError where there is none."""
        opcode = cdb[0]
        if opcode in self._with_service_actions:
            row = self.get(opcode, cdb[1] & _SERVICE_ACTION)
            if row is None:
                raise ScsiError(invalid_field_in_cdb(1, 4))
            return row
        row = self.get(opcode, None)
        if row is None:
            raise ScsiError(invalid_opcode())
        return row

    def dispatch(
        self, otherwise: Handler, in_order: Handler, *, writes: Handler | None = None
    ) -> Sequence[tuple[Handler, int]]:
        """Handler and illegal bits for each operation code; `otherwise` where that is not enough to choose by.

        `in_order` takes the place of each command that waits for reads and writes that are under way, `writes` of each
        that writes. Thousands of targets have one table: it is made once.
        """
        key = (otherwise, in_order, writes)
        if key not in self._dispatches:
            self._dispatches[key] = self._make_dispatch(otherwise, in_order, writes)
        return self._dispatches[key]

    def _make_dispatch(
        self, otherwise: Handler, in_order: Handler, writes: Handler | None
    ) -> Sequence[tuple[Handler, int]]:
        table: list[tuple[Handler, int]] = [(otherwise, 0)] * 256
        for row in self.rows:
            if row.service_action is None:
                handler = row.handler
                if row.writes and writes is not None:
                    handler = writes
                elif row.ordering is Ordering.ALTERS:
                    handler = in_order
                table[row.opcode] = (handler, row.illegal)
        return table


def check_fields(cdb: bytes, illegal: int) -> None:
    """Refuse a 16-byte CDB that sets one of `illegal`; the field pointer names the first."""
    wrong = int.from_bytes(cdb) & illegal
    if wrong:
        first = _CDB_BITS - wrong.bit_length()
        raise ScsiError(invalid_field_in_cdb(first // 8, 7 - first % 8))
