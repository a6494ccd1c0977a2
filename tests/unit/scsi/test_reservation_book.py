"""APTPL: durable before the answer, nothing changed where that fails, one change at a time, and what is lost."""

import pytest

from lunaport.scsi.enums import ReservationType, ReserveIn, ReserveOut, Status

from .persistent import (
    ALL_TG_PT,
    APTPL,
    EXCLUSIVE_ACCESS,
    HOST,
    OTHER,
    READ,
    TEST_UNIT_READY,
    WRITE_EXCLUSIVE,
    A,
    B,
    MemoryStore,
    basic_list,
    can,
    generation,
    keys,
    list_field,
    powered_on,
    register,
    reservation,
    reserve_in,
    reserve_out,
    reserve_out_cdb,
)
from .support import Bench


def kept(kind: ReservationType | None = None) -> tuple[Bench, MemoryStore]:
    """Both nexuses registered with APTPL, and a reservation of the first."""
    store = MemoryStore()
    bench = powered_on(store)
    register(bench, bench.nexus, A, flags=APTPL)
    register(bench, bench.other, B, flags=APTPL)
    if kind is not None:
        reserve_out(bench, ReserveOut.RESERVE, A, kind=kind)
    return bench, store


@pytest.mark.parametrize("kind", ReservationType)
def test_everything_is_there_after_a_power_cycle(kind: ReservationType) -> None:
    bench, store = kept(kind)
    again = powered_on(store)
    assert (keys(again), generation(again)) == ([A, B], 0)
    assert reservation(again) == reservation(bench)
    for old, new in ((bench.nexus, again.nexus), (bench.other, again.other)):
        assert can(again, new) == can(bench, old)
    assert reserve_in(again, ReserveIn.REPORT_CAPABILITIES).data[3] & 1


def test_the_last_word_on_aptpl_counts() -> None:
    bench, store = kept(WRITE_EXCLUSIVE)
    register(bench, bench.other, B, before=B)
    assert store.document is None
    assert keys(powered_on(store)) == []
    register(bench, bench.other, B, before=B, flags=APTPL)
    assert keys(powered_on(store)) == [A, B]


def test_other_service_actions_leave_aptpl_as_it_is() -> None:
    bench, store = kept()
    reserve_out(bench, ReserveOut.RESERVE, A, kind=WRITE_EXCLUSIVE)
    assert reservation(powered_on(store)) == (A, WRITE_EXCLUSIVE)
    reserve_out(bench, ReserveOut.PREEMPT, B, A, EXCLUSIVE_ACCESS, nexus=bench.other)
    assert reservation(powered_on(store)) == (B, EXCLUSIVE_ACCESS)
    reserve_out(bench, ReserveOut.RELEASE, B, kind=EXCLUSIVE_ACCESS, nexus=bench.other)
    assert (keys(powered_on(store)), reservation(powered_on(store))) == ([B], None)
    reserve_out(bench, ReserveOut.CLEAR, B, nexus=bench.other)
    assert store.document is None


def test_nothing_is_written_without_aptpl_or_without_a_change() -> None:
    store = MemoryStore()
    bench = powered_on(store)
    register(bench, bench.nexus, A)
    reserve_out(bench, ReserveOut.RESERVE, A, kind=WRITE_EXCLUSIVE)
    assert store.saves == 0
    bench, store = kept(WRITE_EXCLUSIVE)
    saves = store.saves
    reserve_out(bench, ReserveOut.RESERVE, A, kind=WRITE_EXCLUSIVE)
    register(bench, bench.other, B, before=B, flags=APTPL)
    assert store.saves == saves


def test_the_answer_waits_for_the_disk_and_so_does_the_change() -> None:
    bench, store = kept()
    cdb = reserve_out_cdb(ReserveOut.RESERVE, EXCLUSIVE_ACCESS)
    reserving = bench.start(cdb, data_out=basic_list(A))
    after_it = bench.start(reserve_out_cdb(ReserveOut.REGISTER), data_out=basic_list(B, 0, APTPL), nexus=bench.other)
    assert reserving.finishes == after_it.finishes == 0
    assert bench.start(TEST_UNIT_READY, nexus=bench.other).status == Status.GOOD
    assert reserve_in_now(bench) == bytes(8)[:4]
    bench.background.step()
    assert (reserving.status, after_it.finishes) == (Status.GOOD, 0)
    assert reservation(powered_on(store)) == (A, EXCLUSIVE_ACCESS)
    assert bench.start(READ, nexus=bench.other, expected_length=512).status == Status.RESERVATION_CONFLICT
    bench.background.step()
    assert after_it.status == Status.GOOD
    assert (keys(bench), keys(powered_on(store))) == ([A], [A])
    assert not bench.unit.task_set


