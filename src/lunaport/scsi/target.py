"""A SCSI target device (SAM-5 4.4): its logical units by LUN, and the nexuses that reach them."""

import os
import time
from collections.abc import Mapping, Sequence
from types import MappingProxyType

from lunaport.scsi.command import CommandTable
from lunaport.scsi.commands import COMMANDS, OPTICAL_COMMANDS
from lunaport.scsi.copy_domain import CopyDomain
from lunaport.scsi.logical_unit import LogicalUnit
from lunaport.scsi.lun import lun_forms
from lunaport.scsi.nexus import Nexus, refuse_write
from lunaport.scsi.reservations import NexusId
from lunaport.scsi.rights import ALL_RIGHTS, Rights


class ScsiTarget:
    """`name` is the SCSI device name (for iSCSI the target's name), empty where there is none.

    `ports` are the relative target port identifiers of its SCSI target ports.
    `domain`: what it copies with and to; targets of one NAS have one and the same.
    """

    def __init__(
        self,
        units: Mapping[int, LogicalUnit],
        *,
        name: str = "",
        ports: Sequence[int] = (1,),
        commands: CommandTable = COMMANDS,
        domain: CopyDomain | None = None,
    ) -> None:
        self.name = name
        self.ports = tuple(ports)
        self.domain = domain or CopyDomain(time.monotonic, os.urandom)
        self.nexuses: set[Nexus] = set()
        self.commands = commands
        self.dispatch = commands.dispatch(Nexus.execute_found, Nexus.execute_in_order)
        self.read_only_dispatch = commands.dispatch(Nexus.execute_found, Nexus.execute_in_order, writes=refuse_write)
        self._units = dict(units)
        self._forms = _forms(units)

    @property
    def units(self) -> Mapping[int, LogicalUnit]:
        """The logical units by LUN, in order."""
        return MappingProxyType(self._units)

    @property
    def forms(self) -> Mapping[int, LogicalUnit]:
        """The same by LUN as on the wire, in every form it can have there."""
        return self._forms

    @property
    def is_reserved(self) -> bool:
        """Whether somebody holds a reservation on one of the units, of either kind."""
        units = self._units.values()
        return any(unit.holder is not None or unit.reservations.now.type is not None for unit in units)

    def commands_of(self, unit: LogicalUnit) -> CommandTable:
        """The commands that a unit has by its device type."""
        return self.commands if unit.drive is None else OPTICAL_COMMANDS

    def find(self, lun: int) -> LogicalUnit | None:
        """The unit of a LUN as on the wire."""
        return self._forms.get(lun)

    def attach(
        self, initiator_port: str, target_port: int = 1, *, identity: str = "", rights: Rights = ALL_RIGHTS
    ) -> Nexus:
        """A new nexus, at login to one of `ports`. `identity`: see `Nexus.identity`."""
        nexus_id = NexusId(initiator_port=initiator_port, target_port=target_port)
        nexus = Nexus(self, nexus_id, identity, rights)
        self.domain.enter(nexus)
        self.nexuses.add(nexus)
        for unit in self._units.values():
            unit.nexuses.add(nexus)
        nexus.refresh()
        return nexus

    def set_units(self, units: Mapping[int, LogicalUnit]) -> None:
        """Replace the units, live. One in both stays as it is.

        Each nexus for which LUNs came, went or became another unit is told on all that it sees. Tasks of a unit that
        goes carry on: `LogicalUnit.reset` first, where its device shall be closed.
        """
        forms = _forms(units)
        gone = set(self._units.values()) - set(units.values())
        self._units = dict(sorted(units.items()))
        self._forms = forms
        for unit in gone:
            unit.nexuses.clear()
            unit.holder = None
        for unit in self._units.values():
            unit.nexuses.update(self.nexuses)
        for nexus in self.nexuses:
            before = nexus.units
            nexus.refresh()
            if nexus.units != before:
                nexus.announce_luns()


def _forms(units: Mapping[int, LogicalUnit]) -> dict[int, LogicalUnit]:
    return {form: unit for lun, unit in sorted(units.items()) for form in lun_forms(lun)}
