"""Tests of tests.fuzz.source and tests.fuzz.mutate: what the harnesses and the random run draw from."""

import random
from itertools import islice

from tests.fuzz.mutate import inputs
from tests.fuzz.source import Source


def test_input_is_read_from_front_to_back_then_zeros() -> None:
    source = Source(b"\1\2\3\4\5\6\7")
    assert (source.number(), source.number(2), source.take(1)) == (1, 0x0203, b"\4")
    assert (source.pick("abc"), source.flag()) == ("c", False)
    assert bool(source)
    assert source.rest() == b"\7"
    assert not source
    assert (source.number(4), source.take(9), source.pick("abc"), source.flag()) == (0, b"", "a", False)


def test_one_seed_gives_one_sequence_of_bounded_inputs() -> None:
    kept = [b"", bytes(range(64))]
    first, second = (list(islice(inputs(random.Random(5), kept, 80), 200)) for _ in range(2))
    assert first == second
    assert max(map(len, first)) == 80
    assert all(len(data) <= 80 for data in islice(inputs(random.Random(5), [], 80), 50))
