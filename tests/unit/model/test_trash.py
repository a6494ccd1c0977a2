"""When a deleted target's files have all been moved."""

from lunaport.model.trash import TrashedLun, TrashedTarget


def lun(trash_file: str) -> TrashedLun:
    return TrashedLun(uuid="0" * 32, volume="default", file="luns/x", trash_file=trash_file, size_bytes=512)


def test_is_moved() -> None:
    assert TrashedTarget(id=1, name="x", trashed_at=0.0, luns=(lun(""), lun(""))).is_moved
    assert not TrashedTarget(id=1, name="x", trashed_at=0.0, luns=(lun(""), lun("trash/x"))).is_moved
