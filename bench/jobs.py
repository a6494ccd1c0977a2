"""The fio jobs, and what one run of one of them says."""

import json
import subprocess
from dataclasses import dataclass

from tests.system.peers import fio


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One kind of load."""

    pattern: str
    block: str
    depth: int

    @property
    def name(self) -> str:
        """As the table shows it."""
        return f"{self.block} {self.pattern} QD{self.depth}"


JOBS = (
    Job(pattern="randread", block="4k", depth=1),
    Job(pattern="randread", block="4k", depth=32),
    Job(pattern="randwrite", block="4k", depth=1),
    Job(pattern="randwrite", block="4k", depth=32),
    Job(pattern="read", block="64k", depth=8),
    Job(pattern="write", block="64k", depth=8),
    Job(pattern="read", block="256k", depth=8),
    Job(pattern="write", block="256k", depth=8),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """What one run measured."""

    iops: float
    bytes_per_s: float
    latency_us: float
    """Mean time from submission to completion."""
    ios: int


def run(job: Job, url: str, *, seconds: float) -> Sample:
    """Run a job against a URL; raises where fio counts an error."""
    command = fio(
        url,
        f"--rw={job.pattern}",
        f"--bs={job.block}",
        f"--iodepth={job.depth}",
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
    side = report["write" if "write" in job.pattern else "read"]
    return Sample(
        iops=side["iops"],
        bytes_per_s=side["bw_bytes"],
        latency_us=side["lat_ns"]["mean"] / 1000,
        ios=side["total_ios"],
    )
