"""What commands print: tables for people, JSON for scripts. Texts of strangers cannot control the terminal."""

import json
import sys
from collections.abc import Mapping, Sequence
from typing import Any, Final

WIDTH_PIPE: Final = 10_000
"""Where nobody looks at it, nothing is cut to fit a screen."""


def print_json(value: Any) -> None:
    """A value for scripts."""
    sys.stdout.write(json.dumps(value, indent=2) + "\n")


def print_table(columns: Sequence[str], rows: Sequence[Sequence[object]], *, empty: str) -> None:
    """Rows under their names; `empty` where there are none."""
    if not rows:
        sys.stdout.write(f"{empty}\n")
        return
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*(Text(plain(cell)) for cell in row))
    Console(width=None if sys.stdout.isatty() else WIDTH_PIPE, highlight=False).print(table)


def print_record(fields: Mapping[str, object]) -> None:
    """One thing, a field a line."""
    width = max(map(len, fields))
    for name, value in fields.items():
        sys.stdout.write(f"{name:<{width}}  {plain(value)}\n")


def print_done(text: str, *, as_json: bool) -> None:
    """What has been done, where the NAS has nothing to answer; for scripts an empty document."""
    sys.stdout.write("{}\n" if as_json else f"{plain(text)}\n")


def plain(value: object) -> str:
    """A value as text without control characters."""
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "".join(char if char.isprintable() else "?" for char in str(value))


def amount(size: float) -> str:
    """Bytes for people."""
    unit = "B"
    for larger in ("KiB", "MiB", "GiB", "TiB", "PiB"):
        if size < 1024:
            break
        size, unit = size / 1024, larger
    return f"{size:.0f} {unit}" if size == int(size) else f"{size:.1f} {unit}"
