"""Commands that are one indivisible step: COMPARE AND WRITE, ORWRITE (16), WRITE ATOMIC (16).

SBC-3 5.2 and 5.7, SBC-4 5.47. Each works in the background on its range alone (`ranges`), so no other command sees or
changes the range in between. WRITE ATOMIC is whole after a crash too: that is its device's part.
"""

import struct

from lunaport.blockdev.device import BlockDevice
from lunaport.scsi.data_out import collect, stream
from lunaport.scsi.extent import FIELDS_16, check_extent
from lunaport.scsi.limits import ATOMIC_BYTES_MAX, COMPARE_BLOCKS_MAX, WORK_BYTES
from lunaport.scsi.logical_unit import LogicalUnit
from lunaport.scsi.nexus import Nexus
from lunaport.scsi.ranges import Span
from lunaport.scsi.reply import run
from lunaport.scsi.sense import ScsiError, invalid_field_in_cdb, miscompare, wrong_data_length
from lunaport.scsi.task import Task

_FIELDS_COMPARE = struct.Struct(">xBQ3xB").unpack_from
_FIELDS_ATOMIC = struct.Struct(">xBQ2xH").unpack_from
_COMPARE_LENGTH_FIELD = 13
_ATOMIC_LENGTH_FIELD = 12
_FUA = 0x08


def compare_and_write(nexus: Nexus, unit: LogicalUnit, task: Task) -> None:
    """The data-out holds what has to be there, then what takes its place."""
    unit.check_writable()
    flags, lba, blocks = _FIELDS_COMPARE(task.cdb)
    check_extent(unit, task.cdb[0], lba, blocks, COMPARE_BLOCKS_MAX, _COMPARE_LENGTH_FIELD)
    offset, length = lba << unit.shift, blocks << unit.shift
    if not length:
        # 256 blocks do not fit the field: who brings their data means more than nothing.
        if task.expected_length:
            raise ScsiError(invalid_field_in_cdb(_COMPARE_LENGTH_FIELD))
        task.good()
        return
    if task.expected_length != 2 * length:
        raise ScsiError(wrong_data_length())

    def then(data: bytes) -> None:
        if len(data) < 2 * length:
            raise ScsiError(wrong_data_length())
        view = memoryview(data)

        def work() -> None:
            _compare(unit.device, offset, view[:length])
            unit.device.write(offset, [view[length:]])
            if flags & _FUA:
                unit.device.flush()

        run(nexus, unit, task, work, over=Span(offset, length, writes=True))

    collect(nexus, unit, task, 2 * length, then)


def _compare(device: BlockDevice, offset: int, expected: memoryview) -> None:
    found = bytearray(len(expected))
    device.read(offset, [memoryview(found)])
    if found != expected:
        first = next(index for index, (a, b) in enumerate(zip(found, expected, strict=True)) if a != b)
        raise ScsiError(miscompare(first))


def orwrite_16(nexus: Nexus, unit: LogicalUnit, task: Task) -> None:
    unit.check_writable()
    flags, lba, blocks = FIELDS_16(task.cdb)
    check_extent(unit, task.cdb[0], lba, blocks, unit.transfer_blocks_max)
    stream(
        nexus,
        unit,
        task,
        lba << unit.shift,
        blocks << unit.shift,
        move_now=lambda offset, buffers: 0,
        move=lambda offset, buffers: _or(unit.device, offset, buffers[0]),
        after=unit.device.flush if flags & _FUA else None,
    )


def _or(device: BlockDevice, offset: int, data: memoryview) -> None:
    for start in range(0, len(data), WORK_BYTES):
        piece = data[start : start + WORK_BYTES]
        found = bytearray(len(piece))
        device.read(offset + start, [memoryview(found)])
        result = int.from_bytes(found) | int.from_bytes(piece)
        device.write(offset + start, [memoryview(result.to_bytes(len(piece)))])


def write_atomic_16(nexus: Nexus, unit: LogicalUnit, task: Task) -> None:
    unit.check_writable()
    flags, lba, blocks = _FIELDS_ATOMIC(task.cdb)
    check_extent(unit, task.cdb[0], lba, blocks, ATOMIC_BYTES_MAX >> unit.shift, _ATOMIC_LENGTH_FIELD)
    offset, length = lba << unit.shift, blocks << unit.shift
    if not length:
        task.good()
        return
    if task.expected_length < length:
        raise ScsiError(invalid_field_in_cdb(_ATOMIC_LENGTH_FIELD))

    def then(data: bytes) -> None:
        if len(data) < length:
            raise ScsiError(wrong_data_length())

        def work() -> None:
            unit.device.write_atomic(offset, memoryview(data))
            if flags & _FUA:
                unit.device.flush()

        run(nexus, unit, task, work, over=Span(offset, length, writes=True))

    collect(nexus, unit, task, length, then)
