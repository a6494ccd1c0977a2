"""Disks as they are opened: with the reservations that lie beside their files."""

from pathlib import Path

from lunaport.engine.embedded.loop import Loop
from lunaport.engine.embedded.targets import open_disk
from lunaport.engine.interface import LunSpec
from lunaport.scsi.enums import ReservationType
from lunaport.scsi.reservation_store import serialize_reservations
from lunaport.scsi.reservations import NexusId, Reservations
from lunaport.storage.sidecar import ReservationsSidecar
from lunaport.storage.volume import create_file

SIZE = 1 << 20
NODE = NexusId(initiator_port="iqn.2026-11.test:node,i,0x800000000001", target_port=1)
KEPT = Reservations(registrations={NODE: 10}, type=ReservationType.EXCLUSIVE_ACCESS, holder=NODE, persist=True)


def reservations_of(tmp_path: Path) -> Reservations:
    """What counts after the disk was opened."""
    loop = Loop()
    disk = open_disk(loop, LunSpec(lun=0, uuid="0" * 32, path=str(tmp_path / "disk"), size_bytes=SIZE))
    disk.close(lambda _: None)
    loop.close()
    return disk.unit.reservations.now


def test_a_disk_comes_with_the_reservations_it_had(tmp_path: Path) -> None:
    create_file(str(tmp_path / "disk"), SIZE)
    assert reservations_of(tmp_path) == Reservations()
    ReservationsSidecar(str(tmp_path / "disk")).save(serialize_reservations(KEPT))
    assert reservations_of(tmp_path) == KEPT


def test_a_disk_whose_reservations_are_damaged_is_opened_and_lets_nobody_in(tmp_path: Path) -> None:
    create_file(str(tmp_path / "disk"), SIZE)
    for damage in (b"", b"something", b"lunaport 2 sha256 of another time\n{}"):
        (tmp_path / "disk.reservations").write_bytes(damage)
        assert reservations_of(tmp_path).lost
