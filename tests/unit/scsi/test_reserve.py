"""RESERVE and RELEASE: one nexus holds a unit."""

import pytest

from lunaport.scsi.enums import ReservationType, ReserveOut, Status

from .persistent import (
    EXCLUSIVE_ACCESS,
    WRITE_EXCLUSIVE,
    A,
    both_registered,
    can,
    register,
    reservation,
    reserve_out,
)
from .support import Bench

TEST_UNIT_READY = "00 00 00 00 00 00"
RESERVE = ["16 00 00 00 00 00", "56 00 00 00 00 00 00 0000 00"]
RELEASE = ["17 00 00 00 00 00", "57 00 00 00 00 00 00 0000 00"]


@pytest.mark.parametrize("reserve", RESERVE)
@pytest.mark.parametrize("release", RELEASE)
def test_reserve_and_release(reserve: str, release: str) -> None:
    bench = Bench()
    assert bench.run(reserve).status == Status.GOOD
    assert bench.run(reserve).status == Status.GOOD
    assert bench.run(TEST_UNIT_READY).status == Status.GOOD
    for cdb in (TEST_UNIT_READY, reserve, "28 00 00000000 00 0001 00", "1A 00 08 00 FF 00", "1B 00 00 00 00 00"):
        task = bench.run(cdb, nexus=bench.other)
        assert (task.status, task.sense) == (Status.RESERVATION_CONFLICT, b"")
    assert bench.run(release, nexus=bench.other).status == Status.GOOD  # changes nothing
    assert bench.run(TEST_UNIT_READY, nexus=bench.other).status == Status.RESERVATION_CONFLICT
    assert bench.run(release).status == Status.GOOD
    assert bench.run(TEST_UNIT_READY, nexus=bench.other).status == Status.GOOD


@pytest.mark.parametrize(
    "cdb",
    [
        "12 00 00 00 FF 00",
        "03 00 00 00 FF 00",
        "A0 00 00 000000 00000100 00 00",
        "25 00 00000000 0000 00 00",
        "9E 10 0000000000000000 00000020 00 00",
        "A3 0C 00 00 0000 00010000 00 00",
    ],
)
def test_what_is_legal_for_the_others(cdb: str) -> None:
    bench = Bench()
    bench.run(RESERVE[0])
    assert bench.run(cdb, nexus=bench.other).status == Status.GOOD


def test_starting_the_unit_is_legal_for_the_others() -> None:
    bench = Bench()
    bench.run(RESERVE[0])
    assert bench.run("1B 00 00 00 01 00", nexus=bench.other).status == Status.GOOD


def test_an_unknown_command_is_no_conflict() -> None:
    bench = Bench()
    bench.run(RESERVE[0])
    assert bench.run("FF 00 00 00 00 00", nexus=bench.other).sense_code == 0x2000
    assert bench.run("28 E0 00000000 00 0001 00", nexus=bench.other).status == Status.RESERVATION_CONFLICT


def test_nexus_loss_releases() -> None:
    bench = Bench()
    bench.run(RESERVE[0])
    bench.nexus.close(lambda: None)
    assert bench.run(TEST_UNIT_READY, nexus=bench.other).status == Status.GOOD


def test_reset_releases() -> None:
    bench = Bench()
    bench.run(RESERVE[0])
    bench.other.reset_unit(0, lambda: None)
    assert bench.run(TEST_UNIT_READY, nexus=bench.other).sense_code == 0x2903
    assert bench.run(TEST_UNIT_READY, nexus=bench.other).status == Status.GOOD


def test_third_party_reservations_are_gone() -> None:
    assert Bench().run("16 10 00 00 00 00").field_pointer == (1, 4)
    assert Bench().run("56 10 00 00 00 00 00 0000 00").field_pointer == (1, 4)


@pytest.mark.parametrize("cdb", RESERVE + RELEASE)
@pytest.mark.parametrize("kind", ReservationType)
def test_beside_a_persistent_reservation_they_are_good_for_those_with_access(cdb: str, kind: ReservationType) -> None:
    bench = both_registered(kind)
    third = bench.target.attach("iqn.2026-01.example:third,i,0x000000000003")
    registered = Status.RESERVATION_CONFLICT if kind in (WRITE_EXCLUSIVE, EXCLUSIVE_ACCESS) else Status.GOOD
    assert bench.run(cdb).status == Status.GOOD
    assert bench.run(cdb, nexus=bench.other).status == registered
    assert bench.run(cdb, nexus=third).status == Status.RESERVATION_CONFLICT
    assert bench.unit.holder is None
    before = reservation(bench)
    assert before is not None
    assert before[1] == kind


@pytest.mark.parametrize("cdb", RESERVE + RELEASE)
def test_where_somebody_has_registered_they_conflict(cdb: str) -> None:
    bench = Bench()
    register(bench, bench.nexus, A)
    for nexus in (bench.nexus, bench.other):
        assert bench.run(cdb, nexus=nexus).status == Status.RESERVATION_CONFLICT
    assert can(bench, bench.other) == "rw"


@pytest.mark.parametrize("action", ReserveOut)
def test_persistent_reservations_conflict_with_these(action: ReserveOut) -> None:
    bench = Bench()
    bench.run(RESERVE[0])
    for nexus in (bench.nexus, bench.other):
        assert reserve_out(bench, action, 0, A, 1, nexus=nexus).status == Status.RESERVATION_CONFLICT
    bench.run(RELEASE[0])
    assert register(bench, bench.nexus, A).status == Status.GOOD
