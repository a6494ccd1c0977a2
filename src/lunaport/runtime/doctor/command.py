"""The command `lunaport doctor`. Exit codes: 0 nothing stands in the way, 1 something does, 2 a setting is wrong."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from lunaport.cli.output import plain, print_json
from lunaport.runtime.doctor.findings import Finding, State

EXIT_ERRORS: Final = 1
EXIT_SETTINGS: Final = 2


def doctor(
    data_dir: Annotated[Path | None, typer.Option(metavar="DIR", help="As for serve. [/var/lib/lunaport]")] = None,
    http: Annotated[list[str] | None, typer.Option(metavar="HOST[:PORT]", help="As for serve.")] = None,
    https: Annotated[list[str] | None, typer.Option(metavar="HOST[:PORT]", help="As for serve.")] = None,
    https_certificate: Annotated[Path | None, typer.Option(metavar="FILE", help="As for serve.")] = None,
    https_key: Annotated[Path | None, typer.Option(metavar="FILE", help="As for serve.")] = None,
    plain_http: Annotated[bool | None, typer.Option("--plain-http", help="As for serve.")] = None,
    portal: Annotated[list[str] | None, typer.Option(metavar="HOST[:PORT]", help="As for serve.")] = None,
    config: Annotated[Path | None, typer.Option(metavar="FILE", help="A TOML file with settings.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Look at what the NAS needs from this machine, and say what to do. Give it the options that `serve` gets."""
    # Loaded here, so that other commands start as quickly as if there were no doctor.
    from lunaport.runtime.doctor.examination import examine
    from lunaport.runtime.settings import SettingsError, load_settings

    given: dict[str, Any] = {
        "data_dir": data_dir,
        "http": tuple(http) if http else None,
        "https": tuple(https) if https else None,
        "https_certificate": https_certificate,
        "https_key": https_key,
        "plain_http": plain_http,
        "portal": tuple(portal) if portal else None,
    }
    try:
        settings = load_settings({key: value for key, value in given.items() if value is not None}, config)
    except SettingsError as failure:
        typer.echo(f"lunaport: {failure}", err=True)
        raise typer.Exit(EXIT_SETTINGS) from None
    findings = list(examine(settings))
    failed = any(each.state is State.ERROR for each in findings)
    if as_json:
        print_json({"ok": not failed, "findings": [asdict(each) for each in findings]})
    else:
        for each in findings:
            typer.echo(line(each))
    if failed:
        raise typer.Exit(EXIT_ERRORS)


def line(finding: Finding) -> str:
    """A finding for people."""
    text = f"{finding.state.value:<8} {finding.check}: {plain(finding.text)}"
    return f"{text}\n         -> {plain(finding.help)}" if finding.help else text
