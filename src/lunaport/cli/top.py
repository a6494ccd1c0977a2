"""`lunaport top`: what the NAS does now, in the terminal, again and again."""

import time
from collections import defaultdict
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from lunaport.cli.context import AsJson, command, connected
from lunaport.cli.errors import CliError, Exit

if TYPE_CHECKING:  # loaded when a command runs
    from rich.console import Console, RenderableType
    from rich.table import Table

    from lunaport.cli.client import Client

INTERVAL_S: Final = 2.0
ROWS_MAX: Final = 30
ROWS_AROUND: Final = 4
"""Lines of the screen that are no row: names, sums, an empty one, the keys."""
QUIT_KEYS: Final = "qQ\x1b\x03\x04"
"""q, Escape, Ctrl-C, Ctrl-D."""
Row = dict[str, Any]
SORTS: Final[dict[str, tuple[str, Callable[[Row], Any]]]] = {
    "b": ("bytes", lambda row: (-row["bytes_read"] - row["bytes_written"], -row["commands"])),
    "r": ("read", lambda row: -row["bytes_read"]),
    "w": ("written", lambda row: -row["bytes_written"]),
    "c": ("commands", lambda row: -row["commands"]),
    "u": ("under way", lambda row: -row["outstanding"]),
    "n": ("name", lambda row: 0),
}


@command
def top(
    context: typer.Context,
    interval: Annotated[float, typer.Option(metavar="SECONDS", min=0.2, help="How often to look.")] = INTERVAL_S,
    once: Annotated[bool, typer.Option("--once", help="Look once and end.")] = False,
    as_json: AsJson = False,
) -> None:
    """What targets do now, the busiest first. Keys sort it, q ends it; --json and --once look once."""
    from rich.console import Console

    from lunaport.cli.output import WIDTH_PIPE, print_json

    with connected(context) as client:
        if as_json:
            print_json(summed(client.pages("/sessions")))
            return
        console = Console(highlight=False)
        if not console.is_terminal:
            console = Console(highlight=False, width=WIDTH_PIPE)
        if once or not console.is_terminal:
            console.print(drawn(summed(client.pages("/sessions"))))
            return
        watch(client, console, interval)


def watch(client: "Client", console: "Console", interval_s: float) -> None:
    """Draw until a key or a signal ends it. A NAS that does not answer for a while is asked again. Raises CliError."""
    from rich.live import Live

    from lunaport.cli.terminal import SLICE_S, EndedError, single_keys, wait_for_key

    rows, problem, sort = summed(client.pages("/sessions")), "", "b"
    try:
        with single_keys(), Live(console=console, screen=True, auto_refresh=False) as live:
            looked = time.monotonic()
            size = None
            while True:
                if time.monotonic() >= looked + interval_s:
                    looked = time.monotonic()
                    try:
                        rows, problem, size = summed(client.pages("/sessions")), "", None
                    except CliError as error:
                        if error.code not in (Exit.UNREACHABLE, Exit.FAILED):
                            raise
                        problem, size = f"{error.lines[0]}; trying again", None
                if console.size != size:
                    size = console.size
                    live.update(screen(rows, problem, sort, size.height), refresh=True)
                key = wait_for_key(min(SLICE_S, interval_s))
                if key and key in QUIT_KEYS:
                    return
                if key in SORTS:
                    sort, size = key, None
    except (KeyboardInterrupt, EndedError):
        return


def screen(rows: list[Row], problem: str, sort: str, height: int) -> "RenderableType":
    """What fits on a screen of so many lines."""
    from rich.console import Group
    from rich.text import Text

    from lunaport.cli.output import plain

    _, order = SORTS[sort]
    table = drawn(sorted(rows, key=lambda row: (order(row), row["target"])), max(1, height - ROWS_AROUND))
    keys = "q quits. Sort by: " + ", ".join(
        f"{key} {name}{' (now)' if key == sort else ''}" for key, (name, _) in SORTS.items()
    )
    last = Text(plain(problem), style="bold red") if problem else Text(keys, style="dim")
    last.no_wrap, last.overflow = True, "ellipsis"
    return Group(table, Text(""), last)


def summed(sessions: Iterable[Any]) -> list[Row]:
    """What the sessions of each target do together, the busiest first."""
    found: dict[str, Row] = defaultdict(
        lambda: {"sessions": 0, "outstanding": 0, "commands": 0.0, "bytes_read": 0.0, "bytes_written": 0.0}
    )
    for session in sessions:
        if not session["target"]:
            continue
        row = found[session["target"]]
        row["sessions"] += 1
        row["outstanding"] += session["outstanding"]
        for name in ("commands", "bytes_read", "bytes_written"):
            row[name] += session["rates"][name]
    rows = [{"target": name, **row} for name, row in found.items()]
    return sorted(rows, key=lambda row: (SORTS["b"][1](row), row["target"]))


def drawn(rows: list[Row], count_max: int = ROWS_MAX) -> "Table":
    """A table with the sum of all rows below, however many of them are shown."""
    from rich.table import Table
    from rich.text import Text

    from lunaport.cli.output import amount, plain

    table = Table(box=None, pad_edge=False, header_style="bold", show_footer=True, footer_style="bold")
    sums = {
        name: sum(row[name] for row in rows)
        for name in ("bytes_read", "bytes_written", "commands", "outstanding", "sessions")
    }
    hidden = len(rows) - count_max
    table.add_column(
        "TARGET", f"all, {hidden} more not shown" if hidden > 0 else "all", overflow="ellipsis", no_wrap=True
    )
    table.add_column("READ/S", amount(round(sums["bytes_read"])), justify="right", no_wrap=True)
    table.add_column("WRITTEN/S", amount(round(sums["bytes_written"])), justify="right", no_wrap=True)
    table.add_column("COMMANDS/S", f"{sums['commands']:.0f}", justify="right", no_wrap=True)
    table.add_column("UNDER WAY", str(sums["outstanding"]), justify="right", no_wrap=True)
    table.add_column("SESSIONS", str(sums["sessions"]), justify="right", no_wrap=True)
    for row in rows[:count_max]:
        table.add_row(
            Text(plain(row["target"])),
            amount(round(row["bytes_read"])),
            amount(round(row["bytes_written"])),
            f"{row['commands']:.0f}",
            str(row["outstanding"]),
            str(row["sessions"]),
        )
    return table
