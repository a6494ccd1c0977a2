"""The service actions of PERSISTENT RESERVE OUT as functions from one `Reservations` to the next (SPC-4 5.12.6 to 11).

Pure: no tasks, no disk. A function answers None for RESERVATION CONFLICT, raises ScsiError for CHECK CONDITION, and
else returns what changes and who has to be told. PRGENERATION counts what changed registrations.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace

from lunaport.scsi.enums import ReservationType, ReserveOut
from lunaport.scsi.limits import REGISTRATIONS_MAX
from lunaport.scsi.reservations import ALL_REGISTRANTS, FOR_REGISTRANTS, REGISTRANTS_ONLY, NexusId, Reservations
from lunaport.scsi.sense import (
    ScsiError,
    Sense,
    insufficient_registration_resources,
    invalid_field_in_cdb,
    invalid_field_in_parameter_list,
    invalid_release_of_persistent_reservation,
    registrations_preempted,
    reservations_preempted,
    reservations_released,
)

_SCOPE_AND_TYPE = 2
"""Byte of the CDB."""
_LU_SCOPE = 0x0
_ACTION_KEY = 8
"""Bytes of the parameter list."""
_FLAGS = 20
_SPEC_I_PT_BIT = 3
_TRANSPORT_ID = 24
_GENERATION = 0xFFFFFFFF


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A PERSISTENT RESERVE OUT command, taken apart. Fields that a service action ignores are not looked at."""

    action: ReserveOut
    nexus: NexusId
    """Where the command came from."""
    scope_and_type: int = 0
    key: int = 0
    action_key: int = 0
    persist: bool = False
    """APTPL."""
    ports: tuple[NexusId, ...] = ()
    """With ALL_TG_PT: the nexuses of the initiator port with the other target ports."""
    others: tuple[NexusId, ...] | None = None
    """With SPEC_I_PT: what the TransportIDs name."""
    destination: NexusId | None = None
    """Of REGISTER AND MOVE."""
    unregister: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What a service action does."""

    after: Reservations
    attentions: Mapping[NexusId, Sense]
    preempted: frozenset[NexusId] = frozenset()
    """Whose tasks PREEMPT AND ABORT aborts."""


def change(now: Reservations, request: Request) -> Change | None:
    """Carry out a service action. None: RESERVATION CONFLICT. Raises ScsiError."""
    return _ACTIONS[request.action](now, request)


def _register(now: Reservations, request: Request) -> Change | None:
    registered = now.registrations.get(request.nexus)
    if request.action == ReserveOut.REGISTER and request.key != (registered or 0):
        return None
    if registered is not None and request.others is not None:
        raise ScsiError(invalid_field_in_parameter_list(_FLAGS, _SPEC_I_PT_BIT))
    if request.action_key == 0:
        if registered is None:
            return _unchanged(now)
        after, attentions = _unregister(now, request.nexus, *request.ports)
        return Change(after=replace(_next(after), persist=request.persist), attentions=attentions)
    others = request.others or ()
    if any(other in now.registrations for other in others):
        raise ScsiError(invalid_field_in_parameter_list(_TRANSPORT_ID))
    after = _with_keys(_next(now), (request.nexus, *request.ports, *others), request.action_key)
    return Change(after=replace(after, persist=request.persist), attentions={})


def _reserve(now: Reservations, request: Request) -> Change | None:
    kind = _type_of(request)
    if not _knows_key(now, request):
        return None
    if now.type is not None:
        return _unchanged(now) if now.is_holder(request.nexus) and now.type == kind else None
    return Change(after=_reserved(now, request.nexus, kind), attentions={})


def _release(now: Reservations, request: Request) -> Change | None:
    if not _knows_key(now, request):
        return None
    if now.type is None or not now.is_holder(request.nexus):
        return _unchanged(now)
    if request.scope_and_type != now.type:
        raise ScsiError(invalid_release_of_persistent_reservation())
    told = _others(now, request.nexus) if now.type in FOR_REGISTRANTS else ()
    return Change(after=_released(now), attentions=dict.fromkeys(told, reservations_released()))


def _clear(now: Reservations, request: Request) -> Change | None:
    if not _knows_key(now, request):
        return None
    after = replace(_released(_next(now)), registrations={})
    return Change(after=after, attentions=dict.fromkeys(_others(now, request.nexus), reservations_preempted()))


def _preempt(now: Reservations, request: Request) -> Change | None:
    """Preempt the reservation, or only remove registrations: SPC-4 table 72 of 5.12.11.2.4 decides."""
    if not _knows_key(now, request):
        return None
    key = request.action_key
    if now.type in ALL_REGISTRANTS:
        takes_over = key == 0
    elif key == 0:
        raise ScsiError(invalid_field_in_parameter_list(_ACTION_KEY))
    else:
        takes_over = now.holder is not None and now.registrations[now.holder] == key
    if takes_over:
        return _take_over(now, request)
    removed = [nexus for nexus, its_key in now.registrations.items() if its_key == key]
    if not removed:
        return None
    after, _ = _unregister(_next(now), *removed)
    return _preempted(after, request.nexus, removed, {})


def _take_over(now: Reservations, request: Request) -> Change:
    kind = _type_of(request)
    removed = [
        nexus
        for nexus, its_key in now.registrations.items()
        if nexus != request.nexus and (its_key == request.action_key or request.action_key == 0)
    ]
    left = {nexus: its_key for nexus, its_key in now.registrations.items() if nexus not in removed}
    after = _reserved(replace(_next(now), registrations=left), request.nexus, kind)
    told = _others(after, request.nexus) if kind != now.type else ()
    return _preempted(after, request.nexus, removed, dict.fromkeys(told, reservations_released()))


def _preempted(after: Reservations, by: NexusId, removed: list[NexusId], told: Mapping[NexusId, Sense]) -> Change:
    lost = {nexus: registrations_preempted() for nexus in removed if nexus != by}
    return Change(after=after, attentions={**told, **lost}, preempted=frozenset(removed))


def _register_and_move(now: Reservations, request: Request) -> Change | None:
    registered = now.registrations.get(request.nexus)
    if registered is None:
        return None
    if now.type is None:
        raise ScsiError(invalid_field_in_cdb(1, 4))
    if now.type in ALL_REGISTRANTS or now.holder != request.nexus or request.key != registered:
        return None
    if request.action_key == 0:
        raise ScsiError(invalid_field_in_parameter_list(_ACTION_KEY))
    destination = request.destination
    assert destination is not None
    if destination.initiator_port == request.nexus.initiator_port:
        raise ScsiError(invalid_field_in_parameter_list(_TRANSPORT_ID))
    after = _with_keys(_next(now), (destination,), request.action_key)
    left = {
        nexus: key for nexus, key in after.registrations.items() if nexus != request.nexus or not request.unregister
    }
    after = replace(after, registrations=left, holder=destination, persist=request.persist)
    return Change(after=after, attentions={})


def _replace_lost(now: Reservations, request: Request) -> Change | None:
    if not now.lost:
        if now.type is not None and request.nexus not in now.registrations:
            return None
        raise ScsiError(invalid_release_of_persistent_reservation())
    kind = _type_of(request)
    if request.key != 0:
        return None
    if request.action_key == 0:
        raise ScsiError(invalid_field_in_parameter_list(_ACTION_KEY))
    after = Reservations(registrations={request.nexus: request.action_key}, persist=request.persist)
    return Change(after=_reserved(after, request.nexus, kind), attentions={})


_ACTIONS: Mapping[ReserveOut, Callable[[Reservations, Request], Change | None]] = {
    ReserveOut.REGISTER: _register,
    ReserveOut.RESERVE: _reserve,
    ReserveOut.RELEASE: _release,
    ReserveOut.CLEAR: _clear,
    ReserveOut.PREEMPT: _preempt,
    ReserveOut.PREEMPT_AND_ABORT: _preempt,
    ReserveOut.REGISTER_AND_IGNORE_EXISTING_KEY: _register,
    ReserveOut.REGISTER_AND_MOVE: _register_and_move,
    ReserveOut.REPLACE_LOST_RESERVATION: _replace_lost,
}


def _type_of(request: Request) -> ReservationType:
    """The type to establish; its scope has to be the logical unit."""
    scope, kind = request.scope_and_type >> 4, request.scope_and_type & 0x0F
    if scope != _LU_SCOPE:
        raise ScsiError(invalid_field_in_cdb(_SCOPE_AND_TYPE, 7))
    if kind not in set(ReservationType):
        raise ScsiError(invalid_field_in_cdb(_SCOPE_AND_TYPE, 3))
    return ReservationType(kind)


def _knows_key(now: Reservations, request: Request) -> bool:
    return now.registrations.get(request.nexus) == request.key


def _unchanged(now: Reservations) -> Change:
    return Change(after=now, attentions={})


def _next(now: Reservations) -> Reservations:
    return replace(now, generation=now.generation + 1 & _GENERATION)


def _with_keys(now: Reservations, nexuses: Iterable[NexusId], key: int) -> Reservations:
    registrations = {**now.registrations, **dict.fromkeys(nexuses, key)}
    if len(registrations) > REGISTRATIONS_MAX:
        raise ScsiError(insufficient_registration_resources())
    return replace(now, registrations=registrations)


def _reserved(now: Reservations, nexus: NexusId, kind: ReservationType) -> Reservations:
    return replace(now, type=kind, holder=None if kind in ALL_REGISTRANTS else nexus)


def _released(now: Reservations) -> Reservations:
    return replace(now, type=None, holder=None)


def _unregister(now: Reservations, *nexuses: NexusId) -> tuple[Reservations, dict[NexusId, Sense]]:
    """Remove registrations, and the reservation with its last holder (5.12.11.2.3); who is told of that."""
    left = {nexus: key for nexus, key in now.registrations.items() if nexus not in nexuses}
    after = replace(now, registrations=left)
    if now.holder is not None and now.holder not in left:
        told = left if now.type in REGISTRANTS_ONLY else ()
        return _released(after), dict.fromkeys(told, reservations_released())
    return (after if left else _released(after)), {}


def _others(now: Reservations, nexus: NexusId) -> list[NexusId]:
    return [other for other in now.registrations if other != nexus]
