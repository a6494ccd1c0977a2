"""Hundreds of connections that write long blocks at full depth, all at once: what they may hold, and who gets on.

Together they ask for many times the memory that there may be under way, so most of them wait at any moment.
"""

import re
import threading
from collections.abc import Sequence
from typing import Final

from tests.system.nas import Nas

from bench.scale import loads
from bench.scale.bars import Bar, Figures
from bench.scale.ground import MANY, Administrator, data_pids, in_memory, nas_in
from bench.scale.loads import Load
from bench.scale.measure import pss_kib

TARGETS: Final = 16
FILE: Final = "64M"
SECONDS, RAMP_S = 20.0, 8.0
LOOK_S: Final = 0.1
MIB: Final = 1 << 20
WAIT_S_MAX: Final = 30.0
"""A command that takes longer is one that Linux gives up."""
GAUGE: Final = re.compile(r'^lunaport_data_under_way_(\w+)\{process="([^"]*)"\} (\S+)$', re.MULTILINE)

BARS: Final = (
    Bar(says="data under way, against the limit set", figure="under_way_part", limit=1),
    Bar(says="memory of a data process under full load", figure="memory_mib", limit=600, unit="MiB"),
    Bar(says="who got on most, against who got on least", figure="progress_ratio", limit=2),
    Bar(says="the longest a command took", figure="longest_s", limit=WAIT_S_MAX, unit="s"),
    Bar(says="connections with an error", figure="error_count", limit=0),
    Bar(says="sessions that ended before their initiators ended them", figure="lost_count", limit=0),
)


class Watch(threading.Thread):
    """Looks again and again how large the largest data process is."""

    def __init__(self, pids: Sequence[int]) -> None:
        super().__init__(daemon=True)
        self.pids = pids
        self.largest_kib = 0
        self.enough = threading.Event()

    def run(self) -> None:
        """Look until told to stop."""
        while not self.enough.wait(LOOK_S):
            self.largest_kib = max(self.largest_kib, *map(pss_kib, self.pids))


def under_way(metrics: str) -> dict[str, float]:
    """What the metrics say about data under way: bytes, peak_bytes, limit_bytes, over all processes."""
    found: dict[str, float] = {}
    for name, _, value in GAUGE.findall(metrics):
        found[name] = found.get(name, 0.0) + float(value)
    return found


def fullest(metrics: str) -> float:
    """Which part of its limit a process held at most; that of the process where it was the largest."""
    found = {(name, process): float(value) for name, process, value in GAUGE.findall(metrics)}
    processes = {process for _, process in found}
    return max(found["peak_bytes", process] / found["limit_bytes", process] for process in processes)


def lost(nas: Nas) -> int:
    """Sessions that the NAS says it closed, or lost, by its log."""
    words = ("it held memory", "does not answer", "connection lost", "internal error", "within a PDU")
    return sum(any(word in line for word in words) for line in nas.log.read_text(errors="replace").splitlines())


def measure(connections: int) -> Figures:
    """So many connections over some targets."""
    with nas_in(in_memory(), MANY) as nas:
        administrator = Administrator(nas)
        shares = [administrator.create(f"scale-{number}", size=FILE, chap=False) for number in range(TARGETS)]
        urls = [share.url() for share in shares]
        watch = Watch(data_pids(nas))
        watch.start()
        load = Load(pattern="write", block="256k", depth=32, clients=max(1, connections // TARGETS), ramp_s=RAMP_S)
        jobs = loads.run(load, urls, SECONDS)
        watch.enough.set()
        watch.join()
        part = fullest(administrator.client.get("/metrics").text)
        speeds = [speed / MIB for speed in loads.speeds(jobs)]
        return {
            "connections": len(jobs),
            "under_way_part": part,
            "memory_mib": watch.largest_kib / 1024,
            "progress_ratio": max(speeds) / max(min(speeds), 0.001),
            "least_mib_per_s": min(speeds),
            "most_mib_per_s": max(speeds),
            "all_mib_per_s": sum(speeds),
            "longest_s": loads.longest_s(jobs),
            "error_count": loads.errors(jobs),
            "lost_count": lost(nas),
        }
