"""Inputs without coverage: kept ones changed at random, and random ones. One seed, one sequence."""

import random
from collections.abc import Iterator, Sequence


def inputs(rng: random.Random, kept: Sequence[bytes], bytes_max: int) -> Iterator[bytes]:
    """Never ends."""
    while True:
        if not kept or rng.random() < 0.3:
            yield rng.randbytes(rng.randrange(min(bytes_max, 400)))
            continue
        data = bytearray(rng.choice(kept))
        for _ in range(rng.randrange(1, 6)):
            _change(rng, data, kept)
        yield bytes(data[:bytes_max])


def _change(rng: random.Random, data: bytearray, kept: Sequence[bytes]) -> None:
    at = rng.randrange(len(data) + 1)
    kind = rng.randrange(5)
    if kind == 0 and at < len(data):
        data[at] = rng.randrange(256)
    elif kind == 1:
        data[at:at] = rng.randbytes(rng.randrange(1, 16))
    elif kind == 2:
        del data[at : at + rng.randrange(1, 16)]
    elif kind == 3:
        other = rng.choice(kept)
        start = rng.randrange(len(other) + 1)
        data[at:at] = other[start : start + rng.randrange(1, 64)]
    elif at < len(data):
        data[at] ^= 1 << rng.randrange(8)
