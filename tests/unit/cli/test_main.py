"""The command without its subcommands."""

from typer.testing import CliRunner

from lunaport import __version__
from lunaport.cli.main import make_app


def test_version() -> None:
    app = make_app()

    @app.command()
    def something() -> None:
        """A command must be there for the application to have commands."""

    result = CliRunner().invoke(app, ["--version"])
    assert (result.exit_code, result.output) == (0, f"lunaport {__version__}\n")
    assert CliRunner().invoke(app, ["nothing"]).exit_code == 2
