"""Measure the parts, hold them against their bars, keep the figures. The exit code is 1 where a bar is missed."""

import argparse
import json
import os
import platform
import subprocess
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from bench.scale import bars, churn, fire, sessions, slow, targets, writers
from bench.scale.bars import Bar, Figures

RESULTS: Final = Path(__file__).parents[1] / "results"


@dataclass(frozen=True, slots=True)
class Part:
    """A part, and what it is held against."""

    measure: Callable[[argparse.Namespace, dict[str, Any]], Figures]
    """Gets the options, and where to keep more than figures."""
    bars: tuple[Bar, ...]
    says: str


def _churn(options: argparse.Namespace, more: dict[str, Any]) -> Figures:
    samples: list[churn.Sample] = []
    try:
        return churn.measure(options.minutes, samples)
    finally:
        more["samples"] = [asdict(sample) for sample in samples]


PARTS: Final = {
    "targets": Part(lambda options, _: targets.measure(options.targets), targets.BARS, "many targets"),
    "sessions": Part(lambda options, _: sessions.measure(options.sessions), sessions.BARS, "many sessions"),
    "writers": Part(
        lambda options, _: writers.measure(options.connections), writers.BARS, "many writers at full depth"
    ),
    "slow": Part(lambda *_: slow.measure(), slow.BARS, "a disk that is slow, or hangs"),
    "fire": Part(lambda *_: fire.measure(), fire.BARS, "the API under fire"),
    "churn": Part(_churn, churn.BARS, "all that comes and goes"),
}


def main() -> None:
    """Measure, print, keep."""
    parser = argparse.ArgumentParser(prog="python -m bench.scale", description="How the NAS grows, and bears pressure.")
    parser.add_argument("--only", action="append", choices=PARTS, help="this part, and no others; may be repeated")
    parser.add_argument("--targets", type=int, default=2000)
    parser.add_argument("--sessions", type=int, default=2000)
    parser.add_argument("--connections", type=int, default=256, help="that write")
    parser.add_argument("--minutes", type=float, default=30.0, help="of churn")
    options = parser.parse_args()
    result: dict[str, Any] = {**where(), "options": vars(options), "parts": {}}
    rows = ["| what | bar | found |", "|---|---|---|"]
    missed: list[str] = []
    for name in options.only or PARTS:
        part = PARTS[name]
        more: dict[str, Any] = {}
        load_before = os.getloadavg()[0]
        figures = part.measure(options, more)
        result["parts"][name] = {
            "load_before": load_before,
            "bars": bars.document(part.bars, figures),
            "figures": figures,
            **more,
        }
        print(f"\n{name}: {part.says}\n{bars.table(part.bars, figures)}")
        print("  ".join(f"{figure}={bars.number(value)}" for figure, value in figures.items()), flush=True)
        rows.append(bars.markdown(part.bars, figures))
        missed += bars.missed(part.bars, figures)
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{datetime.now(UTC):%Y-%m-%d-%H%M%S}-scale.json"
    path.write_text(json.dumps(result, indent=1) + "\n")
    manual = path.with_suffix(".md")
    manual.write_text("\n".join(rows) + "\n")
    print(path, manual, sep="\n")
    sys.exit(bool(missed))


def where() -> dict[str, Any]:
    """On what machine, and what was measured."""
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False).stdout
    model = next(line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name"))
    return {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit": commit.strip(),
        "cpu": model.partition(":")[2].strip(),
        "processors": os.cpu_count(),
        "kernel": platform.release(),
        "python": platform.python_version(),
    }


if __name__ == "__main__":
    main()
