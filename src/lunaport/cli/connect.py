"""`lunaport connect`: what to type where, to use a target; the same that the page shows."""

from typing import Annotated, Final

import typer

from lunaport.cli.completion import complete_kind
from lunaport.cli.context import AsJson, TargetName, command, connected
from lunaport.cli.errors import CliError, Exit
from lunaport.cli.lookup import find_target

DEFAULT: Final = "linux"


@command
def connect(
    context: typer.Context,
    target: TargetName,
    kind: Annotated[
        str,
        typer.Option(
            "--for",
            metavar="KIND",
            autocompletion=complete_kind,
            help="linux, windows, vmware, qemu, kubernetes, ipxe, macos, or all.",
        ),
    ] = DEFAULT,
    host: Annotated[str, typer.Option(metavar="HOST", help="Where initiators reach the NAS. [its first portal]")] = "",
    as_json: AsJson = False,
) -> None:
    """Print what to type on an initiator, ready to be copied. Notes go to standard error."""
    from lunaport.cli.output import print_json

    with connected(context) as client:
        found = find_target(client, target)
        ways = client.call("GET", f"/targets/{found['id']}/connect", parameters={"host": host} if host else {})["items"]
    known = [way["key"] for way in ways]
    if kind not in (*known, "all"):
        raise CliError(Exit.USAGE, f"--for: {kind} is unknown; right would be one of: {', '.join(known)}, all")
    wanted = [way for way in ways if kind in (way["key"], "all")]
    if as_json:
        print_json(wanted)
        return
    for way in wanted:
        if kind == "all":
            typer.echo(f"# {way['title']}")
        typer.echo(way["text"])
        if way["note"]:
            typer.echo(f"# {way['note']}", err=True)
        if kind == "all":
            typer.echo()
