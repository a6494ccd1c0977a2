"""Run one harness: `python -m tests.fuzz NAME SECONDS [--work DIR]`; coverage-guided where atheris is installed.

The kept corpus is where it starts from; what it finds on the way goes to `--work`, as does the input of a failure.
Without atheris the kept inputs are changed at random, which finds less. Ends with 0 when nothing was found.
"""

import argparse
import importlib
import importlib.util
import random
import sys
import time
from collections.abc import Callable
from pathlib import Path

INPUT_BYTES_MAX = 2048
RUN_CPU_S_MAX = 2
STUCK_S_MAX = 300
"""By the clock on the wall, so more than a machine that is busy with other things can make of RUN_CPU_S_MAX."""
MEMORY_MB_MAX = 1024


def timed(harness: Callable[[bytes], None]) -> Callable[[bytes], None]:
    """The harness with its bound on time."""

    def run(data: bytes) -> None:
        start = time.process_time()
        harness(data)
        assert time.process_time() - start < RUN_CPU_S_MAX, "takes too long"

    return run


def fuzz_by_coverage(name: str, seconds: int, work: Path) -> None:
    """Hand over to atheris, which ends the process."""
    atheris = importlib.import_module("atheris")
    with atheris.instrument_imports(include=["lunaport"]):
        harnesses = importlib.import_module("tests.fuzz.harnesses")
    found = work / name
    found.mkdir(parents=True, exist_ok=True)
    kept = harnesses.CORPUS / name
    options = [
        sys.argv[0],
        str(found),
        str(kept),
        f"-max_total_time={seconds}",
        f"-max_len={INPUT_BYTES_MAX}",
        f"-timeout={STUCK_S_MAX}",
        f"-rss_limit_mb={MEMORY_MB_MAX}",
        f"-artifact_prefix={work}/{name}-",
        "-print_final_stats=1",
        "-verbosity=1",
    ]
    atheris.Setup(options, timed(harnesses.HARNESSES[name]))
    atheris.Fuzz()


def fuzz_at_random(name: str, seconds: int, work: Path) -> None:
    """Change kept inputs at random until the time is over."""
    from tests.fuzz.harnesses import CORPUS, HARNESSES
    from tests.fuzz.mutate import inputs

    kept = [path.read_bytes() for path in sorted((CORPUS / name).iterdir())]
    end = time.monotonic() + seconds
    harness = timed(HARNESSES[name])
    runs = 0
    for data in inputs(random.Random(), kept, INPUT_BYTES_MAX):
        if time.monotonic() >= end:
            break
        runs += 1
        try:
            harness(data)
        except Exception:
            work.mkdir(parents=True, exist_ok=True)
            failed = work / f"{name}-failed"
            failed.write_bytes(data)
            print(f"{name}: failed after {runs} runs, its input is {failed}")
            raise
    print(f"{name}: {runs} runs at random, nothing found (atheris is not installed)")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("name")
    parser.add_argument("seconds", type=int)
    parser.add_argument("--work", type=Path, default=Path(".cache/fuzz"))
    options = parser.parse_args()
    fuzz = fuzz_by_coverage if importlib.util.find_spec("atheris") else fuzz_at_random
    fuzz(options.name, options.seconds, options.work)


if __name__ == "__main__":
    main()
