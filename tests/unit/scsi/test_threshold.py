"""The soft threshold of a thin unit."""

import pytest

from lunaport.blockdev.device import Space
from lunaport.scsi.threshold import SoftThreshold

from .support import Bench

GIB = 1 << 30
TEST_UNIT_READY = "00 00 00 00 00 00"


def free(gib: float) -> Space:
    return Space(used_bytes=0, free_bytes=int(gib * GIB), total_bytes=100 * GIB)


def test_is_told_once_and_armed_again_when_more_is_free() -> None:
    threshold = SoftThreshold(10)
    assert [threshold.look(free(gib)) for gib in (50, 10.1, 10, 5, 10.5, 11, 9)] == [
        False,
        False,
        True,  # no more than a tenth
        False,
        False,  # a little more: it was not armed again
        False,
        False,
    ]
    assert not threshold.look(free(11.1))
    assert threshold.look(free(10))
    assert threshold.count == 10 * 1024  # in runs of 2^20 bytes


@pytest.mark.parametrize("gib", [0, 100])
def test_without_a_threshold_nothing_is_told(gib: int) -> None:
    threshold = SoftThreshold(0)
    assert not threshold.look(free(gib))
    assert (threshold.count, threshold.reached) == (0, False)


def test_every_nexus_of_a_thin_unit_is_told_once() -> None:
    bench = Bench()
    bench.unit.threshold.percent = 10
    bench.unit.look_at_space(free(50))
    assert bench.run("1A 08 1C 02 FF 00").data[20:] == bytes.fromhex("80 01 0000 00002800")
    for _ in range(2):
        bench.unit.look_at_space(free(5))
    for nexus in (bench.nexus, bench.other):
        task = bench.run(TEST_UNIT_READY, nexus=nexus)
        assert (task.sense_key, task.sense_code) == (6, 0x3807)
        assert bench.run(TEST_UNIT_READY, nexus=nexus).status == 0
    bench.unit.look_at_space(free(50))
    bench.unit.look_at_space(free(5))
    assert bench.run(TEST_UNIT_READY).sense_code == 0x3807


def test_a_thick_unit_tells_nothing() -> None:
    bench = Bench(thin=False)
    bench.unit.threshold.percent = 10
    bench.unit.look_at_space(free(0))
    assert bench.run(TEST_UNIT_READY).status == 0
