"""Pictures of a result: `python -m bench.pictures RESULT.json`, and after every measurement.

Bars: Lunaport's part of each rival's speed. Curves: latency over queue depth. Crowd: speed over clients.
"""

import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import matplotlib as mpl
from matplotlib.figure import Figure

from bench.jobs import CROWD, CURVE, EMULATED, FULL, SHORT, Job

Result = dict[str, Any]
COLOURS: Final = {"lunaport": "#2563eb", "tgtd": "#d97706", "floor": "#6b7280", "istgt": "#059669", "lio": "#dc2626"}
NAMES: Final = {"lunaport": "Lunaport", "tgtd": "tgtd", "floor": "the floor", "istgt": "istgt", "lio": "LIO"}
WIDTH_IN, DOTS_PER_IN = 8.0, 100


@dataclass(frozen=True, slots=True)
class Line:
    """One number of several jobs, in the order of what changes from one to the next."""

    jobs: tuple[Job, ...]
    along: Callable[[Job], int]
    what: str
    scale: float


def draw(path: Path) -> list[Path]:
    """Draw what a result has, beside it; returns the pictures."""
    result: Result = json.loads(path.read_text())
    mpl.rcParams.update({"font.size": 9, "axes.spines.top": False, "axes.spines.right": False, "svg.hashsalt": "bench"})
    where = f"{result['cpu']}, Linux {result['kernel']}, {result['rounds_count']} rounds, {result['at'][:10]}"
    pictures = {"ratios": bars(result, where)}
    medians = result["medians"]
    curve = tuple(job for job in sorted({SHORT[0], SHORT[1], *CURVE}, key=lambda job: job.depth) if job.name in medians)
    if len(curve) > 2:
        line = Line(curve, lambda job: job.depth, "latency_us", 1)
        pictures["latency"] = lines(result, line, "4 KiB random reads", "queue depth", "mean latency, µs", where)
    crowd = tuple(job for job in CROWD if job.name in medians)
    if len(crowd) > 1:
        line = Line(crowd, lambda job: job.clients, "iops", 1000)
        pictures["clients"] = lines(
            result, line, "4 KiB random reads, depth 4 each", "clients", "thousand a second", where
        )
    drawn = []
    for name, figure in pictures.items():
        file = path.with_name(f"{path.stem}-{name}.svg")
        figure.savefig(file, metadata={"Date": None})
        drawn.append(file)
    return drawn


def bars(result: Result, where: str) -> Figure:
    """Lunaport's part of each rival's speed; the line stands where both are equal."""
    jobs = [job for job in (*FULL, *EMULATED) if job.name in result["ratios"]]
    rivals = [name for name in COLOURS if any(name in result["ratios"][job.name] for job in jobs)]
    figure = Figure(figsize=(WIDTH_IN, 1.2 + 0.42 * len(jobs)), dpi=DOTS_PER_IN, layout="constrained")
    axes = figure.add_subplot()
    height = 0.8 / len(rivals)
    for number, rival in enumerate(rivals):
        places = [row for row, job in enumerate(jobs) if rival in result["ratios"][job.name]]
        values = [result["ratios"][jobs[row].name][rival]["iops"] for row in places]
        offset = (number - (len(rivals) - 1) / 2) * height
        drawn = axes.barh(
            [row + offset for row in places],
            values,
            height * 0.9,
            color=COLOURS[rival],
            label=f"against {NAMES[rival]}",
        )
        axes.bar_label(drawn, fmt="%.2f", padding=3, fontsize=7)
    axes.axvline(1, color="black", linewidth=0.8)
    axes.set_yticks(range(len(jobs)), [job.name for job in jobs])
    axes.invert_yaxis()
    axes.set_xlabel("Lunaport's speed as a multiple (median of rounds)")
    axes.set_title(where, fontsize=8, color="#6b7280")
    axes.legend(loc="lower right", frameon=False)
    return figure


def lines(result: Result, line: Line, title: str, along: str, up: str, where: str) -> Figure:
    """A line for each target."""
    figure = Figure(figsize=(WIDTH_IN, 4.5), dpi=DOTS_PER_IN, layout="constrained")
    axes = figure.add_subplot()
    for name, colour in COLOURS.items():
        points = [
            (line.along(job), result["medians"][job.name][name][line.what] / line.scale)
            for job in line.jobs
            if name in result["medians"][job.name]
        ]
        if len(points) > 1:
            axes.plot(*zip(*points, strict=True), marker="o", color=colour, label=NAMES[name])
    axes.set_xscale("log", base=2)
    axes.set_xticks([line.along(job) for job in line.jobs], [str(line.along(job)) for job in line.jobs])
    axes.set_ylim(bottom=0)
    axes.set_xlabel(along)
    axes.set_ylabel(up)
    axes.set_title(f"{title}\n{where}", fontsize=8, color="#6b7280")
    axes.legend(frameon=False)
    return figure


if __name__ == "__main__":
    print(*draw(Path(sys.argv[1])), sep="\n")
