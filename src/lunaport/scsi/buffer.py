"""READ BUFFER and WRITE BUFFER (SPC-4 6.18, 6.49): the echo buffer, by which an initiator tests its way to the unit.

Each nexus has an echo buffer of its own, made by its first write. There is no firmware to load and no other buffer.
"""

import struct

from lunaport.scsi.data_out import collect
from lunaport.scsi.enums import BufferMode
from lunaport.scsi.limits import ECHO_BYTES_MAX
from lunaport.scsi.logical_unit import LogicalUnit
from lunaport.scsi.nexus import Nexus
from lunaport.scsi.reply import send
from lunaport.scsi.sense import ScsiError, command_sequence_error, invalid_field_in_cdb, parameter_list_length_error
from lunaport.scsi.task import Task

_MODE = 0x1F
_MODE_BIT = 4
_NO_BUFFER = bytes(4)
_ECHO_DESCRIPTOR = struct.Struct(">BxH")
_EBOS = 0x01
"""Echo buffers are not overwritten by other nexuses unnoticed."""


def read_buffer(nexus: Nexus, unit: LogicalUnit, task: Task) -> None:
    cdb = task.cdb
    allocation_length = int.from_bytes(cdb[6:9])
    match cdb[1] & _MODE:
        case BufferMode.DESCRIPTOR:
            send(task, _NO_BUFFER, allocation_length)
        case BufferMode.ECHO_DESCRIPTOR:
            send(task, _ECHO_DESCRIPTOR.pack(_EBOS, ECHO_BYTES_MAX), allocation_length)
        case BufferMode.ECHO:
            data = unit.echo.get(nexus)
            if data is None:
                raise ScsiError(command_sequence_error())
            send(task, data, allocation_length)
        case _:
            raise ScsiError(invalid_field_in_cdb(1, _MODE_BIT))


def write_buffer(nexus: Nexus, unit: LogicalUnit, task: Task) -> None:
    cdb = task.cdb
    if cdb[1] & _MODE != BufferMode.ECHO:
        raise ScsiError(invalid_field_in_cdb(1, _MODE_BIT))
    length = int.from_bytes(cdb[6:9])
    if length > ECHO_BYTES_MAX:
        raise ScsiError(invalid_field_in_cdb(6))

    def then(data: bytes) -> None:
        if len(data) < length:
            raise ScsiError(parameter_list_length_error())
        unit.echo[nexus] = data
        task.good()

    if length:
        collect(nexus, unit, task, length, then)
    else:
        then(b"")
