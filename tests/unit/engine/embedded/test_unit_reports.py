"""What units tell of themselves: reservations of either kind, work under way, and that both are bounded."""

from dataclasses import replace
from types import SimpleNamespace
from typing import Any, cast

import pytest

from lunaport.engine.embedded import unit_reports
from lunaport.engine.embedded.session import Session
from lunaport.engine.embedded.unit_reports import report_reservations, report_work
from lunaport.engine.unit_state import WorkReport
from lunaport.scsi.copy_domain import Reach
from lunaport.scsi.copy_operation import CopyOperation, CopyRecord, Move
from lunaport.scsi.enums import ReservationType, ReserveOut
from lunaport.scsi.erasure import ErasePlan, Erasure, Method
from lunaport.scsi.reservations import NexusId, Reservations
from tests.unit.engine.embedded.test_lun_change import NAME, SIZE, Stand, stand
from tests.unit.scsi.persistent import basic_list, reserve_out_cdb
from tests.unit.scsi.support import FakeTask

__all__ = ["stand"]

RESERVE_6 = "16 00 00 00 00 00"
ME = "iqn.2026-11.test:i"


def test_a_target_that_nobody_reserved_has_nothing_to_tell(stand: Stand) -> None:
    stand.open(stand.spec(0), stand.spec(1))
    assert report_reservations(stand.target) == []
    assert report_reservations(None) == []


def test_a_persistent_reservation_and_its_registrations(stand: Stand) -> None:
    nexus = stand.open(stand.spec(0), stand.spec(1))
    data = basic_list(0, 0xAB, flags=1)
    assert stand.run(nexus, reserve_out_cdb(ReserveOut.REGISTER).hex(), 1, data_out=data).status == 0
    (report,) = report_reservations(stand.target)
    assert (report.lun, report.type, report.generation, report.count) == (1, "", 1, 1)
    assert not report.registrations[0].holder
    kind = ReservationType.EXCLUSIVE_ACCESS
    cdb = reserve_out_cdb(ReserveOut.RESERVE, kind).hex()
    assert stand.run(nexus, cdb, 1, data_out=basic_list(0xAB)).status == 0
    (report,) = report_reservations(stand.target)
    assert (report.type, report.persistent, report.lost) == ("exclusive_access", True, False)
    (registration,) = report.registrations
    assert (registration.initiator, registration.port) == (ME, f"{ME},i,0x1")
    assert (registration.key, registration.holder) == ("00000000000000ab", True)


def test_the_older_reserve_has_a_holder_and_no_key(stand: Stand) -> None:
    nexus = stand.open(stand.spec(0))
    assert stand.run(nexus, RESERVE_6).status == 0
    (report,) = report_reservations(stand.target)
    assert (report.type, report.registrations[0].initiator, report.registrations[0].key) == ("reserve", ME, "")
    assert report.count == 1


def test_lost_and_many_registrations(stand: Stand, monkeypatch: pytest.MonkeyPatch) -> None:
    stand.open(stand.spec(0))
    book = stand.target.disks[0].unit.reservations
    book.now = Reservations(lost=True)
    assert report_reservations(stand.target)[0].lost
    monkeypatch.setattr(unit_reports, "REGISTRATIONS_MAX", 2)
    ports = {NexusId(initiator_port=f"{ME}{number},i,0x1", target_port=1): number for number in range(1, 4)}
    book.now = Reservations(registrations=ports)
    (report,) = report_reservations(stand.target)
    assert (len(report.registrations), report.count) == (2, 3)


def test_an_erasure_says_how_far_it_is_and_that_it_failed(stand: Stand) -> None:
    stand.open(stand.spec(0))
    unit = stand.target.disks[0].unit
    erasure = Erasure(unit, ErasePlan(method=Method.OVERWRITE, sanitize=True, passes=2))
    erasure.done_bytes = 5
    unit.erasure = erasure
    (work,) = report_work(stand.table, (), draining=False)
    assert work == WorkReport(kind="sanitize", target=NAME, lun=0, done_bytes=5, total_bytes=2 * SIZE)
    erasure.plan = replace(erasure.plan, sanitize=False, failed=True)
    (work,) = report_work(stand.table, (), draining=False)
    assert (work.kind, work.failed, work.done_bytes) == ("format", True, 0)
    unit.erasure = None


def test_a_copy_says_how_far_it_is_and_for_whom(stand: Stand) -> None:
    nexus = stand.open(stand.spec(0))
    unit = stand.target.disks[0].unit
    moves = [Move(destination=Reach(nexus=nexus, unit=unit), offset=0, length=length) for length in (3, 4)]
    record = CopyRecord(service_action=0, list_id=1, bytes_done=2)
    unit.copies[nexus, 1] = record
    assert report_work(stand.table, (), draining=False) == [], "only its result is kept"
    record.operation = CopyOperation(nexus, unit, cast("Any", FakeTask(b"")), record, moves)
    (work,) = report_work(stand.table, (), draining=False)
    assert work == WorkReport(kind="copy", target=NAME, lun=0, done_bytes=2, total_bytes=7, initiator=ME)
    record.operation = None


def test_draining_says_who_is_left(stand: Stand, monkeypatch: pytest.MonkeyPatch) -> None:
    stand.open(stand.spec(0))
    discovery = SimpleNamespace(target=None)
    there = SimpleNamespace(target=stand.target, outcome=SimpleNamespace(target_name=NAME))
    sessions = cast("list[Session]", [discovery, there, there])
    assert report_work(stand.table, sessions, draining=False) == []
    assert report_work(stand.table, sessions, draining=True) == [WorkReport(kind="drain", sessions=2)]
    stand.target.spec = replace(stand.target.spec, draining=True)
    assert report_work(stand.table, sessions, draining=False) == [WorkReport(kind="drain", target=NAME, sessions=2)]
    monkeypatch.setattr(unit_reports, "WORK_MAX", 1)
    assert len(report_work(stand.table, sessions, draining=True)) == 1
