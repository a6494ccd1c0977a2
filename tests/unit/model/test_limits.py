"""Limits of a target: what is named changes, what cannot be is told at its field."""

import pytest

from lunaport.model.errors import Fault, InvalidError
from lunaport.model.limits import BYTES_PER_SECOND_MIN, IOPS_MIN, LIMIT_MAX, Limits, LimitsChange, merge_limits

NOW = Limits(iops=100, bytes_per_second=1 << 30)


def test_what_is_left_out_stays() -> None:
    assert merge_limits(NOW, LimitsChange()) == NOW
    assert merge_limits(NOW, LimitsChange(iops=0)) == Limits(iops=0, bytes_per_second=1 << 30)


@pytest.mark.parametrize("iops", [0, IOPS_MIN, LIMIT_MAX])
@pytest.mark.parametrize("bytes_per_second", [0, BYTES_PER_SECOND_MIN, LIMIT_MAX])
def test_what_can_be(iops: int, bytes_per_second: int) -> None:
    wanted = Limits(iops=iops, bytes_per_second=bytes_per_second)
    assert merge_limits(Limits(), LimitsChange(iops=iops, bytes_per_second=bytes_per_second)) == wanted


@pytest.mark.parametrize("iops", [-1, 1, IOPS_MIN - 1, LIMIT_MAX + 1])
@pytest.mark.parametrize("bytes_per_second", [-1, 1, BYTES_PER_SECOND_MIN - 1, LIMIT_MAX + 1])
def test_what_cannot_be(iops: int, bytes_per_second: int) -> None:
    with pytest.raises(InvalidError) as caught:
        merge_limits(NOW, LimitsChange(iops=iops, bytes_per_second=bytes_per_second))
    assert [(each.fault, each.path) for each in caught.value.problems] == [
        (Fault.LIMIT_INVALID, ("iops",)),
        (Fault.LIMIT_INVALID, ("bytes_per_second",)),
    ]
