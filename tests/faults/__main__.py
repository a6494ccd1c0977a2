"""`python -m tests.faults [--short] [NAME...]`: tries faults and prints the table of docs/reliability.md."""

import sys
import tempfile
import time
import traceback
from pathlib import Path

import pytest

from tests.faults.stage import Result, Stage
from tests.faults.table import FAULTS

COLUMNS = ("fault", "tried", "what initiators saw", "what the administrator was told", "what is there")


def row(*cells: str) -> str:
    """A row of a table."""
    return "| " + " | ".join(cell.replace("|", "/") for cell in cells) + " |"


def attempt(name: str, *, thorough: bool) -> tuple[Result | None, str]:
    """One fault: its result, or why there is none."""
    with tempfile.TemporaryDirectory(prefix="lunaport-fault-") as folder:
        stage = Stage(Path(folder), thorough=thorough)
        try:
            result = FAULTS[name](stage)
            stage.close()
        except pytest.skip.Exception as skipped:
            stage.nas.destroy()
            stage.undo.close()
            return None, f"skipped: {skipped}"
        except BaseException:  # noqa: BLE001 - whatever it is, the next fault is tried
            sys.stderr.write(f"{stage.nas.log_tail() if stage.nas.log.exists() else ''}\n{traceback.format_exc()}\n")
            stage.nas.destroy()
            stage.undo.close()
            return None, "FAILED"
    return result, ""


def main() -> int:
    """Try them; 1 when one failed."""
    words = sys.argv[1:]
    thorough = "--short" not in words
    names = [word for word in words if word != "--short"] or list(FAULTS)
    failed = False
    sys.stdout.write(f"{row(*COLUMNS)}\n{row(*['---'] * len(COLUMNS))}\n")
    for name in names:
        began = time.monotonic()
        result, problem = attempt(name, thorough=thorough)
        cells = (result.tried, result.saw, result.told, result.kept) if result else (problem, "", "", "")
        failed |= problem == "FAILED"
        sys.stdout.write(f"{row(name, *cells)}\n")
        sys.stdout.flush()
        sys.stderr.write(f"{name}: {time.monotonic() - began:.0f} s {problem}\n")
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
