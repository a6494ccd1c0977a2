"""docs/cli.md names every command and every exit code, and serve loads nothing that only clients need."""

import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer
from manual.blocks import blocks

from lunaport.cli.errors import Exit
from lunaport.cli.examples import EXAMPLES
from lunaport.cli.main import make_app
from lunaport.runtime.main import app

ROOT = Path(__file__).parents[3]
TYPED_ELSEWHERE = {"serve", "doctor", "top", "session show", "session close"}
"""They run until they are ended, or need the id of a session: other system tests type them."""
WITHOUT_JSON = {"serve", "config export", "audit export"}
"""They do not answer, or write a file in a form of its own."""
PAGE = (ROOT / "docs" / "cli.md").read_text()


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
    assert len(commands()) >= 29
    for command in commands():
        assert f"`{command}`" in PAGE, command


def nodes() -> dict[str, Any]:
    """Every command by the words that name it, `serve` and `doctor` too."""
    found: dict[str, Any] = {}
    for words in list(below(typer.main.get_command(app), "")):
        node: Any = typer.main.get_command(app)
        for word in words.split():
            node = node.commands[word]
        found[words] = node
    return found


def test_every_command_has_examples_that_its_options_allow() -> None:
    assert set(EXAMPLES) == set(nodes())
    for words, command in nodes().items():
        for example in EXAMPLES[words]:
            typed = shlex.split(example.partition(" > ")[0])
            assert typed[: 1 + len(words.split())] == ["lunaport", *words.split()]
            given = command.make_context("lunaport", typed[1 + len(words.split()) :])
            assert given.command is command
        assert command.help
        assert command.help[0].isupper()
        assert command.help.endswith(".")


def test_the_page_types_every_example() -> None:
    """So a test does: `tests/system/test_manual.py` types what the page says."""
    typed = [line for block in blocks(ROOT / "docs" / "cli.md") if not block.marker for line in block.text.splitlines()]
    for words, examples in EXAMPLES.items():
        for example in examples:
            assert example in typed or words in TYPED_ELSEWHERE, example


def test_every_command_prints_json() -> None:
    for words, command in nodes().items():
        options = {option for each in command.params for option in each.opts}
        assert "--json" in options or words in WITHOUT_JSON, words


def test_options_that_mean_the_same_are_called_the_same() -> None:
    for words, command in nodes().items():
        for each in command.params:
            assert each.help, f"{words} {each.name}"
            if "--wait" in each.opts:
                assert each.metavar == "SECONDS", words
            if each.name.endswith("_file") and words != "doctor":
                assert each.metavar == "FILE", words
            if "--yes" in each.opts:
                assert "-y" in each.opts, words


def test_every_exit_code_is_described() -> None:
    assert [int(code) for code in re.findall(r"^\| (\d) \|", PAGE, re.MULTILINE)] == list(Exit)


def test_serve_loads_nothing_that_only_clients_need() -> None:
    code = (
        "import sys, lunaport.runtime.main;"
        "print([name for name in ('httpx', 'rich', 'pydantic', 'ssl', 'asyncio') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
