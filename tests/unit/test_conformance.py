"""CONFORMANCE.md names tests that exist, and leaves no rule without one or without a reason."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "CONFORMANCE.md").read_text()
NAMED = sorted(set(re.findall(r"`([\w/]+\.py)::(\w+)`", TEXT)))


def rows_of(heading: str) -> list[str]:
    lines = TEXT.partition(heading)[2].partition("\n#")[0].splitlines()
    return [line for line in lines if line.startswith("|") and not line.startswith(("|---", "| Section"))]


RULES = rows_of("### Rule by rule")
ROWS = RULES + rows_of("### RFC 7144") + rows_of("### Reservations")


@pytest.mark.parametrize("path", sorted({path for path, _ in NAMED}))
def test_the_tests_it_names_exist(path: str) -> None:
    file = ROOT / path if path.startswith("tests/") else ROOT / "tests/unit" / path
    tree = ast.parse(file.read_text())
    functions = {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}
    assert {name for named_path, name in NAMED if named_path == path} <= functions


def test_every_rule_has_a_test_or_a_reason() -> None:
    assert len(ROWS) > 50
    for row in ROWS:
        cells = [cell.strip() for cell in row.strip("|").split("|")]
        assert len(cells) == 3, row
        assert ".py::" in cells[2] or "**Deviation**" in cells[2] or "**Open**" in cells[2], row


def section_of(row: str) -> tuple[bool, tuple[int, ...]]:
    """Where a row stands: by the first section it names, appendices at the end."""
    first = row.split("|")[1].split(",")[0].strip()
    return first.startswith("Appendix"), tuple(map(int, re.findall(r"\d+", first.partition(" to ")[0])))


def test_the_rules_stand_in_the_order_of_the_rfc() -> None:
    assert list(map(section_of, RULES)) == sorted(map(section_of, RULES))
    assert len(set(RULES)) == len(RULES)
