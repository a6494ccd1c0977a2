"""The faults of `tests.faults`, each in its short form; `make faults` runs the long one and prints the table.

The quick and the telling ones run with every `make test`; the others are left to `make faults`.
"""

from pathlib import Path

import pytest

from tests.faults.stage import Stage
from tests.faults.table import FAULTS

SUITE = (
    "data is killed",
    "power is lost",
    "control stands still",
    "control hangs",
    "data hangs",
    "the disk is full",
    "a file is cut",
    "a file is removed",
    "EIO on fsync",
    "the database is read-only",
    "the database is garbage when control is killed",
    "the clock jumps",
    "the portal's address vanishes",
    "wrong secrets at full speed",
)


@pytest.mark.peer
@pytest.mark.parametrize("name", SUITE)
def test_fault(tmp_path: Path, name: str) -> None:
    stage = Stage(tmp_path, thorough=False)
    try:
        result = FAULTS[name](stage)
        stage.close()
    finally:
        stage.nas.destroy()
        stage.undo.close()
    assert all((result.tried, result.saw, result.told, result.kept))
