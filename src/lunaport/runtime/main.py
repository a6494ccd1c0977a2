"""The console entry `lunaport`: the client's commands, and `serve`.

`serve` reads the settings and becomes the supervisor.
"""

import json
import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from lunaport.cli.examples import add_examples
from lunaport.cli.main import make_app
from lunaport.runtime.doctor.command import doctor

app = make_app()
app.command()(doctor)


@app.command()
def serve(
    data_dir: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Directory for the database and the default volume. [/var/lib/lunaport]"),
    ] = None,
    http: Annotated[
        list[str] | None, typer.Option(metavar="HOST[:PORT]", help="Serve HTTP here; repeatable. [127.0.0.1:8080]")
    ] = None,
    https: Annotated[
        list[str] | None, typer.Option(metavar="HOST[:PORT]", help="Serve HTTPS here; repeatable. Default port 8443.")
    ] = None,
    https_certificate: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Your certificate, PEM with its chain. [made by itself at the first start]"),
    ] = None,
    https_key: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Its private key, PEM without a password.")
    ] = None,
    plain_http: Annotated[
        bool | None, typer.Option("--plain-http", help="Serve plain HTTP on other addresses than loopback too.")
    ] = None,
    portal: Annotated[
        list[str] | None, typer.Option(metavar="HOST[:PORT]", help="Serve iSCSI here; repeatable. [127.0.0.1:3260]")
    ] = None,
    data_processes: Annotated[int | None, typer.Option(metavar="N", help="Processes that serve targets. [1]")] = None,
    config: Annotated[Path | None, typer.Option(metavar="FILE", help="A TOML file with settings.")] = None,
    log_level: Annotated[
        str | None, typer.Option(metavar="LEVEL", help="debug, info, warning or error. [info]")
    ] = None,
    log_format: Annotated[str | None, typer.Option(metavar="FORMAT", help="text or json. [text]")] = None,
    set_aside_database: Annotated[
        bool | None,
        typer.Option("--set-aside-database", help="Once: keep a broken database under another name, begin a new one."),
    ] = None,
) -> None:
    """Run the NAS until SIGTERM or Ctrl-C. Settings also come from LUNAPORT_* variables."""
    from lunaport.runtime.settings import SettingsError, load_settings

    given = {
        "data_dir": data_dir,
        "http": tuple(http) if http else None,
        "https": tuple(https) if https else None,
        "https_certificate": https_certificate,
        "https_key": https_key,
        "plain_http": plain_http,
        "portal": tuple(portal) if portal else None,
        "data_processes": data_processes,
        "log_level": log_level,
        "log_format": log_format,
        "set_aside_database": set_aside_database,
    }
    try:
        settings = load_settings({key: value for key, value in given.items() if value is not None}, config)
    except SettingsError as error:
        typer.echo(f"lunaport: {error}", err=True)
        raise typer.Exit(2) from None
    options = {
        "data_dir": str(settings.data_dir.absolute()),
        "http": settings.http,
        "https": settings.https,
        "https_certificate": absolute(settings.https_certificate),
        "https_key": absolute(settings.https_key),
        "plain_http": settings.plain_http,
        "portals": settings.portal,
        "log_level": settings.log_level,
        "log_format": settings.log_format,
        "iqn_prefix": settings.iqn_prefix,
        "trash_days": settings.trash_days,
        "audit_days": settings.audit_days,
        "http_requests_per_s": settings.http_requests_per_s,
        "data_silence_s": settings.data_silence_s,
        "control_silence_s": settings.control_silence_s,
        "limits": settings.limits,
        "data_processes": settings.data_processes,
        "set_aside_database": settings.set_aside_database,
    }
    # The same process goes on as the supervisor, without what reading settings and command lines took of memory.
    command = [sys.executable, "-m", "lunaport.runtime.supervisor", json.dumps(options)]
    os.execv(sys.executable, command)  # noqa: S606 - our own interpreter and module, no shell


add_examples(app)


def absolute(path: Path | None) -> str:
    """A path for another process; empty for none."""
    return str(path.absolute()) if path is not None else ""


def main() -> None:
    """The entry of the command `lunaport`."""
    app()


if __name__ == "__main__":
    main()
