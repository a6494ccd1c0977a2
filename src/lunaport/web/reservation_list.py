"""Reservations that initiators hold on the disks of a share, and who is registered."""

from collections.abc import Iterable
from typing import Final

from lunaport.service.nas import ReservationReport
from lunaport.web.markup import Html, badge, join, table, tag

TYPES: Final = {
    "write_exclusive": "Write exclusive: only the holder writes",
    "exclusive_access": "Exclusive access: only the holder reads and writes",
    "write_exclusive_registrants_only": "Write exclusive, registrants only: who is registered writes",
    "exclusive_access_registrants_only": "Exclusive access, registrants only: who is registered reads and writes",
    "write_exclusive_all_registrants": "Write exclusive, all registrants: who is registered holds it and writes",
    "exclusive_access_all_registrants": "Exclusive access, all registrants: who is registered holds it",
    "reserve": "Reserved (RESERVE of SPC-2): only the holder uses it",
    "": "Not reserved; registered are:",
}


def reservation_list(found: Iterable[ReservationReport]) -> Html:
    """A part for each LUN; a sentence where there is nothing."""
    parts = [_one(each) for each in found]
    return join(parts) if parts else tag("p", "No initiator holds a reservation or is registered.", class_="soft")


def _one(report: ReservationReport) -> Html:
    marks: list[object] = [badge("survives power loss", "good")] if report.persistent else []
    if report.lost:
        marks.append(badge("cannot be read: nobody is let in", "bad"))
    head = tag("p", tag("b", f"LUN {report.lun}"), " ", TYPES.get(report.type, report.type), " ", *marks)
    rows = [
        (
            join((each.initiator, tag("span", each.port.partition(",i,")[2], class_="under mono"))),
            tag("span", f"0x{each.key}" if each.key else "-", class_="mono"),
            each.portal_group,
            badge("holds it", "good") if each.holder else badge("registered"),
        )
        for each in report.registrations
    ]
    more = report.count - len(rows)
    return tag(
        "div",
        head,
        table(f"Registrations of LUN {report.lun}", ("Initiator", "Key", "Portal group", "State"), rows)
        if rows
        else "",
        tag("p", f"and {more} more", class_="hint") if more > 0 else "",
        class_="stack",
    )
