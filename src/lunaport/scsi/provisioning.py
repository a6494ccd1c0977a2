"""UNMAP, WRITE SAME (10), (16), GET LBA STATUS (SBC-3 5.28, 5.49 to 5.51, 5.4): giving space back, filling with one
block, and telling which blocks have space.
"""

import struct

from lunaport.blockdev.device import BlockDevice, Extent
from lunaport.scsi.data_out import collect
from lunaport.scsi.extent import FIELDS_10, FIELDS_16, check_extent, length_error
from lunaport.scsi.limits import (
    LBA_STATUS_DESCRIPTORS_MAX,
    UNMAP_BLOCKS_MAX,
    UNMAP_DESCRIPTORS_MAX,
    WORK_BYTES,
    WRITE_SAME_BYTES_MAX,
)
from lunaport.scsi.logical_unit import LogicalUnit
from lunaport.scsi.nexus import Nexus
from lunaport.scsi.ranges import Span
from lunaport.scsi.reply import run, send
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

_STATUS_HEADER = struct.Struct(">I4x")
_STATUS_DESCRIPTOR = struct.Struct(">QIB3x")
_STATUS_BLOCKS_MAX = 0xFFFFFFFF
_MAPPED, _DEALLOCATED, _ANCHORED = 0x0, 0x1, 0x2

_UNMAP, _UNMAP_BIT = 0x08, 3
_ANCHOR, _ANCHOR_BIT = 0x10, 4
_NDOB = 0x01


def unmap(nexus: Nexus, unit: LogicalUnit, task: Task) -> None:
    if not unit.thin:
        raise ScsiError(invalid_opcode())
    anchor = bool(task.cdb[1])
    if anchor and not unit.can_anchor:
        raise ScsiError(invalid_field_in_cdb(1, 0))
    unit.check_writable()
    length = int.from_bytes(task.cdb[7:9])
    if length == 0:
        task.good()
        return

    def then(parameters: bytes) -> None:
        extents = parse_unmap(parameters, unit)
        start = min((offset for offset, _ in extents), default=0)
        end = max((offset + size for offset, size in extents), default=0)
        span = Span(start, end - start, writes=True)
        run(nexus, unit, task, lambda: _unmap_all(unit.device, task, extents, anchor=anchor), over=span)

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


def _unmap_all(device: BlockDevice, task: Task, extents: list[tuple[int, int]], *, anchor: bool) -> None:
    for offset, length in extents:
        if task.aborted:
            return
        (device.write_zeroes if anchor else device.unmap)(offset, length)


def write_same_10(nexus: Nexus, unit: LogicalUnit, task: Task) -> None:
    flags, lba, blocks = FIELDS_10(task.cdb)
    _write_same(nexus, unit, task, flags, lba, blocks)


def write_same_16(nexus: Nexus, unit: LogicalUnit, task: Task) -> None:
    flags, lba, blocks = FIELDS_16(task.cdb)
    _write_same(nexus, unit, task, flags, lba, blocks)


def _write_same(nexus: Nexus, unit: LogicalUnit, task: Task, flags: int, lba: int, blocks: int) -> None:
    unit.check_writable()
    if flags & _UNMAP and not unit.thin:
        raise ScsiError(invalid_field_in_cdb(1, _UNMAP_BIT))
    if flags & _ANCHOR and not (flags & _UNMAP and unit.can_anchor):
        raise ScsiError(invalid_field_in_cdb(1, _ANCHOR_BIT))
    check_extent(unit, task.cdb[0], lba, blocks, WRITE_SAME_BYTES_MAX >> unit.shift)
    if blocks == 0:
        # To the end of the medium; a thin one says in VPD page B0 that it does not take that (WSNZ).
        blocks = unit.block_count - lba
        if unit.thin or blocks > WRITE_SAME_BYTES_MAX >> unit.shift:
            raise ScsiError(length_error(task.cdb[0]))
    offset, length = lba << unit.shift, blocks << unit.shift

    def then(block: bytes) -> None:
        run(
            nexus,
            unit,
            task,
            lambda: _fill(unit.device, task, offset, length, block, unmap=flags & (_UNMAP | _ANCHOR) == _UNMAP),
            over=Span(offset, length, writes=True),
        )

    if flags & _NDOB:
        then(bytes(unit.block_size_bytes))
    elif task.expected_length != unit.block_size_bytes:
        # Less cannot be written; more says that the initiator has another block size in mind.
        raise ScsiError(wrong_data_length())
    else:
        collect(nexus, unit, task, unit.block_size_bytes, then)


def _fill(device: BlockDevice, task: Task, offset: int, length: int, block: bytes, *, unmap: bool) -> None:
    """Blocks may only be unmapped where they then read as what was to be written: as zeros. Else those are anchored."""
    if any(block):
        chunk = memoryview(block * (min(length, WORK_BYTES) // len(block)))
        for start in range(offset, offset + length, WORK_BYTES):
            if task.aborted:
                return
            device.write(start, [chunk[: min(WORK_BYTES, offset + length - start)]])
    elif unmap:
        device.unmap(offset, length)
    else:
        device.write_zeroes(offset, length)


def get_lba_status(nexus: Nexus, unit: LogicalUnit, task: Task) -> None:
    lba, allocation_length = struct.unpack_from(">2xQI", task.cdb)
    check_extent(unit, task.cdb[0], lba, 0, 0)
    offset = lba << unit.shift
    room = (allocation_length - _STATUS_HEADER.size) // _STATUS_DESCRIPTOR.size
    found: list[Extent] = []

    def work() -> None:
        found.extend(unit.device.extents(offset, (unit.block_count << unit.shift) - offset))

    def answer() -> None:
        runs = block_runs(found, unit)[: max(1, min(room, LBA_STATUS_DESCRIPTORS_MAX))]
        data = b"".join(
            _STATUS_DESCRIPTOR.pack(start, min(blocks, _STATUS_BLOCKS_MAX), status) for start, blocks, status in runs
        )
        header = _STATUS_HEADER.pack(len(data) + _STATUS_HEADER.size - 4)
        send(task, header + data, allocation_length)

    run(nexus, unit, task, work, answer=answer)


def block_runs(extents: list[Extent], unit: LogicalUnit) -> list[tuple[int, int, int]]:
    """Extents as (LBA, blocks, provisioning status), joined where neighbours are alike; mixed blocks count as mapped.

    A run that is longer than a descriptor can say is the last.
    """
    runs: list[tuple[int, int, int]] = []
    done = extents[0].offset >> unit.shift if extents else 0

    def add(end: int, status: int) -> None:
        nonlocal done
        if end <= done:
            return
        if runs and runs[-1][2] == status:
            start, _, _ = runs.pop()
            runs.append((start, end - start, status))
        else:
            runs.append((done, end - done, status))
        done = end

    for extent in extents:
        end = extent.offset + extent.length
        if extent.mapped:
            add(-(-end >> unit.shift), _MAPPED)
        else:
            add(-(-extent.offset >> unit.shift), _MAPPED)
            add(end >> unit.shift, _ANCHORED if extent.anchored else _DEALLOCATED)
    long = next((index for index, (_, blocks, _) in enumerate(runs) if blocks > _STATUS_BLOCKS_MAX), len(runs))
    return runs[: long + 1]
