"""Images: files of CDs and DVDs in the folder of a volume, by their names."""

from dataclasses import dataclass
from typing import Final

from lunaport.model.errors import Fault, Path, invalid

NAME_BYTES_MAX: Final = 200
IMAGE_BYTES_MAX: Final = 128 << 30
"""Of one that is sent to the NAS; the largest disc holds less."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """An image as it lies in its volume."""

    volume: str
    name: str
    size_bytes: int
    modified_at: float = 0.0


def check_image_name(name: str, *path: str | int) -> None:
    """Raise InvalidError unless this is the name of one file: never a path, never hidden."""
    where: Path = path or ("image",)
    reason = ""
    if not name or len(name.encode(errors="replace")) > NAME_BYTES_MAX:
        reason = f"is not 1 to {NAME_BYTES_MAX} bytes long"
    elif "/" in name or name.startswith("."):
        reason = "is a path or begins with a dot"
    elif not name.isprintable() or any("\ud800" <= char <= "\udfff" for char in name):
        reason = "holds what cannot be printed"
    if reason:
        raise invalid(Fault.IMAGE_INVALID, f"{reason}; right would be the name of a file such as debian.iso", *where)
