"""Drives on real files: images that come and go, trays that initiators move, what is left of that after a restart."""

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from lunaport.engine.embedded.media import report_medium
from lunaport.engine.interface import EngineError, LunSpec, MediumReport
from lunaport.scsi.nexus import Nexus
from lunaport.storage.image import open_image, remove_image
from lunaport.storage.volume import create_file, make_volume
from tests.unit.engine.embedded.test_lun_change import NAME, Stand
from tests.unit.scsi.support import FakeTask

SECTOR = 2048
READ = "28 00 00000000 00 0001 00"
EJECT, LOAD = "1B 00 00 00 02 00", "1B 00 00 00 03 00"
LOCK, UNLOCK = "1E 00 00 00 01 00", "1E 00 00 00 00 00"
CHANGED, NO_MEDIUM, TRAY_OPEN = (6, 0x2800), (2, 0x3A01), (2, 0x3A02)


class DriveStand(Stand):
    """A target with a drive at LUN 0, and two images."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        make_volume(str(folder / "v"))
        self.images = {}
        for letter in "ab":
            path = folder / "v" / "iso" / f"{letter}.iso"
            path.write_bytes(letter.encode() * SECTOR * 4)
            self.images[letter] = str(path)
        self.path = str(folder / "v" / "luns" / "drive")
        create_file(self.path, 0)

    def drive(self, letter: str = "", insertion: int = 0) -> LunSpec:
        """The drive with an image in it."""
        return LunSpec(
            lun=0, uuid="0" * 32, path=self.path, size_bytes=0, device_type="cdrom", block_size_bytes=SECTOR,
            physical_block_size_bytes=SECTOR, read_only=True, removable=True, write_cache=False, unmap=False,
            image=self.images[letter] if letter else "", insertion=insertion,
        )  # fmt: skip

    def restart(self, spec: LunSpec) -> Nexus:
        """Close the target and open it again."""
        ended: list[object] = []
        self.table.close(NAME, ended.append)
        self.run_until(partial(bool, ended))
        return self.open(spec)

    def read(self, nexus: Nexus) -> bytes:
        """The first byte."""
        return self.run(nexus, READ, data_in=SECTOR).data[:1]

    @property
    def report(self) -> MediumReport | None:
        return report_medium(self.target.disks[0], request_eject=False)


@pytest.fixture
def stand(tmp_path: Path) -> Iterator[DriveStand]:
    made = DriveStand(tmp_path)
    yield made
    ended: list[object] = []
    made.table.close(NAME, ended.append)
    made.run_until(partial(bool, ended))
    made.loop.close()


def test_images_come_and_go(stand: DriveStand) -> None:
    nexus = stand.open(stand.drive())
    assert stand.sense(nexus) == NO_MEDIUM
    assert stand.report == MediumReport(loaded=False)
    for number, letter in enumerate("ab", 1):
        assert stand.update(stand.drive(letter, number)) is None
        assert stand.sense(nexus) == CHANGED
        assert stand.read(nexus) == letter.encode()
        assert stand.report == MediumReport(loaded=True)
    remove_image(stand.images["a"])
    assert stand.update(stand.drive("", 3)) is None
    assert stand.sense(nexus) == NO_MEDIUM
    remove_image(stand.images["b"])


def test_an_image_that_is_not_there_leaves_the_one_that_is(stand: DriveStand) -> None:
    nexus = stand.open(stand.drive("a"))
    remove_image(stand.images["b"])
    assert isinstance(stand.update(stand.drive("b", 1)), EngineError)
    assert stand.read(nexus) == b"a"
    assert stand.sense(nexus) == (0, 0)


def test_a_drive_whose_image_is_gone_is_empty_and_says_so(stand: DriveStand) -> None:
    stand.open(stand.drive("a"))
    Path(stand.images["a"]).unlink()
    nexus = stand.restart(stand.drive("a"))
    assert stand.sense(nexus) == NO_MEDIUM
    assert "no such file" in stand.target.disks[0].failure
    assert stand.update(stand.drive("b", 1)) is None
    assert not stand.target.disks[0].failure


def test_who_reads_may_end(stand: DriveStand, monkeypatch: pytest.MonkeyPatch) -> None:
    nexus = stand.open(stand.drive("a"))
    image = stand.target.disks[0].image
    assert image is not None
    monkeypatch.setattr(image, "read_now", lambda offset, buffers: 0)
    task = FakeTask(bytes.fromhex(READ), expected_length=SECTOR)
    task.has_memory = False
    nexus.execute(task)
    assert stand.update(stand.drive("b", 1)) is None
    assert task.status is None
    task.take_loan()
    stand.run_until(lambda: task.status is not None)
    assert task.data[:1] == b"a"
    remove_image(stand.images["a"])


def test_a_tray_stays_open_over_a_restart_but_not_over_another_insertion(stand: DriveStand) -> None:
    nexus = stand.open(stand.drive("a", 1))
    assert stand.run(nexus, EJECT).status == 0
    assert stand.report == MediumReport(loaded=False, tray_open=True)
    nexus = stand.restart(stand.drive("a", 1))
    assert stand.sense(nexus) == TRAY_OPEN
    assert stand.run(nexus, LOAD).status == 0
    assert stand.read(stand.restart(stand.drive("a", 1))) == b"a"
    nexus = stand.target.scsi.attach("iqn.2026-11.test:j,i,0x1")
    assert stand.run(nexus, EJECT).status == 0
    assert stand.update(stand.drive("a", 2)) is None
    assert stand.sense(nexus) == CHANGED
    assert stand.read(nexus) == b"a"
    assert stand.run(nexus, EJECT).status == 0
    assert stand.read(stand.restart(stand.drive("a", 3))) == b"a", "put in while nothing ran"


def test_a_record_that_cannot_be_read_counts_for_nothing(stand: DriveStand) -> None:
    stand.open(stand.drive("a", 1))
    for damage in (b"", b"damaged"):
        Path(stand.path + ".tray").write_bytes(damage)
        assert stand.read(stand.restart(stand.drive("a", 1))) == b"a"


def test_a_lock_and_the_wish_to_end_it(stand: DriveStand) -> None:
    nexus = stand.open(stand.drive("a"))
    stand.run(nexus, LOCK)
    assert stand.report == MediumReport(loaded=True, locked_by=("iqn.2026-11.test:i",))
    disk = stand.target.disks[0]
    report_medium(disk, request_eject=True)
    assert stand.run(nexus, "4A 01 00 00 10 00 00 0008 00", data_in=8).data[4] == 1, "eject request"
    assert stand.update(stand.drive("b", 1)) is None
    assert stand.report == MediumReport(loaded=True), "the lock was on the one before"
    assert stand.table.medium(NAME, 0, request_eject=False) == stand.report
    assert stand.table.medium(NAME, 1, request_eject=False) is None
    assert stand.table.medium("iqn.2026-11.test:none", 0, request_eject=False) is None


def test_a_removable_disk_is_taken_out_and_put_in(stand: DriveStand) -> None:
    disk = stand.spec(0, removable=True)
    nexus = stand.open(disk)
    assert stand.update(replace(disk, medium_out=True, insertion=1)) is None
    assert stand.sense(nexus) == (2, 0x3A00)
    nexus = stand.restart(replace(disk, medium_out=True, insertion=1))
    assert stand.sense(nexus) == (2, 0x3A00)
    assert stand.update(replace(disk, insertion=2)) is None
    assert stand.sense(nexus) == CHANGED
    assert stand.run(nexus, EJECT).status == 0
    assert stand.sense(stand.restart(replace(disk, insertion=2))) == (2, 0x3A00), "as the initiator left it"
    fixed = stand.restart(stand.spec(0))
    assert stand.report is None
    assert stand.sense(fixed) == (0, 0)


def test_reservations_and_sense_format_of_a_drive_last(stand: DriveStand) -> None:
    nexus = stand.open(stand.drive("a"))
    register = bytes(8) + (7).to_bytes(8) + bytes(4) + b"\x01" + bytes(3)
    assert stand.run(nexus, "5F 00 00 00 00 00 00 0018 00", data_out=register).status == 0
    stand.restart(stand.drive("a"))
    assert len(stand.target.disks[0].unit.reservations.now.registrations) == 1


def test_an_image_is_shared_by_drives(stand: DriveStand) -> None:
    stand.open(stand.drive("a"))
    open_image(stand.images["a"], lambda: 0.0).close()
