"""EXTENDED COPY (LID1), (LID4) and COPY OPERATION ABORT (SPC-4 6.4 to 6.6): copying between logical units of the NAS.

Supported are identification descriptors with the NAA designator of VPD page 83h, and copies from block device to block
device. Everything is checked before the first block is written. Not supported are inline data, held data, RODs in
EXTENDED COPY, and residual data carried from one segment to the next (CAT): a segment has to fit whole blocks.
"""

import struct
from collections.abc import Sequence
from dataclasses import dataclass

from lunaport.scsi.copy_domain import Reach
from lunaport.scsi.copy_operation import CopyRecord, Move, cancel_copy, find_record, start_copy
from lunaport.scsi.data_out import collect
from lunaport.scsi.enums import CopyOut
from lunaport.scsi.limits import COPY_LIST_BYTES_MAX, COPY_SEGMENTS_MAX, COPY_TARGETS_MAX
from lunaport.scsi.logical_unit import LogicalUnit
from lunaport.scsi.nexus import Nexus
from lunaport.scsi.sense import (
    ScsiError,
    copy_aborted,
    copy_target_not_reachable,
    inexact_segment,
    inline_data_length_exceeded,
    invalid_field_in_cdb,
    invalid_field_in_parameter_list,
    operation_in_progress,
    parameter_list_length_error,
    too_many_copy_descriptors,
    unreachable_copy_target,
    unsupported_copy_descriptor,
)
from lunaport.scsi.task import Task
from lunaport.scsi.vpd_copy import DESCRIPTORS

BLOCK_TO_BLOCK, IDENTIFICATION = DESCRIPTORS
LIST_ID_1_MAX = 0xFF

_HEADER_1 = struct.Struct(">BBH4xII")
_HEADER_4 = struct.Struct(">BBH11xBB3xI18xHHH")
_HEADER_4_FORMAT = 0x01
_HEADER_4_DESCRIPTOR = 0xFF
_HEADER_4_DESCRIPTOR_BYTES = 0x20
_TARGET = struct.Struct(">BBHBBxB20sI")
_SEGMENT = struct.Struct(">BBHHHxxHQQ")
_SEGMENT_LENGTH = _SEGMENT.size - 4

_LIST_ID_USAGE = 0x18
_KEEP, _DISCARD, _NO_LIST_ID = 0x00, 0x10, 0x18
_IMMED = 0x01
_PERIPHERAL_TYPE = 0x1F
_BLOCK_DEVICE = 0x00
_BLOCK_LENGTH = 0xFFFFFF
_CODE_SET, _BINARY = 0x0F, 0x1
_ASSOCIATION_AND_TYPE, _NAA = 0x3F, 0x3
_SOURCE, _DESTINATION, _SOURCE_LBA, _DESTINATION_LBA = 4, 6, 12, 20
"""Bytes of a segment descriptor."""
_DC, _CAT = 0x02, 0x01


@dataclass(frozen=True, slots=True, kw_only=True)
class CopyList:
    """A parameter list: its header, and the bytes of its descriptors."""

    list_id: int
    usage: int
    immediate: bool
    targets: memoryview
    segments: memoryview
    start: int
    """Where the first descriptor stands."""


def extended_copy_lid1(nexus: Nexus, unit: LogicalUnit, task: Task) -> None:
    _extended_copy(nexus, unit, task, CopyOut.EXTENDED_COPY_LID1)


def extended_copy_lid4(nexus: Nexus, unit: LogicalUnit, task: Task) -> None:
    _extended_copy(nexus, unit, task, CopyOut.EXTENDED_COPY_LID4)


def copy_operation_abort(nexus: Nexus, unit: LogicalUnit, task: Task) -> None:
    """End a copy of this nexus; answered when it has ended."""
    record = find_record(nexus, unit, int.from_bytes(task.cdb[2:6], "big"))
    if record is None or record.operation is None:
        raise ScsiError(invalid_field_in_cdb(2))
    cancel_copy(nexus, unit, task, record.operation)


def _extended_copy(nexus: Nexus, unit: LogicalUnit, task: Task, service_action: CopyOut) -> None:
    length = int.from_bytes(task.cdb[10:14], "big")
    header = _HEADER_1 if service_action is CopyOut.EXTENDED_COPY_LID1 else _HEADER_4
    if length == 0:  # no error and nothing to do
        task.good()
        return
    if not header.size <= length <= header.size + COPY_LIST_BYTES_MAX:
        raise ScsiError(parameter_list_length_error())

    def then(parameters: bytes) -> None:
        if len(parameters) < length:
            raise ScsiError(parameter_list_length_error())
        parse = parse_list_1 if header is _HEADER_1 else parse_list_4
        copy = parse(parameters)
        running = find_record(nexus, unit, copy.list_id)
        if copy.usage != _NO_LIST_ID and running is not None and running.operation is not None:
            raise ScsiError(operation_in_progress())
        moves = plan_moves(nexus, copy)
        record = CopyRecord(service_action=service_action, list_id=copy.list_id)
        if copy.usage == _NO_LIST_ID:
            record.list_id = -id(record)  # found by nobody, and no other's as long as it lives
        start_copy(nexus, unit, task, record, moves, immediate=copy.immediate, keep=copy.usage == _KEEP)

    collect(nexus, unit, task, length, then)


def parse_list_1(parameters: bytes) -> CopyList:
    """The parameter list of EXTENDED COPY (LID1) (SPC-4 5.17.7.1). Raises ScsiError."""
    list_id, flags, targets, segments, inline = _HEADER_1.unpack_from(parameters)
    return _checked(parameters, _HEADER_1.size, list_id, flags, targets, segments, inline, immediate=False)


