"""What every command has: the options that say which NAS, the client for it, and one way to end with an error.

Typer and the standard library are all that is loaded here; what a command needs beyond them it loads when it runs, so
that `lunaport serve` starts as quickly as if there were no other command.
"""

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import TYPE_CHECKING, Annotated, ParamSpec

import typer

from lunaport.cli.completion import complete_target
from lunaport.cli.connection import Given, find_connection
from lunaport.cli.errors import CliError, Exit

if TYPE_CHECKING:  # loaded when a command runs
    from lunaport.cli.client import Client

Parameters = ParamSpec("Parameters")

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, as API v1 answers it.")]
TargetName = Annotated[
    str,
    typer.Argument(
        metavar="TARGET", help="Its full name, what follows the colon, or its id.", autocompletion=complete_target
    ),
]


@contextmanager
def connected(context: typer.Context) -> Iterator["Client"]:
    """The NAS that the options say."""
    from dataclasses import replace

    from lunaport.cli.client import Client

    given = context.obj if isinstance(context.obj, Given) else Given()
    connection = find_connection(given, os.environ)
    if not (connection.password or connection.token) and sys.stdin.isatty():
        password = typer.prompt(f"Password of {connection.user} at {connection.url}", hide_input=True, err=True)
        connection = replace(connection, password=password)
    client = Client(connection)
    try:
        yield client
    finally:
        client.close()


def command(function: Callable[Parameters, None]) -> Callable[Parameters, None]:
    """A command whose CliError is told on standard error and becomes its exit code."""

    @wraps(function)
    def run(*args: Parameters.args, **kwargs: Parameters.kwargs) -> None:
        try:
            function(*args, **kwargs)
        except CliError as error:
            from lunaport.cli.output import plain

            for line in error.lines:
                typer.echo(f"lunaport: {plain(line)}", err=True)
            raise typer.Exit(error.code) from None

    return run


def confirm(question: str, *, yes: bool) -> None:
    """Go on only when somebody says yes, be it with an option. Raises CliError."""
    if yes:
        return
    if not sys.stdin.isatty():
        raise CliError(Exit.USAGE, f"{question} Say so with --yes")
    if not typer.confirm(question, err=True):
        raise CliError(Exit.FAILED, "nothing has changed")


def group(name: str, text: str) -> typer.Typer:
    """A group of commands."""
    return typer.Typer(name=name, help=text, no_args_is_help=True, rich_markup_mode=None)