def reserve_in_now(bench: Bench) -> bytes:
    """The additional length of READ RESERVATION, without waiting for the background."""
    return bench.start(bytes.fromhex("5E 01 00 00 00 00 00 00 FF 00"), expected_length=255).data[4:8]


def test_what_cannot_be_kept_has_not_happened() -> None:
    bench, store = kept()
    store.fails = True
    task = reserve_out(bench, ReserveOut.RESERVE, A, kind=EXCLUSIVE_ACCESS)
    assert (task.sense_key, task.sense_code) == (7, 0x2707)
    assert (reservation(bench), can(bench, bench.other)) == (None, "rw")
    store.fails = False
    # Which document lies there nobody knows: the next change is written whether it differs or not.
    store.document = b"perhaps the other one"
    register(bench, bench.other, B, before=B, flags=APTPL)
    assert keys(powered_on(store)) == [A, B]


def test_a_mistake_of_ours_is_told_and_keeps_nobody_waiting() -> None:
    bench, _ = kept()
    registering = bench.start(reserve_out_cdb(ReserveOut.REGISTER), data_out=basic_list(A, 7, APTPL))
    waiting = bench.start(reserve_out_cdb(ReserveOut.RESERVE, 1), data_out=basic_list(B), nexus=bench.other)
    _, done = bench.background.queue.pop()
    with pytest.raises(ZeroDivisionError):
        done(ZeroDivisionError())
    bench.background.drain()
    assert (registering.sense_code, waiting.status) == (0x4400, Status.GOOD)
    assert (keys(bench), reservation(bench)) == ([A, B], (B, 1))
    assert not bench.unit.task_set


def test_an_aborted_task_that_waits_for_its_turn_changes_nothing() -> None:
    bench, _ = kept()
    first = bench.start(reserve_out_cdb(ReserveOut.RESERVE, 1), data_out=basic_list(A))
    second = bench.start(reserve_out_cdb(ReserveOut.CLEAR), data_out=basic_list(B), nexus=bench.other)
    done: list[int] = []
    bench.other.abort_task_set(0, lambda: done.append(1))
    assert done == []
    bench.background.drain()
    assert (first.status, second.status, done) == (Status.GOOD, Status.TASK_ABORTED, [1])
    assert (keys(bench), reservation(bench)) == ([A, B], (A, 1))


def test_an_aborted_task_whose_change_is_on_its_way_ends_when_it_is_there() -> None:
    bench, store = kept()
    first = bench.start(reserve_out_cdb(ReserveOut.RESERVE, 1), data_out=basic_list(A))
    done: list[int] = []
    bench.nexus.close(lambda: done.append(1))
    assert done == []
    bench.background.drain()
    assert (first.status, done) == (Status.TASK_ABORTED, [1])
    assert reservation(powered_on(store)) == (A, 1)


def test_preempting_each_other_at_once_ends() -> None:
    bench, _ = kept(WRITE_EXCLUSIVE)
    cdb = reserve_out_cdb(ReserveOut.PREEMPT_AND_ABORT, WRITE_EXCLUSIVE)
    first = bench.start(cdb, data_out=basic_list(A, B, 0))
    second = bench.start(cdb, data_out=basic_list(B, A, 0), nexus=bench.other)
    bench.background.drain()
    assert (first.status, second.status) == (Status.GOOD, Status.TASK_ABORTED)
    assert not bench.unit.task_set


