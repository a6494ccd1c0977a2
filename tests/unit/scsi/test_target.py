"""Targets: units that come and go while nexuses are there."""

import pytest

from lunaport.blockdev.memory import MemoryDevice
from lunaport.scsi.enums import Status
from lunaport.scsi.logical_unit import LogicalUnit
from lunaport.scsi.rights import Rights

from .support import SIZE, UUID, Bench

TEST_UNIT_READY = "00 00 00 00 00 00"
REPORT_LUNS = "A0 00 00 000000 00000100 00 00"


def unit(bench: Bench) -> LogicalUnit:
    return LogicalUnit(MemoryDevice(SIZE), bench.background, uuid=UUID, serial=UUID)


@pytest.mark.parametrize(("lun", "status"), [(0, 0), (0x4000 << 48, 0), (1 << 48, 2), (1, 2), (0x8000 << 48, 2)])
def test_a_lun_in_every_form(lun: int, status: int) -> None:
    task = Bench().run(TEST_UNIT_READY, lun=lun)
    assert task.status == status
    if status:
        assert (task.sense_key, task.sense_code) == (5, 0x2500)


def test_new_units_are_reported_and_usable() -> None:
    bench = Bench()
    second = unit(bench)
    bench.target.set_units({300: second, 0: bench.unit})
    assert list(bench.target.units) == [0, 300]
    for lun in (0, 0x412C << 48):
        task = bench.run(TEST_UNIT_READY, lun=lun)
        assert (task.sense_key, task.sense_code) == (6, 0x3F0E)
        assert bench.run(TEST_UNIT_READY, lun=lun).status == Status.GOOD


def test_report_luns_clears_the_attention_everywhere() -> None:
    bench = Bench()
    bench.target.set_units({0: bench.unit, 1: unit(bench)})
    assert len(bench.run(REPORT_LUNS).data) == 24
    assert bench.run(TEST_UNIT_READY).status == Status.GOOD
    assert bench.run(TEST_UNIT_READY, lun=1 << 48).status == Status.GOOD
    assert bench.run(TEST_UNIT_READY, nexus=bench.other).sense_code == 0x3F0E


def test_units_that_go() -> None:
    bench = Bench()
    second = unit(bench)
    bench.target.set_units({0: bench.unit, 1: second})
    bench.run(REPORT_LUNS)
    bench.run("16 00 00 00 00 00", lun=1 << 48)
    bench.target.set_units({0: bench.unit})
    assert bench.run(TEST_UNIT_READY, lun=1 << 48).sense_code == 0x2500
    assert second.nexuses == set()
    assert second.holder is None
    assert bench.run(REPORT_LUNS).data[:4] == bytes.fromhex("00000008")
    assert bench.run(TEST_UNIT_READY).status == Status.GOOD
    assert bench.run("12 00 00 00 FF 00", lun=1 << 48).data[0] == 0x7F


def test_the_same_units_again_change_nothing() -> None:
    bench = Bench()
    bench.target.set_units({0: bench.unit})
    assert bench.run(TEST_UNIT_READY).status == Status.GOOD


def test_another_unit_at_the_same_lun_is_news() -> None:
    bench = Bench()
    bench.target.set_units({0: unit(bench)})
    assert bench.run(TEST_UNIT_READY).sense_code == 0x3F0E


def test_who_does_not_see_what_came_or_went_is_not_told() -> None:
    bench = Bench()
    bench.nexus.set_rights(Rights(luns=frozenset({0, 1})))
    assert bench.run(TEST_UNIT_READY).sense_code == 0x3F0E
    bench.target.set_units({0: bench.unit, 2: unit(bench)})
    assert bench.run(TEST_UNIT_READY).status == Status.GOOD
    assert bench.run(TEST_UNIT_READY, nexus=bench.other).sense_code == 0x3F0E
    bench.target.set_units({0: bench.unit, 1: unit(bench)})
    assert bench.run(TEST_UNIT_READY).sense_code == 0x3F0E
    assert bench.run(TEST_UNIT_READY, lun=1 << 48).sense_code == 0x3F0E


def test_no_units_at_all() -> None:
    bench = Bench()
    bench.target.set_units({})
    assert bench.run(TEST_UNIT_READY).sense_code == 0x2500
    assert bench.run(REPORT_LUNS).data == bytes(8)
    bench.nexus.close(lambda: None)


def test_a_new_nexus_has_no_unit_attention() -> None:
    bench = Bench()
    bench.memory.grow(2 * SIZE)
    bench.unit.grow()
    nexus = bench.target.attach("iqn.2026-01.example:third,i,0x000000000003")
    assert bench.run(TEST_UNIT_READY, nexus=nexus).status == Status.GOOD
    assert nexus.id.initiator_port == "iqn.2026-01.example:third,i,0x000000000003"


def test_lun_bounds() -> None:
    bench = Bench()
    bench.target.set_units({0x3FFF: bench.unit})
    with pytest.raises(ValueError, match="is not in"):
        bench.target.set_units({0x4000: bench.unit})
    assert list(bench.target.units) == [0x3FFF]
