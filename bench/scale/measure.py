"""Clocks, percentiles, and what a process uses."""

import time
from collections.abc import Callable, Sequence
from pathlib import Path

from tests.system.test_footprint import time_of


def milliseconds(call: Callable[[], object]) -> float:
    """How long a call takes."""
    begin = time.perf_counter()
    call()
    return (time.perf_counter() - begin) * 1000


def percentile(values: Sequence[float], part: float) -> float:
    """The value that this part of them does not exceed (nearest rank)."""
    if not values:
        raise ValueError("there are no values")
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * part))]


def pss_kib(pid: int) -> int:
    """Memory of a process, shared pages by their part."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("Pss:"))


def descriptors(pid: int) -> int:
    """How many files and sockets a process has open."""
    return sum(1 for _ in Path(f"/proc/{pid}/fd").iterdir())


def cpu_s(pid: int) -> float:
    """CPU time of a process so far, user and system."""
    return time_of(pid)


def slope_per_hour(points: Sequence[tuple[float, float]]) -> float:
    """How fast a number rises: least squares over (seconds, value), for an hour. Needs two points at two times."""
    count = len(points)
    middle_x = sum(x for x, _ in points) / count
    middle_y = sum(y for _, y in points) / count
    spread = sum((x - middle_x) ** 2 for x, _ in points)
    if not spread:
        raise ValueError("all points are of one moment")
    return sum((x - middle_x) * (y - middle_y) for x, y in points) / spread * 3600
