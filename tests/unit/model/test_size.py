"""Sizes as people write them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lunaport.model.errors import Fault, InvalidError
from lunaport.model.size import BLOCK_BYTES, SIZE_BYTES_MAX, UNITS, format_size, parse_size


@pytest.mark.parametrize(
    ("typed", "size_bytes"),
    [
        ("10G", 10 << 30),
        ("10GiB", 10 << 30),
        ("10 GiB", 10 << 30),
        ("10gib", 10 << 30),
        ("10GB", 10_000_000_000 + 0),
        ("1.5T", 3 << 39),
        ("0.5K", 512),
        ("512", 512),
        ("512b", 512),
        ("513", 1024),
        ("1", 512),
        (" 2M ", 2 << 20),
        ("+1K", 1024),
        (1, 512),
        (4096, 4096),
        (SIZE_BYTES_MAX, SIZE_BYTES_MAX),
        ("7E", 7 << 60),
        ("0.0001B", 512),
    ],
)
def test_parse(typed: str | int, size_bytes: int) -> None:
    assert parse_size(typed) == size_bytes


@pytest.mark.parametrize(
    ("typed", "fault"),
    [
        ("0", Fault.SIZE_NOT_POSITIVE),
        (0, Fault.SIZE_NOT_POSITIVE),
        ("0.0G", Fault.SIZE_NOT_POSITIVE),
        ("-1G", Fault.SIZE_NOT_POSITIVE),
        (-5, Fault.SIZE_NOT_POSITIVE),
        ("8E", Fault.SIZE_TOO_LARGE),
        (SIZE_BYTES_MAX + 1, Fault.SIZE_TOO_LARGE),
        (10**4000, Fault.SIZE_TOO_LARGE),
        ("9" * 60, Fault.SIZE_TOO_LARGE),
        ("", Fault.SIZE_INVALID),
        ("much", Fault.SIZE_INVALID),
        ("NaN", Fault.SIZE_INVALID),
        ("1,5G", Fault.SIZE_INVALID),
        ("1e9", Fault.SIZE_INVALID),
        ("10XB", Fault.SIZE_INVALID),
        ("10 000", Fault.SIZE_INVALID),
        ("\u0661\u0660G", Fault.SIZE_INVALID),
        ("1" * 65, Fault.SIZE_INVALID),
    ],
)
def test_refused(typed: str | int, fault: Fault) -> None:
    with pytest.raises(InvalidError) as caught:
        parse_size(typed)
    (problem,) = caught.value.problems
    assert (problem.fault, problem.path) == (fault, ("size",))
    assert len(problem.message) < 300


@given(st.integers(1, SIZE_BYTES_MAX))
def test_bytes_are_rounded_up_to_blocks(number: int) -> None:
    size_bytes = parse_size(str(number))
    assert 0 <= size_bytes - number < BLOCK_BYTES
    assert size_bytes % BLOCK_BYTES == 0
    assert parse_size(size_bytes) == size_bytes


@given(st.integers(0, 9999), st.integers(0, 999), st.sampled_from(sorted(UNITS)))
def test_decimals_are_exact(whole: int, thousandths: int, unit: str) -> None:
    exact = (whole * 1000 + thousandths) * UNITS[unit]
    blocks = -(-exact // (1000 * BLOCK_BYTES))
    try:
        assert parse_size(f"{whole}.{thousandths:03}{unit}") == blocks * BLOCK_BYTES
    except InvalidError:
        assert exact == 0 or blocks * BLOCK_BYTES > SIZE_BYTES_MAX


@given(st.text(max_size=80))
def test_any_text_is_refused_or_a_whole_number_of_blocks(typed: str) -> None:
    try:
        size_bytes = parse_size(typed)
    except InvalidError:
        return
    assert 0 < size_bytes <= SIZE_BYTES_MAX
    assert size_bytes % BLOCK_BYTES == 0


@pytest.mark.parametrize(
    ("size_bytes", "text"),
    [(512, "512 bytes"), (1 << 30, "1073741824 bytes (1 GiB)"), (3 << 39, "1649267441664 bytes (1.5 TiB)")],
)
def test_format(size_bytes: int, text: str) -> None:
    assert format_size(size_bytes) == text
