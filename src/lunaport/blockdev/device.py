"""The block device interface: what a logical unit needs from whatever holds its bytes.

Offsets and lengths are in bytes. A request is validated once, at the SCSI edge; below it is only asserted to lie inside
the device. `*_now` methods never wait for a disk and are called on the event loop; all others may block and are called
in a worker thread, several at a time.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Protocol

Buffer = memoryview
"""A writable or readable view of bytes; devices never keep one after the call returns."""


class DeviceFault(Enum):
    """What went wrong below, in the terms that decide the sense data."""

    MEDIUM_READ = "medium read"
    MEDIUM_WRITE = "medium write"
    NO_SPACE = "no space"
    READ_ONLY = "read only"
    GONE = "gone"
    FLUSH_FAILED = "flush failed"


class DeviceError(Exception):
    """A block device could not do what it was asked."""

    def __init__(self, fault: DeviceFault, detail: str) -> None:
        super().__init__(fault, detail)
        self.fault = fault
        self.detail = detail

    def __str__(self) -> str:
        return f"{self.fault.value}: {self.detail}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Extent:
    """A run of bytes that is all mapped or all unmapped: it reads as zeros, and is anchored if space is kept for it."""

    offset: int
    length: int
    mapped: bool
    anchored: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Space:
    """What a device takes up, and how much more there is for it and its neighbours together, of how much in all."""

    used_bytes: int
    free_bytes: int
    total_bytes: int


class BlockDevice(Protocol):
    """A disk made of bytes. WCE = 1: a write is durable only after `flush` returned."""

    @property
    def size_bytes(self) -> int:
        """Size now; it only grows."""

    @property
    def can_unmap(self) -> bool:
        """Whether `unmap` gives space back (VPD B2 LBPU, LBPME)."""

    @property
    def can_anchor(self) -> bool:
        """Whether `extents` tells the space without data that `write_zeroes` leaves (VPD B2 ANC_SUP)."""

    def read_now(self, offset: int, buffers: Sequence[Buffer]) -> int:
        """Fill `buffers` from `offset` as far as that needs no waiting; returns the bytes filled, 0 if it would block.

        What is short is then read whole by `read`. Raises DeviceError.
        """

    def read(self, offset: int, buffers: Sequence[Buffer]) -> None:
        """Fill all of `buffers` from `offset`. Blocks. Raises DeviceError."""

    def write_now(self, offset: int, buffers: Sequence[Buffer]) -> int:
        """Write as far as that needs no waiting; returns the bytes written, 0 if it would block. Raises DeviceError."""

    def write(self, offset: int, buffers: Sequence[Buffer]) -> None:
        """Write all of `buffers` at `offset`. Blocks. Raises DeviceError."""

    def write_atomic(self, offset: int, data: Buffer) -> None:
        """Write `data` at `offset` so that whatever happens, all of it is there afterwards or none. Blocks.

        It is durable after `flush`, like other writes. Raises DeviceError.
        """

    def flush(self) -> None:
        """Make every write that returned before this call durable. Blocks.

        Once it has failed it fails until the device is reopened: a later success would hide lost writes.
        """

    def unmap(self, offset: int, length: int) -> None:
        """Give the space of the range back; it reads as zeros. Blocks."""

    def write_zeroes(self, offset: int, length: int) -> None:
        """Make the range read as zeros while its space stays allocated where that is possible. Blocks."""

    def extents(self, offset: int, length: int) -> list[Extent]:
        """The mapped, anchored and other runs that cover the range, in order. Blocks."""

    def space(self) -> Space:
        """The space behind the device now. Blocks. Raises DeviceError."""

    def close(self) -> None:
        """Flush nothing, release everything."""
