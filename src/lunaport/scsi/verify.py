"""VERIFY and WRITE AND VERIFY, (10), (12), (16) (SBC-3 5.33 to 5.36, 5.52 to 5.55).

VERIFY reads the medium back or compares it with data-out. WRITE AND VERIFY brings its data to the medium first.
"""

from collections.abc import Sequence

from lunaport.blockdev.device import BlockDevice, Buffer
from lunaport.scsi.data_out import collect, stream
from lunaport.scsi.enums import ByteCheck
from lunaport.scsi.extent import FIELDS_10, FIELDS_12, FIELDS_16, check_extent
from lunaport.scsi.limits import WORK_BYTES
from lunaport.scsi.logical_unit import LogicalUnit
from lunaport.scsi.nexus import Nexus
from lunaport.scsi.ranges import Span
from lunaport.scsi.reply import run
from lunaport.scsi.sense import ScsiError, invalid_field_in_cdb, miscompare, wrong_data_length
from lunaport.scsi.task import Task

_BYTE_CHECK_BIT = 2
"""The field's leftmost bit."""


def verify_10(nexus: Nexus, unit: LogicalUnit, task: Task) -> None:
    flags, lba, blocks = FIELDS_10(task.cdb)
    _verify(nexus, unit, task, flags, lba, blocks)


def verify_12(nexus: Nexus, unit: LogicalUnit, task: Task) -> None:
    flags, lba, blocks = FIELDS_12(task.cdb)
    _verify(nexus, unit, task, flags, lba, blocks)


def verify_16(nexus: Nexus, unit: LogicalUnit, task: Task) -> None:
    flags, lba, blocks = FIELDS_16(task.cdb)
    _verify(nexus, unit, task, flags, lba, blocks)


def _verify(nexus: Nexus, unit: LogicalUnit, task: Task, flags: int, lba: int, blocks: int) -> None:
    check_extent(unit, task.cdb[0], lba, blocks, unit.transfer_blocks_max)
    offset, length = lba << unit.shift, blocks << unit.shift
    comparer = _Comparer(unit)
    match flags >> 1 & 3:
        case ByteCheck.MEDIUM:
            span = Span(offset, length, writes=False)
            run(nexus, unit, task, lambda: _read_through(unit.device, task, offset, length), over=span)
        case ByteCheck.EACH_BLOCK:
            stream(
                nexus, unit, task, offset, length, move_now=comparer.compare_now, move=comparer.compare, writes=False
            )
        case ByteCheck.ONE_BLOCK if blocks:

            def compare(block: bytes) -> None:
                if len(block) < unit.block_size_bytes:
                    raise ScsiError(wrong_data_length())
                span = Span(offset, length, writes=False)
                run(nexus, unit, task, lambda: comparer.compare_same(task, offset, length, block), over=span)

            collect(nexus, unit, task, unit.block_size_bytes, compare)
        case ByteCheck.ONE_BLOCK:
            task.good()
        case _:
            raise ScsiError(invalid_field_in_cdb(1, _BYTE_CHECK_BIT))


def write_and_verify_10(nexus: Nexus, unit: LogicalUnit, task: Task) -> None:
    flags, lba, blocks = FIELDS_10(task.cdb)
    _write_and_verify(nexus, unit, task, flags, lba, blocks)


def write_and_verify_12(nexus: Nexus, unit: LogicalUnit, task: Task) -> None:
    flags, lba, blocks = FIELDS_12(task.cdb)
    _write_and_verify(nexus, unit, task, flags, lba, blocks)


def write_and_verify_16(nexus: Nexus, unit: LogicalUnit, task: Task) -> None:
    flags, lba, blocks = FIELDS_16(task.cdb)
    _write_and_verify(nexus, unit, task, flags, lba, blocks)


def _write_and_verify(nexus: Nexus, unit: LogicalUnit, task: Task, flags: int, lba: int, blocks: int) -> None:
    check_extent(unit, task.cdb[0], lba, blocks, unit.transfer_blocks_max)
    byte_check = flags >> 1 & 3
    if byte_check not in (ByteCheck.MEDIUM, ByteCheck.EACH_BLOCK):
        raise ScsiError(invalid_field_in_cdb(1, _BYTE_CHECK_BIT))
    comparer = _Comparer(unit)

    def move(offset: int, buffers: Sequence[Buffer]) -> None:
        unit.device.write(offset, buffers)
        unit.device.flush()
        if byte_check == ByteCheck.EACH_BLOCK:
            comparer.compare(offset, buffers)

    offset, length = lba << unit.shift, blocks << unit.shift
    stream(nexus, unit, task, offset, length, move_now=lambda offset, buffers: 0, move=move)


def _read_through(device: BlockDevice, task: Task, offset: int, length: int) -> None:
    buffer = memoryview(bytearray(min(length, WORK_BYTES)))
    for start in range(offset, offset + length, WORK_BYTES):
        if task.aborted:
            return
        device.read(start, [buffer[: min(WORK_BYTES, offset + length - start)]])


class _Comparer:
    """Compares instead of writing, with the signatures that `stream` wants."""

    __slots__ = ("_unit",)

    def __init__(self, unit: LogicalUnit) -> None:
        self._unit = unit

    def compare_now(self, offset: int, buffers: Sequence[Buffer]) -> int:
        """Compare as many whole blocks as need no waiting."""
        (expected,) = buffers
        found = bytearray(len(expected))
        length = self._unit.device.read_now(offset, [memoryview(found)]) & ~self._unit.block_mask
        self._compare(offset, memoryview(found)[:length], expected[:length])
        return length

    def compare(self, offset: int, buffers: Sequence[Buffer]) -> None:
        (expected,) = buffers
        found = memoryview(bytearray(min(len(expected), WORK_BYTES)))
        for start in range(0, len(expected), WORK_BYTES):
            wanted = expected[start : start + WORK_BYTES]
            piece = found[: len(wanted)]
            self._unit.device.read(offset + start, [piece])
            self._compare(offset + start, piece, wanted)

    def compare_same(self, task: Task, offset: int, length: int, block: bytes) -> None:
        expected = memoryview(block * (min(length, WORK_BYTES) // len(block)))
        for start in range(offset, offset + length, WORK_BYTES):
            if task.aborted:
                return
            self.compare(start, [expected[: min(WORK_BYTES, offset + length - start)]])

    def _compare(self, offset: int, found: memoryview, expected: memoryview) -> None:
        if found == expected:
            return
        size = self._unit.block_size_bytes
        for start in range(0, len(found), size):
            if found[start : start + size] != expected[start : start + size]:
                raise ScsiError(miscompare((offset + start) >> self._unit.shift))
