"""The command without its subcommands."""

from typer.testing import CliRunner

from lunaport import __version__
from lunaport.cli.main import make_app
from lunaport.model.chap import SECRET_BYTES_MAX, Chap, ChapChange, merge_chap


def test_version() -> None:
    app = make_app()

    @app.command()
    def something() -> None:
        """A command must be there for the application to have commands."""

    result = CliRunner().invoke(app, ["--version"])
    assert (result.exit_code, result.output) == (0, f"lunaport {__version__}\n")
    assert CliRunner().invoke(app, ["nothing"]).exit_code == 2


def test_a_new_secret_is_random_and_what_every_initiator_takes() -> None:
    made = {CliRunner().invoke(make_app(), ["target", "new-secret"]).stdout for _ in range(50)}
    assert len(made) == 50
    for each in made:
        secret = each.removesuffix("\n")
        assert merge_chap(Chap(), ChapChange(secret=secret), 0.0).secret == secret
        assert len(secret) == SECRET_BYTES_MAX
