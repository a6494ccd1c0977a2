"""docs/cli.md names every command and every exit code, and serve loads nothing that only clients need."""

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import typer

from lunaport.cli.errors import Exit
from lunaport.cli.main import make_app

PAGE = (Path(__file__).parents[3] / "docs" / "cli.md").read_text()


def commands() -> list[str]:
    """All commands, as they are typed."""
    return list(below(typer.main.get_command(make_app()), ""))


def below(command: object, words: str) -> Iterator[str]:
    for name, each in getattr(command, "commands").items():  # noqa: B009 - the class is private to typer
        if hasattr(each, "commands"):
            yield from below(each, f"{words}{name} ")
        else:
            yield f"{words}{name}"


def test_every_command_is_described() -> None:
    assert len(commands()) >= 22
    for command in commands():
        assert f"`{command}`" in PAGE, command


def test_every_exit_code_is_described() -> None:
    assert [int(code) for code in re.findall(r"^\| (\d) \|", PAGE, re.MULTILINE)] == list(Exit)


def test_serve_loads_nothing_that_only_clients_need() -> None:
    code = (
        "import sys, lunaport.runtime.main;"
        "print([name for name in ('httpx', 'rich', 'pydantic', 'ssl', 'asyncio') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
