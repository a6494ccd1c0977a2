"""All targets in turns, job by job, round by round. `make bench` sets up what it needs and calls this.

The files lie in memory (tmpfs) where there is room: on a disk's file system its own journal and write-back, which are
the same for all targets, take most of the time of a small random write, and swing. What is measured cold is on a disk.
"""

import argparse
import json
import shutil
import sys
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from tests.system.peers import CACHE

from bench import emulated, pictures, processors, report
from bench.contestants import CONTESTANTS, Contestant
from bench.jobs import EMULATED, FULL, SHORT, Job, run

SIZE_BYTES: Final = 2 << 30
SECONDS, SECONDS_FULL = 1.5, 3.0
ROUNDS, ROUNDS_FULL = 3, 7
FORMS: Final = {"short": SHORT, "full": FULL, "vm": EMULATED}
KEPT: Final = Path(__file__).parent / "ratios.json"
"""The ratios that later runs are held against."""


def measure(
    jobs: Sequence[Job], contestants: dict[str, Contestant], rounds_count: int, seconds: float
) -> report.Rounds:
    """All rounds. Who goes first changes from round to round, so that a machine that slows down favours nobody."""
    rounds: report.Rounds = {job.name: {name: [] for name in ("lunaport", *job.rivals)} for job in jobs}
    for number in range(rounds_count):
        for job in jobs:
            names = list(rounds[job.name])
            first = number % len(names)
            for name in names[first:] + names[:first]:
                rounds[job.name][name].append(measure_one(job, contestants[name], seconds))
        print(f"round {number + 1} of {rounds_count}", flush=True)
    return rounds


def measure_one(job: Job, contestant: Contestant, seconds: float) -> report.Round:
    """One run of a job on one target."""
    if job.cold:
        contestant.cool()
    cpu_s = contestant.cpu_s()
    sample = run(job, contestant.digest_url if job.digests else contestant.url, seconds=seconds)
    return {
        "iops": sample.iops,
        "bytes_per_s": sample.bytes_per_s,
        "latency_us": sample.latency_us,
        "p99_us": sample.p99_us,
        "cpu_us": (contestant.cpu_s() - cpu_s) * 1e6 / sample.ios,
    }


def measure_in(base: Path, jobs: Sequence[Job], rounds_count: int, seconds: float) -> report.Rounds:
    """Start who is needed on files in a folder, and measure."""
    if not jobs:
        return {}
    names = {"lunaport"}.union(*(job.rivals for job in jobs))
    base.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="lunaport-bench-", dir=base) as directory, ExitStack() as stack:
        contestants = {
            name: stack.enter_context(start(Path(directory), SIZE_BYTES))
            for name, start in CONTESTANTS.items()
            if name in names
        }
        return measure(jobs, contestants, rounds_count, seconds)


def measure_emulated(jobs: Sequence[Job], rounds_count: int, seconds: float) -> report.Rounds:
    """Start the virtual machine, and measure; a first round, in which the emulator meets the code, does not count."""
    if not jobs:
        return {}
    with tempfile.TemporaryDirectory(prefix="lunaport-bench-") as directory:
        print("the virtual machine starts", flush=True)
        with emulated.both(Path(directory)) as contestants:
            measure(jobs, contestants, 1, seconds)
            return measure(jobs, contestants, rounds_count, seconds)


def room() -> Path:
    """Where the files fit: in memory, or else beside the code."""
    memory = Path("/dev/shm")
    enough = (len(CONTESTANTS) + 1) * SIZE_BYTES
    return memory if memory.is_dir() and shutil.disk_usage(memory).free > enough else CACHE


def main() -> None:
    """Measure, print the table, keep the numbers; the exit code is 1 where something has become clearly slower."""
    parser = argparse.ArgumentParser(prog="python -m bench", description="Lunaport beside other targets.")
    parser.add_argument(
        "form",
        nargs="?",
        choices=FORMS,
        default="short",
        help="full: all loads, 7 rounds; vm: beside LIO in one virtual machine",
    )
    parser.add_argument("--dir", type=Path, default=None, help="where the files lie (10 GiB); default: in memory")
    parser.add_argument("--only", default="", help="jobs whose name holds this")
    parser.add_argument("--rounds", type=int, default=0)
    parser.add_argument("--keep-awake", action="store_true", help="keep idle processors from sleeping (root)")
    parser.add_argument("--keep", action="store_true", help="hold later runs against this one")
    options = parser.parse_args()
    full = options.form != "short"
    jobs = [job for job in FORMS[options.form] if options.only in job.name]
    rounds_count = options.rounds or (ROUNDS_FULL if full else ROUNDS)
    base = options.dir or room()
    with processors.awake(wanted=options.keep_awake) as state:
        print(f"files in {base} ({report.file_system(base)}); idle processors {state}", flush=True)
        seconds = SECONDS_FULL if full else SECONDS
        rounds = measure_in(base, [job for job in jobs if not job.cold and not job.emulated], rounds_count, seconds)
        rounds |= measure_in(CACHE, [job for job in jobs if job.cold], rounds_count, seconds)
        rounds |= measure_emulated([job for job in jobs if job.emulated], rounds_count, seconds)
    print(report.table(jobs, rounds))
    now = datetime.now(UTC)
    result = report.document(jobs, rounds, base=base, processors=state, now=now)
    path = report.keep(Path(__file__).parent / "results", result, now)
    print(path, *pictures.draw(path), sep="\n")
    if options.keep:
        KEPT.write_text(json.dumps(result["ratios"], indent=1) + "\n")
    slower = report.regressions(report.ratios(jobs, rounds), json.loads(KEPT.read_text())) if KEPT.exists() else []
    for sentence in slower:
        print(f"slower than before: {sentence}")
    sys.exit(bool(slower))


if __name__ == "__main__":
    main()
