"""An I_T nexus (SAM-5 4.5): an initiator port's way to the logical units, where every command comes in.

Invariant: `_ready` holds exactly the LUNs this nexus may use with no question asked: a disk, no unit attention pending,
no reservation of others in its way, not stopped, not draining, no order of commands to keep. All other commands go the
careful way, so the usual one pays one dict look-up for all of this. Those whom a reservation lets only read go the
careful way for that too. LUNs that its rights do not show are not in `_ready` and not found either; a nexus whose
rights are to read only has a dispatch table in which every command that writes is refused.

Unit attentions at login: none. SAM-5 6.3.1 asks for POWER ON OCCURRED on every nexus after power on. A nexus here comes
into being with its login and no earlier: there is nothing it can have known that a power cycle made untrue. Boot
firmware and simple initiators take a CHECK CONDITION as the answer to their first command for a broken disk; Linux and
libiscsi accept both.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from lunaport.blockdev.device import DeviceError
from lunaport.scsi.command import CDB_BYTES, Command, check_fields
from lunaport.scsi.enums import Access, Status, TaskAttribute
from lunaport.scsi.logical_unit import Done, LogicalUnit
from lunaport.scsi.lun import REPORT_LUNS_LUN
from lunaport.scsi.ordering import Ordering
from lunaport.scsi.reservations import NexusId
from lunaport.scsi.rights import Rights
from lunaport.scsi.sense import (
    ScsiError,
    Sense,
    commands_cleared_by_another_initiator,
    invalid_message,
    invalid_opcode,
    logical_unit_not_supported,
    mode_parameters_changed,
    persistent_reservation_information_lost,
    reported_luns_data_has_changed,
    sense_of,
    write_protected,
)
from lunaport.scsi.task import Task

if TYPE_CHECKING:  # the target makes nexuses, and an erasure needs this module
    from lunaport.scsi.erasure import Erasure
    from lunaport.scsi.target import ScsiTarget

_SIMPLE: Final = int(TaskAttribute.SIMPLE)
_BY_ATTRIBUTE: Final[Mapping[int, Ordering]] = {
    TaskAttribute.ORDERED: Ordering.ORDERED,
    TaskAttribute.HEAD_OF_QUEUE: Ordering.HEAD_OF_QUEUE,
}


class Nexus:
    """Made by `ScsiTarget.attach`."""

    __slots__ = ("_attentions", "_dispatch", "_forms", "_ready", "id", "identity", "rights", "target", "units")

    def __init__(self, target: "ScsiTarget", nexus_id: NexusId, identity: str, rights: Rights) -> None:
        self.target = target
        self.id = nexus_id
        self.identity = identity
        """Whose nexus this is, in the transport's words: one initiator's nexuses to all targets have the same. May be
        empty."""
        self.rights = rights
        self.units: Mapping[int, LogicalUnit] = {}
        """The logical units that it sees, by LUN, in order."""
        self._dispatch = target.read_only_dispatch if rights.read_only else target.dispatch
        self._forms: dict[int, LogicalUnit] = {}
        self._attentions: dict[LogicalUnit, list[Sense]] = {}
        self._ready: dict[int, LogicalUnit] = {}

    def execute(self, task: Task) -> None:
        """Run a command. The task is finished when this returns, or later when it has to wait."""
        unit = self._ready.get(task.lun)
        cdb = task.cdb
        if unit is None or task.attribute > _SIMPLE:
            self._execute_carefully(task)
            return
        handler, illegal = self._dispatch[cdb[0]]
        try:
            if int.from_bytes(cdb) & illegal:
                check_fields(cdb, illegal)
            handler(self, unit, task)
        except (ScsiError, DeviceError) as error:
            task.finish(Status.CHECK_CONDITION, unit.sense_data(sense_of(error)))

    def close(self, done: Done) -> None:
        """I_T nexus loss (SAM-5 6.3.4): abort its tasks, release what RESERVE gave it. `done` when they have ended."""
        self.target.nexuses.discard(self)
        self.target.domain.leave(self)
        units = list(self._attentions)
        self._attentions.clear()
        self._ready.clear()
        left = []
        for unit in units:
            unit.nexuses.discard(self)
            unit.preventing.discard(self)
            unit.echo.pop(self, None)
            if unit.drive is not None:
                unit.drive.forget(self)
            if unit.holder is self:
                unit.set_state(holder=None, stopped=unit.stopped)
            for key in [key for key in unit.copies if key[0] is self]:
                del unit.copies[key]
            tasks = self._tasks_in(unit)
            if tasks:
                left.append((unit, tasks))
                unit.drain(1)

        def drained() -> None:
            for unit, _ in left:
                unit.drain(-1)
            done()

        abort_all(left, drained)

    def busy_units(self) -> list[LogicalUnit]:
        """The units that have tasks of this nexus under way."""
        return [unit for unit in self._attentions if self._tasks_in(unit)]

    def set_rights(self, rights: Rights) -> None:
        """Change what this nexus may do, live. What it holds of a unit that it sees no longer ends; it is told."""
        before, self.rights = self.rights, rights
        self._dispatch = self.target.read_only_dispatch if rights.read_only else self.target.dispatch
        seen = set(self.units.values())
        self.refresh()
        for unit in seen - set(self.units.values()):
            if unit.holder is self:
                unit.set_state(holder=None, stopped=unit.stopped)
            unit.abort(self._tasks_in(unit), lambda: None)
        if before.luns != rights.luns:
            self.announce_luns()
        if before.read_only != rights.read_only:
            for unit in self.units.values():
                self.raise_attention(unit, mode_parameters_changed())

    def announce_luns(self) -> None:
        """The LUNs that it sees are others now: REPORTED LUNS DATA HAS CHANGED on each (SPC-4 6.33)."""
        for unit in self.units.values():
            self.raise_attention(unit, reported_luns_data_has_changed())

    def find(self, lun: int) -> LogicalUnit | None:
        """The unit of a LUN as on the wire, if this nexus sees it."""
        return self._forms.get(lun)

    def reset_unit(self, lun: int, done: Done) -> bool:
        """LOGICAL UNIT RESET. False, and no `done`, where there is no such unit; so for the other functions."""
        unit = self.find(lun)
        if unit is None:
            return False
        unit.reset(done)
        return True

    def abort_task(self, lun: int, task: Task, done: Done) -> bool:
        """ABORT TASK for a task of this nexus."""
        unit = self.find(lun)
        if unit is None:
            return False
        unit.abort([task], done)
        return True

    def abort_task_set(self, lun: int, done: Done) -> bool:
        """ABORT TASK SET: the tasks of this nexus."""
        unit = self.find(lun)
        if unit is None:
            return False
        unit.abort(self._tasks_in(unit), done)
        return True

    def clear_task_set(self, lun: int, done: Done) -> bool:
        """CLEAR TASK SET: the tasks of every nexus (TST is 0); the others are told."""
        unit = self.find(lun)
        if unit is None:
            return False
        for nexus in {nexus for nexus in unit.task_set.values() if nexus is not self}:
            nexus.raise_attention(unit, commands_cleared_by_another_initiator())
        unit.abort(list(unit.task_set), done)
        return True

    def raise_attention(self, unit: LogicalUnit, sense: Sense) -> None:
        """Establish a unit attention condition; one that is pending already is not doubled, which bounds them."""
        pending = self._attentions.get(unit)
        if pending is not None and sense not in pending:
            pending.append(sense)
            self.reconsider(unit)

    def take_attention(self, unit: LogicalUnit) -> Sense | None:
        """Report and so clear the oldest unit attention condition."""
        pending = self._attentions.get(unit)
        if not pending:
            return None
        sense = pending.pop(0)
        self.reconsider(unit)
        return sense

    def clear_attention(self, sense: Sense) -> None:
        """Clear a unit attention condition for every logical unit, unreported."""
        for unit, pending in self._attentions.items():
            if sense in pending:
                pending.remove(sense)
                self.reconsider(unit)

    def may_use(self, unit: LogicalUnit, *, writing: bool) -> bool:
        """Whether a command that reads or writes `unit` would be carried out for this nexus now."""
        return (
            unit in self._attentions
            and not (writing and self.rights.read_only)
            and not unit.closing
            and unit.erasure is None
            and not unit.draining
            and unit.holder in (None, self)
            and not unit.reservations.now.lost
            and unit.reservations.now.allows(self.id, Access.CHANGING if writing else Access.READING)
        )

    def ordering_of(self, unit: LogicalUnit, task: Task) -> Ordering:
        """What a command is to the order of its unit's task set."""
        return _BY_ATTRIBUTE.get(task.attribute) or self.target.commands_of(unit).ordering_of(task.cdb)

    def refresh(self) -> None:
        """Work out again which LUNs need no question. The target calls it when its units change."""
        self.units = {lun: unit for lun, unit in self.target.units.items() if self.rights.sees(lun)}
        units = set(self.units.values())
        self._attentions = {unit: self._attentions.get(unit, []) for unit in units}
        self._forms = {lun: unit for lun, unit in self.target.forms.items() if unit in units}
        self._ready = {lun: unit for lun, unit in self._forms.items() if self._is_ready(unit)}

    def reconsider(self, unit: LogicalUnit) -> None:
        """Work out again whether one unit needs no question."""
        ready = unit in self._attentions and self._is_ready(unit)
        for lun, each in self._forms.items():
            if each is unit:
                if ready:
                    self._ready[lun] = unit
                else:
                    self._ready.pop(lun, None)

    def _is_ready(self, unit: LogicalUnit) -> bool:
        return (
            not self._attentions[unit]
            and unit.drive is None
            and unit.ready
            and unit.erasure is None
            and not unit.draining
            and not unit.order.engaged
            and unit.holder in (None, self)
            and unit.reservations.now.is_unrestricted(self.id)
        )

    def _execute_carefully(self, task: Task) -> None:
        unit = self.find(task.lun)
        try:
            if task.attribute > TaskAttribute.HEAD_OF_QUEUE:  # there is no ACA condition, and no others are known
                raise ScsiError(invalid_message())
            if unit is None:
                self._execute_absent(task)
            else:
                unit.order.execute(self, task, self.ordering_of(unit, task))
        except (ScsiError, DeviceError) as error:
            sense = sense_of(error)
            task.finish(Status.CHECK_CONDITION, sense.fixed() if unit is None else unit.sense_data(sense))

    def execute_in_order(self, unit: LogicalUnit, task: Task) -> None:
        """For commands that may have to wait although nothing else is in their way."""
        unit.order.execute(self, task, self.ordering_of(unit, task))

    def execute_now(self, unit: LogicalUnit, task: Task) -> None:
        """Execute a command whose turn has come."""
        try:
            self._execute_checked(unit, task)
        except (ScsiError, DeviceError) as error:
            task.finish(Status.CHECK_CONDITION, unit.sense_data(sense_of(error)))

    def _execute_checked(self, unit: LogicalUnit, task: Task) -> None:
        # In the order of SAM-5 5.13 and SPC-4 5.7: a unit attention hides everything else, an unknown command is never
        # a reservation conflict, and fields are looked at last.
        cdb = task.cdb[:CDB_BYTES]
        commands = self.target.commands_of(unit)
        row = commands.get(cdb[0], None)
        if row is None or not row.ignores_attention:
            attention = self.take_attention(unit)
            if attention is not None:
                raise ScsiError(attention)
        row = row or commands.find(cdb)
        if unit.draining and not row.ignores_attention:
            # A write of a nexus that is gone is still under way: whoever comes back must not be overtaken by it.
            task.finish(Status.BUSY)
            return
        if self._is_shut_out(unit, row, cdb):
            task.finish(Status.RESERVATION_CONFLICT)
            return
        if unit.erasure is not None and not row.when_erasing:
            self._check_erasure(unit.erasure, row)
        check_fields(cdb, row.illegal)
        if not row.when_stopped:
            unit.check_ready()
        self._check_may_write(row)
        row.handler(self, unit, task)

    def _is_shut_out(self, unit: LogicalUnit, row: Command, cdb: bytes) -> bool:
        """Whether a reservation of others forbids the command. Raises ScsiError while nobody knows who has reserved."""
        if row.exempt is not None and row.exempt(cdb):
            return False
        if unit.holder not in (None, self) and not row.with_reservation:
            return True
        now = unit.reservations.now
        if now.lost and not row.when_lost:
            raise ScsiError(persistent_reservation_information_lost())
        return not now.allows(self.id, row.access)

    def _check_erasure(self, erasure: "Erasure", row: Command) -> None:
        """Refuse a command while the unit is being erased; after a failure those run that lead out of it."""
        if not (erasure.plan.failed and row.when_erasure_failed):
            raise ScsiError(erasure.refusal)

    def _execute_absent(self, task: Task) -> None:
        cdb = task.cdb[:CDB_BYTES]
        commands = self.target.commands
        well_known = task.lun == REPORT_LUNS_LUN
        handler = (commands.well_known if well_known else commands.absent).get(cdb[0])
        if handler is None:
            raise ScsiError(invalid_opcode() if well_known else logical_unit_not_supported())
        check_fields(cdb, commands.find(cdb).illegal)
        handler(self, task)

    def execute_found(self, unit: LogicalUnit, task: Task) -> None:
        """What the operation code alone does not decide: service actions, and codes that no command has."""
        row = self.target.commands.find(task.cdb)
        check_fields(task.cdb, row.illegal)
        self._check_may_write(row)
        row.handler(self, unit, task)

    def _check_may_write(self, row: Command) -> None:
        if row.writes and self.rights.read_only:
            raise ScsiError(write_protected())

    def _tasks_in(self, unit: LogicalUnit) -> list[Task]:
        return [task for task, nexus in unit.task_set.items() if nexus is self]


def refuse_write(nexus: Nexus, unit: LogicalUnit, task: Task) -> None:
    """Stands for every command that writes, for a nexus that may only read."""
    raise ScsiError(write_protected())


def abort_all(tasks: list[tuple[LogicalUnit, list[Task]]], done: Done) -> None:
    """Abort tasks of several units; `done` when all of them have ended."""
    left = len(tasks)

    def one_done() -> None:
        nonlocal left
        left -= 1
        if left == 0:
            done()

    if not tasks:
        done()
    for unit, unit_tasks in tasks:
        unit.abort(unit_tasks, one_done)
