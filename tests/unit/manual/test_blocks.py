"""Every block of code in the manual is run, proven by a named test, or says why not; commands in sentences exist."""

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml
from manual.blocks import DATA, ROOT, RUN, Block, Step, blocks, fits, pages, steps

from lunaport.runtime.main import app

ALL = [block for page in pages() for block in blocks(page)]
TESTED = {"docs/initiator.md": "tests/unit/initiator/test_documentation.py"}
"""Pages whose examples in Python a test of their own runs."""


@pytest.mark.parametrize("block", ALL, ids=lambda block: block.here)
def test_every_block_is_proven(block: Block) -> None:
    if block.marker.startswith("run by "):
        proof = (ROOT / block.marker.removeprefix("run by ")).read_text()
        assert block.page.removeprefix("docs/") in proof, f"{block.here}: that test does not read this page"
    elif block.kind == "python":
        assert block.page.removeprefix("docs/") in (ROOT / TESTED[block.page]).read_text()
    elif not block.marker:
        assert block.kind in RUN + DATA, f"{block.here}: what is it? It is neither run nor says why not"
        assert block.kind in RUN or not re.search(r"^(?:\$ |curl |lunaport |iscsiadm )", block.text, re.MULTILINE)
        if block.kind == "console":
            assert block.text.startswith("$ "), block.here
    if block.kind == "yaml":
        assert list(yaml.safe_load_all(block.text))
    if block.kind == "toml":
        assert tomllib.loads(block.text)


def test_there_are_many() -> None:
    run = [block for block in ALL if block.kind in RUN and not block.marker]
    assert len(run) > 25
    assert sum(len(block.text.splitlines()) for block in run) > 100


def shown_commands() -> list[tuple[str, str]]:
    """Page and command of every `lunaport ...` in a sentence or table."""
    found = []
    for page in pages():
        text = re.sub(r"^ *```.*?^ *```$", "", page.read_text(), flags=re.MULTILINE | re.DOTALL)
        found += [(page.name, " ".join(each.split())) for each in re.findall(r"`(lunaport [^`]+)`", text)]
    return found


@pytest.mark.parametrize(("page", "command"), sorted(set(shown_commands())))
def test_commands_in_sentences_exist_with_their_options(page: str, command: str) -> None:
    node: Any = typer.main.get_command(app)
    words = command.split()[1:]
    while words and hasattr(node, "commands") and words[0] in node.commands:
        node = node.commands[words.pop(0)]
    inner = hasattr(node, "commands") and words and not words[0].startswith("-") and words[0] not in ("COMMAND", "...")
    assert not inner, f"{page}: `{command}`: there is no command {words[0]}"
    options = {option for each in node.params for option in (*each.opts, *each.secondary_opts)} | {"--help"}
    for word in words:
        if word.startswith("-") and word != "-":
            assert word.partition("=")[0].rstrip(",") in options, f"{page}: `{command}` has no option {word}"


def test_what_a_console_shows() -> None:
    text = "$ one 'a\n    b'\nfirst\n  second\n$ two \\\n    three\n"
    block = Block(page="docs/x.md", line=1, kind="console", marker="", text=text)
    assert steps(block) == [
        Step(command="one 'a\n    b'", printed="first\n  second"),
        Step(command="two \\\n    three", printed=""),
    ]
    assert fits("a ... c\n", "a b\nb c  \n")
    assert fits("...", "")
    assert not fits("a", "ab")


def test_blocks_in_lists_and_their_markers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("manual.blocks.ROOT", tmp_path)
    page = tmp_path / "a.md"
    page.write_text("- x\n  <!-- not run: because -->\n  ```sh\n  one\n    two\n  ```\n\n```\nthree\n```\n")
    first, second = blocks(page)
    assert (first.marker, first.kind, first.text) == ("not run: because", "sh", "one\n  two\n")
    assert (second.marker, second.kind, second.text, second.line) == ("", "", "three\n", 8)
