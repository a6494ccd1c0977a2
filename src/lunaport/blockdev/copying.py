"""Copying from one block device to another, or within one.

A hole stays a hole where the destination can have holes. Ranges of one device may overlap: the result is as if all had
been read before anything was written, as long as one call sees them whole (a caller that works in chunks takes them
from the end where the destination lies behind the source). Blocks, and is called in a worker thread.
"""

from typing import Protocol, runtime_checkable

from lunaport.blockdev.device import BlockDevice, Extent

PIECE_BYTES = 256 << 10
"""What it takes of memory."""


@runtime_checkable
class CopiesFrom(Protocol):
    """A device that knows a quicker way than reading and writing."""

    def copy_from(self, source: BlockDevice, source_offset: int, offset: int, length: int) -> bool:
        """Copy, whole or not at all; False: there is no quicker way for this source. Blocks. Raises DeviceError.

        The ranges do not overlap.
        """


def copy_range(
    source: BlockDevice, source_offset: int, destination: BlockDevice, offset: int, length: int, *, overlap: bool
) -> None:
    """Copy `length` bytes. `overlap`: both ranges lie on the same device and share bytes. Raises DeviceError."""
    backwards = overlap and source_offset < offset
    extents = source.extents(source_offset, length)
    for extent in reversed(extents) if backwards else extents:
        to = offset + extent.offset - source_offset
        if not extent.mapped:
            fill_with_zeros(destination, to, extent.length)
        elif overlap or not _copy_quickly(source, destination, to, extent):
            _copy_by_reading(source, destination, to, extent, backwards=backwards)


def fill_with_zeros(destination: BlockDevice, offset: int, length: int) -> None:
    """Make a range read as zeros, and take no space where that is possible."""
    if destination.can_unmap:
        destination.unmap(offset, length)
    else:
        destination.write_zeroes(offset, length)


def _copy_quickly(source: BlockDevice, destination: BlockDevice, to: int, extent: Extent) -> bool:
    return isinstance(destination, CopiesFrom) and destination.copy_from(source, extent.offset, to, extent.length)


def _copy_by_reading(
    source: BlockDevice, destination: BlockDevice, to: int, extent: Extent, *, backwards: bool
) -> None:
    buffer = memoryview(bytearray(min(PIECE_BYTES, extent.length)))
    starts = range(0, extent.length, PIECE_BYTES)
    for start in reversed(starts) if backwards else starts:
        piece = buffer[: min(PIECE_BYTES, extent.length - start)]
        source.read(extent.offset + start, [piece])
        destination.write(to + start, [piece])
