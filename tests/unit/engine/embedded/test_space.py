"""What is told when a file system gets full."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from lunaport.blockdev.device import DeviceError, DeviceFault, Space
from lunaport.engine.embedded.journal import Journal
from lunaport.engine.embedded.space import SpaceWatch
from lunaport.scsi.nexus import Nexus

from .test_lun_change import NAME, Stand

GIB = 1 << 30
SCARCE = (6, 0x3807)


class FullVolume(Stand):
    """Two disks on one file system of 100 GiB, of which a test says how much is free."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.free_gib: float | None = 50.0
        self.asked = 0
        self.journal = Journal(self.loop, "run")
        self.watch = SpaceWatch(self.loop, self.table, self.journal)
        self.nexus: Nexus = self.open(
            self.spec(0, low_space_percent=10), self.spec(1, low_space_percent=20), self.spec(2, unmap=False)
        )
        for disk in self.target.disks.values():
            disk.device.space = self.space  # type: ignore[method-assign]  # the file system of this test

    def space(self) -> Space:
        self.asked += 1
        if self.free_gib is None:
            raise DeviceError(DeviceFault.GONE, "no answer")
        return Space(used_bytes=0, free_bytes=int(self.free_gib * GIB), total_bytes=100 * GIB)

    def look(self) -> None:
        """Look once, to the end."""
        asked = self.asked
        self.watch.look()
        self.run_until(lambda: self.asked > asked and not self.watch.asking)

    def events(self) -> list[str]:
        return [event.kind for event in self.journal.events]


@pytest.fixture
def volume(tmp_path: Path) -> Iterator[FullVolume]:
    made = FullVolume(tmp_path)
    yield made
    ended: list[object] = []
    made.table.close(NAME, ended.append)
    made.run_until(lambda: bool(ended))
    made.loop.close()


def test_one_look_at_a_file_system_serves_all_disks_on_it(volume: FullVolume) -> None:
    volume.look()
    assert (volume.asked, volume.events()) == (1, [])
    volume.free_gib = 15
    volume.look()
    assert [volume.sense(volume.nexus, lun) for lun in (0, 1, 2)] == [(0, 0), SCARCE, (0, 0)]
    volume.free_gib = 10
    volume.look()
    assert [volume.sense(volume.nexus, lun) for lun in (0, 1, 2)] == [SCARCE, (0, 0), (0, 0)]
    assert volume.events() == ["space_scarce"]
    volume.free_gib = 50
    volume.look()
    assert volume.events() == ["space_scarce", "space_enough"]


def test_a_file_system_that_does_not_answer_is_asked_again(volume: FullVolume) -> None:
    volume.free_gib = None
    volume.look()
    volume.free_gib = 1
    volume.look()
    assert volume.sense(volume.nexus) == SCARCE


def test_another_threshold_counts_from_the_next_look(volume: FullVolume) -> None:
    volume.look()
    spec = volume.target.spec
    assert volume.update(volume.spec(0, low_space_percent=60), *spec.luns[1:]) is None
    assert volume.table.specs()[NAME].luns[0].low_space_percent == 60
    volume.look()
    assert volume.sense(volume.nexus) == SCARCE
