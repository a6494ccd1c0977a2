"""What the logical units of the targets tell of themselves: reservations held, and long work under way.

Only looked at, on the event loop: nothing here changes anything. What is told of one unit, and in all, is bounded.
"""

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Final

from lunaport.engine.unit_state import WORK_MAX, Registration, ReservationReport, WorkReport
from lunaport.scsi.logical_unit import LogicalUnit
from lunaport.scsi.reservations import NexusId

if TYPE_CHECKING:  # the data process makes both
    from lunaport.engine.embedded.session import Session
    from lunaport.engine.embedded.targets import Target

REGISTRATIONS_MAX: Final = 256
"""Of one unit; there may be more."""


def name_of(port: str) -> str:
    """The name of the initiator whose port this is: `<name>,i,0x<ISID>`."""
    return port.partition(",i,")[0]


def report_reservations(target: "Target | None") -> list[ReservationReport]:
    """Each unit of a target that is reserved, has registrations, or has lost them."""
    if target is None:
        return []
    units = target.scsi.units.items()
    return [report for lun, unit in units if (report := _reservations(lun, unit)) is not None]


def _reservations(lun: int, unit: LogicalUnit) -> ReservationReport | None:
    now = unit.reservations.now
    if unit.holder is not None:
        return ReservationReport(
            lun=lun, type="reserve", registrations=(_registration(unit.holder.id, 0, True),), count=1
        )
    if now.type is None and not now.registrations and not now.lost:
        return None
    shown = [
        _registration(nexus, key, now.type is not None and now.is_holder(nexus))
        for nexus, key in list(now.registrations.items())[:REGISTRATIONS_MAX]
    ]
    return ReservationReport(
        lun=lun,
        type="" if now.type is None else now.type.name.lower(),
        generation=now.generation,
        persistent=now.persist,
        lost=now.lost,
        registrations=tuple(shown),
        count=len(now.registrations),
    )


def _registration(nexus: NexusId, key: int, holder: bool) -> Registration:
    port = nexus.initiator_port
    return Registration(
        initiator=name_of(port), port=port, portal_group=nexus.target_port, key=f"{key:016x}" if key else "",
        holder=holder,
    )  # fmt: skip


def report_work(targets: Iterable["Target"], sessions: Iterable["Session"], *, draining: bool) -> list[WorkReport]:
    """What takes long and is under way: erasures, copies, draining. At most WORK_MAX of them."""
    found: list[WorkReport] = []
    left: dict[str, int] = {}
    for session in sessions:
        if session.target is not None:
            left[session.outcome.target_name] = left.get(session.outcome.target_name, 0) + 1
    if draining:
        found.append(WorkReport(kind="drain", sessions=sum(left.values())))
    for target in targets:
        name = target.spec.name
        if target.spec.draining:
            found.append(WorkReport(kind="drain", target=name, sessions=left.get(name, 0)))
        for lun, unit in target.scsi.units.items():
            if unit.erasure is not None or unit.copies:
                found += _unit_work(name, lun, unit)
        if len(found) >= WORK_MAX:
            break
    return found[:WORK_MAX]


def _unit_work(target: str, lun: int, unit: LogicalUnit) -> Iterator[WorkReport]:
    erasure = unit.erasure
    if erasure is not None:
        yield WorkReport(
            kind="sanitize" if erasure.plan.sanitize else "format",
            target=target,
            lun=lun,
            done_bytes=0 if erasure.plan.failed else erasure.done_bytes,
            total_bytes=erasure.total_bytes,
            failed=erasure.plan.failed,
        )
    for (nexus, _), record in unit.copies.items():
        if record.operation is not None:
            yield WorkReport(
                kind="copy",
                target=target,
                lun=lun,
                done_bytes=record.bytes_done,
                total_bytes=sum(move.length for move in record.operation.moves),
                initiator=name_of(nexus.id.initiator_port),
            )
