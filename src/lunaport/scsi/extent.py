"""Checks on the run of blocks a command names: one place for range and length (SBC-3 4.5)."""

from lunaport.scsi.logical_unit import LogicalUnit
from lunaport.scsi.sense import ScsiError, Sense, invalid_field_in_cdb, lba_out_of_range

_LENGTH_FIELD = {0: 4, 1: 7, 2: 7, 4: 10, 5: 6}
"""First byte of the transfer length, by the group of the operation code (SPC-4 4.2.5.1)."""


def length_error(opcode: int) -> Sense:
    """The number of blocks is more, or less, than the command allows."""
    return invalid_field_in_cdb(_LENGTH_FIELD[opcode >> 5])


def check_extent(unit: LogicalUnit, opcode: int, lba: int, blocks: int, blocks_max: int) -> None:
    """Refuse what is outside of the medium or too much at once. No blocks at all are legal at any LBA that exists."""
    if lba + (blocks or 1) > unit.block_count:
        raise ScsiError(lba_out_of_range())
    if blocks > blocks_max:
        raise ScsiError(length_error(opcode))
