"""fio as a load beside which something else is measured: started, waited for, and read."""

import json
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from tests.system.peers import fio, fio_filename

SLACK_S: Final = 120.0
"""How much longer than its time fio may take: it waits for what is under way."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """One job of fio. `clients`: initiators with a session each."""

    pattern: str
    block: str
    depth: int
    clients: int = 1
    ramp_s: float = 0.0
    """Not counted: until all of them are there, the first have the NAS for themselves."""


def start(load: Load, urls: Sequence[str], seconds: float) -> subprocess.Popen[str]:
    """Start fio with this load on each of the URLs, for so long."""
    options = [
        f"--rw={load.pattern}", f"--bs={load.block}", f"--iodepth={load.depth}", f"--numjobs={load.clients}",
        "--time_based", f"--runtime={seconds}s", f"--ramp_time={load.ramp_s}s", "--norandommap",
        "--output-format=json",
    ]  # fmt: skip
    first, *others = urls
    command = fio(first, *options)
    for url in others:
        command += ["--name=job", "--ioengine=libiscsi", "--thread", f"--filename={fio_filename(url)}", *options[:-1]]
    return subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def finish(process: subprocess.Popen[str], seconds: float) -> list[dict[str, Any]]:
    """Wait for its end; returns fio's report of each job. Raises RuntimeError where fio does not end well."""
    try:
        printed, errors = process.communicate(timeout=seconds + SLACK_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
        raise RuntimeError(f"fio does not end within {seconds + SLACK_S:.0f} s") from None
    if process.returncode:
        raise RuntimeError(f"fio ended with {process.returncode}:\n{printed[-2000:]}{errors[-2000:]}")
    jobs: list[dict[str, Any]] = json.loads(printed[printed.index("{") :])["jobs"]
    return jobs


def run(load: Load, urls: Sequence[str], seconds: float) -> list[dict[str, Any]]:
    """Start and finish."""
    return finish(start(load, urls, seconds), seconds)


def sides(job: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The parts of a job's report in which something was done."""
    return [job[kind] for kind in ("read", "write") if job[kind]["total_ios"]]


def errors(jobs: Sequence[Mapping[str, Any]]) -> int:
    """The jobs that counted an error."""
    return sum(bool(job["error"]) for job in jobs)


def p99_us(jobs: Sequence[Mapping[str, Any]]) -> float:
    """The worst 99th percentile of the jobs, from submission to completion."""
    return max(float(side["clat_ns"]["percentile"]["99.000000"]) / 1000 for job in jobs for side in sides(job))


def longest_s(jobs: Sequence[Mapping[str, Any]]) -> float:
    """How long the slowest command took."""
    return max(float(side["clat_ns"]["max"]) / 1e9 for job in jobs for side in sides(job))


def speeds(jobs: Sequence[Mapping[str, Any]]) -> list[float]:
    """Bytes a second of each job."""
    return [float(sum(job[kind]["bw_bytes"] for kind in ("read", "write"))) for job in jobs]
