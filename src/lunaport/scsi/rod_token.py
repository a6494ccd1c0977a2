"""POPULATE TOKEN and WRITE USING TOKEN (SBC-3 5.7 and 5.53): copying by a token that stands for data.

This is what Windows calls offloaded data transfer. A token stands for its data until that is written to, or until it
has not been used for a time. Who has a token may use it on any logical unit that he may write to.
"""

import struct
from collections.abc import Callable

from lunaport.scsi.copy_domain import (
    ROD_TYPE_CHANGE_VULNERABLE,
    TOKEN_BYTES,
    ZEROS_TOKEN,
    Reach,
)
from lunaport.scsi.copy_operation import CopyRecord, Move, find_record, keep_record, start_copy
from lunaport.scsi.data_out import collect
from lunaport.scsi.enums import CopyOut, CopyStatus
from lunaport.scsi.limits import TOKEN_BYTES_MAX, TOKEN_RANGES_MAX, TOKEN_TIMEOUT_S, TOKEN_TIMEOUT_S_MAX
from lunaport.scsi.logical_unit import LogicalUnit
from lunaport.scsi.nexus import Nexus
from lunaport.scsi.sense import (
    ScsiError,
    invalid_field_in_parameter_list,
    lba_out_of_range,
    operation_in_progress,
    parameter_list_length_error,
    token_revoked,
    token_unknown,
    too_many_copy_descriptors,
)
from lunaport.scsi.task import Task

_POPULATE = struct.Struct(">HBxII2xH")
_WRITE = struct.Struct(f">HB5xQ{TOKEN_BYTES}s6xH")
_RANGE = struct.Struct(">QI4x")

_IMMED = 0x01
_RTV = 0x02
_DEL_TKN = 0x02
_ANY_POINT_IN_TIME = 0x0080FFFF
_TIMEOUT, _ROD_TYPE, _OFFSET = 4, 8, 8
"""Bytes of the parameter lists."""

Ranges = list[tuple[int, int]]
"""(offset, length) in bytes."""


def populate_token(nexus: Nexus, unit: LogicalUnit, task: Task) -> None:
    """Make a token; RECEIVE ROD TOKEN INFORMATION fetches it. Nothing is read, so it is done at once."""

    def then(parameters: bytes) -> None:
        length, flags, timeout_s, rod_type, ranges_length = _POPULATE.unpack_from(parameters)
        if timeout_s > TOKEN_TIMEOUT_S_MAX:
            raise ScsiError(invalid_field_in_parameter_list(_TIMEOUT))
        if flags & _RTV and rod_type not in (ROD_TYPE_CHANGE_VULNERABLE, _ANY_POINT_IN_TIME):
            raise ScsiError(invalid_field_in_parameter_list(_ROD_TYPE))
        ranges = parse_ranges(parameters, length, _POPULATE.size, ranges_length, unit)
        list_id = _free_list_id(nexus, unit, task)
        token = nexus.target.domain.make_token(unit, tuple(ranges), timeout_s or TOKEN_TIMEOUT_S)
        keep_record(
            nexus,
            unit,
            CopyRecord(
                service_action=CopyOut.POPULATE_TOKEN,
                list_id=list_id,
                status=CopyStatus.COMPLETED,
                segments_done=len(ranges),
                bytes_done=token.size_bytes,
                token=token,
            ),
        )
        task.good()

    _collect(nexus, unit, task, _POPULATE.size, then)


