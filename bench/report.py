"""Medians and ratios of the rounds, as a table and as JSON, and what they are held against."""

import json
import platform
import subprocess
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Final

from bench.jobs import Job

Round = dict[str, float]
"""Of one run: iops, bytes_per_s, latency_us, p99_us, cpu_us (of the target, per I/O)."""
Rounds = dict[str, dict[str, list[Round]]]
"""Job name to contestant to rounds."""
Ratios = dict[str, dict[str, dict[str, float]]]
"""Job name to rival to ratio by kind: Lunaport's part of the rival's."""
KINDS: Final = ("iops", "cpu_us", "p99_us")
MARGIN: Final = 0.7
"""A speed ratio below so much of the one kept is a regression; single runs swing by a fifth."""


def middle(rounds: list[Round], what: str) -> float:
    """The median of one number over the rounds."""
    return median(one[what] for one in rounds)


def ratio(of_job: dict[str, list[Round]], rival: str, what: str) -> float:
    """The median of Lunaport's part of a rival's, each taken within its round."""
    pairs = zip(of_job["lunaport"], of_job[rival], strict=True)
    return median(ours[what] / theirs[what] for ours, theirs in pairs)


def ratios(jobs: Iterable[Job], rounds: Rounds) -> Ratios:
    """All of them."""
    return {
        job.name: {
            rival: {kind: round(ratio(rounds[job.name], rival, kind), 3) for kind in KINDS} for rival in job.rivals
        }
        for job in jobs
    }


def table(jobs: Iterable[Job], rounds: Rounds) -> str:
    """A line for each job and rival; speed ratios above 1, and CPU and latency ratios below 1, favour Lunaport."""
    head = ("", "rival", "lunaport", "rival's", "ratio", "CPU µs/IO", "rival's", "ratio", "p99 µs", "rival's", "ratio")
    lines: list[tuple[str, ...]] = [head]
    for job in jobs:
        of_job = rounds[job.name]
        for rival in job.rivals:
            speed = ("bytes_per_s", in_gigabytes) if job.counts_bytes else ("iops", in_thousands)
            cells = [job.name if rival == job.rivals[0] else "", rival]
            for kind, form in (speed, ("cpu_us", "{:.1f}".format), ("p99_us", "{:.0f}".format)):
                cells += [form(middle(of_job[name], kind)) for name in ("lunaport", rival)]
                cells.append(f"{ratio(of_job, rival, kind):.2f}")
            lines.append(tuple(cells))
    widths = [max(len(line[column]) for line in lines) for column in range(len(head))]
    return "\n".join(
        "  ".join(
            cell.ljust(width) if column < 2 else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(line, widths, strict=True))
        )
        for line in lines
    )


def in_gigabytes(bytes_per_s: float) -> str:
    """How the speed of large blocks is written."""
    return f"{bytes_per_s / 1e9:.2f} GB/s"


def in_thousands(iops: float) -> str:
    """How the speed of small blocks is written."""
    return f"{iops / 1000:.1f}k"


def regressions(now: Ratios, kept: Ratios) -> list[str]:
    """What has become clearly slower against tgtd than the kept ratios say, a sentence each."""
    found = []
    for job in kept:
        before, after = (each.get(job, {}).get("tgtd", {}).get("iops") for each in (kept, now))
        if before is not None and after is not None and after < before * MARGIN:
            found.append(f"{job}: {after:.2f} times tgtd, it was {before:.2f}")
    return found


def file_system(directory: Path) -> str:
    """The kind of file system a directory lies on."""
    command = ["stat", "--file-system", "--format=%T", str(directory)]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def document(jobs: Iterable[Job], rounds: Rounds, *, base: Path, processors: str, now: datetime) -> dict[str, object]:
    """Every number, and where it was measured."""
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False).stdout
    model = next(line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name"))
    return {
        "at": now.astimezone(UTC).isoformat(timespec="seconds"),
        "commit": commit.strip(),
        "cpu": model.partition(":")[2].strip(),
        "kernel": platform.release(),
        "file_system": file_system(base),
        "idle_processors": processors,
        "python": platform.python_version(),
        "rounds_count": max(len(each["lunaport"]) for each in rounds.values()),
        "ratios": ratios(jobs, rounds),
        "medians": {
            job: {name: {kind: round(middle(each, kind), 3) for kind in each[0]} for name, each in of_job.items()}
            for job, of_job in rounds.items()
        },
        "rounds": rounds,
    }


def keep(directory: Path, result: dict[str, object], now: datetime) -> Path:
    """Write a result down."""
    directory.mkdir(exist_ok=True)
    path = directory / f"{now:%Y-%m-%d-%H%M%S}.json"
    path.write_text(json.dumps(result, indent=1) + "\n")
    return path
