"""docs/cli.md names every command and every exit code, and serve loads nothing that only clients need."""

import re
import subprocess
import sys
from pathlib import Path

import typer

from lunaport.cli.errors import Exit
from lunaport.cli.main import make_app

PAGE = (Path(__file__).parents[3] / "docs" / "cli.md").read_text()


def commands() -> list[str]:
    """All commands, as they are typed."""
    top = typer.main.get_command(make_app())
    found = []
    for name, command in getattr(top, "commands").items():  # noqa: B009 - the class is private to typer
        found += [f"{name} {each}" for each in command.commands]
    return found


def test_every_command_is_described() -> None:
    assert len(commands()) == 19
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
