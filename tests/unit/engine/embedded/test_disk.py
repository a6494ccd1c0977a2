"""Disks as they are opened: with what lies beside their files."""

from pathlib import Path

import pytest

from lunaport.engine.embedded.disk import open_disk
from lunaport.engine.embedded.loop import Loop
from lunaport.engine.interface import LunSpec, StorageError
from lunaport.scsi.enums import ReservationType
from lunaport.scsi.erasure import ErasePlan, Method, serialize_plan
from lunaport.scsi.reservation_store import serialize_reservations
from lunaport.scsi.reservations import NexusId, Reservations
from lunaport.storage.companion import ERASING, Companion
from lunaport.storage.encrypted import KeyFile
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


def test_an_encrypted_disk_is_served_in_clear_and_its_key_can_be_destroyed(tmp_path: Path) -> None:
    path = str(tmp_path / "disk")
    spec = LunSpec(lun=0, uuid="0" * 32, path=path, size_bytes=SIZE, key="ab" * 32)
    create_file(path, SIZE)
    loop = Loop()
    with pytest.raises(StorageError, match="its key is missing"):
        open_disk(loop, spec)
    KeyFile(path, bytes.fromhex(spec.key)).create()
    disk = open_disk(loop, spec)
    disk.unit.device.write(0, [memoryview(b"secret".ljust(512))])
    assert disk.unit.erase_key is not None
    disk.close(lambda _: None)
    assert b"secret" not in Path(path).read_bytes()
    disk = open_disk(loop, spec)
    data = memoryview(bytearray(512))
    disk.unit.device.read(0, [data])
    assert bytes(data) == b"secret".ljust(512)
    disk.close(lambda _: None)
    loop.close()


@pytest.mark.parametrize("damage", [None, b"damaged"])
def test_a_disk_that_was_being_erased_is_not_served(tmp_path: Path, damage: bytes | None) -> None:
    path = str(tmp_path / "disk")
    create_file(path, SIZE)
    plan = ErasePlan(method=Method.OVERWRITE, sanitize=True, pattern=b"p")
    Companion(path, ERASING).save(serialize_plan(plan))
    if damage:
        Path(path + ERASING).write_bytes(damage)
    loop = Loop()
    disk = open_disk(loop, LunSpec(lun=0, uuid="0" * 32, path=path, size_bytes=SIZE))
    erasure = disk.unit.erasure
    assert erasure is not None
    assert erasure.plan.failed == bool(damage)
    disk.close(lambda _: loop.stop())
    if not damage:
        loop.run()
        assert Path(path + ERASING).exists()
    loop.close()
