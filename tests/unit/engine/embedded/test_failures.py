"""What is told of failures: once when they begin, once when they end, and all of them to who asks."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from lunaport.blockdev.device import DeviceFault
from lunaport.engine.embedded.failures import QUIET_S, Failures
from lunaport.engine.embedded.inspection import STALLED_AFTER_S, Inspection
from lunaport.engine.embedded.journal import Journal
from lunaport.engine.embedded.loop import Loop
from lunaport.engine.embedded.portals import Portals
from lunaport.engine.embedded.targets import TargetTable
from lunaport.engine.interface import LunSpec, TargetSpec
from lunaport.scsi.reservations import Reservations

SIZE = 1 << 20
NAME = "iqn.2026-11.test:a"


class Stand:
    """Failures on one disk and one portal, under a clock of the test's."""

    def __init__(self, path: Path) -> None:
        self.now = 1000.0
        self.path = path
        self.loop = Loop()
        self.journal = Journal(self.loop, "run")
        self.portals = Portals(self.loop, lambda *_: None)
        self.targets = TargetTable(self.loop, lambda: self.now)
        self.failures = Failures(self.journal, clock=lambda: self.now, wall_clock=lambda: self.now)
        self.inspection = Inspection(self.loop, self.portals, self.targets, self.failures, lambda: self.now)
        with path.open("wb") as file:
            file.truncate(SIZE)
        lun = LunSpec(lun=0, uuid="a" * 32, path=str(path), size_bytes=SIZE)
        self.targets.open(TargetSpec(name=NAME, luns=(lun,)), partly=False)
        self.device = self.targets.targets[NAME].disks[0].device

    def told(self) -> list[str]:
        """The events since the last call."""
        self.failures.tell(self.portals, self.targets)
        kinds = [event.kind for event in self.journal.events]
        self.journal.events.clear()
        return kinds


@pytest.fixture
def stand(tmp_path: Path) -> Iterator[Stand]:
    stand = Stand(tmp_path / "disk")
    yield stand
    stand.targets.close(NAME, lambda _: None)
    stand.loop.close()


def test_errors_are_one_trouble_until_it_is_quiet(stand: Stand) -> None:
    assert stand.told() == []
    for _ in range(5):
        stand.device.errors.note(DeviceFault.NO_SPACE, "No space left on device")
    assert stand.told() == ["disk_error"]
    (trouble,) = stand.failures.troubles()
    assert (trouble.kind, trouble.subject, trouble.since) == ("disk_errors", f"{NAME} LUN 0", 1000.0)
    assert trouble.reason == "no space (No space left on device), 5 times"
    stand.now += QUIET_S - 1
    stand.device.errors.note(DeviceFault.NO_SPACE, "No space left on device")
    assert stand.told() == []
    stand.now += QUIET_S - 1
    assert stand.told() == []
    stand.now += 1
    assert stand.told() == ["disk_error_over"]
    assert stand.failures.troubles() == []
    stand.device.errors.note(DeviceFault.NO_SPACE, "No space left on device")
    assert stand.told() == ["disk_error"]


def test_a_removed_file_is_found_without_a_command(stand: Stand) -> None:
    stand.path.unlink()
    stand.device.check()
    assert stand.told() == ["disk_failed"]
    assert stand.told() == []
    (trouble,) = stand.failures.troubles()
    assert (trouble.kind, trouble.reason) == ("disk", "the file was removed")


def test_a_file_system_that_does_not_answer_is_told(stand: Stand) -> None:
    stand.inspection.began = stand.now
    stand.now += STALLED_AFTER_S + 1
    stand.inspection._look()
    (trouble,) = stand.failures.troubles()
    assert trouble.kind == "storage"
    stand.inspection._checked(None)
    assert stand.failures.troubles() == []


def test_reservations_that_are_lost_are_told_until_they_are_replaced(stand: Stand) -> None:
    book = stand.targets.targets[NAME].disks[0].unit.reservations
    book.now = Reservations(lost=True, persist=True)
    assert stand.told() == ["reservations_lost"]
    assert stand.told() == []
    (trouble,) = stand.failures.troubles()
    assert (trouble.kind, trouble.subject) == ("reservations", f"{NAME} LUN 0")
    book.now = Reservations()
    assert stand.told() == ["reservations_replaced"]
    assert stand.failures.troubles() == []


def test_of_targets_that_were_not_changed_everything_stays_as_it_was(stand: Stand, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.write_bytes(bytes(SIZE))
    lun = LunSpec(lun=0, uuid="b" * 32, path=str(other), size_bytes=SIZE)
    stand.targets.open(TargetSpec(name=f"{NAME}-other", luns=(lun,)), partly=False)
    stand.device.errors.note(DeviceFault.NO_SPACE, "No space left on device")
    stand.targets.targets[NAME].missing[1] = "it is not there"
    stand.failures.tell(stand.portals, stand.targets, {f"{NAME}-other"})
    assert list(stand.journal.events) == [], "nobody looked"
    assert stand.told() == ["disk_failed", "disk_error"]
    stand.failures.tell(stand.portals, stand.targets, {f"{NAME}-other", "iqn.2026-11.test:gone"})
    assert len(stand.failures.troubles()) == 2
    del stand.targets.targets[NAME].missing[1]
    stand.failures.tell(stand.portals, stand.targets, {NAME})
    assert [trouble.kind for trouble in stand.failures.troubles()] == ["disk_errors"]
    stand.targets.close(f"{NAME}-other", lambda _: None)