def parse_list_4(parameters: bytes) -> CopyList:
    """The parameter list of EXTENDED COPY (LID4). Raises ScsiError."""
    form, flags, header_length, immediate, code, list_id, targets, segments, inline = _HEADER_4.unpack_from(parameters)
    if form != _HEADER_4_FORMAT:
        raise ScsiError(invalid_field_in_parameter_list(0))
    if header_length != _HEADER_4_DESCRIPTOR_BYTES:
        raise ScsiError(invalid_field_in_parameter_list(2))
    if code != _HEADER_4_DESCRIPTOR:
        raise ScsiError(unsupported_copy_descriptor(16, segment=False))
    return _checked(
        parameters, _HEADER_4.size, list_id, flags, targets, segments, inline, immediate=bool(immediate & _IMMED)
    )


def _checked(
    parameters: bytes,
    start: int,
    list_id: int,
    flags: int,
    targets: int,
    segments: int,
    inline: int,
    *,
    immediate: bool,
) -> CopyList:
    usage = flags & _LIST_ID_USAGE
    if usage not in (_KEEP, _DISCARD, _NO_LIST_ID):
        raise ScsiError(invalid_field_in_parameter_list(1, 4))
    if usage == _NO_LIST_ID and (list_id or immediate):
        raise ScsiError(invalid_field_in_parameter_list(0 if start == _HEADER_1.size else 20))
    if start + targets + segments > len(parameters) or targets % _TARGET.size:
        raise ScsiError(parameter_list_length_error())
    if inline:
        raise ScsiError(inline_data_length_exceeded())
    if targets > COPY_TARGETS_MAX * _TARGET.size:
        raise ScsiError(too_many_copy_descriptors(segments=False))
    view = memoryview(parameters)
    return CopyList(
        list_id=list_id,
        usage=usage,
        immediate=immediate,
        targets=view[start : start + targets],
        segments=view[start + targets : start + targets + segments],
        start=start,
    )


def plan_moves(nexus: Nexus, copy: CopyList) -> list[Move]:
    """What the segments of a list ask for, each checked. Raises ScsiError."""
    reached = [_find_target(nexus, copy, at) for at in range(0, len(copy.targets), _TARGET.size)]
    moves: list[Move] = []
    at = 0
    while at < len(copy.segments):
        where = copy.start + len(copy.targets) + at
        if copy.segments[at] != BLOCK_TO_BLOCK:
            raise ScsiError(unsupported_copy_descriptor(where, segment=True))
        if at + _SEGMENT.size > len(copy.segments):
            raise ScsiError(parameter_list_length_error())
        if len(moves) == COPY_SEGMENTS_MAX:
            raise ScsiError(too_many_copy_descriptors(segments=True))
        moves.append(_plan_segment(copy.segments[at : at + _SEGMENT.size], where, reached))
        at += _SEGMENT.size
    return moves


def _find_target(nexus: Nexus, copy: CopyList, at: int) -> Reach:
    """The unit of a CSCD descriptor."""
    where = copy.start + at
    code, kind, _, code_set, association, length, designator, size = _TARGET.unpack_from(copy.targets, at)
    if code != IDENTIFICATION:
        raise ScsiError(unsupported_copy_descriptor(where, segment=False))
    # LU ID TYPE is ignored in this descriptor, and NUL is obsolete (SPC-4 6.4.5.1).
    if kind & _PERIPHERAL_TYPE != _BLOCK_DEVICE:
        raise ScsiError(invalid_field_in_parameter_list(where + 1, 4))
    if code_set & _CODE_SET != _BINARY or association & _ASSOCIATION_AND_TYPE != _NAA or length > len(designator):
        raise ScsiError(copy_target_not_reachable())
    reach = nexus.target.domain.find(nexus, designator[:length])
    if reach is None:
        raise ScsiError(copy_target_not_reachable())
    if size & _BLOCK_LENGTH != reach.unit.block_size_bytes:
        raise ScsiError(invalid_field_in_parameter_list(where + 29))
    return reach


def _plan_segment(descriptor: memoryview, where: int, reached: Sequence[Reach]) -> Move:
    _, flags, length, source_index, destination_index, blocks, source_lba, lba = _SEGMENT.unpack(descriptor)
    if length != _SEGMENT_LENGTH:
        raise ScsiError(invalid_field_in_parameter_list(where + 2))
    if flags & ~(_DC | _CAT):
        raise ScsiError(invalid_field_in_parameter_list(where + 1))
    source = reached[source_index] if source_index < len(reached) else None
    destination = reached[destination_index] if destination_index < len(reached) else None
    if source is None or not source.usable(writing=False):
        raise ScsiError(unreachable_copy_target(_SOURCE))
    if destination is None or not destination.usable(writing=True):
        raise ScsiError(unreachable_copy_target(_DESTINATION))
    size_bytes = blocks << (destination if flags & _DC else source).unit.shift
    if size_bytes & (source.unit.block_mask | destination.unit.block_mask):
        raise ScsiError(inexact_segment())
    if source_lba + (size_bytes >> source.unit.shift) > source.unit.block_count:
        raise ScsiError(copy_aborted(_SOURCE_LBA))
    if lba + (size_bytes >> destination.unit.shift) > destination.unit.block_count:
        raise ScsiError(copy_aborted(_DESTINATION_LBA))
    return Move(
        source=source,
        source_offset=source_lba << source.unit.shift,
        destination=destination,
        offset=lba << destination.unit.shift,
        length=size_bytes,
    )
