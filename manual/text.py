"""Markdown."""

from collections.abc import Iterable, Sequence


def cell(text: object) -> str:
    """A text as a cell of a table."""
    return " ".join(str(text).split()).replace("|", "\\|")


def code(text: object) -> str:
    """A text as code in a cell; nothing for nothing."""
    return f"`{cell(text)}`" if text not in (None, "") else ""


def table(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A table, with an empty line behind it. Cells are Markdown."""
    lines = [columns, ["---"] * len(columns), *([cell(each) for each in row] for row in rows)]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines) + "\n"


def escaped(text: str) -> str:
    """A text as it is, outside of code."""
    return text.replace("<", "&lt;").replace("*", "\\*")
