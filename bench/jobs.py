"""The loads, which forms of the benchmark have them, and what one run of one of them says.

fio with its libiscsi engine is the client; for data digests, which that library does not know, it is `digest_client`.
"""

import json
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

from tests.system.peers import fio

from bench import digest_client

_WORDS = ("digests", "cold", "emulated")
"""What a job may be besides, as its name tells it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One kind of load.

    `rivals`: who is measured beside Lunaport. `clients`: initiators at once, each with its own session and queue.
    """

    pattern: Literal["randread", "randwrite", "randrw", "read", "write"]
    block: str
    depth: int
    clients: int = 1
    digests: bool = False
    """Header and data digests, CRC32C, made and checked by both sides."""
    cold: bool = False
    """On a disk, and nothing of the file in the page cache when a run begins."""
    emulated: bool = False
    """In a virtual machine, the client outside of it."""
    rivals: tuple[str, ...] = ("tgtd", "floor")

    @property
    def name(self) -> str:
        """As tables show it."""
        pattern = "70/30 random" if self.pattern == "randrw" else self.pattern
        words = [self.block, pattern, f"QD{self.depth}"]
        if self.clients > 1:
            words.append(f"x{self.clients}")
        words += [word for word in _WORDS if getattr(self, word)]
        return " ".join(words)

    @property
    def counts_bytes(self) -> bool:
        """Whether its speed is told in bytes a second."""
        return self.block != "4k"


SHORT = (
    Job(pattern="randread", block="4k", depth=1),
    Job(pattern="randread", block="4k", depth=32),
    Job(pattern="randwrite", block="4k", depth=1),
    Job(pattern="randwrite", block="4k", depth=32),
    Job(pattern="read", block="64k", depth=8),
    Job(pattern="write", block="64k", depth=8),
    Job(pattern="read", block="256k", depth=8),
    Job(pattern="write", block="256k", depth=8),
    Job(pattern="randread", block="4k", depth=32, digests=True, rivals=("tgtd",)),
)
"""What the bars are about."""
CURVE = tuple(replace(SHORT[0], depth=depth) for depth in (2, 4, 8, 16, 64))
"""With those of `SHORT`: latency over depth."""
CROWD = tuple(replace(SHORT[0], depth=4, clients=clients) for clients in (2, 4, 8, 16))
"""Speed over clients."""
FULL = (
    *(job if job.digests else replace(job, rivals=(*job.rivals, "istgt")) for job in SHORT),
    Job(pattern="randrw", block="4k", depth=32),
    *CURVE,
    *CROWD,
    Job(pattern="randread", block="4k", depth=32, cold=True, rivals=("tgtd",)),
)

EMULATED = tuple(replace(job, emulated=True, rivals=("lio",)) for job in SHORT[:5])


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """What one run measured."""

    iops: float
    bytes_per_s: float
    latency_us: float
    """Mean time from submission to completion."""
    p99_us: float
    ios: int


def run(job: Job, url: str, *, seconds: float) -> Sample:
    """Run a job against a URL; raises RuntimeError where the client counts an error."""
    if job.digests:
        return _sample(digest_client.run(url, depth=job.depth, seconds=seconds))
    command = fio(
        url,
        f"--rw={job.pattern}",
        *(["--rwmixread=70"] if job.pattern == "randrw" else []),
        f"--bs={job.block}",
        f"--iodepth={job.depth}",
        f"--numjobs={job.clients}",
        "--group_reporting",
        "--time_based",
        f"--runtime={seconds}s",
        "--norandommap",
        "--output-format=json",
    )
    done = subprocess.run(command, capture_output=True, text=True, timeout=seconds + 60, check=False)
    if done.returncode:
        raise RuntimeError(f"{job.name}: fio ended with {done.returncode}:\n{done.stdout}{done.stderr}")
    (report,) = json.loads(done.stdout[done.stdout.index("{") :])["jobs"]
    if report["error"]:
        raise RuntimeError(f"{job.name}: fio counted error {report['error']}")
    return sample_of(report)


def sample_of(report: Mapping[str, Any]) -> Sample:
    """What fio's report of a job says, both directions together."""
    sides = [report[kind] for kind in ("read", "write") if report[kind]["total_ios"]]
    ios = sum(side["total_ios"] for side in sides)
    return Sample(
        iops=sum(side["iops"] for side in sides),
        bytes_per_s=sum(side["bw_bytes"] for side in sides),
        latency_us=sum(side["lat_ns"]["mean"] * side["total_ios"] for side in sides) / ios / 1000,
        p99_us=max(side["clat_ns"]["percentile"]["99.000000"] for side in sides) / 1000,
        ios=ios,
    )


def _sample(outcome: digest_client.Outcome) -> Sample:
    latencies = sorted(outcome.latencies_s)
    return Sample(
        iops=outcome.ios / outcome.seconds,
        bytes_per_s=outcome.ios * digest_client.READ_BYTES / outcome.seconds,
        latency_us=sum(latencies) / len(latencies) * 1e6,
        p99_us=latencies[len(latencies) * 99 // 100] * 1e6,
        ios=outcome.ios,
    )