def test_reserve_of_spc_2_does_not_overtake_a_registration() -> None:
    bench = powered_on(MemoryStore())
    registering = bench.start(reserve_out_cdb(ReserveOut.REGISTER), data_out=basic_list(0, A, APTPL))
    assert bench.start("16 00 00 00 00 00", nexus=bench.other).status == Status.BUSY
    bench.background.drain()
    assert registering.status == Status.GOOD
    waiting = bench.start(reserve_out_cdb(ReserveOut.REGISTER), data_out=basic_list(A, 0), immediate=0)
    bench.start(reserve_out_cdb(ReserveOut.REGISTER), data_out=basic_list(A))
    bench.background.drain()
    assert bench.start("16 00 00 00 00 00", nexus=bench.other).status == Status.GOOD
    waiting.deliver()
    assert waiting.status == Status.RESERVATION_CONFLICT


# Reservations that are lost


def lost() -> tuple[Bench, MemoryStore]:
    store = MemoryStore(b"broken")
    return powered_on(store), store


@pytest.mark.parametrize(
    "cdb",
    [
        READ,
        "2A 00 00000000 00 0001 00",
        TEST_UNIT_READY,
        "25 00 00000000 0000 00 00",
        "16 00 00 00 00 00",
        "17 00 00 00 00 00",
        "5E 00 00 00 00 00 00 00 FF 00",
        "5E 02 00 00 00 00 00 00 FF 00",
        "5F 00 00 00 00 00 00 00 18 00",
        "5F 06 00 00 00 00 00 00 18 00",
        "1B 00 00 00 00 00",
    ],
)
def test_while_they_are_lost_nobody_gets_access(cdb: str) -> None:
    bench, _ = lost()
    task = bench.run(cdb, data_out=bytes(512) if cdb[:2] in ("2A", "5F") else None)
    assert (task.status, task.sense_key, task.sense_code) == (Status.CHECK_CONDITION, 7, 0x4401)


@pytest.mark.parametrize(
    "cdb", ["12 00 00 00 FF 00", "03 00 00 00 FF 00", "A0 00 00 000000 00000100 00 00", "1B 00 00 00 01 00"]
)
def test_while_they_are_lost_a_few_commands_work(cdb: str) -> None:
    assert lost()[0].run(cdb).status == Status.GOOD


def replace_lost(bench: Bench, key: int = 0, action_key: int = B, kind: int = 1, flags: int = APTPL) -> int | None:
    task = reserve_out(
        bench, ReserveOut.REPLACE_LOST_RESERVATION, key, action_key, kind, nexus=bench.other, flags=flags
    )
    return task.status if task.status != Status.CHECK_CONDITION else task.sense_code


def test_replace_what_was_lost() -> None:
    bench, store = lost()
    assert replace_lost(bench) == Status.GOOD
    assert (keys(bench), reservation(bench), generation(bench)) == ([B], (B, 1), 0)
    assert (can(bench, bench.other), can(bench, bench.nexus)) == ("rw", "r")
    assert reservation(powered_on(store)) == (B, 1)


def test_replace_what_was_lost_by_something_that_is_not_kept() -> None:
    bench, store = lost()
    assert replace_lost(bench, flags=0) == Status.GOOD
    assert store.document is None


def test_replacing_is_refused_where_it_does_not_fit() -> None:
    bench, store = lost()
    assert replace_lost(bench, key=A) == Status.RESERVATION_CONFLICT
    assert replace_lost(bench, action_key=0) == 0x2600
    assert replace_lost(bench, kind=2) == 0x2400
    assert replace_lost(bench, flags=ALL_TG_PT) == 0x2600
    store.fails = True
    assert replace_lost(bench) == 0x2707
    store.fails = False
    assert bench.run(READ).sense_code == 0x4401
    assert replace_lost(powered_on(MemoryStore())) == 0x2604
    bench, _ = kept(WRITE_EXCLUSIVE)
    assert replace_lost(bench) == 0x2604
    bench.other = bench.target.attach(f"{OTHER},i,0x000000000077")
    assert replace_lost(bench) == Status.RESERVATION_CONFLICT


def test_a_power_cycle_does_not_find_what_was_lost() -> None:
    _, store = lost()
    again = powered_on(store)
    assert again.run(READ).sense_code == 0x4401
    assert can(again, again.target.attach(f"{HOST},i,0x00000000000f")) == ""


def test_refused_persistence_names_the_bit() -> None:
    bench = Bench()
    assert list_field(reserve_out(bench, ReserveOut.REGISTER, 0, A, flags=APTPL)) == (20, 0)
