"""The run of blocks a command names: where it stands in the CDB, and the checks of range and length (SBC-3 4.5)."""

import struct

from lunaport.scsi.logical_unit import LogicalUnit
from lunaport.scsi.sense import ScsiError, Sense, invalid_field_in_cdb, lba_out_of_range

FIELDS_10 = struct.Struct(">xBIxH").unpack_from
FIELDS_12 = struct.Struct(">xBII").unpack_from
FIELDS_16 = struct.Struct(">xBQI").unpack_from
"""Flags, LBA and number of blocks of the 10-, 12- and 16-byte commands that read and write."""
BLOCKS_6 = 256
"""What a transfer length of 0 means in the 6-byte commands."""

_LENGTH_FIELD = {0: 4, 1: 7, 2: 7, 4: 10, 5: 6}
"""First byte of the transfer length, by the group of the operation code (SPC-4 4.2.5.1)."""


def length_error(opcode: int) -> Sense:
    """The number of blocks is more, or less, than the command allows."""
    return invalid_field_in_cdb(_LENGTH_FIELD[opcode >> 5])


def check_extent(
    unit: LogicalUnit, opcode: int, lba: int, blocks: int, blocks_max: int, length_field: int | None = None
) -> None:
    """Refuse what is outside of the medium or too much at once. No blocks at all are legal at any LBA that exists.

    `length_field`: where the number of blocks stands in commands that have it elsewhere than their group has.
    """
    if lba + (blocks or 1) > unit.block_count:
        raise ScsiError(lba_out_of_range())
    if blocks > blocks_max:
        raise ScsiError(length_error(opcode) if length_field is None else invalid_field_in_cdb(length_field))
