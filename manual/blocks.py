"""The blocks of code that the manual shows, and how each of them is proven.

What can be run is run by the tests, page by page. A comment above a block says that it is proven elsewhere
(`<!-- run by tests/... -->`) or why it cannot be run here (`<!-- not run: the reason -->`).
"""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[1]
RUN: Final = ("sh", "console")
"""`sh` is a script that has to succeed; `console` has commands behind `$` and what they print, `...` for anything."""
DATA: Final = ("yaml", "toml", "json", "text")
"""What is no command: a file, or what something prints."""
_BLOCK: Final = re.compile(
    r"(?:^[ ]*<!-- (?P<marker>(?:run by|not run:) [^\n]+) -->\n)?"
    r"^(?P<indent>[ ]*)```(?P<kind>[a-z]*)\n(?P<text>.*?)^(?P=indent)```$",
    re.MULTILINE | re.DOTALL,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """A block of a page. `marker`: what its comment says; empty: it is run as it stands."""

    page: str
    line: int
    kind: str
    marker: str
    text: str

    @property
    def here(self) -> str:
        """Where it stands."""
        return f"{self.page}:{self.line}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """A command, and what it prints; None: that is not shown."""

    command: str
    printed: str | None = None


def pages() -> list[Path]:
    """Every page that people read."""
    return [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


def blocks(page: Path) -> list[Block]:
    """The blocks of a page, in its order."""
    text = page.read_text()
    found = []
    for match in _BLOCK.finditer(text):
        lines = match["text"].split("\n")
        inner = "\n".join(line.removeprefix(match["indent"]) for line in lines)
        line = text.count("\n", 0, match.start("text"))
        name = str(page.relative_to(ROOT))
        found.append(Block(page=name, line=line, kind=match["kind"], marker=match["marker"] or "", text=inner))
    return found


def steps(block: Block) -> list[Step]:
    """The commands of a block that is run. A command goes on over lines that are indented."""
    if block.kind == "sh":
        return [Step(command=block.text)]
    found: list[Step] = []
    for part in re.split(r"^\$ ", block.text, flags=re.MULTILINE)[1:]:
        lines = part.split("\n")
        count = 1
        while count < len(lines) and lines[count].startswith("    ") and _open(lines[:count]):
            count += 1
        printed = "\n".join(lines[count:]).strip("\n")
        found.append(Step(command="\n".join(lines[:count]), printed=printed))
    return found


def _open(lines: list[str]) -> bool:
    """Whether a command needs another line."""
    return lines[-1].endswith("\\") or "\n".join(lines).count("'") % 2 == 1


def fits(shown: str, printed: str) -> bool:
    """Whether a program printed what is shown; spaces at the ends of lines do not count."""
    clean = ["\n".join(line.rstrip() for line in text.strip("\n").split("\n")) for text in (shown, printed)]
    pattern = ".*".join(re.escape(part) for part in clean[0].split("..."))
    return re.fullmatch(pattern, clean[1], re.DOTALL) is not None
