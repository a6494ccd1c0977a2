"""`lunaport service ...`: the iSCSI service as a whole."""

from typing import Annotated, Any, Final

import typer

from lunaport.cli.context import AsJson, command, connected, group
from lunaport.cli.errors import CliError, Exit
from lunaport.cli.targets import drain_and_wait

app: Final = group("service", "The iSCSI service as a whole.")


@app.command()
@command
def show(context: typer.Context, as_json: AsJson = False) -> None:
    """Whether it is on, and where it listens."""
    with connected(context) as client:
        print_service(client.call("GET", "/service"), as_json=as_json)


@app.command()
@command
def edit(
    context: typer.Context,
    enabled: Annotated[bool | None, typer.Option("--enabled/--disabled", help="Disabled: all sessions end.")] = None,
    port: Annotated[int | None, typer.Option(help="For all portals; 0: each portal's own.")] = None,
    as_json: AsJson = False,
) -> None:
    """Change what the options name; the rest stays. Another port leaves sessions alone."""
    body: dict[str, Any] = {"enabled": enabled, "port": port}
    body = {name: value for name, value in body.items() if value is not None}
    if not body:
        raise CliError(Exit.USAGE, "no option says what to change; lunaport service edit --help lists them")
    options = {"enabled": "--enabled", "port": "--port"}
    with connected(context) as client:
        print_service(client.call("PATCH", "/service", body, options=options), as_json=as_json)


@app.command()
@command
def drain(
    context: typer.Context,
    undo: Annotated[bool, typer.Option("--undo", help="Let initiators in again.")] = False,
    wait: Annotated[float, typer.Option(metavar="SECONDS", help="Wait so long until nobody is left.")] = 0,
    as_json: AsJson = False,
) -> None:
    """Ask the initiators of all targets to log out, and let nobody in. With --wait, ends with 7 when some are left."""
    with connected(context) as client:
        drain_and_wait(client, "/drain", undo=undo, wait_s=wait, as_json=as_json)


def print_service(service: Any, *, as_json: bool) -> None:
    """The service."""
    from lunaport.cli.output import print_json, print_record

    if as_json:
        print_json(service)
        return
    print_record(
        {
            "enabled": service["enabled"],
            "port": service["port"] or "each portal's own",
            **{
                f"portal {each['portal']}": "listens" if each["listening"] else f"does not listen: {each['error']}"
                for each in service["portals"]
            },
        }
    )
