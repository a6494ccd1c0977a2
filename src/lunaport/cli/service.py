"""`lunaport service ...`: the iSCSI service as a whole."""

import os
from typing import Annotated, Any, Final

import typer

from lunaport.cli.connection import read_secret
from lunaport.cli.context import AsJson, command, connected, group
from lunaport.cli.duration import parse_until
from lunaport.cli.errors import CliError, Exit
from lunaport.cli.progress import wait_for
from lunaport.cli.targets import drain_and_wait

app: Final = group("service", "The iSCSI service as a whole.")


@app.command()
@command
def show(context: typer.Context, as_json: AsJson = False) -> None:
    """Whether it is on, and where it listens."""
    with connected(context) as client:
        print_service(client.call("GET", "/service"), as_json=as_json)


OPTIONS: Final = {
    "enabled": "--enabled",
    "port": "--port",
    "isns.enabled": "--isns",
    "isns.address": "--isns-address",
    "discovery.chap.one_way.username": "--discovery-user",
    "discovery.chap.one_way.secret": "--discovery-secret-file",
    "discovery.chap.one_way.old_secret_valid_until": "--keep-old",
    "discovery.chap.mutual.username": "--discovery-mutual-user",
    "discovery.chap.mutual.secret": "--discovery-mutual-secret-file",
}
SECRET_VARIABLE: Final = "LUNAPORT_CHAP_SECRET"  # noqa: S105 - a variable's name


@app.command()
@command
def edit(
    context: typer.Context,
    enabled: Annotated[bool | None, typer.Option("--enabled/--disabled", help="Disabled: all sessions end.")] = None,
    port: Annotated[int | None, typer.Option(metavar="PORT", help="For all portals; 0: each portal's own.")] = None,
    isns: Annotated[bool | None, typer.Option("--isns/--no-isns", help="Register with iSNS servers.")] = None,
    isns_address: Annotated[
        str | None, typer.Option(metavar="HOST[:PORT]", help="The iSNS server; several with commas between.")
    ] = None,
    discovery_open: Annotated[
        bool | None,
        typer.Option("--discovery-open/--discovery-closed", help="Open: everybody is told of every target."),
    ] = None,
    discovery_user: Annotated[
        str | None, typer.Option(metavar="USER", help="Discovery asks for CHAP, with this user.")
    ] = None,
    discovery_secret_file: Annotated[
        str | None, typer.Option(metavar="FILE", help="Its secret; - reads standard input. Or LUNAPORT_CHAP_SECRET.")
    ] = None,
    keep_old: Annotated[
        str | None,
        typer.Option(metavar="TIME", help="How long its secret of before is taken too: 30m, 2h, 7d, or until a time."),
    ] = None,
    no_discovery_chap: Annotated[
        bool, typer.Option("--no-discovery-chap", help="Discovery has no user of its own.")
    ] = False,
    discovery_mutual_user: Annotated[
        str | None, typer.Option(metavar="USER", help="The NAS proves itself as this user.")
    ] = None,
    discovery_mutual_secret_file: Annotated[
        str | None, typer.Option(metavar="FILE", help="The NAS's own secret. Or LUNAPORT_MUTUAL_SECRET.")
    ] = None,
    wait: Annotated[
        float,
        typer.Option(metavar="SECONDS", min=0, help="Wait so long until all portals listen and iSNS servers know."),
    ] = 0,
    as_json: AsJson = False,
) -> None:
    """Change what the options name; the rest stays. Another port leaves sessions alone."""
    body: dict[str, Any] = {"enabled": enabled, "port": port}
    body = {name: value for name, value in body.items() if value is not None}
    one_way = secret_of(discovery_user, discovery_secret_file, "--discovery-secret-file", SECRET_VARIABLE)
    if keep_old is not None:
        one_way["old_secret_valid_until"] = parse_until(keep_old, "--keep-old")
    mutual = secret_of(
        discovery_mutual_user, discovery_mutual_secret_file, "--discovery-mutual-secret-file", "LUNAPORT_MUTUAL_SECRET"
    )
    if no_discovery_chap:
        if one_way or mutual:
            raise CliError(Exit.USAGE, "--no-discovery-chap: does not go with options that set CHAP of discovery")
        one_way = mutual = {"enabled": False}
    discovery: dict[str, Any] = {}
    if discovery_open is not None:
        discovery["open"] = discovery_open
    if one_way or mutual:
        discovery["chap"] = {name: part for name, part in (("one_way", one_way), ("mutual", mutual)) if part}
    if discovery:
        body["discovery"] = discovery
    if not body and isns is None and isns_address is None:
        raise CliError(Exit.USAGE, "no option says what to change; lunaport service edit --help lists them")
    with connected(context) as client:
        revision = None
        if isns is not None or isns_address is not None:
            now = client.call("GET", "/service")
            revision = now["revision"]
            body["isns"] = {
                "enabled": now["isns"]["enabled"] if isns is None else isns,
                "address": now["isns"]["address"] if isns_address is None else isns_address,
            }
        answer = client.call("PATCH", "/service", body, options=OPTIONS, revision=revision)
        if wait:
            answer = wait_for(lambda: client.call("GET", "/service"), is_settled, wait, "Waiting for portals and iSNS")
        print_service(answer, as_json=as_json)
        if wait and not is_settled(answer):
            raise CliError(Exit.TIMEOUT, f"after {wait:g} s not all portals listen, or not all iSNS servers know")


def is_settled(service: Any) -> bool:
    """Whether all portals listen and all iSNS servers know of them, as far as they shall."""
    if not service["enabled"]:
        return True
    listening = all(each["listening"] for each in service["portals"])
    known = not service["isns"]["enabled"] or all(
        each["state"] in ("registered", "idle") for each in service["isns"]["servers"]
    )
    return listening and known


def secret_of(user: str | None, path: str | None, option: str, variable: str) -> dict[str, Any]:
    """One direction of CHAP of discovery. The variable's secret counts where a user is given. Raises CliError."""
    values: dict[str, Any] = {}
    if user is not None:
        values |= {"enabled": True, "username": user}
    if path is not None:
        values |= {"enabled": True, "secret": read_secret(path, option)}
    elif user is not None and variable in os.environ:
        values["secret"] = os.environ[variable]
    return values


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
    one_way = service["discovery"]["chap"]["one_way"]
    print_record(
        {
            "enabled": service["enabled"],
            "port": service["port"] or "each portal's own",
            **{
                f"portal {each['portal']}": "listens" if each["listening"] else f"does not listen: {each['error']}"
                for each in service["portals"]
            },
            "discovery": "tells everybody of everything"
            if service["discovery"]["open"]
            else "tells of what one may use",
            "discovery CHAP": one_way["username"] if one_way["enabled"] else "no user of its own",
            "iSNS": service["isns"]["address"] if service["isns"]["enabled"] else "no",
            **{f"iSNS {each['address']}": isns_state(each) for each in service["isns"]["servers"]},
        }
    )


def isns_state(server: Any) -> str:
    """How it stands with an iSNS server."""
    if server["error"]:
        return f"{server['state']}: {server['error']}"
    return f"{server['state']}, {server['targets']} targets on {server['portals']} portals"
