"""PERSISTENT RESERVE IN (SPC-4 6.15): registrations and reservation, as data."""

import struct

from lunaport.scsi.enums import ReservationType, Status
from lunaport.scsi.logical_unit import LogicalUnit
from lunaport.scsi.nexus import Nexus
from lunaport.scsi.reply import send
from lunaport.scsi.reservations import Reservations
from lunaport.scsi.task import Task
from lunaport.scsi.transport_id import serialize_transport_id

_HEADER = struct.Struct(">II")
_KEY = struct.Struct(">Q")
_RESERVATION = struct.Struct(">Q4xxB2x")
_CAPABILITIES = struct.Struct(">HBBH2x")
_STATUS = struct.Struct(">Q4xBB4xHI")
_ALLOCATION = slice(7, 9)

_RLR_C, _CRH, _SIP_C, _ATP_C, _PTPL_C = 0x80, 0x10, 0x08, 0x04, 0x01
_TMV, _PTPL_A = 0x80, 0x01
_ALLOW_COMMANDS = 0x40
"""100b: what SPC-4 and SBC-3 allow under a reservation is allowed here, see the column in `commands`."""
_R_HOLDER = 0x01


def read_keys(nexus: Nexus, unit: LogicalUnit, task: Task) -> None:
    now = unit.reservations.now
    _answer(unit, task, _list(now, b"".join(map(_KEY.pack, now.registrations.values()))))


def read_reservation(nexus: Nexus, unit: LogicalUnit, task: Task) -> None:
    now = unit.reservations.now
    if now.type is None:
        _answer(unit, task, _list(now, b""))
    else:
        key = 0 if now.holder is None else now.registrations[now.holder]
        _answer(unit, task, _list(now, _RESERVATION.pack(key, now.type)))


def report_capabilities(nexus: Nexus, unit: LogicalUnit, task: Task) -> None:
    lasting = unit.reservations.store is not None
    data = _CAPABILITIES.pack(
        _CAPABILITIES.size,
        _CRH | _SIP_C | _ATP_C | (_RLR_C | _PTPL_C if lasting else 0),
        _TMV | _ALLOW_COMMANDS | (_PTPL_A if unit.reservations.now.persist else 0),
        _type_mask(),
    )
    _answer(unit, task, data)


def read_full_status(nexus: Nexus, unit: LogicalUnit, task: Task) -> None:
    now = unit.reservations.now
    descriptors = []
    for registered, key in now.registrations.items():
        transport_id = serialize_transport_id(registered.initiator_port)
        holds = now.type is not None and now.is_holder(registered)
        descriptors.append(
            _STATUS.pack(
                key,
                _R_HOLDER if holds else 0,
                now.type if holds and now.type is not None else 0,
                registered.target_port,
                len(transport_id),
            )
            + transport_id
        )
    _answer(unit, task, _list(now, b"".join(descriptors)))


def _type_mask() -> int:
    """One bit a type, the first 8 in the first byte (SPC-4 table 167)."""
    return sum(1 << (kind + 8 if kind < 8 else kind - 8) for kind in ReservationType)


def _list(now: Reservations, data: bytes) -> bytes:
    return _HEADER.pack(now.generation, len(data)) + data


def _answer(unit: LogicalUnit, task: Task, data: bytes) -> None:
    if unit.holder is not None:
        # An SPC-2 reservation, even one of this nexus: the two kinds do not mix (SPC-2 5.5.1).
        task.finish(Status.RESERVATION_CONFLICT)
    else:
        send(task, data, int.from_bytes(task.cdb[_ALLOCATION]))
