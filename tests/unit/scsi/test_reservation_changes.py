"""What each service action of PERSISTENT RESERVE OUT does, and to whom."""

import pytest

from lunaport.blockdev.filters import DelayFilter
from lunaport.blockdev.memory import MemoryDevice
from lunaport.scsi.enums import ReservationType, ReserveIn, ReserveOut, Status
from lunaport.scsi.limits import REGISTRATIONS_MAX

from .persistent import (
    CONFLICT,
    EXCLUSIVE_ACCESS,
    EXCLUSIVE_ACCESS_AR,
    EXCLUSIVE_ACCESS_RO,
    FOR_ALL,
    HOST,
    OTHER,
    PREEMPTED,
    READ,
    RELEASED,
    SINGLE,
    TEST_UNIT_READY,
    THIRD,
    UNREGISTERED,
    WRITE,
    WRITE_EXCLUSIVE,
    WRITE_EXCLUSIVE_AR,
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
    powered_on,
    register,
    reservation,
    reserve_in,
    reserve_out,
    reserve_out_cdb,
)
from .support import SIZE, Bench, FakeTask

# REGISTER, REGISTER AND IGNORE EXISTING KEY


def test_register_change_and_unregister() -> None:
    bench = Bench()
    assert register(bench, bench.nexus, A).status == Status.GOOD
    assert register(bench, bench.nexus, B, before=A).status == Status.GOOD
    assert keys(bench) == [B]
    assert register(bench, bench.nexus, 0, before=B).status == Status.GOOD
    assert (keys(bench), generation(bench)) == ([], 3)


def test_register_needs_the_key_there_is() -> None:
    bench = Bench()
    assert register(bench, bench.nexus, A, before=B).status == CONFLICT
    register(bench, bench.nexus, A)
    for before in (0, B):
        assert register(bench, bench.nexus, B, before=before).status == CONFLICT
    assert (keys(bench), generation(bench)) == ([A], 1)


def test_register_nothing_is_good_and_changes_nothing() -> None:
    bench = Bench()
    assert register(bench, bench.nexus, 0).status == Status.GOOD
    assert reserve_out(bench, ReserveOut.REGISTER_AND_IGNORE_EXISTING_KEY, B, 0).status == Status.GOOD
    assert (keys(bench), generation(bench)) == ([], 0)


def test_register_and_ignore_existing_key() -> None:
    bench = Bench()
    for action_key, left in ((A, [A]), (B, [B]), (0, [])):
        task = reserve_out(bench, ReserveOut.REGISTER_AND_IGNORE_EXISTING_KEY, 0x77, action_key)
        assert (task.status, keys(bench)) == (Status.GOOD, left)
    assert generation(bench) == 3


@pytest.mark.parametrize("kind", ReservationType)
def test_a_new_key_leaves_the_reservation(kind: ReservationType) -> None:
    bench = both_registered(kind)
    register(bench, bench.nexus, 0x77, before=A)
    assert reservation(bench) == (0 if kind in FOR_ALL else 0x77, kind)
    assert attentions(bench, bench.other) == []


@pytest.mark.parametrize("kind", SINGLE)
def test_when_the_holder_unregisters_the_reservation_goes(kind: ReservationType) -> None:
    bench = both_registered(kind)
    register(bench, bench.nexus, 0, before=A)
    assert (reservation(bench), keys(bench)) == (None, [B])
    told = [RELEASED] if kind in (WRITE_EXCLUSIVE_RO, EXCLUSIVE_ACCESS_RO) else []
    assert attentions(bench, bench.other) == told
    assert attentions(bench, bench.nexus) == []


@pytest.mark.parametrize("kind", FOR_ALL)
def test_of_all_registrants_the_last_takes_the_reservation_along(kind: ReservationType) -> None:
    bench = both_registered(kind)
    register(bench, bench.nexus, 0, before=A)
    assert reserve_in(bench, ReserveIn.READ_RESERVATION, nexus=bench.other).data[21] == kind
    assert can(bench, bench.nexus) == ("r" if kind == WRITE_EXCLUSIVE_AR else "")
    assert can(bench, bench.other) == "rw"
    register(bench, bench.other, 0, before=B)
    assert reservation(bench) is None
    assert can(bench, bench.nexus) == "rw"


