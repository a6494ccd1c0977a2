"""`lunaport portal ...`: where iSCSI listens."""

from typing import Annotated, Any, Final

import typer

from lunaport.cli.context import AsJson, command, connected, group
from lunaport.cli.errors import CliError, Exit
from lunaport.cli.progress import wait_for

app: Final = group("portal", "Where initiators come in.")

OPTIONS: Final = {"portal": "PORTAL", "port": "PORTAL", "group": "--group"}
Address = Annotated[
    str,
    typer.Argument(metavar="PORTAL", help="HOST[:PORT]: an address, [::] or 0.0.0.0 for all, or a name. [port 3260]"),
]
Group = Annotated[int | None, typer.Option(metavar="NUMBER", help="Portal group, 1 to 65535. [1 for a new portal]")]


@app.command("list")
@command
def list_portals(context: typer.Context, as_json: AsJson = False) -> None:
    """All portals, and whether they listen."""
    from lunaport.cli.output import print_json, print_table

    with connected(context) as client:
        answer = client.call("GET", "/portals")
    if as_json:
        print_json(answer)
        return
    rows = [(each["portal"], each["group"], state(each), each["since"]) for each in answer["items"]]
    print_table(("PORTAL", "GROUP", "STATE", "SINCE"), rows, empty="There are no portals.")
    if answer["source"] == "command_line":
        typer.echo("They are those of lunaport serve --portal.")


@app.command()
@command
def add(
    context: typer.Context,
    portal: Address,
    group: Group = None,
    wait: Annotated[float, typer.Option(metavar="SECONDS", min=0, help="Wait so long until it listens.")] = 0,
    as_json: AsJson = False,
) -> None:
    """Listen on an address too; one that is not there is listened on as soon as it comes."""
    put(context, portal, group, wait_s=wait, as_json=as_json)


@app.command()
@command
def edit(
    context: typer.Context,
    portal: Address,
    group: Annotated[int, typer.Option(metavar="NUMBER", help="Portal group, 1 to 65535.")],
    as_json: AsJson = False,
) -> None:
    """Put a portal into another group, for logins to come."""
    with connected(context) as client:
        known = [each["portal"] for each in client.call("GET", "/portals")["items"]]
    if full(portal) not in known:
        raise CliError(Exit.NOT_FOUND, f"PORTAL: there is no portal {full(portal)}; there is: {', '.join(known)}")
    put(context, portal, group, as_json=as_json)


@app.command()
@command
def remove(context: typer.Context, portal: Address, as_json: AsJson = False) -> None:
    """Listen on an address no more. Sessions stay."""
    from lunaport.cli.client import segment
    from lunaport.cli.output import print_done

    with connected(context) as client:
        client.call("DELETE", f"/portals/{segment(portal)}", options=OPTIONS)
    print_done(f"{full(portal)} does not listen any more.", as_json=as_json)


@app.command()
@command
def reset(context: typer.Context, as_json: AsJson = False) -> None:
    """Have the portals of lunaport serve --portal again."""
    from lunaport.cli.output import print_done, print_json

    with connected(context) as client:
        answer = client.call("DELETE", "/portals", options=OPTIONS)
    if as_json and answer is not None:
        print_json(answer)
    else:
        print_done("The portals are those of lunaport serve --portal again.", as_json=as_json)


def put(context: typer.Context, portal: str, group: int | None, *, as_json: bool, wait_s: float = 0) -> None:
    """Listen on an address, in this group; wait until it does. Raises CliError."""
    from lunaport.cli.client import segment
    from lunaport.cli.output import print_json

    with connected(context) as client:
        path = f"/portals/{segment(portal)}"
        answer = client.call("PUT", path, {"group": group}, options=OPTIONS)
        if wait_s and not answer["listening"]:
            answer = wait_for(
                lambda: next(
                    each for each in client.call("GET", "/portals")["items"] if each["portal"] == answer["portal"]
                ),
                lambda seen: seen["listening"],
                wait_s,
                f"Waiting for {answer['portal']}",
            )
    if as_json:
        print_json(answer)
    else:
        typer.echo(f"{answer['portal']} in group {answer['group']} {state(answer)}.")
    if wait_s and not answer["listening"]:
        raise CliError(Exit.TIMEOUT, f"after {wait_s:g} s {answer['portal']} does not listen")


def full(portal: str) -> str:
    """A portal as the NAS shows it. Raises CliError."""
    from lunaport.model.errors import InvalidError
    from lunaport.model.portal import parse_address

    try:
        return str(parse_address(portal))
    except InvalidError as error:
        raise CliError(Exit.USAGE, f"PORTAL: {error.problems[0].message}") from error


def state(portal: Any) -> str:
    """Whether a portal listens, and why not."""
    if portal["listening"]:
        return "listens"
    return f"does not listen: {portal['error']}" if portal["error"] else "does not listen: the service is off"
