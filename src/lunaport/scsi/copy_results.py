"""RECEIVE COPY RESULTS and RECEIVE ROD TOKEN INFORMATION (SPC-4 6.23 to 6.29): how copies go, and their bounds."""

import struct

from lunaport.scsi.copy_operation import CopyRecord, find_record
from lunaport.scsi.enums import CopyOut, CopyStatus
from lunaport.scsi.extended_copy import LIST_ID_1_MAX
from lunaport.scsi.limits import (
    COPIES_PER_UNIT_MAX,
    COPY_LIST_BYTES_MAX,
    COPY_SEGMENT_BYTES_MAX,
    COPY_SEGMENTS_MAX,
    COPY_TARGETS_MAX,
)
from lunaport.scsi.logical_unit import LogicalUnit
from lunaport.scsi.nexus import Nexus
from lunaport.scsi.reply import send
from lunaport.scsi.sense import ScsiError, invalid_field_in_cdb
from lunaport.scsi.task import Task
from lunaport.scsi.vpd_copy import DESCRIPTORS

_STATUS_1 = struct.Struct(">IBHBI")
_FAILURE = struct.Struct(">I52xBxH")
_PARAMETERS = struct.Struct(">IB3xHHIIIII2xHBBBB3xB")
_STATUS_4 = struct.Struct(">IBBHIBBBBQH6x")
_LENGTH = struct.Struct(">I")

_IN_PROGRESS_1, _COMPLETED_1, _FAILED_1 = 0x00, 0x01, 0x02
_BYTES, _KIBIBYTES, _BLOCKS = 0x00, 0x01, 0xF1
"""Units of the transfer count."""
_SNLID = 0x01
_GRANULARITY = 9
"""Of a segment, as a power of two: 512 bytes."""
_POLL_MS = 100
_NO_DELAY = 0xFFFFFFFE
"""The copy has ended: there is nothing to wait for."""
_COUNT_MAX = 0xFFFFFFFF


def receive_copy_status_lid1(nexus: Nexus, unit: LogicalUnit, task: Task) -> None:
    record = _record_1(nexus, unit, task)
    if record.operation is not None:
        status = _IN_PROGRESS_1
    else:
        done = record.status in (CopyStatus.COMPLETED, CopyStatus.COMPLETED_WITH_RESIDUAL)
        status = _COMPLETED_1 if done else _FAILED_1
    units, count = (
        (_BYTES, record.bytes_done) if record.bytes_done <= _COUNT_MAX else (_KIBIBYTES, record.bytes_done >> 10)
    )
    data = _STATUS_1.pack(_STATUS_1.size - 4, status, record.segments_done, units, count)
    _send(task, data)


def receive_copy_data_lid1(nexus: Nexus, unit: LogicalUnit, task: Task) -> None:
    """Held data: there is none, ever."""
    _record_1(nexus, unit, task)
    _send(task, _LENGTH.pack(0))


def receive_copy_operating_parameters(nexus: Nexus, unit: LogicalUnit, task: Task) -> None:
    data = _PARAMETERS.pack(
        _PARAMETERS.size + len(DESCRIPTORS) - 4,
        _SNLID,
        COPY_TARGETS_MAX,
        COPY_SEGMENTS_MAX,
        COPY_LIST_BYTES_MAX,
        COPY_SEGMENT_BYTES_MAX,
        0,  # inline data
        0,  # held data
        0,  # stream devices
        0,  # total concurrent copies: not bounded over all units
        COPIES_PER_UNIT_MAX,
        _GRANULARITY,
        0,
        0,
        len(DESCRIPTORS),
    )
    _send(task, data + bytes(DESCRIPTORS))


def receive_copy_failure_details_lid1(nexus: Nexus, unit: LogicalUnit, task: Task) -> None:
    record = find_record(nexus, unit, task.cdb[2])
    if record is None or not record.sense:
        _send(task, _LENGTH.pack(0))
        return
    length = _FAILURE.size - 4 + len(record.sense)
    _send(task, _FAILURE.pack(length, record.completion_status, len(record.sense)) + record.sense)


def receive_copy_status_lid4(nexus: Nexus, unit: LogicalUnit, task: Task) -> None:
    record = _record_4(nexus, unit, task)
    units, count = (_BYTES, record.bytes_done)
    _send(task, _status_4(record, units, count, b""))


def receive_copy_data_lid4(nexus: Nexus, unit: LogicalUnit, task: Task) -> None:
    """The same, with held data, of which there is none."""
    record = _record_4(nexus, unit, task)
    _send(task, _status_4(record, _BYTES, record.bytes_done, _LENGTH.pack(0)))


def receive_rod_token_information(nexus: Nexus, unit: LogicalUnit, task: Task) -> None:
    """How POPULATE TOKEN or WRITE USING TOKEN went, and the token."""
    record = _record_4(nexus, unit, task)
    if record.service_action not in (CopyOut.POPULATE_TOKEN, CopyOut.WRITE_USING_TOKEN):
        raise ScsiError(invalid_field_in_cdb(2))
    descriptor = b"" if record.token is None else bytes(2) + record.token.wire
    more = _LENGTH.pack(len(descriptor)) + descriptor
    _send(task, _status_4(record, _BLOCKS, record.bytes_done >> unit.shift, more))


def _status_4(record: CopyRecord, units: int, count: int, more: bytes) -> bytes:
    return (
        _STATUS_4.pack(
            _STATUS_4.size - 4 + len(record.sense) + len(more),
            record.service_action,
            record.status,
            record.chunks_done & 0xFFFF,
            _NO_DELAY if record.operation is None else _POLL_MS,
            record.completion_status,
            len(record.sense),
            len(record.sense),
            units,
            count,
            record.segments_done,
        )
        + record.sense
        + more
    )


def _record_1(nexus: Nexus, unit: LogicalUnit, task: Task) -> CopyRecord:
    record = find_record(nexus, unit, task.cdb[2])
    if record is None or record.list_id > LIST_ID_1_MAX:
        raise ScsiError(invalid_field_in_cdb(2))
    return record


def _record_4(nexus: Nexus, unit: LogicalUnit, task: Task) -> CopyRecord:
    record = find_record(nexus, unit, int.from_bytes(task.cdb[2:6], "big"))
    if record is None:
        raise ScsiError(invalid_field_in_cdb(2))
    return record


def _send(task: Task, data: bytes) -> None:
    send(task, data, int.from_bytes(task.cdb[10:14], "big"))