def test_registering_is_legal_under_any_reservation() -> None:
    bench = Bench()
    register(bench, bench.nexus, A)
    reserve_out(bench, ReserveOut.RESERVE, A, kind=EXCLUSIVE_ACCESS_RO)
    assert can(bench, bench.other) == ""
    assert register(bench, bench.other, B).status == Status.GOOD
    assert can(bench, bench.other) == "rw"


def test_registrations_are_bounded() -> None:
    bench = Bench()
    for number in range(1, REGISTRATIONS_MAX):
        assert register(bench, bench.target.attach(f"i,i,0x{number:012x}"), number).status == Status.GOOD
    assert register(bench, bench.nexus, A).status == Status.GOOD
    task = register(bench, bench.other, B)
    assert (task.sense_key, task.sense_code) == (5, 0x5504)
    assert register(bench, bench.nexus, B, before=A).status == Status.GOOD
    assert len(keys(bench)) == REGISTRATIONS_MAX


# RESERVE, RELEASE


@pytest.mark.parametrize("kind", ReservationType)
def test_reserve_and_release(kind: ReservationType) -> None:
    bench = both_registered(kind)
    third = bench.target.attach(f"{THIRD},i,0x000000000003")
    reads = "r" if kind in (WRITE_EXCLUSIVE, WRITE_EXCLUSIVE_RO, WRITE_EXCLUSIVE_AR) else ""
    registered = "rw" if kind not in (WRITE_EXCLUSIVE, EXCLUSIVE_ACCESS) else reads
    assert [can(bench, nexus) for nexus in (bench.nexus, bench.other, third)] == ["rw", registered, reads]
    assert bench.run(TEST_UNIT_READY, nexus=third).status == Status.GOOD
    assert reserve_out(bench, ReserveOut.RELEASE, A, kind=kind).status == Status.GOOD
    assert (reservation(bench), keys(bench), generation(bench)) == (None, [A, B], 2)
    assert attentions(bench, bench.other) == ([] if kind in (WRITE_EXCLUSIVE, EXCLUSIVE_ACCESS) else [RELEASED])
    assert can(bench, third) == "rw"


@pytest.mark.parametrize("kind", ReservationType)
def test_reserve_again(kind: ReservationType) -> None:
    bench = both_registered(kind)
    assert reserve_out(bench, ReserveOut.RESERVE, A, kind=kind).status == Status.GOOD
    another = WRITE_EXCLUSIVE if kind != WRITE_EXCLUSIVE else EXCLUSIVE_ACCESS
    assert reserve_out(bench, ReserveOut.RESERVE, A, kind=another).status == CONFLICT
    expected = Status.GOOD if kind in FOR_ALL else CONFLICT
    assert reserve_out(bench, ReserveOut.RESERVE, B, kind=kind, nexus=bench.other).status == expected


def test_release_of_what_one_does_not_hold_changes_nothing() -> None:
    bench = both_registered(WRITE_EXCLUSIVE)
    assert reserve_out(bench, ReserveOut.RELEASE, B, kind=WRITE_EXCLUSIVE, nexus=bench.other).status == Status.GOOD
    assert reservation(bench) == (A, WRITE_EXCLUSIVE)
    assert reserve_out(both_registered(), ReserveOut.RELEASE, A, kind=WRITE_EXCLUSIVE).status == Status.GOOD


@pytest.mark.parametrize("kind", [EXCLUSIVE_ACCESS, 0x11])
def test_release_with_another_type_or_scope(kind: int) -> None:
    bench = both_registered(WRITE_EXCLUSIVE)
    task = reserve_out(bench, ReserveOut.RELEASE, A, kind=kind)
    assert (task.sense_key, task.sense_code) == (5, 0x2604)
    assert reservation(bench) == (A, WRITE_EXCLUSIVE)


