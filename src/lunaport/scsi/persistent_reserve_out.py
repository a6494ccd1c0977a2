"""PERSISTENT RESERVE OUT (SPC-4 6.16): parameter lists taken apart, the change made, the others told.

What a service action means stands in `reservation_changes`. Here are the parameter list, the initiator ports that
TransportIDs name, unit attentions, and the tasks that PREEMPT AND ABORT ends.
"""

import struct
from collections.abc import Iterator
from functools import partial

from lunaport.scsi.data_out import collect
from lunaport.scsi.enums import ReserveOut, Status
from lunaport.scsi.limits import RESERVE_OUT_BYTES_MAX
from lunaport.scsi.logical_unit import LogicalUnit
from lunaport.scsi.nexus import Nexus
from lunaport.scsi.reply import conclude
from lunaport.scsi.reservation_changes import Change, Request, change
from lunaport.scsi.reservations import NexusId, Reservations
from lunaport.scsi.sense import ScsiError, invalid_field_in_parameter_list, parameter_list_length_error
from lunaport.scsi.task import Task
from lunaport.scsi.transport_id import SEPARATOR, TransportId, parse_transport_id

_BASIC = struct.Struct(">QQ4xBB2x")
_MOVE = struct.Struct(">QQxBHI")
_LENGTH = struct.Struct(">I")
_PARAMETER_LIST_LENGTH = slice(5, 9)

_SPEC_I_PT, _ALL_TG_PT, _APTPL = 0x08, 0x04, 0x01
_UNREG = 0x02
_FLAGS_BYTE, _RESERVED_BYTE = 20, 21
_MOVE_FLAGS_BYTE, _MOVE_PORT_BYTE, _MOVE_LENGTH_BYTE = 17, 18, 20
_SPEC_I_PT_BIT, _ALL_TG_PT_BIT, _APTPL_BIT = 3, 2, 0
_TRANSPORT_ID_BYTES_MIN = 24

_TAKES_APTPL = frozenset(
    (ReserveOut.REGISTER, ReserveOut.REGISTER_AND_IGNORE_EXISTING_KEY, ReserveOut.REPLACE_LOST_RESERVATION)
)
_TAKES_ALL_TG_PT = frozenset((ReserveOut.REGISTER, ReserveOut.REGISTER_AND_IGNORE_EXISTING_KEY))


def persistent_reserve_out(nexus: Nexus, unit: LogicalUnit, task: Task) -> None:
    """All service actions."""
    if unit.holder is not None:
        # An SPC-2 reservation, even one of this nexus: the two kinds do not mix (SPC-2 5.5.1).
        task.finish(Status.RESERVATION_CONFLICT)
        return
    length = int.from_bytes(task.cdb[_PARAMETER_LIST_LENGTH])
    if not _BASIC.size <= length <= RESERVE_OUT_BYTES_MAX:
        raise ScsiError(parameter_list_length_error())
    collect(nexus, unit, task, length, partial(_perform, nexus, unit, task, length))


def _perform(nexus: Nexus, unit: LogicalUnit, task: Task, length: int, data: bytes) -> None:
    if len(data) < length:
        raise ScsiError(parameter_list_length_error())
    action = ReserveOut(task.cdb[1] & 0x1F)  # the command table has no other
    parse = _parse_move if action == ReserveOut.REGISTER_AND_MOVE else _parse_basic
    request = parse(nexus, unit, action, task.cdb[2], data)

    def decide(now: Reservations) -> Change | None:
        # A RESERVE may have come while this waited; a task that was aborted does nothing any more.
        return None if task.aborted or unit.holder is not None else change(now, request)

    unit.begin(nexus, task)
    unit.reservations.change(unit.background, decide, partial(_decided, unit, task, request))


def _decided(
    unit: LogicalUnit, task: Task, request: Request, change: Change | None, error: BaseException | None
) -> None:
    def finish() -> None:
        try:
            if change is None and error is None and not task.aborted:
                task.finish(Status.RESERVATION_CONFLICT)
            else:
                conclude(unit, task, error)
        finally:
            unit.end(task)

    if change is None:
        finish()
        return
    unit.refresh()
    for nexus in unit.nexuses:
        attention = change.attentions.get(nexus.id)
        if attention is not None:
            nexus.raise_attention(unit, attention)
    doomed: list[Task] = []
    if request.action == ReserveOut.PREEMPT_AND_ABORT:
        doomed = [other for other, of in unit.task_set.items() if of.id in change.preempted and other is not task]
    unit.abort(doomed, finish)


