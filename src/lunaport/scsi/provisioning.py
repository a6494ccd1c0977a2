"""UNMAP, WRITE SAME (10), (16) (SBC-3 5.28, 5.49 to 5.51): giving space back, and filling with one block."""

import struct

from lunaport.blockdev.device import BlockDevice
from lunaport.scsi.data_out import collect
from lunaport.scsi.extent import FIELDS_10, FIELDS_16, check_extent, length_error
from lunaport.scsi.limits import (
    UNMAP_BLOCKS_MAX,
    UNMAP_DESCRIPTORS_MAX,
    WRITE_SAME_BYTES_MAX,
    WRITE_SAME_CHUNK_BYTES,
)
from lunaport.scsi.logical_unit import LogicalUnit
from lunaport.scsi.nexus import Nexus
from lunaport.scsi.reply import run
from lunaport.scsi.sense import (
    ScsiError,
    invalid_field_in_cdb,
    invalid_field_in_parameter_list,
    invalid_opcode,
    lba_out_of_range,
    parameter_list_length_error,
    wrong_data_length,
)
from lunaport.scsi.task import Task

_UNMAP_HEADER = struct.Struct(">2xH4x")
_UNMAP_DESCRIPTOR = struct.Struct(">QI4x")

_UNMAP = 0x08
_UNMAP_BIT = 3
_NDOB = 0x01


def unmap(nexus: Nexus, unit: LogicalUnit, task: Task) -> None:
    if not unit.thin:
        raise ScsiError(invalid_opcode())
    length = int.from_bytes(task.cdb[7:9])
    if length == 0:
        task.good()
        return

    def then(parameters: bytes) -> None:
        extents = parse_unmap(parameters, unit)
        run(nexus, unit, task, lambda: _unmap_all(unit.device, task, extents))

    collect(nexus, unit, task, length, then)


def parse_unmap(parameters: bytes, unit: LogicalUnit) -> list[tuple[int, int]]:
    """The (offset, length) in bytes of each range of an UNMAP parameter list (SBC-3 5.28.2). Raises ScsiError."""
    if len(parameters) < _UNMAP_HEADER.size:
        raise ScsiError(parameter_list_length_error())
    (descriptors_length,) = _UNMAP_HEADER.unpack_from(parameters)
    if descriptors_length > len(parameters) - _UNMAP_HEADER.size:
        raise ScsiError(parameter_list_length_error())
    count = descriptors_length // _UNMAP_DESCRIPTOR.size  # an incomplete last descriptor is ignored, as SBC-3 says
    if count > UNMAP_DESCRIPTORS_MAX:
        raise ScsiError(invalid_field_in_parameter_list(2))
    extents: list[tuple[int, int]] = []
    left = UNMAP_BLOCKS_MAX
    for index in range(count):
        start = _UNMAP_HEADER.size + index * _UNMAP_DESCRIPTOR.size
        lba, blocks = _UNMAP_DESCRIPTOR.unpack_from(parameters, start)
        if lba + blocks > unit.block_count:
            raise ScsiError(lba_out_of_range())
        left -= blocks
        if left < 0:
            raise ScsiError(invalid_field_in_parameter_list(start + 8))
        if blocks:
            extents.append((lba << unit.shift, blocks << unit.shift))
    return extents


def _unmap_all(device: BlockDevice, task: Task, extents: list[tuple[int, int]]) -> None:
    for offset, length in extents:
        if task.aborted:
            return
        device.unmap(offset, length)


def write_same_10(nexus: Nexus, unit: LogicalUnit, task: Task) -> None:
    flags, lba, blocks = FIELDS_10(task.cdb)
    _write_same(nexus, unit, task, flags, lba, blocks)


def write_same_16(nexus: Nexus, unit: LogicalUnit, task: Task) -> None:
    flags, lba, blocks = FIELDS_16(task.cdb)
    _write_same(nexus, unit, task, flags, lba, blocks)


def _write_same(nexus: Nexus, unit: LogicalUnit, task: Task, flags: int, lba: int, blocks: int) -> None:
    if flags & _UNMAP and not unit.thin:
        raise ScsiError(invalid_field_in_cdb(1, _UNMAP_BIT))
    check_extent(unit, task.cdb[0], lba, blocks, WRITE_SAME_BYTES_MAX >> unit.shift)
    if blocks == 0:  # would mean "to the end of the medium"; VPD page B0 says that it is not (WSNZ)
        raise ScsiError(length_error(task.cdb[0]))
    offset, length = lba << unit.shift, blocks << unit.shift

    def then(block: bytes) -> None:
        run(nexus, unit, task, lambda: _fill(unit.device, task, offset, length, block, unmap=bool(flags & _UNMAP)))

    if flags & _NDOB:
        then(bytes(unit.block_size_bytes))
    elif task.expected_length != unit.block_size_bytes:
        # Less cannot be written; more says that the initiator has another block size in mind.
        raise ScsiError(wrong_data_length())
    else:
        collect(nexus, unit, task, unit.block_size_bytes, then)


def _fill(device: BlockDevice, task: Task, offset: int, length: int, block: bytes, *, unmap: bool) -> None:
    """Blocks may only be unmapped where they then read as what was to be written: as zeros."""
    if any(block):
        chunk = memoryview(block * (min(length, WRITE_SAME_CHUNK_BYTES) // len(block)))
        for start in range(offset, offset + length, WRITE_SAME_CHUNK_BYTES):
            if task.aborted:
                return
            device.write(start, [chunk[: min(WRITE_SAME_CHUNK_BYTES, offset + length - start)]])
    elif unmap:
        device.unmap(offset, length)
    else:
        device.write_zeroes(offset, length)
