"""What is left of a deleted target until its trash is emptied."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class TrashedLun:
    """A file of a deleted target. `trash_file` is empty once it has been moved: then `file` is where it lies."""

    uuid: str
    volume: str
    file: str
    trash_file: str
    size_bytes: int

    @property
    def is_moved(self) -> bool:
        """Whether the file lies in the trash already."""
        return not self.trash_file


@dataclass(frozen=True, slots=True, kw_only=True)
class TrashedTarget:
    """A deleted target."""

    id: int
    name: str
    trashed_at: float
    luns: tuple[TrashedLun, ...]

    @property
    def is_moved(self) -> bool:
        """Whether all its files lie in the trash."""
        return all(lun.is_moved for lun in self.luns)