def write_using_token(nexus: Nexus, unit: LogicalUnit, task: Task) -> None:
    """Write what a token stands for; when it stands for less than is to be written, as much as there is."""

    def then(parameters: bytes) -> None:
        length, flags, offset_blocks, wire, ranges_length = _WRITE.unpack_from(parameters)
        ranges = parse_ranges(parameters, length, _WRITE.size, ranges_length, unit)
        list_id = _free_list_id(nexus, unit, task)
        domain = nexus.target.domain
        destination = Reach(nexus=nexus, unit=unit)
        wanted = sum(size for _, size in ranges)
        token = None
        if wire == ZEROS_TOKEN:
            moves = [Move(destination=destination, offset=offset, length=size) for offset, size in ranges]
        else:
            token = domain.find_token(wire)
            if token is None:
                raise ScsiError(token_unknown())
            if token.revoked:
                raise ScsiError(token_revoked())
            start = offset_blocks << unit.shift
            if start > token.size_bytes or (token.size_bytes - start) & unit.block_mask:
                raise ScsiError(invalid_field_in_parameter_list(_OFFSET))
            moves = []
            for offset, size in ranges:
                for source_offset, piece in token.cut(start, size):
                    moves.append(
                        Move(
                            token=token,
                            source_offset=source_offset,
                            destination=destination,
                            offset=offset,
                            length=piece,
                        )
                    )
                    offset += piece
                    start += piece
        record = CopyRecord(service_action=CopyOut.WRITE_USING_TOKEN, list_id=list_id)
        whole = sum(move.length for move in moves) == wanted
        start_copy(
            nexus,
            unit,
            task,
            record,
            moves,
            immediate=bool(flags & _IMMED),
            keep=True,
            good_status=CopyStatus.COMPLETED if whole else CopyStatus.COMPLETED_WITH_RESIDUAL,
        )
        if flags & _DEL_TKN and token is not None:
            deleted = token
            if record.operation is None:
                domain.delete_token(deleted)
            else:
                record.operation.when_ended.append(lambda: domain.delete_token(deleted))

    _collect(nexus, unit, task, _WRITE.size, then)


def parse_ranges(parameters: bytes, length: int, start: int, ranges_length: int, unit: LogicalUnit) -> Ranges:
    """The block device range descriptors of a parameter list. Raises ScsiError."""
    if length + 2 > len(parameters) or length + 2 < start + ranges_length or ranges_length % _RANGE.size:
        raise ScsiError(parameter_list_length_error())
    if not ranges_length:
        raise ScsiError(invalid_field_in_parameter_list(start - 2))
    if ranges_length > TOKEN_RANGES_MAX * _RANGE.size:
        raise ScsiError(too_many_copy_descriptors(segments=True))
    ranges: Ranges = []
    left = TOKEN_BYTES_MAX
    for at in range(start, start + ranges_length, _RANGE.size):
        lba, blocks = _RANGE.unpack_from(parameters, at)
        if lba + blocks > unit.block_count:
            raise ScsiError(lba_out_of_range())
        left -= blocks << unit.shift
        if left < 0:
            raise ScsiError(invalid_field_in_parameter_list(at + 8))
        if any(lba << unit.shift < offset + size and offset < lba + blocks << unit.shift for offset, size in ranges):
            raise ScsiError(invalid_field_in_parameter_list(at))
        if blocks:
            ranges.append((lba << unit.shift, blocks << unit.shift))
    return ranges


def _free_list_id(nexus: Nexus, unit: LogicalUnit, task: Task) -> int:
    list_id = int.from_bytes(task.cdb[6:10], "big")
    running = find_record(nexus, unit, list_id)
    if running is not None and running.operation is not None:
        raise ScsiError(operation_in_progress())
    return list_id


def _collect(nexus: Nexus, unit: LogicalUnit, task: Task, header_bytes: int, then: Callable[[bytes], None]) -> None:
    """Gather a parameter list that is as long as the CDB says, and call `then` with it; an empty one does nothing."""
    length = int.from_bytes(task.cdb[10:14], "big")
    if length == 0:
        task.good()
        return
    if not header_bytes <= length <= header_bytes + TOKEN_RANGES_MAX * _RANGE.size:
        raise ScsiError(parameter_list_length_error())

    def whole(parameters: bytes) -> None:
        if len(parameters) < length:
            raise ScsiError(parameter_list_length_error())
        then(parameters)

    collect(nexus, unit, task, length, whole)
