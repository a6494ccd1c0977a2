"""LUNs on the wire."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lunaport.scsi.limits import LUN_MAX
from lunaport.scsi.lun import lun_forms, serialize_lun


@pytest.mark.parametrize(
    ("lun", "wire"),
    [
        (0, "0000 000000000000"),
        (255, "00FF 000000000000"),  # peripheral device addressing
        (256, "4100 000000000000"),  # flat space addressing
        (LUN_MAX, "7FFF 000000000000"),
    ],
)
def test_serialize(lun: int, wire: str) -> None:
    assert serialize_lun(lun).to_bytes(8) == bytes.fromhex(wire)


def test_small_luns_have_two_forms() -> None:
    assert [form.to_bytes(8).hex() for form in lun_forms(7)] == ["0007000000000000", "4007000000000000"]
    assert [form.to_bytes(8).hex() for form in lun_forms(300)] == ["412c000000000000"]


@pytest.mark.parametrize("lun", [-1, LUN_MAX + 1])
def test_bounds(lun: int) -> None:
    with pytest.raises(ValueError, match="is not in 0 to 16383"):
        lun_forms(lun)


@given(st.sets(st.integers(0, LUN_MAX)))
def test_forms_are_unique_and_hold_the_reported_one(luns: set[int]) -> None:
    forms = [form for lun in luns for form in lun_forms(lun)]
    assert len(forms) == len(set(forms))
    assert all(serialize_lun(lun) in lun_forms(lun) for lun in luns)
