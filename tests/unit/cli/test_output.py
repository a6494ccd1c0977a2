"""What is printed: nothing that strangers wrote can control a terminal, nothing is cut where nobody looks."""

import json

import pytest

from lunaport.cli.output import amount, plain, print_json, print_record, print_table


def test_strangers_do_not_control_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    print_table(("NAME",), [("a\x1b[31m[bold]b",)], empty="")
    print_record({"name": "a\x1b]0;x\x07\nb"})
    printed = capsys.readouterr().out
    assert "\x1b" not in printed
    assert "a?[31m[bold]b" in printed
    assert "a?]0;x??b" in printed


def test_a_pipe_gets_everything(capsys: pytest.CaptureFixture[str]) -> None:
    print_table(("NAME", "WHAT"), [("n" * 223, "w" * 300)], empty="")
    assert "n" * 223 in capsys.readouterr().out


def test_nothing_there(capsys: pytest.CaptureFixture[str]) -> None:
    print_table(("NAME",), [], empty="There are none.")
    assert capsys.readouterr().out == "There are none.\n"


def test_json(capsys: pytest.CaptureFixture[str]) -> None:
    print_json({"a": [1]})
    assert json.loads(capsys.readouterr().out) == {"a": [1]}


@pytest.mark.parametrize(("value", "shown"), [(None, "-"), (True, "yes"), (False, "no"), (5, "5"), ("a", "a")])
def test_values(value: object, shown: str) -> None:
    assert plain(value) == shown


@pytest.mark.parametrize(
    ("size", "shown"), [(0, "0 B"), (1023, "1023 B"), (1024, "1 KiB"), (1536, "1.5 KiB"), (10 << 30, "10 GiB")]
)
def test_amounts(size: int, shown: str) -> None:
    assert amount(size) == shown
