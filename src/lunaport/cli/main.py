"""The command `lunaport`, as far as it is a client; the composition root adds `serve`."""

from typing import Annotated

import typer

from lunaport import __version__
from lunaport.cli import apply, audit, config, images, portals, service, sessions, targets, users, volumes
from lunaport.cli.connect import connect
from lunaport.cli.connection import Given
from lunaport.cli.examples import add_examples
from lunaport.cli.top import top


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"lunaport {__version__}")
        raise typer.Exit


def make_app() -> typer.Typer:
    """The command with its options that hold everywhere."""
    app = typer.Typer(
        name="lunaport",
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,
    )

    @app.callback()
    def lunaport(
        context: typer.Context,
        url: Annotated[
            str,
            typer.Option(
                metavar="URL", envvar="LUNAPORT_URL", show_default=False, help="The NAS. [http://127.0.0.1:8080]"
            ),
        ] = "",
        user: Annotated[
            str,
            typer.Option(metavar="NAME", envvar="LUNAPORT_USER", show_default=False, help="Who you are to it. [admin]"),
        ] = "",
        password_file: Annotated[
            str,
            typer.Option(metavar="FILE", show_default=False, help="Your password is its first line."),
        ] = "",
        ca: Annotated[
            str,
            typer.Option(
                metavar="FILE",
                envvar="LUNAPORT_CA",
                show_default=False,
                help="A certificate to trust, such as that which the NAS made for itself.",
            ),
        ] = "",
        profile: Annotated[
            str,
            typer.Option(
                metavar="NAME", envvar="LUNAPORT_PROFILE", show_default=False, help="A table of your file of profiles."
            ),
        ] = "",
        version: Annotated[
            bool, typer.Option("--version", help="Print the version and exit.", callback=_print_version, is_eager=True)
        ] = False,
    ) -> None:
        """Lunaport: an iSCSI NAS. One HTTP request makes a disk that every iSCSI initiator can use."""
        del version  # the callback has answered
        context.obj = Given(url=url, user=user, password_file=password_file, ca=ca, profile=profile)

    watching = (sessions.sessions, sessions.logins, sessions.initiators, audit.app)
    people = (users.users, users.tokens)
    for group in (targets.app, volumes.app, images.app, *watching, portals.app, service.app, *people, config.app):
        app.add_typer(group)
    app.command("apply")(apply.apply)
    app.command()(connect)
    app.command()(top)
    add_examples(app)
    return app
