"""The persistent reservations of a LUN, in a companion of its file.

Invariant: what does not match its checksum is an error until something else is saved, and is kept under another name
then. An empty list would let a host in that the others had shut out.
"""

import contextlib
import hashlib
from pathlib import Path

from lunaport.blockdev.device import DeviceError
from lunaport.storage.companion import DRAFT, Companion

RESERVATIONS, DAMAGED = ".reservations", ".reservations.damaged"
SUFFIXES = (RESERVATIONS, DAMAGED, RESERVATIONS + DRAFT)
"""What can lie beside a file, by what is added to its name."""

_MAGIC = b"lunaport 1 sha256 "


class ReservationsSidecar(Companion):
    """Of the LUN on the file at `path`: a `scsi.reservation_store.ReservationStore`."""

    bytes_max = 1 << 20

    def __init__(self, path: str) -> None:
        super().__init__(path, RESERVATIONS)
        self._damaged = Path(path + DAMAGED)
        self._is_damaged = False

    def load(self) -> bytes | None:
        """The document saved last, None where there is none. Raises DeviceError."""
        try:
            return super().load()
        except DeviceError:
            self._is_damaged = True
            raise

    def save(self, document: bytes | None) -> None:
        """Put a document in place of the one before; None: leave none. Raises DeviceError."""
        super().save(document)
        self._is_damaged = False

    def _before_save(self) -> None:
        """Keep a damaged one for whoever wants to look into it, as far as the file system allows.

        By a second name, not by a move: between move and replacement there would be none at all.
        """
        if self._is_damaged:
            with contextlib.suppress(OSError):
                self._damaged.unlink(missing_ok=True)
                self._damaged.hardlink_to(self._path)

    def _seal(self, document: bytes) -> bytes:
        return _head(document) + b"\n" + document

    def _unseal(self, content: bytes) -> bytes | None:
        head, _, document = content.partition(b"\n")
        return document if head == _head(document) else None


def _head(document: bytes) -> bytes:
    return _MAGIC + hashlib.sha256(document).hexdigest().encode()