@pytest.mark.parametrize("action", [ReserveOut.RESERVE, ReserveOut.PREEMPT, ReserveOut.PREEMPT_AND_ABORT])
@pytest.mark.parametrize(("kind", "bit"), [(0, 3), (2, 3), (4, 3), (9, 3), (15, 3), (0x11, 7), (0x21, 7)])
def test_no_other_types_and_scopes(action: ReserveOut, kind: int, bit: int) -> None:
    bench = both_registered(WRITE_EXCLUSIVE if action != ReserveOut.RESERVE else None)
    task = reserve_out(bench, action, A, A, kind)
    assert (task.sense_code, task.field_pointer) == (0x2400, (2, bit))


# CLEAR


@pytest.mark.parametrize("kind", [None, *ReservationType])
def test_clear(kind: ReservationType | None) -> None:
    bench = both_registered(kind)
    assert reserve_out(bench, ReserveOut.CLEAR, B, nexus=bench.other).status == Status.GOOD
    assert attentions(bench, bench.nexus) == [PREEMPTED]
    assert attentions(bench, bench.other) == []
    assert (keys(bench), reservation(bench), generation(bench)) == ([], None, 3)


# PREEMPT, PREEMPT AND ABORT

PREEMPTS = [ReserveOut.PREEMPT, ReserveOut.PREEMPT_AND_ABORT]


@pytest.mark.parametrize("action", PREEMPTS)
@pytest.mark.parametrize("kind", SINGLE)
@pytest.mark.parametrize("new", ReservationType)
def test_preempt_the_holder(action: ReserveOut, kind: ReservationType, new: ReservationType) -> None:
    bench = both_registered(kind)
    third = bench.target.attach(f"{THIRD},i,0x000000000003")
    register(bench, third, 0xC)
    assert reserve_out(bench, action, B, A, new, nexus=bench.other).status == Status.GOOD
    assert attentions(bench, bench.nexus) == [UNREGISTERED]
    assert attentions(bench, third) == ([RELEASED] if new != kind else [])
    assert attentions(bench, bench.other) == []
    assert (keys(bench), generation(bench)) == ([B, 0xC], 4)
    assert reservation(bench) == (0 if new in FOR_ALL else B, new)
    assert can(bench, bench.other) == "rw"


@pytest.mark.parametrize("action", PREEMPTS)
def test_preempt_another_than_the_holder(action: ReserveOut) -> None:
    bench = both_registered(WRITE_EXCLUSIVE_RO)
    third = bench.target.attach(f"{THIRD},i,0x000000000003")
    register(bench, third, B)
    assert reserve_out(bench, action, A, B, 0xF).status == Status.GOOD
    assert (keys(bench), reservation(bench)) == ([A], (A, WRITE_EXCLUSIVE_RO))
    assert [attentions(bench, nexus) for nexus in (bench.nexus, bench.other, third)] == [
        [],
        [UNREGISTERED],
        [UNREGISTERED],
    ]
    assert can(bench, bench.other) == "r"


@pytest.mark.parametrize("action", PREEMPTS)
def test_preempt_without_a_reservation(action: ReserveOut) -> None:
    bench = both_registered()
    assert reserve_out(bench, action, A, B).status == Status.GOOD
    assert (keys(bench), reservation(bench)) == ([A], None)
    assert reserve_out(bench, action, A, B).status == CONFLICT
    assert generation(bench) == 3


def test_preempt_oneself_keeps_the_registration_of_a_holder() -> None:
    bench = both_registered(WRITE_EXCLUSIVE, keys=(A, A))
    assert reserve_out(bench, ReserveOut.PREEMPT, A, A, EXCLUSIVE_ACCESS).status == Status.GOOD
    assert (keys(bench), reservation(bench)) == ([A], (A, EXCLUSIVE_ACCESS))
    assert attentions(bench, bench.other) == [UNREGISTERED]


def test_preempt_oneself_without_holding_anything_unregisters() -> None:
    bench = both_registered(WRITE_EXCLUSIVE)
    assert reserve_out(bench, ReserveOut.PREEMPT, B, B, nexus=bench.other).status == Status.GOOD
    assert (keys(bench), attentions(bench, bench.other)) == ([A], [])


