"""SANITIZE (SBC-3 5.29): making everything that was ever written to the unit unreadable. See `erasure`.

BLOCK ERASE gives all space back to the file system. What a file system or a disk below keeps in other places (copies
made by snapshots, remapped sectors) no target can reach; CRYPTOGRAPHIC ERASE reaches that too.
"""

import struct

from lunaport.scsi.data_out import collect
from lunaport.scsi.erasure import PASSES_MAX, ErasePlan, Method, exit_failure, start_erasure
from lunaport.scsi.logical_unit import LogicalUnit
from lunaport.scsi.nexus import Nexus
from lunaport.scsi.sense import ScsiError, invalid_field_in_cdb, invalid_field_in_parameter_list
from lunaport.scsi.task import Task

_OVERWRITE_HEADER = struct.Struct(">BxH")
_IMMED, _AUSE = 0x80, 0x20
_INVERT, _TEST, _COUNT = 0x80, 0x60, 0x1F
_SERVICE_ACTION_BIT = 4


def sanitize_overwrite(nexus: Nexus, unit: LogicalUnit, task: Task) -> None:
    length = int.from_bytes(task.cdb[7:9], "big")
    if not _OVERWRITE_HEADER.size < length <= _OVERWRITE_HEADER.size + unit.block_size_bytes:
        raise ScsiError(invalid_field_in_cdb(7))

    def then(parameters: bytes) -> None:
        if len(parameters) < length:
            raise ScsiError(invalid_field_in_cdb(7))
        flags, pattern_length = _OVERWRITE_HEADER.unpack_from(parameters)
        passes = flags & _COUNT
        if flags & _TEST:
            raise ScsiError(invalid_field_in_parameter_list(0, 6))
        if not 1 <= passes <= PASSES_MAX:
            raise ScsiError(invalid_field_in_parameter_list(0, 4))
        if not 1 <= pattern_length <= length - _OVERWRITE_HEADER.size:
            raise ScsiError(invalid_field_in_parameter_list(2))
        pattern = parameters[_OVERWRITE_HEADER.size : _OVERWRITE_HEADER.size + pattern_length]
        _start(nexus, unit, task, Method.OVERWRITE, pattern, passes, invert=bool(flags & _INVERT))

    collect(nexus, unit, task, length, then)


def sanitize_block_erase(nexus: Nexus, unit: LogicalUnit, task: Task) -> None:
    """Of thin units: what it leaves is unmapped."""
    if not unit.thin:
        raise ScsiError(invalid_field_in_cdb(1, _SERVICE_ACTION_BIT))
    _check_no_parameters(task)
    _start(nexus, unit, task, Method.DISCARD)


def sanitize_cryptographic_erase(nexus: Nexus, unit: LogicalUnit, task: Task) -> None:
    if unit.erase_key is None:
        raise ScsiError(invalid_field_in_cdb(1, _SERVICE_ACTION_BIT))
    _check_no_parameters(task)
    _start(nexus, unit, task, Method.KEY)


def sanitize_exit_failure_mode(nexus: Nexus, unit: LogicalUnit, task: Task) -> None:
    """Use a unit again whose sanitize operation failed, where the command that began it allowed that (AUSE)."""
    _check_no_parameters(task)
    if unit.erasure is None:
        task.good()
    elif unit.erasure.plan.may_exit:
        exit_failure(unit, task, nexus)
    else:
        raise ScsiError(invalid_field_in_cdb(1, _SERVICE_ACTION_BIT))


def _check_no_parameters(task: Task) -> None:
    if task.cdb[7] or task.cdb[8]:
        raise ScsiError(invalid_field_in_cdb(7))


def _start(
    nexus: Nexus,
    unit: LogicalUnit,
    task: Task,
    method: Method,
    pattern: bytes = b"\0",
    passes: int = 1,
    *,
    invert: bool = False,
) -> None:
    unit.check_writable()
    flags = task.cdb[1]
    plan = ErasePlan(
        method=method, sanitize=True, pattern=pattern, passes=passes, invert=invert, may_exit=bool(flags & _AUSE)
    )
    start_erasure(nexus, unit, task, plan, immediate=bool(flags & _IMMED))
