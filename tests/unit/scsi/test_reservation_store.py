"""What is kept through a loss of power, and what is made of it afterwards."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lunaport.scsi.enums import ReservationType
from lunaport.scsi.reservation_store import load_reservations, parse_reservations, serialize_reservations
from lunaport.scsi.reservations import ALL_REGISTRANTS, NexusId, Reservations

from .persistent import WRITE_EXCLUSIVE, MemoryStore

HOST = NexusId(initiator_port="iqn.2026-01.example:host,i,0x000000000001", target_port=1)
OTHER = NexusId(initiator_port="iqn.2026-01.example:other,i,0x000000000002", target_port=7)


@st.composite
def states(draw: st.DrawFn) -> Reservations:
    ids = st.builds(NexusId, initiator_port=st.text(min_size=1, max_size=244), target_port=st.integers(1, 0xFFFF))
    registrations = draw(st.dictionaries(ids, st.integers(1, 2**64 - 1), min_size=1, max_size=5))
    kind = draw(st.none() | st.sampled_from(ReservationType))
    one = kind is not None and kind not in ALL_REGISTRANTS
    holder = draw(st.sampled_from(sorted(registrations, key=repr))) if one else None
    return Reservations(registrations=registrations, type=kind, holder=holder, persist=True)


@given(now=states())
def test_what_is_kept_is_what_comes_back(now: Reservations) -> None:
    document = serialize_reservations(now)
    assert document is not None
    found = parse_reservations(document)
    assert found == now
    assert list(found.registrations) == list(now.registrations)


def test_the_document() -> None:
    now = Reservations(
        generation=5, registrations={HOST: 1, OTHER: 0xFF}, type=WRITE_EXCLUSIVE, holder=OTHER, persist=True
    )
    document = serialize_reservations(now)
    assert document is not None
    assert json.loads(document) == {
        "registrations": [
            {"initiator_port": "iqn.2026-01.example:host,i,0x000000000001", "target_port": 1, "key": 1},
            {"initiator_port": "iqn.2026-01.example:other,i,0x000000000002", "target_port": 7, "key": 255},
        ],
        "type": 1,
        "holder": 1,
    }


def test_nothing_is_kept_where_nothing_shall_be() -> None:
    assert serialize_reservations(Reservations(registrations={HOST: 1})) is None
    assert serialize_reservations(Reservations(persist=True)) is None


ROW = '{"initiator_port":"a","target_port":1,"key":1}'


@pytest.mark.parametrize(
    "document",
    [
        "",
        "{}",
        "[]",
        '{"registrations":[]}',
        '{"registrations":[{"initiator_port":"","target_port":1,"key":1}]}',
        '{"registrations":[{"initiator_port":"a","target_port":0,"key":1}]}',
        '{"registrations":[{"initiator_port":"a","target_port":1,"key":0}]}',
        '{"registrations":[{"initiator_port":"a","target_port":1,"key":18446744073709551616}]}',
        '{"registrations":[{"initiator_port":"a","target_port":1}]}',
        f'{{"registrations":[{ROW},{ROW}]}}',
        f'{{"registrations":[{ROW}],"type":2,"holder":0}}',
        f'{{"registrations":[{ROW}],"type":1}}',
        f'{{"registrations":[{ROW}],"type":1,"holder":1}}',
        f'{{"registrations":[{ROW}],"type":1,"holder":-1}}',
        f'{{"registrations":[{ROW}],"type":7,"holder":0}}',
        f'{{"registrations":[{ROW}],"holder":0}}',
        f'{{"registrations":[{ROW}],"more":0}}',
        f'{{"registrations":[{",".join(ROW.replace("a", str(n)) for n in range(513))}]}}',
    ],
)
def test_what_makes_no_sense_is_a_loss_and_never_an_empty_list(document: str) -> None:
    now, damage = load_reservations(MemoryStore(document.encode()))
    assert now.lost
    assert damage


@given(document=st.binary(max_size=200))
def test_any_bytes_are_a_loss(document: bytes) -> None:
    assert load_reservations(MemoryStore(document))[0].lost


def test_what_cannot_be_read_is_a_loss() -> None:
    store = MemoryStore()
    store.fails = True
    now, damage = load_reservations(store)
    assert (now.lost, damage) == (True, "medium read: told to fail")


def test_nothing_there_is_nothing_lost() -> None:
    assert load_reservations(MemoryStore()) == (Reservations(), "")
