"""`lunaport volume ...`."""

from typing import Annotated, Any, Final

import typer

from lunaport.cli.context import AsJson, command, confirm, connected, group
from lunaport.cli.errors import CliError, Exit

app: Final = group("volume", "Volumes: the directories that disks lie in.")

OPTIONS: Final = {
    "name": "NAME",
    "path": "PATH",
    "overcommit_factor": "--overcommit",
    "low_space_percent": "--low-space",
}
Name = Annotated[str, typer.Argument(metavar="NAME", help="Its name.")]
Overcommit = Annotated[
    float | None, typer.Option(metavar="FACTOR", help="How many times its size it may promise: 1 to 1000.")
]
LowSpace = Annotated[
    int | None,
    typer.Option(metavar="PERCENT", help="Initiators of thin disks are told when no more is free; 0: never."),
]


@app.command("list")
@command
def list_volumes(context: typer.Context, as_json: AsJson = False) -> None:
    """All volumes, with how full they are."""
    from lunaport.cli.output import amount, print_json, print_table

    with connected(context) as client:
        found = client.call("GET", "/volumes")["items"]
    if as_json:
        print_json(found)
        return
    rows = []
    for each in found:
        usage = each["usage"]
        filled = "-" if usage is None else f"{100 - 100 * usage['free_bytes'] / max(1, usage['total_bytes']):.0f} %"
        free = each["error"] if usage is None else amount(usage["free_bytes"])
        rows.append((each["name"], filled, free, amount(each["committed_bytes"]), each["path"]))
    print_table(("NAME", "FULL", "FREE", "PROMISED", "PATH"), rows, empty="There are no volumes.")


@app.command()
@command
def show(context: typer.Context, name: Name, as_json: AsJson = False) -> None:
    """One volume."""
    from lunaport.cli.client import segment

    with connected(context) as client:
        print_volume(client.call("GET", f"/volumes/{segment(name)}"), as_json=as_json)


@app.command()
@command
def create(
    context: typer.Context,
    name: Name,
    path: Annotated[str, typer.Argument(metavar="PATH", help="An absolute path on the NAS; made if it is not there.")],
    overcommit: Overcommit = None,
    low_space: LowSpace = None,
    as_json: AsJson = False,
) -> None:
    """Take a directory of the NAS as a volume."""
    body: dict[str, Any] = {"name": name, "path": path, **wanted(overcommit, low_space)}
    with connected(context) as client:
        print_volume(client.call("POST", "/volumes", body, options=OPTIONS), as_json=as_json)


@app.command()
@command
def edit(
    context: typer.Context,
    name: Name,
    overcommit: Overcommit = None,
    low_space: LowSpace = None,
    as_json: AsJson = False,
) -> None:
    """Set how far a volume may be overpromised, and when its space is scarce."""
    from lunaport.cli.client import segment

    body = wanted(overcommit, low_space)
    if not body:
        raise CliError(Exit.USAGE, "no option says what to change; lunaport volume edit --help lists them")
    with connected(context) as client:
        print_volume(client.call("PATCH", f"/volumes/{segment(name)}", body, options=OPTIONS), as_json=as_json)


@app.command()
@command
def delete(
    context: typer.Context,
    name: Name,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    as_json: AsJson = False,
) -> None:
    """Forget a volume that holds no disk. No file is removed."""
    from lunaport.cli.client import segment
    from lunaport.cli.output import print_done

    confirm(f"Forget the volume {name}?", yes=yes)
    with connected(context) as client:
        client.call("DELETE", f"/volumes/{segment(name)}")
    print_done(f"Forgot the volume {name}; its files stay where they are.", as_json=as_json)


def wanted(overcommit: float | None, low_space: int | None) -> dict[str, Any]:
    """What the options say, as API v1 takes it."""
    given = {"overcommit_factor": overcommit, "low_space_percent": low_space}
    return {name: value for name, value in given.items() if value is not None}


def print_volume(volume: Any, *, as_json: bool) -> None:
    """One volume."""
    from lunaport.cli.output import amount, print_json, print_record

    if as_json:
        print_json(volume)
        return
    usage = volume["usage"]
    print_record(
        {
            "name": volume["name"],
            "path": volume["path"],
            "size": amount(usage["total_bytes"]) if usage else "not known",
            "free": amount(usage["free_bytes"]) if usage else volume["error"],
            "occupied": amount(usage["used_bytes"]) if usage else "not known",
            "promised": amount(volume["committed_bytes"]),
            "may promise": f"{volume['overcommit_factor']:g} times its size",
            "space is scarce": f"below {volume['low_space_percent']:g} % free"
            if volume["low_space_percent"]
            else "never told",
        }
    )