@pytest.mark.parametrize("kind", FOR_ALL)
def test_preempt_all_registrants(kind: ReservationType) -> None:
    bench = both_registered(kind)
    third = bench.target.attach(f"{THIRD},i,0x000000000003")
    register(bench, third, 0xC)
    # A key only removes its registrations ...
    assert reserve_out(bench, ReserveOut.PREEMPT, A, 0xC, WRITE_EXCLUSIVE).status == Status.GOOD
    assert (keys(bench), reservation(bench)) == ([A, B], (0, kind))
    assert attentions(bench, third) == [UNREGISTERED]
    assert reserve_out(bench, ReserveOut.PREEMPT, A, 0xC, WRITE_EXCLUSIVE).status == CONFLICT
    # ... and no key takes all of it over.
    assert reserve_out(bench, ReserveOut.PREEMPT, A, 0, WRITE_EXCLUSIVE).status == Status.GOOD
    assert (keys(bench), reservation(bench)) == ([A], (A, WRITE_EXCLUSIVE))
    assert attentions(bench, bench.other) == [UNREGISTERED]


def test_preempt_the_last_of_all_registrants() -> None:
    bench = both_registered(EXCLUSIVE_ACCESS_AR, keys=(A, A))
    assert reserve_out(bench, ReserveOut.PREEMPT, A, A, EXCLUSIVE_ACCESS_AR).status == Status.GOOD
    assert (keys(bench), reservation(bench)) == ([], None)


@pytest.mark.parametrize("kind", [None, *SINGLE])
def test_preempt_no_key(kind: ReservationType | None) -> None:
    assert list_field(reserve_out(both_registered(kind), ReserveOut.PREEMPT, A, 0, WRITE_EXCLUSIVE)) == (8, None)


def test_preempt_and_abort_answers_when_the_tasks_of_the_preempted_have_ended() -> None:
    bench = Bench(DelayFilter(MemoryDevice(SIZE), lambda: None))
    register(bench, bench.nexus, A)
    register(bench, bench.other, B)
    reserve_out(bench, ReserveOut.RESERVE, A, kind=WRITE_EXCLUSIVE_RO)
    mine = bench.start(READ, expected_length=512)
    waiting = bench.start(WRITE, data_out=bytes(512), immediate=0, nexus=bench.other)
    writing = bench.start("2A 00 00000008 00 0001 00", data_out=b"x" * 512, nexus=bench.other)
    data = basic_list(A, B)
    let_go = bench.background.hang(1)
    preempting = bench.start(reserve_out_cdb(ReserveOut.PREEMPT_AND_ABORT, WRITE_EXCLUSIVE_RO), data_out=data)
    assert (waiting.status, writing.finishes, preempting.finishes) == (Status.TASK_ABORTED, 0, 0)
    late = bench.start(WRITE, data_out=bytes(512), nexus=bench.other)
    assert late.sense_code == UNREGISTERED
    assert bench.start(WRITE, data_out=bytes(512), nexus=bench.other).status == CONFLICT
    bench.background.step()
    assert (mine.status, preempting.finishes) == (Status.GOOD, 0)
    let_go()
    assert (writing.status, preempting.status) == (Status.TASK_ABORTED, Status.GOOD)
    assert not bench.unit.task_set


def test_preempt_without_abort_leaves_tasks_alone() -> None:
    bench = Bench(DelayFilter(MemoryDevice(SIZE), lambda: None))
    register(bench, bench.nexus, A)
    register(bench, bench.other, B)
    writing = bench.start(WRITE, data_out=bytes(512), nexus=bench.other)
    assert bench.start(reserve_out_cdb(ReserveOut.PREEMPT), data_out=basic_list(A, B)).status == Status.GOOD
    bench.background.drain()
    assert writing.status == Status.GOOD


def test_preempt_and_abort_of_oneself_ends_its_other_tasks() -> None:
    bench = Bench(DelayFilter(MemoryDevice(SIZE), lambda: None))
    register(bench, bench.nexus, A)
    reading = bench.start(READ, expected_length=512)
    preempting = bench.start(reserve_out_cdb(ReserveOut.PREEMPT_AND_ABORT), data_out=basic_list(A, A))
    bench.background.drain()
    assert (reading.status, preempting.status) == (Status.TASK_ABORTED, Status.GOOD)