def _parse_basic(nexus: Nexus, unit: LogicalUnit, action: ReserveOut, scope_and_type: int, data: bytes) -> Request:
    key, action_key, flags, reserved = _BASIC.unpack_from(data)
    _refuse_reserved(flags & ~(_SPEC_I_PT | _ALL_TG_PT | _APTPL), _FLAGS_BYTE)
    _refuse_reserved(reserved, _RESERVED_BYTE)
    persist = bool(flags & _APTPL) and action in _TAKES_APTPL
    _check_persist(unit, persist, _FLAGS_BYTE)
    everywhere = bool(flags & _ALL_TG_PT)
    if everywhere and action == ReserveOut.REPLACE_LOST_RESERVATION:
        raise ScsiError(invalid_field_in_parameter_list(_FLAGS_BYTE, _ALL_TG_PT_BIT))
    everywhere = everywhere and action in _TAKES_ALL_TG_PT
    others = None
    if flags & _SPEC_I_PT:
        if action != ReserveOut.REGISTER:
            raise ScsiError(invalid_field_in_parameter_list(_FLAGS_BYTE, _SPEC_I_PT_BIT))
        others = tuple(
            other
            for port in dict.fromkeys(_parse_ports(unit, data))
            for other in _with_target_ports(nexus, port, everywhere=everywhere)
            if port != nexus.id.initiator_port
        )
    elif len(data) != _BASIC.size:
        raise ScsiError(parameter_list_length_error())
    return Request(
        action=action,
        nexus=nexus.id,
        scope_and_type=scope_and_type,
        key=key,
        action_key=action_key,
        persist=persist,
        ports=tuple(_with_target_ports(nexus, nexus.id.initiator_port, everywhere=everywhere)),
        others=others,
    )


def _parse_move(nexus: Nexus, unit: LogicalUnit, action: ReserveOut, scope_and_type: int, data: bytes) -> Request:
    key, action_key, flags, target_port, length = _MOVE.unpack_from(data)
    _refuse_reserved(flags & ~(_UNREG | _APTPL), _MOVE_FLAGS_BYTE)
    persist = bool(flags & _APTPL)
    _check_persist(unit, persist, _MOVE_FLAGS_BYTE)
    if target_port not in nexus.target.ports:
        raise ScsiError(invalid_field_in_parameter_list(_MOVE_PORT_BYTE))
    if length != len(data) - _MOVE.size or length < _TRANSPORT_ID_BYTES_MIN or length % 4:
        raise ScsiError(invalid_field_in_parameter_list(_MOVE_LENGTH_BYTE))
    transport_id, end = parse_transport_id(data, _MOVE.size)
    ports = _ports_of(unit, transport_id)
    if end != len(data) or len(ports) != 1:
        raise ScsiError(invalid_field_in_parameter_list(_MOVE.size))
    return Request(
        action=action,
        nexus=nexus.id,
        scope_and_type=scope_and_type,
        key=key,
        action_key=action_key,
        persist=persist,
        destination=NexusId(initiator_port=ports[0], target_port=target_port),
        unregister=bool(flags & _UNREG),
    )


def _check_persist(unit: LogicalUnit, persist: bool, byte: int) -> None:
    if persist and unit.reservations.store is None:
        raise ScsiError(invalid_field_in_parameter_list(byte, _APTPL_BIT))


def _refuse_reserved(wrong: int, byte: int) -> None:
    wrong &= 0xFF
    if wrong:
        raise ScsiError(invalid_field_in_parameter_list(byte, wrong.bit_length() - 1))


def _parse_ports(unit: LogicalUnit, data: bytes) -> Iterator[str]:
    """The initiator ports that the additional parameter data name (SPC-4 table 173)."""
    position = _BASIC.size + _LENGTH.size
    if len(data) < position or _LENGTH.unpack_from(data, _BASIC.size)[0] != len(data) - position:
        raise ScsiError(invalid_field_in_parameter_list(_BASIC.size))
    while position < len(data):
        transport_id, following = parse_transport_id(data, position)
        ports = _ports_of(unit, transport_id)
        if not ports:
            raise ScsiError(invalid_field_in_parameter_list(position))
        yield from ports
        position = following


def _ports_of(unit: LogicalUnit, transport_id: TransportId) -> list[str]:
    """The port named, whether it was ever seen or not; of a name without ISID, the ports that are logged in."""
    if transport_id.isid:
        return [transport_id.initiator_port]
    ports = (nexus.id.initiator_port for nexus in unit.nexuses)
    return sorted({port for port in ports if port.rpartition(SEPARATOR)[0] == transport_id.initiator_name})


def _with_target_ports(nexus: Nexus, initiator_port: str, *, everywhere: bool) -> Iterator[NexusId]:
    """An initiator port with the target port that the command came to, or with every one."""
    for port in nexus.target.ports if everywhere else (nexus.id.target_port,):
        yield NexusId(initiator_port=initiator_port, target_port=port)
