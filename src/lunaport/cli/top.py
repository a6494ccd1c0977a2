"""`lunaport top`: what the NAS does now, in the terminal, again and again."""

import time
from collections import defaultdict
from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from lunaport.cli.context import AsJson, command, connected

if TYPE_CHECKING:  # loaded when a command runs
    from rich.table import Table

INTERVAL_S: Final = 2.0
ROWS_MAX: Final = 30


@command
def top(
    context: typer.Context,
    interval: Annotated[float, typer.Option(metavar="SECONDS", min=0.2, help="How often to look.")] = INTERVAL_S,
    once: Annotated[bool, typer.Option("--once", help="Look once and end.")] = False,
    as_json: AsJson = False,
) -> None:
    """What targets do now, the busiest first. Ctrl-C ends it; --json looks once."""
    from rich.console import Console
    from rich.live import Live

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
        try:
            with Live(console=console, screen=True, auto_refresh=False) as live:
                while True:
                    live.update(drawn(summed(client.pages("/sessions"))), refresh=True)
                    time.sleep(interval)
        except KeyboardInterrupt:
            return


def summed(sessions: Iterable[Any]) -> list[dict[str, Any]]:
    """What the sessions of each target do together, the busiest first."""
    found: dict[str, dict[str, Any]] = defaultdict(
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
    return sorted(rows, key=lambda row: (-row["bytes_read"] - row["bytes_written"], -row["commands"], row["target"]))


def drawn(rows: list[dict[str, Any]]) -> "Table":
    """A table with the sum below."""
    from rich.table import Table
    from rich.text import Text

    from lunaport.cli.output import amount, plain

    table = Table(box=None, pad_edge=False, header_style="bold", show_footer=True, footer_style="bold")
    sums = {
        name: sum(row[name] for row in rows)
        for name in ("bytes_read", "bytes_written", "commands", "outstanding", "sessions")
    }
    table.add_column("TARGET", "all", overflow="fold")
    table.add_column("READ/S", amount(round(sums["bytes_read"])), justify="right")
    table.add_column("WRITTEN/S", amount(round(sums["bytes_written"])), justify="right")
    table.add_column("COMMANDS/S", f"{sums['commands']:.0f}", justify="right")
    table.add_column("UNDER WAY", str(sums["outstanding"]), justify="right")
    table.add_column("SESSIONS", str(sums["sessions"]), justify="right")
    for row in rows[:ROWS_MAX]:
        table.add_row(
            Text(plain(row["target"])),
            amount(round(row["bytes_read"])),
            amount(round(row["bytes_written"])),
            f"{row['commands']:.0f}",
            str(row["outstanding"]),
            str(row["sessions"]),
        )
    return table