# REGISTER AND MOVE


def move(bench: Bench, *, key: int = A, action_key: int = 0xD, to: bytes | None = None, flags: int = 0) -> FakeTask:
    data = move_list(key, action_key, to or port_id(f"{OTHER},i,0x000000000002"), flags)
    return bench.run(reserve_out_cdb(ReserveOut.REGISTER_AND_MOVE, 0, len(data)), data_out=data)


@pytest.mark.parametrize("kind", SINGLE)
@pytest.mark.parametrize("unregister", [False, True])
def test_move_the_reservation(kind: ReservationType, *, unregister: bool) -> None:
    bench = both_registered(kind)
    assert move(bench, flags=2 * unregister).status == Status.GOOD
    assert (keys(bench), generation(bench)) == ([0xD] if unregister else [A, 0xD], 3)
    assert reservation(bench) == (0xD, kind)
    assert attentions(bench, bench.other) == attentions(bench, bench.nexus) == []
    assert can(bench, bench.other) == "rw"


def test_move_to_a_port_that_was_never_seen_and_to_a_name() -> None:
    bench = both_registered(WRITE_EXCLUSIVE)
    assert move(bench, to=port_id(OTHER, form=0x05)).status == Status.GOOD
    bench = both_registered(WRITE_EXCLUSIVE)
    third = port_id(f"{THIRD},i,0x000000000003")
    assert move(bench, to=third).status == Status.GOOD
    assert [row.transport_id for row in full_status(bench) if row.holder] == [third]


def test_move_is_for_the_one_holder() -> None:
    for bench in (both_registered(WRITE_EXCLUSIVE_AR), both_registered(EXCLUSIVE_ACCESS_AR)):
        assert move(bench).status == CONFLICT
    bench = both_registered(WRITE_EXCLUSIVE)
    assert move(bench, key=B).status == CONFLICT
    register(bench, bench.nexus, 0, before=A)
    assert move(bench, key=0).status == CONFLICT
    reserve_out(bench, ReserveOut.RESERVE, B, kind=WRITE_EXCLUSIVE, nexus=bench.other)
    register(bench, bench.nexus, A)
    assert move(bench).status == CONFLICT


def test_moves_that_are_refused() -> None:
    assert move(both_registered()).field_pointer == (1, 4)
    bench = both_registered(WRITE_EXCLUSIVE)
    assert list_field(move(bench, action_key=0)) == (8, None)
    assert list_field(move(bench, to=port_id(f"{HOST},i,0x000000000001"))) == (24, None)
    assert list_field(move(bench, to=port_id(THIRD, form=0x05))) == (24, None)
    assert list_field(move(bench, flags=0x80)) == (17, 7)
    bench.target.attach(f"{OTHER},i,0x000000000009")
    assert list_field(move(bench, to=port_id(OTHER, form=0x05))) == (24, None)
    other = port_id(f"{OTHER},i,0x000000000002")
    for data, field in (
        (move_list(A, B, other, port=2), (18, None)),
        (move_list(A, B, other) + bytes(4), (20, None)),
        (move_list(A, B, b""), (20, None)),
        (move_list(A, B, other + bytes(4)), (24, None)),
    ):
        task = bench.run(reserve_out_cdb(ReserveOut.REGISTER_AND_MOVE, 0, len(data)), data_out=data)
        assert list_field(task) == field
    assert (keys(bench), reservation(bench)) == ([A, B], (A, WRITE_EXCLUSIVE))


def test_move_to_another_target_port() -> None:
    bench = powered_on(MemoryStore(), ports=(1, 7))
    register(bench, bench.nexus, A)
    reserve_out(bench, ReserveOut.RESERVE, A, kind=EXCLUSIVE_ACCESS)
    data = move_list(A, B, port_id(f"{OTHER},i,0x000000000002"), port=7)
    bench.run(reserve_out_cdb(ReserveOut.REGISTER_AND_MOVE, 0, len(data)), data_out=data)
    assert can(bench, bench.other) == ""
    assert can(bench, bench.target.attach(f"{OTHER},i,0x000000000002", 7)) == "rw"
