"""PERSISTENT RESERVE OUT: its parameter list, the ports it names, and what holds for every service action."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lunaport.scsi.enums import ReservationType, ReserveOut, Status
from lunaport.scsi.limits import RESERVE_OUT_BYTES_MAX
from lunaport.scsi.reservation_store import load_reservations
from lunaport.scsi.reservations import Reservations

from .persistent import (
    ALL_TG_PT,
    APTPL,
    CONFLICT,
    EXCLUSIVE_ACCESS,
    HOST,
    OTHER,
    SPEC_I_PT,
    THIRD,
    UNREGISTERED,
    WRITE,
    WRITE_EXCLUSIVE,
    WRITE_EXCLUSIVE_RO,
    A,
    B,
    MemoryStore,
    attentions,
    basic_list,
    both_registered,
    can,
    full_status,
    generation,
    keys,
    list_field,
    move_list,
    port_id,
    port_list,
    powered_on,
    register,
    reservation,
    reserve_out,
    reserve_out_cdb,
)
from .support import Bench, FakeTask

# SPEC_I_PT, ALL_TG_PT


def spec_i_pt(bench: Bench, *transport_ids: bytes, flags: int = 0) -> FakeTask:
    additional = port_list(*transport_ids)
    return reserve_out(bench, ReserveOut.REGISTER, 0, A, flags=SPEC_I_PT | flags, additional=additional)


def test_ports_that_are_named_are_registered_too() -> None:
    bench = Bench()
    unseen = port_id(f"{THIRD},i,0x00000000000c")
    task = spec_i_pt(bench, port_id(f"{OTHER},i,0x000000000002"), unseen, port_id(f"{HOST},i,0x000000000001"))
    assert task.status == Status.GOOD
    assert keys(bench) == [A, A, A]
    assert full_status(bench)[2].transport_id == unseen
    assert generation(bench) == 1
    assert reserve_out(bench, ReserveOut.RESERVE, A, kind=WRITE_EXCLUSIVE, nexus=bench.other).status == Status.GOOD


def test_a_name_without_isid_means_its_ports_that_are_logged_in() -> None:
    bench = Bench()
    bench.target.attach(f"{OTHER},i,0x000000000009")
    assert spec_i_pt(bench, port_id(OTHER, form=0x05)).status == Status.GOOD
    assert [row.transport_id for row in full_status(bench)] == [
        port_id(f"{HOST},i,0x000000000001"),
        port_id(f"{OTHER},i,0x000000000002"),
        port_id(f"{OTHER},i,0x000000000009"),
    ]
    assert list_field(spec_i_pt(Bench(), port_id(THIRD, form=0x05))) == (28, None)


def test_all_target_ports() -> None:
    bench = powered_on(MemoryStore(), ports=(1, 2))
    second = bench.target.attach(f"{HOST},i,0x000000000001", 2)
    register(bench, bench.nexus, A, flags=ALL_TG_PT)
    assert [(row.key, row.target_port) for row in full_status(bench)] == [(A, 1), (A, 2)]
    reserve_out(bench, ReserveOut.RESERVE, A, kind=EXCLUSIVE_ACCESS, nexus=second)
    assert can(bench, bench.nexus) == ""
    assert can(bench, second) == "rw"
    register(bench, bench.nexus, 0, before=A, flags=ALL_TG_PT)
    assert (keys(bench), reservation(bench)) == ([], None)


def test_without_all_target_ports_only_the_one_in_use() -> None:
    bench = powered_on(MemoryStore(), ports=(1, 2))
    register(bench, bench.target.attach(f"{HOST},i,0x000000000001", 2), A)
    assert [(row.key, row.target_port) for row in full_status(bench)] == [(A, 2)]
    assert register(bench, bench.nexus, B).status == Status.GOOD


def test_named_ports_with_all_target_ports() -> None:
    bench = powered_on(MemoryStore(), ports=(1, 2))
    assert spec_i_pt(bench, port_id(f"{THIRD},i,0x000000000003"), flags=ALL_TG_PT).status == Status.GOOD
    assert [row.target_port for row in full_status(bench)] == [1, 2, 1, 2]


def test_named_ports_all_or_none() -> None:
    bench = both_registered()
    register(bench, bench.nexus, 0, before=A)
    third = port_id(f"{THIRD},i,0x000000000003")
    assert list_field(spec_i_pt(bench, third, port_id(f"{OTHER},i,0x000000000002"))) == (24, None)
    assert list_field(spec_i_pt(bench, third, third[:-4])) == (28 + len(third) + 2, None)
    assert keys(bench) == [B]


def test_only_an_unregistered_nexus_names_ports() -> None:
    bench = both_registered()
    for action_key in (0, 0x77):
        additional = port_list(port_id(f"{THIRD},i,0x000000000003"))
        task = reserve_out(bench, ReserveOut.REGISTER, A, action_key, flags=SPEC_I_PT, additional=additional)
        assert list_field(task) == (20, 3)
    assert keys(bench) == [A, B]


@pytest.mark.parametrize("length", [0, 1, 44, 100])
def test_the_length_of_the_list_has_to_be_right(length: int) -> None:
    additional = length.to_bytes(4) + port_id(f"{THIRD},i,0x3")
    task = reserve_out(Bench(), ReserveOut.REGISTER, 0, A, flags=SPEC_I_PT, additional=additional)
    assert list_field(task) == (24, None)


# What holds for all of them


@pytest.mark.parametrize("action", sorted(set(ReserveOut) - {0, 6, 7, 8}))
def test_from_an_unregistered_nexus_or_with_a_wrong_key_it_is_a_conflict(action: ReserveOut) -> None:
    bench = both_registered(WRITE_EXCLUSIVE)
    third = bench.target.attach(f"{THIRD},i,0x000000000003")
    for key in (0, A):
        assert reserve_out(bench, action, key, B, WRITE_EXCLUSIVE, nexus=third).status == CONFLICT
    for key in (0, B):
        assert reserve_out(bench, action, key, B, WRITE_EXCLUSIVE).status == CONFLICT
    assert (keys(bench), generation(bench)) == ([A, B], 2)


@pytest.mark.parametrize("action", ReserveOut)
@pytest.mark.parametrize("length", [0, 23, RESERVE_OUT_BYTES_MAX + 1, 0xFFFFFFFF])
def test_a_parameter_list_of_no_possible_length(action: ReserveOut, length: int) -> None:
    assert Bench().run(reserve_out_cdb(action, 1, length), data_out=bytes(40)).sense_code == 0x1A00


@pytest.mark.parametrize("action", sorted(set(ReserveOut) - {7}))
def test_more_than_24_bytes_are_for_named_ports_only(action: ReserveOut) -> None:
    assert reserve_out(Bench(), action, 0, A, 1, additional=bytes(4)).sense_code == 0x1A00


@pytest.mark.parametrize("sent", [0, 10, 23])
def test_fewer_bytes_than_announced(sent: int) -> None:
    task = Bench().run(reserve_out_cdb(ReserveOut.REGISTER), data_out=basic_list(0, A)[:sent], immediate=0)
    assert task.sense_code == 0x1A00


@pytest.mark.parametrize("action", sorted(set(ReserveOut) - {0, 7}))
def test_ports_are_named_with_register_only(action: ReserveOut) -> None:
    additional = port_list(port_id(f"{THIRD},i,0x3"))
    task = reserve_out(both_registered(), action, A, B, 1, flags=SPEC_I_PT, additional=additional)
    assert list_field(task) == (20, 3)


@pytest.mark.parametrize(("at", "value", "bit"), [(20, 0x02, 1), (20, 0x80, 7), (21, 0x01, 0)])
def test_reserved_bits(at: int, value: int, bit: int) -> None:
    data = bytearray(basic_list(0, A))
    data[at] = value
    assert list_field(Bench().run(reserve_out_cdb(ReserveOut.REGISTER), data_out=bytes(data))) == (at, bit)


def test_obsolete_fields_are_not_looked_at() -> None:
    data = bytearray(basic_list(0, A))
    data[16:20], data[22:24] = b"xxxx", b"xx"
    assert Bench().run(reserve_out_cdb(ReserveOut.REGISTER), data_out=bytes(data)).status == Status.GOOD


@pytest.mark.parametrize("action", range(9, 32))
def test_no_other_service_action(action: int) -> None:
    assert Bench().run(reserve_out_cdb(action), data_out=bytes(24)).field_pointer == (1, 4)


@given(
    action=st.sampled_from(ReserveOut),
    kind=st.sampled_from(ReservationType),
    data=st.binary(min_size=24, max_size=200)
    | st.builds(basic_list, st.integers(0, 2), st.integers(0, 2), st.integers(0, 15), st.binary(max_size=80))
    | st.builds(move_list, st.integers(0, 2), st.integers(0, 2), st.binary(max_size=80), st.integers(0, 3)),
)
@settings(deadline=None)
def test_any_parameter_list_gets_one_valid_answer(action: ReserveOut, kind: int, data: bytes) -> None:
    bench = both_registered(WRITE_EXCLUSIVE, keys=(1, 2))
    task = bench.run(reserve_out_cdb(action, kind, len(data)), data_out=data)
    assert task.status in (Status.GOOD, CONFLICT, Status.CHECK_CONDITION)
    assert task.status == Status.GOOD or not task.sense or task.sense_key == 5
    assert not parse_kept(bench).lost


def parse_kept(bench: Bench) -> Reservations:
    """What a power cycle finds."""
    store = bench.unit.reservations.store
    assert store is not None
    return load_reservations(store)[0]


def test_data_that_comes_in_pieces() -> None:
    bench = Bench()
    task = bench.run(reserve_out_cdb(ReserveOut.REGISTER), data_out=basic_list(0, A), immediate=0, piece=5)
    assert (task.status, keys(bench)) == (Status.GOOD, [A])


def test_a_task_that_is_aborted_while_it_waits_for_data_registers_nothing() -> None:
    bench = Bench()
    task = bench.start(reserve_out_cdb(ReserveOut.REGISTER), data_out=basic_list(0, A), immediate=0)
    task.abort()
    assert (task.status, keys(bench)) == (Status.TASK_ABORTED, [])


@pytest.mark.parametrize("kind", ReservationType)
def test_reset_and_nexus_loss_leave_reservations_alone(kind: ReservationType) -> None:
    bench = both_registered(kind)
    bench.nexus.reset_unit(0, lambda: None)
    assert attentions(bench, bench.other) == [0x2903]
    bench.nexus.close(lambda: None)
    assert can(bench, bench.target.attach(f"{HOST},i,0x000000000001")) == "rw"
    assert bench.target.attach(f"{HOST},i,0x000000000001")
    assert len(bench.unit.reservations.now.registrations) == 2
    assert bench.unit.reservations.now.type == kind


def test_starting_a_unit_is_no_conflict_and_stopping_it_is() -> None:
    bench = both_registered(EXCLUSIVE_ACCESS)
    assert bench.run("1B 00 00 00 01 00", nexus=bench.other).status == Status.GOOD
    assert bench.run("1B 00 00 00 00 00", nexus=bench.other).status == CONFLICT


def test_an_unknown_command_is_no_conflict() -> None:
    bench = both_registered(EXCLUSIVE_ACCESS)
    assert bench.run("FF 00 00 00 00 00", nexus=bench.other).sense_code == 0x2000


def test_fenced_as_clusters_do_it() -> None:
    bench = both_registered(WRITE_EXCLUSIVE_RO)
    assert can(bench, bench.other) == "rw"
    assert reserve_out(bench, ReserveOut.PREEMPT_AND_ABORT, A, B, WRITE_EXCLUSIVE_RO).status == Status.GOOD
    assert bench.run(WRITE, nexus=bench.other, data_out=bytes(512)).sense_code == UNREGISTERED
    assert can(bench, bench.other) == "r"
    assert register(bench, bench.other, B).status == Status.GOOD
    assert can(bench, bench.other) == "rw"


def test_aptpl_needs_a_place() -> None:
    assert list_field(register(Bench(), Bench().nexus, A, flags=APTPL)) == (20, 0)
