"""How much a target may do in a second: commands and bytes, of all its sessions together."""

from dataclasses import dataclass
from typing import Final

from lunaport.model.errors import Collector, Fault

IOPS_MIN: Final = 10
BYTES_PER_SECOND_MIN: Final = 1 << 20
"""Less than these would make initiators wait for a full queue longer than they do."""
LIMIT_MAX: Final = 1 << 40


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """0: no limit."""

    iops: int = 0
    bytes_per_second: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitsChange:
    """What a request says about limits; None: as they are."""

    iops: int | None = None
    bytes_per_second: int | None = None


def merge_limits(current: Limits, change: LimitsChange) -> Limits:
    """`current` as `change` makes it. Raises InvalidError with every problem."""
    problems = Collector()
    iops = current.iops if change.iops is None else change.iops
    bytes_per_second = current.bytes_per_second if change.bytes_per_second is None else change.bytes_per_second
    for name, value, lowest in (
        ("iops", iops, IOPS_MIN),
        ("bytes_per_second", bytes_per_second, BYTES_PER_SECOND_MIN),
    ):
        if value and not lowest <= value <= LIMIT_MAX:
            problems.add(
                Fault.LIMIT_INVALID, f"is {value}; right would be {lowest} to {LIMIT_MAX}, or 0 for no limit", name
            )
    problems.raise_any()
    return Limits(iops=iops, bytes_per_second=bytes_per_second)
