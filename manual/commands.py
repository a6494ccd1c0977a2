"""The reference of the command line, from the commands themselves."""

from collections.abc import Iterator
from typing import Any

import typer

from lunaport.cli.errors import Exit
from lunaport.runtime.main import app
from manual.text import cell, code, escaped, table

HEAD = """# Reference of the command line

Every command with its arguments and options, as the program describes itself: `lunaport COMMAND --help` says
the same. How they are used, which NAS they talk to and as whom: [The command line](cli.md).

"""


def commands_page() -> str:
    """The page."""
    root = typer.main.get_command(app)
    parts = [HEAD, "## Before every command\n\n", parameters(root, "lunaport")]
    for words, command in commands(root):
        if hasattr(command, "commands"):
            parts.append(f"## lunaport {words}\n\n{escaped(command.help or '')}\n\n")
        else:
            parts.append(described(words, command))
    parts.append(exit_codes())
    return "".join(parts)


def commands(group: Any, words: str = "") -> Iterator[tuple[str, Any]]:
    """Every command and group with the words that name it, commands before groups."""
    for name, command in sorted(group.commands.items(), key=lambda each: hasattr(each[1], "commands")):
        yield f"{words}{name}", command
        if hasattr(command, "commands"):
            yield from commands(command, f"{words}{name} ")


def described(words: str, command: Any) -> str:
    """One command."""
    context = command.make_context(f"lunaport {words}", [], resilient_parsing=True)
    usage = " ".join(command.get_usage(context).removeprefix("Usage: ").split())
    text = escaped((command.help or "").replace("\b\n", "").strip())
    parts = [f"### lunaport {words}\n\n", f"```text\n{usage}\n```\n\n{text}\n\n"]
    if command.epilog:
        lines = [line.strip() for line in command.epilog.replace("\b", "").splitlines() if line.strip()]
        examples = "\n".join(line for line in lines if not line.endswith(":"))
        parts.append(f"```text\n{examples}\n```\n\n")
    parts.append(parameters(command, f"lunaport {words}"))
    return "".join(parts)


def parameters(command: Any, words: str) -> str:
    """Arguments and options."""
    context = command.make_context(words, [], resilient_parsing=True)
    rows = []
    for each in command.get_params(context):
        record = each.get_help_record(context)
        if record is not None and record[0] != "--help":
            rows.append((code(record[0]), escaped(cell(record[1]))))
    return table(("argument or option", "meaning"), rows) if rows else ""


def exit_codes() -> str:
    """How commands end."""
    rows = [(code(int(each)), code(each.name.lower())) for each in Exit]
    return "## Exit codes\n\n" + table(("code", "name"), rows) + "[What each means](cli.md#exit-codes).\n"
