"""FORMAT UNIT (SBC-3 5.2): a medium that is as new. The block size stays, and there are no defects to be managed.

Without an initialization pattern every block reads as zeros and takes no space; with one it is written. See `erasure`.
"""

import struct

from lunaport.scsi.data_out import collect
from lunaport.scsi.erasure import ErasePlan, Method, start_erasure
from lunaport.scsi.limits import ERASE_PATTERN_BYTES_MAX
from lunaport.scsi.logical_unit import LogicalUnit
from lunaport.scsi.nexus import Nexus
from lunaport.scsi.sense import (
    ScsiError,
    invalid_field_in_cdb,
    invalid_field_in_parameter_list,
    parameter_list_length_error,
)
from lunaport.scsi.task import Task

_SHORT_HEADER = struct.Struct(">BBH")
_LONG_HEADER = struct.Struct(">BBxBI")
_PATTERN = struct.Struct(">BBH")

_LONGLIST, _FMTDATA, _CMPLST = 0x20, 0x10, 0x08
_DEFECT_LIST_FORMAT = 0x07
_FOV, _DPRY, _DCRT, _STPF, _IP, _IMMED = 0x80, 0x40, 0x20, 0x10, 0x08, 0x02
_SECURITY_INITIALIZE = 0x20
_DEFAULT_PATTERN, _REPEATED_PATTERN = 0x00, 0x01


def format_unit(nexus: Nexus, unit: LogicalUnit, task: Task) -> None:
    unit.check_writable()
    flags = task.cdb[1]
    if not flags & _FMTDATA:
        if flags & (_LONGLIST | _CMPLST | _DEFECT_LIST_FORMAT):
            raise ScsiError(invalid_field_in_cdb(1))
        start_erasure(nexus, unit, task, ErasePlan(method=Method.DISCARD, sanitize=False), immediate=False)
        return
    long = bool(flags & _LONGLIST)

    def then(parameters: bytes) -> None:
        plan, immediate = parse_format(parameters, unit.block_size_bytes, long=long)
        start_erasure(nexus, unit, task, plan, immediate=immediate)

    # The CDB does not say how long the list is: what the initiator sends, up to the longest there is.
    longest = _LONG_HEADER.size + _PATTERN.size + ERASE_PATTERN_BYTES_MAX
    collect(nexus, unit, task, min(task.expected_length, longest), then)


def parse_format(parameters: bytes, block_size_bytes: int, *, long: bool) -> tuple[ErasePlan, bool]:
    """The parameter list of FORMAT UNIT; the other value is IMMED. Raises ScsiError."""
    header = _LONG_HEADER if long else _SHORT_HEADER
    if len(parameters) < header.size:
        raise ScsiError(parameter_list_length_error())
    if long:
        protection, flags, exponent, defects = _LONG_HEADER.unpack_from(parameters)
        if exponent:
            raise ScsiError(invalid_field_in_parameter_list(3))
    else:
        protection, flags, defects = _SHORT_HEADER.unpack_from(parameters)
    if protection:
        raise ScsiError(invalid_field_in_parameter_list(0))
    if not flags & _FOV and flags & (_DPRY | _DCRT | _STPF | _IP):
        raise ScsiError(invalid_field_in_parameter_list(1, 7))
    if defects:
        raise ScsiError(invalid_field_in_parameter_list(header.size - (4 if long else 2)))
    pattern = _parse_pattern(parameters, header.size, block_size_bytes) if flags & _IP else b""
    if pattern:
        plan = ErasePlan(method=Method.OVERWRITE, sanitize=False, pattern=pattern)
    else:
        plan = ErasePlan(method=Method.DISCARD, sanitize=False)
    return plan, bool(flags & _IMMED)


def _parse_pattern(parameters: bytes, at: int, block_size_bytes: int) -> bytes:
    """The initialization pattern descriptor's pattern; empty: the default one."""
    if len(parameters) < at + _PATTERN.size:
        raise ScsiError(parameter_list_length_error())
    modifier, kind, length = _PATTERN.unpack_from(parameters, at)
    if modifier & ~_SECURITY_INITIALIZE:
        raise ScsiError(invalid_field_in_parameter_list(at))
    if kind == _DEFAULT_PATTERN and not length:
        return b""
    if kind != _REPEATED_PATTERN:
        raise ScsiError(invalid_field_in_parameter_list(at + 1))
    if not 1 <= length <= block_size_bytes:
        raise ScsiError(invalid_field_in_parameter_list(at + 2))
    if len(parameters) < at + _PATTERN.size + length:
        raise ScsiError(parameter_list_length_error())
    return parameters[at + _PATTERN.size : at + _PATTERN.size + length]
