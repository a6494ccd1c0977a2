"""TEST UNIT READY, REQUEST SENSE, START STOP UNIT, PREVENT ALLOW MEDIUM REMOVAL."""

import pytest

from lunaport.blockdev.device import DeviceFault
from lunaport.blockdev.filters import Call, FaultFilter, FaultRule, TraceFilter
from lunaport.blockdev.memory import MemoryDevice
from lunaport.scsi.enums import Status

from .support import SIZE, Bench

TEST_UNIT_READY = "00 00 00 00 00 00"
REQUEST_SENSE = "03 00 00 00 FF 00"
STOP, STOP_AT_ONCE, START = "1B 00 00 00 00 00", "1B 00 00 00 04 00", "1B 00 00 00 01 00"


def test_ready() -> None:
    assert Bench().run(TEST_UNIT_READY).status == Status.GOOD


def test_request_sense_of_nothing() -> None:
    bench = Bench()
    assert bench.run(REQUEST_SENSE).data == bytes.fromhex("70 00 00 00000000 0A 00000000 0000 00 000000")
    assert bench.run("03 01 00 00 FF 00").data == bytes.fromhex("72 00 0000 000000 00")
    assert bench.run("03 00 00 00 04 00").data == bytes.fromhex("70 00 00 00")


def test_request_sense_reports_and_clears_a_unit_attention() -> None:
    bench = Bench()
    bench.memory.grow(2 * SIZE)
    bench.unit.grow()
    assert bench.run(REQUEST_SENSE).data[2:14] == bytes.fromhex("06 00000000 0A 00000000 2A09")
    assert bench.run(TEST_UNIT_READY).status == Status.GOOD


def test_request_sense_of_an_absent_unit() -> None:
    task = Bench().run(REQUEST_SENSE, lun=1 << 48)
    assert (task.status, task.data[2], task.data[12:14]) == (Status.GOOD, 5, bytes.fromhex("2500"))


def test_stop_is_for_every_nexus_and_start_ends_it() -> None:
    bench = Bench()
    assert bench.run(STOP).status == Status.GOOD
    for nexus in (bench.nexus, bench.other):
        for cdb in (TEST_UNIT_READY, "28 00 00000000 00 0001 00", "25 00 00000000 0000 00 00"):
            task = bench.run(cdb, nexus=nexus)
            assert (task.sense_key, task.sense_code) == (2, 0x0402)
        assert bench.run(REQUEST_SENSE, nexus=nexus).data[12:14] == bytes.fromhex("0402")
        assert bench.run("12 00 00 00 FF 00", nexus=nexus).status == Status.GOOD
    assert bench.run(START, nexus=bench.other).status == Status.GOOD
    assert bench.run(TEST_UNIT_READY).status == Status.GOOD


def test_stop_flushes_unless_told_not_to() -> None:
    calls: list[Call] = []
    bench = Bench(TraceFilter(MemoryDevice(SIZE), calls.append))
    assert bench.run(STOP_AT_ONCE).status == Status.GOOD
    assert calls == []
    task = bench.start(STOP)
    assert (task.finishes, calls) == (0, [])
    bench.background.drain()
    assert (task.status, len(calls)) == (Status.GOOD, 1)
    task = bench.start("1B 01 00 00 00 00")  # IMMED
    assert task.status == Status.GOOD
    bench.background.drain()
    assert len(calls) == 2


def test_stop_tells_of_a_failed_flush() -> None:
    bench = Bench(FaultFilter(MemoryDevice(SIZE), FaultRule(operation="flush", fault=DeviceFault.FLUSH_FAILED)))
    assert bench.run(STOP).sense_code == 0x0C00


EJECT, LOAD = "1B 00 00 00 02 00", "1B 00 00 00 03 00"
PREVENT, ALLOW = "1E 00 00 00 01 00", "1E 00 00 00 00 00"


def test_a_medium_that_is_fixed_cannot_be_ejected_or_locked() -> None:
    assert Bench().run(EJECT).field_pointer == (4, 1)
    assert Bench().run(PREVENT).sense_code == 0x2000
    assert Bench().run("A3 0C 01 1E 0000 00010000 00 00").data == bytes.fromhex("00 01 0000")


@pytest.mark.parametrize("condition", range(1, 16))
def test_a_power_condition_changes_nothing(condition: int) -> None:
    bench = Bench(removable=True)
    assert bench.run(bytes((0x1B, 0, 0, 0, condition << 4 | 2, 0))).status == Status.GOOD
    assert bench.run(TEST_UNIT_READY).status == Status.GOOD


def test_a_medium_that_is_out_is_not_there_for_any_nexus_until_it_is_back() -> None:
    bench = Bench(removable=True)
    assert bench.run(EJECT).status == Status.GOOD
    for nexus in (bench.nexus, bench.other):
        for cdb in (TEST_UNIT_READY, "28 00 00000000 00 0001 00", "25 00 00000000 0000 00 00"):
            task = bench.run(cdb, nexus=nexus)
            assert (task.sense_key, task.sense_code) == (2, 0x3A00)
        assert bench.run(REQUEST_SENSE, nexus=nexus).data[12:14] == bytes.fromhex("3A00")
    assert bench.run(LOAD).status == Status.GOOD
    assert bench.run(TEST_UNIT_READY).status == Status.GOOD
    assert bench.run(TEST_UNIT_READY, nexus=bench.other).sense_code == 0x2800  # another medium, for all it knows
    assert bench.run(TEST_UNIT_READY, nexus=bench.other).status == Status.GOOD


def test_nobody_ejects_what_anybody_locked() -> None:
    bench = Bench(removable=True)
    for nexus in (bench.nexus, bench.other):
        assert bench.run(PREVENT, nexus=nexus).status == Status.GOOD
    assert bench.run(ALLOW).status == Status.GOOD
    for cdb in (EJECT, LOAD):
        task = bench.run(cdb)
        assert (task.sense_key, task.sense_code) == (5, 0x5302)
    bench.other.close(lambda: None)
    assert bench.run(EJECT).status == Status.GOOD


def test_a_reset_unlocks_the_medium() -> None:
    bench = Bench(removable=True)
    bench.run(PREVENT)
    bench.nexus.reset_unit(0, lambda: None)
    assert bench.run(EJECT).sense_code == 0x2903
    assert bench.run(EJECT).status == Status.GOOD


def test_a_reset_starts_the_unit() -> None:
    bench = Bench()
    bench.run(STOP)
    assert bench.nexus.reset_unit(0, lambda: None)
    assert bench.run(TEST_UNIT_READY).sense_code == 0x2903
    assert bench.run(TEST_UNIT_READY).status == Status.GOOD


def test_a_removable_medium_that_is_stopped_starts_by_itself() -> None:
    bench = Bench(removable=True)
    assert bench.run(STOP).status == Status.GOOD
    assert bench.run(TEST_UNIT_READY).status == Status.GOOD
