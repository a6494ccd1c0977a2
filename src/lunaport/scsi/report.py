"""REPORT LUNS, REPORT SUPPORTED OPERATION CODES, REPORT SUPPORTED TASK MANAGEMENT FUNCTIONS (SPC-4 6.33 to 6.35)."""

import struct

from lunaport.scsi.command import Command
from lunaport.scsi.enums import ReportingOptions, SelectReport
from lunaport.scsi.logical_unit import LogicalUnit
from lunaport.scsi.lun import REPORT_LUNS_LUN, serialize_lun
from lunaport.scsi.management import SUPPORTED
from lunaport.scsi.nexus import Nexus
from lunaport.scsi.reply import send
from lunaport.scsi.sense import ScsiError, invalid_field_in_cdb, reported_luns_data_has_changed
from lunaport.scsi.task import Task

_LUN_LIST_HEADER = struct.Struct(">I4x")
_LUN = struct.Struct(">Q")
_LUN_ALLOCATION_MIN = 16

_RCTD = 0x80
_OPTIONS = 0x07
_OPTIONS_BIT = 2
_COMMAND_DESCRIPTOR = struct.Struct(">BxHxBH")
_ONE_COMMAND = struct.Struct(">xBH")
_TIMEOUTS = struct.Struct(">HxBII")
_CTDP_ALL, _SERVACTV = 0x02, 0x01
_CTDP_ONE = 0x80
_REPD = 0x80
_TASK_FUNCTIONS = bytes((SUPPORTED, 0))
_TASK_FUNCTIONS_ALLOCATION_MIN = 4
_NOT_SUPPORTED, _SUPPORTED = 0x01, 0x03


def report_luns(nexus: Nexus, unit: LogicalUnit, task: Task) -> None:
    report_luns_absent(nexus, task)


def report_luns_absent(nexus: Nexus, task: Task) -> None:
    """The same from any LUN, whether it has a unit or not, and from the well known one."""
    allocation_length = int.from_bytes(task.cdb[6:10])
    match task.cdb[2]:
        case SelectReport.ADDRESSABLE:
            luns = [serialize_lun(lun) for lun in sorted(nexus.units)]
        case SelectReport.WELL_KNOWN:
            luns = [REPORT_LUNS_LUN]
        case SelectReport.ALL:
            luns = [*(serialize_lun(lun) for lun in sorted(nexus.units)), REPORT_LUNS_LUN]
        case _:
            raise ScsiError(invalid_field_in_cdb(2))
    if allocation_length < _LUN_ALLOCATION_MIN:
        raise ScsiError(invalid_field_in_cdb(6))
    nexus.clear_attention(reported_luns_data_has_changed())  # SPC-4 6.33: the news is in the data
    data = _LUN_LIST_HEADER.pack(len(luns) * _LUN.size) + b"".join(map(_LUN.pack, luns))
    send(task, data, allocation_length)


def report_supported_operation_codes(nexus: Nexus, unit: LogicalUnit, task: Task) -> None:
    flags, opcode, service_action, allocation_length = struct.unpack_from(">2xBBHI", task.cdb)
    timeouts = bool(flags & _RCTD)
    option = flags & _OPTIONS
    if option == ReportingOptions.ALL:
        data = _all_commands(nexus, unit, timeouts=timeouts)
    else:
        data = _one_command(_choose(nexus, unit, option, opcode, service_action), timeouts=timeouts)
    send(task, data, allocation_length)


def _choose(nexus: Nexus, unit: LogicalUnit, option: int, opcode: int, service_action: int) -> Command | None:
    commands = nexus.target.commands_of(unit)
    has_service_actions = commands.has_service_actions(opcode)
    if option not in set(ReportingOptions):
        raise ScsiError(invalid_field_in_cdb(2, _OPTIONS_BIT))
    if option == ReportingOptions.OPCODE and has_service_actions:
        raise ScsiError(invalid_field_in_cdb(2, _OPTIONS_BIT))
    if option == ReportingOptions.OPCODE_AND_SERVICE_ACTION and not has_service_actions:
        raise ScsiError(invalid_field_in_cdb(2, _OPTIONS_BIT))
    if option == ReportingOptions.EITHER and not has_service_actions and service_action:
        return None
    row = commands.get(opcode, service_action if has_service_actions else None)
    return row if row is not None and _has(unit, row) else None


def _has(unit: LogicalUnit, row: Command) -> bool:
    return (
        (unit.thin or not row.thin_only)
        and (unit.removable or not row.removable_only)
        and (unit.erase_key is not None or not row.encrypted_only)
    )


def _all_commands(nexus: Nexus, unit: LogicalUnit, *, timeouts: bool) -> bytes:
    descriptors = b"".join(
        _COMMAND_DESCRIPTOR.pack(
            row.opcode,
            row.service_action or 0,
            (_CTDP_ALL if timeouts else 0) | (0 if row.service_action is None else _SERVACTV),
            len(row.usage),
        )
        + (_timeouts(row) if timeouts else b"")
        for row in nexus.target.commands_of(unit).rows
        if _has(unit, row)
    )
    return struct.pack(">I", len(descriptors)) + descriptors


def _one_command(row: Command | None, *, timeouts: bool) -> bytes:
    if row is None:
        return _ONE_COMMAND.pack(_NOT_SUPPORTED, 0)
    support = _SUPPORTED | (_CTDP_ONE if timeouts else 0)
    return _ONE_COMMAND.pack(support, len(row.usage)) + row.usage + (_timeouts(row) if timeouts else b"")


def _timeouts(row: Command) -> bytes:
    # The nominal processing time depends on the disk: not specified.
    return _TIMEOUTS.pack(_TIMEOUTS.size - 2, 0, 0, row.recommended_timeout_s)


def report_supported_task_management_functions(nexus: Nexus, unit: LogicalUnit, task: Task) -> None:
    allocation_length = int.from_bytes(task.cdb[6:10])
    if allocation_length < _TASK_FUNCTIONS_ALLOCATION_MIN:
        raise ScsiError(invalid_field_in_cdb(6))
    # The extended form adds timeouts: not specified (0).
    data = _TASK_FUNCTIONS + (b"\x00\x0c" + bytes(12) if task.cdb[2] & _REPD else bytes(2))
    send(task, data, allocation_length)
