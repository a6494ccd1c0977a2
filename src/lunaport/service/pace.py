"""How many requests an address may make: a bucket for each, which fills again all the time.

It keeps a program that has gone wild, or somebody who means harm, from taking all of the one process that answers.
Bounded: of too many addresses those that asked longest ago are forgotten. An IPv6 host has a whole /64.
"""

import ipaddress
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

REQUESTS_PER_S_DEFAULT: Final = 200.0
SECONDS_AT_ONCE: Final = 5.0
"""What an address has not used of so many seconds it may use at once: a page loads its parts together."""
ADDRESSES_MAX: Final = 4096
TELL_AGAIN_S: Final = 60.0
_PREFIX: Final = 64


@dataclass(slots=True)
class _Bucket:
    left: float
    at: float
    told: float = float("-inf")


class Pace:
    """The buckets. `per_s`: requests a second; 0: any number. `clock` counts seconds monotonically."""

    def __init__(self, per_s: float, clock: Callable[[], float]) -> None:
        self._per_s = per_s
        self._clock = clock
        self._buckets: OrderedDict[str, _Bucket] = OrderedDict()

    def take(self, address: str) -> float:
        """One request; returns how many seconds it has to wait, 0 when it may pass."""
        if not self._per_s:
            return 0.0
        bucket = self._bucket(address)
        if bucket.left < 1.0:
            return (1.0 - bucket.left) / self._per_s
        bucket.left -= 1.0
        return 0.0

    def is_news(self, address: str) -> bool:
        """Whether it is time to log something of this address; True once a minute at most."""
        bucket = self._bucket(address)
        now = self._clock()
        if now - bucket.told < TELL_AGAIN_S:
            return False
        bucket.told = now
        return True

    def _bucket(self, address: str) -> _Bucket:
        key, now, full = _host(address), self._clock(), self._per_s * SECONDS_AT_ONCE
        bucket = self._buckets.get(key)
        if bucket is None:
            bucket = self._buckets[key] = _Bucket(left=full, at=now)
            while len(self._buckets) > ADDRESSES_MAX:
                self._buckets.popitem(last=False)
        else:
            bucket.left = min(full, bucket.left + (now - bucket.at) * self._per_s)
            bucket.at = now
            self._buckets.move_to_end(key)
        return bucket


def _host(address: str) -> str:
    if ":" not in address:
        return address
    try:
        return str(ipaddress.IPv6Network((address.partition("%")[0], _PREFIX), strict=False))
    except ValueError:
        return address
