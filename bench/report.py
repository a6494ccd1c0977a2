"""Medians and ratios of the rounds, as a table and as JSON."""

import json
import platform
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from statistics import median

from bench.jobs import Job

Round = dict[str, float]
"""Of one run: iops, bytes_per_s, latency_us, cpu_us (of the target, per I/O)."""
Rounds = dict[str, dict[str, list[Round]]]
"""Job name to contestant to rounds."""


def middle(rounds: list[Round], what: str) -> float:
    """The median of one number over the rounds."""
    return median(one[what] for one in rounds)


def ratio(rounds: dict[str, list[Round]], what: str) -> float:
    """The median of Lunaport's part of tgtd's, each taken within its round."""
    pairs = zip(rounds["lunaport"], rounds["tgtd"], strict=True)
    return median(ours[what] / theirs[what] for ours, theirs in pairs)


def table(jobs: tuple[Job, ...], rounds: Rounds) -> str:
    """One line a job; a speed ratio above 1 and a CPU ratio below 1 are in Lunaport's favour."""
    head = f"{'':22}{'lunaport':>10}{'tgtd':>10}{'ratio':>8}   {'CPU µs/IO':>10}{'tgtd':>8}{'ratio':>8}"
    lines = [head]
    for job in jobs:
        of_job = rounds[job.name]
        small = job.block == "4k"
        speeds = []
        for name in ("lunaport", "tgtd"):
            value = middle(of_job[name], "iops" if small else "bytes_per_s")
            speeds.append(f"{value / 1000:.1f}k" if small else f"{value / 1e9:.2f} GB/s")
        cpus = [middle(of_job[name], "cpu_us") for name in ("lunaport", "tgtd")]
        lines.append(
            f"{job.name:22}{speeds[0]:>10}{speeds[1]:>10}{ratio(of_job, 'iops'):>8.2f}"
            f"   {cpus[0]:>10.1f}{cpus[1]:>8.1f}{ratio(of_job, 'cpu_us'):>8.2f}"
        )
    return "\n".join(lines)


def file_system(directory: Path) -> str:
    """The kind of file system a directory lies on."""
    command = ["stat", "--file-system", "--format=%T", str(directory)]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def write(
    directory: Path, jobs: tuple[Job, ...], rounds: Rounds, *, base: Path, processors: str, now: datetime
) -> Path:
    """Keep every number, and where it was measured."""
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False).stdout
    model = next(line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name"))
    document = {
        "at": now.astimezone(UTC).isoformat(timespec="seconds"),
        "commit": commit.strip(),
        "cpu": model.partition(":")[2].strip(),
        "kernel": platform.release(),
        "file_system": file_system(base),
        "idle_processors": processors,
        "python": platform.python_version(),
        "ratios": {
            job.name: {what: round(ratio(rounds[job.name], what), 3) for what in ("iops", "cpu_us")} for job in jobs
        },
        "rounds": rounds,
    }
    directory.mkdir(exist_ok=True)
    path = directory / f"{now:%Y-%m-%d-%H%M%S}.json"
    path.write_text(json.dumps(document, indent=1) + "\n")
    return path
