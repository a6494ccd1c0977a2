"""Both targets in turns, job by job, round by round. `make bench` sets up what it needs and calls this.

The files lie in memory (tmpfs) where there is room: on a disk's file system its own journal and write-back, which are
the same for both targets, take most of the time of a small random write, and swing.
"""

import argparse
import shutil
import tempfile
from datetime import UTC, datetime
from pathlib import Path

from tests.system.peers import CACHE

from bench import contestants, processors, report
from bench.jobs import JOBS, run

SIZE_BYTES = 2 << 30
SECONDS = 3.0
ROUNDS, ROUNDS_FULL = 3, 7


def measure(directory: Path, rounds_count: int) -> report.Rounds:
    """All rounds. Who goes first changes from round to round, so that a machine that slows down favours nobody."""
    rounds: report.Rounds = {job.name: {"lunaport": [], "tgtd": []} for job in JOBS}
    with contestants.lunaport(directory, SIZE_BYTES) as ours, contestants.tgtd(directory, SIZE_BYTES) as theirs:
        for number in range(rounds_count):
            for job in JOBS:
                for contestant in (ours, theirs) if number % 2 else (theirs, ours):
                    cpu_s = contestant.cpu_s()
                    sample = run(job, contestant.url, seconds=SECONDS)
                    cpu_us = (contestant.cpu_s() - cpu_s) * 1e6 / sample.ios
                    rounds[job.name][contestant.name].append(
                        {
                            "iops": sample.iops,
                            "bytes_per_s": sample.bytes_per_s,
                            "latency_us": sample.latency_us,
                            "cpu_us": cpu_us,
                        }
                    )
            print(f"round {number + 1} of {rounds_count}", flush=True)
    return rounds


def room() -> Path:
    """Where the two files fit: in memory, or else beside the code."""
    memory = Path("/dev/shm")
    return memory if memory.is_dir() and shutil.disk_usage(memory).free > 3 * SIZE_BYTES else CACHE


def main() -> None:
    """Measure, print the table, keep the numbers."""
    parser = argparse.ArgumentParser(prog="python -m bench", description="Lunaport beside tgtd.")
    parser.add_argument("form", nargs="?", choices=["short", "full"], default="short", help="full: more rounds")
    parser.add_argument("--dir", type=Path, default=None, help="where the files lie (4 GiB); default: in memory")
    parser.add_argument("--keep-awake", action="store_true", help="keep idle processors from sleeping (root)")
    options = parser.parse_args()
    base = options.dir or room()
    base.mkdir(exist_ok=True)
    with (
        tempfile.TemporaryDirectory(prefix="lunaport-bench-", dir=base) as directory,
        processors.awake(wanted=options.keep_awake) as state,
    ):
        print(f"files in {base} ({report.file_system(base)}); idle processors {state}", flush=True)
        rounds = measure(Path(directory), ROUNDS_FULL if options.form == "full" else ROUNDS)
    print(report.table(JOBS, rounds))
    print(
        report.write(
            Path(__file__).parent / "results", JOBS, rounds, base=base, processors=state, now=datetime.now(UTC)
        )
    )


if __name__ == "__main__":
    main()
