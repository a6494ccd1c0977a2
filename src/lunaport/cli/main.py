"""The command `lunaport`, as far as it is a client; the composition root adds `serve`."""

from typing import Annotated

import typer

from lunaport import __version__


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"lunaport {__version__}")
        raise typer.Exit


def make_app() -> typer.Typer:
    """The command with its options that hold everywhere."""
    app = typer.Typer(
        name="lunaport",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,
    )

    @app.callback()
    def lunaport(
        version: Annotated[
            bool, typer.Option("--version", help="Print the version and exit.", callback=_print_version, is_eager=True)
        ] = False,
    ) -> None:
        """Lunaport: an iSCSI NAS. One HTTP request makes a disk that every iSCSI initiator can use."""
        del version  # the callback has answered

    return app
