"""`lunaport target ...`."""

import os
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from lunaport.cli import chap_users, rules
from lunaport.cli.connection import read_secret
from lunaport.cli.context import AsJson, TargetName, command, confirm, connected, group
from lunaport.cli.errors import CliError, Exit
from lunaport.cli.lookup import find_target, parse_size
from lunaport.cli.luns import (
    KIND_OPTIONS,
    BlockSize,
    Encrypted,
    NoUnmap,
    PhysicalBlockSize,
    Product,
    ReadOnly,
    Removable,
    Serial,
    Vendor,
    WriteThrough,
    kind_document,
    traits,
)
from lunaport.cli.luns import app as luns
from lunaport.cli.progress import wait_for
from lunaport.model.secret import new_secret

if TYPE_CHECKING:  # loaded when a command runs
    from lunaport.cli.client import Client

app: Final = group("target", "Targets and their disks.")
app.add_typer(luns)
app.add_typer(rules.app)
app.add_typer(chap_users.app)

OPTIONS: Final = {
    "name": "--name",
    "luns[0].size_bytes": "--size",
    "luns[0].volume": "--volume",
    **{f"luns[0].{field}": option for field, option in KIND_OPTIONS.items()},
    "chap.one_way.username": "--chap-user",
    "chap.one_way.secret": "--chap-secret-file",
    "chap.mutual.username": "--mutual-user",
    "chap.mutual.secret": "--mutual-secret-file",
    "limits.iops": "--iops",
    "limits.bytes_per_second": "--bytes-per-second",
    "portal_groups": "--portal-group",
    **{f"portal_groups[{number}]": "--portal-group" for number in range(64)},
}
Size = Annotated[
    str | None, typer.Option(metavar="SIZE", help="Bytes, or with a unit: 10G, 10GiB (2^30), 10GB (10^9).")
]
HeaderDigest = Annotated[bool | None, typer.Option("--header-digest/--no-header-digest", help="CRC32C of headers.")]
DataDigest = Annotated[bool | None, typer.Option("--data-digest/--no-data-digest", help="CRC32C of data.")]
ChapUser = Annotated[str | None, typer.Option(metavar="USER", help="Initiators have to log in by CHAP as this user.")]
ChapSecret = Annotated[
    str | None,
    typer.Option(metavar="FILE", help="The secret, 12 to 16 bytes; - reads standard input. Or LUNAPORT_CHAP_SECRET."),
]
MutualUser = Annotated[str | None, typer.Option(metavar="USER", help="The target proves itself as this user.")]
MutualSecret = Annotated[
    str | None, typer.Option(metavar="FILE", help="The target's own secret. Or LUNAPORT_MUTUAL_SECRET.")
]
Iops = Annotated[int | None, typer.Option(metavar="COUNT", help="Commands a second at most; 0: no limit.")]
Throughput = Annotated[
    str | None, typer.Option(metavar="SIZE", help="Bytes a second at most, also as 100M; 0: no limit.")
]

PortalGroup = Annotated[
    list[int] | None,
    typer.Option(metavar="NUMBER", help="A portal group through which it is served; repeatable. 0: all of them."),
]
Isns = Annotated[bool | None, typer.Option("--isns/--no-isns", help="Whether iSNS servers are told of it.")]


@app.command("list")
@command
def list_targets(context: typer.Context, as_json: AsJson = False) -> None:
    """All targets, one a line."""
    from lunaport.cli.output import amount, print_json, print_table

    with connected(context) as client:
        found = list(client.pages("/targets"))
    if as_json:
        print_json(found)
        return
    rows = [
        (
            each["id"],
            each["name"],
            amount(each["luns"][0]["size_bytes"]),
            each["luns"][0]["volume"],
            len(each["luns"]),
            each["chap"]["one_way"]["enabled"],
            each["draining"],
        )
        for each in found
    ]
    print_table(("ID", "NAME", "SIZE", "VOLUME", "LUNS", "CHAP", "DRAINING"), rows, empty="There are no targets.")


@app.command("new-secret")
def make_secret(as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False) -> None:
    """Print a secret for CHAP that nobody can guess: 16 characters, 96 random bits. It goes nowhere else."""
    from lunaport.cli.output import print_json

    secret = new_secret()
    if as_json:
        print_json({"secret": secret})
    else:
        typer.echo(secret)


@app.command()
@command
def show(context: typer.Context, target: TargetName, as_json: AsJson = False) -> None:
    """One target: its disks, CHAP, limits, and who may use it."""
    with connected(context) as client:
        print_target(find_target(client, target), as_json=as_json)


@app.command()
@command
def create(
    context: typer.Context,
    name: Annotated[str, typer.Argument(metavar="NAME", help="A full iSCSI name, or a short one that becomes one.")],
    size: Annotated[str, typer.Option(metavar="SIZE", help="Bytes, or with a unit: 10G, 10GiB (2^30), 10GB (10^9).")],
    volume: Annotated[str | None, typer.Option(metavar="VOLUME", help="The volume it lies on. [default]")] = None,
    header_digest: HeaderDigest = None,
    data_digest: DataDigest = None,
    chap_user: ChapUser = None,
    chap_secret_file: ChapSecret = None,
    mutual_user: MutualUser = None,
    mutual_secret_file: MutualSecret = None,
    iops: Iops = None,
    bytes_per_second: Throughput = None,
    portal_group: PortalGroup = None,
    isns: Isns = None,
    lun: Annotated[int | None, typer.Option(metavar="NUMBER", help="The number of its LUN. [0]")] = None,
    block_size: BlockSize = None,
    physical_block_size: PhysicalBlockSize = None,
    read_only: ReadOnly = False,
    removable: Removable = False,
    write_through: WriteThrough = False,
    no_unmap: NoUnmap = False,
    vendor: Vendor = None,
    product: Product = None,
    serial: Serial = None,
    encrypted: Encrypted = False,
    as_json: AsJson = False,
) -> None:
    """Make a target with its disk; initiators can log in when this returns. `target lun add` gives it more."""
    body = document(
        size, header_digest, data_digest, (chap_user, chap_secret_file), (mutual_user, mutual_secret_file), iops,
        bytes_per_second,
    )  # fmt: skip
    body |= reach(portal_group, isns)
    body["name"] = name
    body["luns"][0] |= kind_document(
        block_size=block_size, physical_block_size=physical_block_size, read_only=read_only, removable=removable,
        write_through=write_through, no_unmap=no_unmap, vendor=vendor, product=product, serial=serial,
        encrypted=encrypted,
    )  # fmt: skip
    if volume is not None:
        body["luns"][0]["volume"] = volume
    if lun is not None:
        body["luns"][0]["lun"] = lun
    with connected(context) as client:
        print_target(client.call("POST", "/targets", body, options=OPTIONS | {"name": "NAME"}), as_json=as_json)


@app.command()
@command
def edit(
    context: typer.Context,
    target: TargetName,
    name: Annotated[str | None, typer.Option(metavar="NAME", help="Another name. Its sessions end.")] = None,
    header_digest: HeaderDigest = None,
    data_digest: DataDigest = None,
    chap_user: ChapUser = None,
    chap_secret_file: ChapSecret = None,
    no_chap: Annotated[bool, typer.Option("--no-chap", help="Initiators need not log in by CHAP.")] = False,
    mutual_user: MutualUser = None,
    mutual_secret_file: MutualSecret = None,
    iops: Iops = None,
    bytes_per_second: Throughput = None,
    portal_group: PortalGroup = None,
    isns: Isns = None,
    single_initiator: Annotated[
        bool | None, typer.Option("--single-initiator/--several-initiators", help="One initiator at a time.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Change what the options name; the rest stays."""
    body = document(
        None, header_digest, data_digest, (chap_user, chap_secret_file), (mutual_user, mutual_secret_file), iops,
        bytes_per_second,
    )  # fmt: skip
    body |= reach(portal_group, isns)
    if single_initiator is not None:
        body["access"] = {"single_initiator": single_initiator}
    if name is not None:
        body["name"] = name
    if no_chap:
        if "chap" in body:
            raise CliError(Exit.USAGE, "--no-chap: does not go with options that set CHAP")
        body["chap"] = {"one_way": {"enabled": False}, "mutual": {"enabled": False}}
    if not body:
        raise CliError(Exit.USAGE, "no option says what to change; lunaport target edit --help lists them")
    with connected(context) as client:
        found = find_target(client, target)
        print_target(client.call("PATCH", f"/targets/{found['id']}", body, options=OPTIONS), as_json=as_json)


@app.command()
@command
def grow(
    context: typer.Context,
    target: TargetName,
    size: Annotated[str, typer.Argument(metavar="SIZE", help="The new size, such as 20G; or +5G for so much more.")],
    as_json: AsJson = False,
) -> None:
    """Make a disk larger while it is in use. Disks never shrink."""
    more = size.startswith("+")
    wanted = parse_size(size.removeprefix("+"), "SIZE")
    with connected(context) as client:
        found = find_target(client, target)
        if more:
            wanted += found["luns"][0]["size_bytes"]
        # Read, then written: somebody else's change in between must not be added to.
        body = {"luns": [{"lun": found["luns"][0]["lun"], "size_bytes": wanted}]}
        options = {"luns[0].size_bytes": "SIZE"}
        path = f"/targets/{found['id']}"
        print_target(
            client.call("PATCH", path, body, options=options, revision=found["revision"] if more else None),
            as_json=as_json,
        )


@app.command()
@command
def delete(
    context: typer.Context,
    target: TargetName,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    as_json: AsJson = False,
) -> None:
    """Delete a target. Its disks stay in the trash of their volumes for some days."""
    from lunaport.cli.output import print_done

    with connected(context) as client:
        found = find_target(client, target)
        confirm(f"Delete {found['name']}, its sessions end?", yes=yes)
        client.call("DELETE", f"/targets/{found['id']}")
    print_done(f"Deleted {found['name']}; lunaport target restore {found['id']} brings it back.", as_json=as_json)


@app.command("trash")
@command
def list_trash(context: typer.Context, as_json: AsJson = False) -> None:
    """Deleted targets that can be restored."""
    from lunaport.cli.output import amount, print_json, print_table

    with connected(context) as client:
        found = client.call("GET", "/trash")["items"]
    if as_json:
        print_json(found)
        return
    rows = [
        (each["id"], each["name"], amount(sum(lun["size_bytes"] for lun in each["luns"])), each["deleted_at"])
        for each in found
    ]
    print_table(("ID", "NAME", "SIZE", "DELETED"), rows, empty="The trash is empty.")


@app.command()
@command
def restore(
    context: typer.Context,
    target: TargetName,
    name: Annotated[str | None, typer.Option(metavar="NAME", help="Another name than the one it had.")] = None,
    as_json: AsJson = False,
) -> None:
    """Take a deleted target out of the trash, with its data. Of several with its name, the one deleted last."""
    with connected(context) as client:
        trashed = client.call("GET", "/trash")["items"]
        wanted = target.lower()
        found = [each for each in trashed if wanted in (str(each["id"]), each["name"], each["name"].partition(":")[2])]
        if not found:
            text = f"TARGET: there is no {target} in the trash; lunaport target trash shows what is there"
            raise CliError(Exit.NOT_FOUND, text)
        body = {"name": name} if name is not None else {}
        answer = client.call("POST", f"/trash/{found[0]['id']}/restore", body, options={"name": "--name"})
        print_target(answer, as_json=as_json)


@app.command()
@command
def drain(
    context: typer.Context,
    target: TargetName,
    undo: Annotated[bool, typer.Option("--undo", help="Let initiators in again.")] = False,
    wait: Annotated[float, typer.Option(metavar="SECONDS", help="Wait so long until nobody is left.")] = 0,
    as_json: AsJson = False,
) -> None:
    """Ask all initiators of a target to log out, and let nobody in. With --wait, ends with 7 when some are left."""
    with connected(context) as client:
        path = f"/targets/{find_target(client, target)['id']}/drain"
        drain_and_wait(client, path, undo=undo, wait_s=wait, as_json=as_json)


def drain_and_wait(client: "Client", path: str, *, undo: bool, wait_s: float, as_json: bool) -> None:
    """Drain, or end that, and wait until nobody is left. Raises CliError."""
    from lunaport.cli.output import print_json

    answer = client.call("PUT", path, {"draining": not undo})
    if wait_s and not undo and answer["sessions"]:
        answer = wait_for(
            lambda: client.call("GET", path),
            lambda seen: not seen["sessions"],
            wait_s,
            "Waiting for initiators to leave",
        )
    if as_json:
        print_json(answer)
    else:
        state = "is being drained" if answer["draining"] else "lets initiators in"
        typer.echo(f"It {state}; sessions: {answer['sessions']}.")
    if wait_s and not undo and answer["sessions"]:
        raise CliError(Exit.TIMEOUT, f"after {wait_s:g} s there are sessions left; lunaport session list shows them")


def document(
    size: str | None,
    header_digest: bool | None,
    data_digest: bool | None,
    one_way: tuple[str | None, str | None],
    mutual: tuple[str | None, str | None],
    iops: int | None,
    bytes_per_second: str | None,
) -> dict[str, Any]:
    """What the options say, as API v1 takes it. Raises CliError."""
    body: dict[str, Any] = {}
    if size is not None:
        body["luns"] = [{"size_bytes": parse_size(size, "--size")}]
    if header_digest is not None:
        body["header_digest"] = header_digest
    if data_digest is not None:
        body["data_digest"] = data_digest
    chap = {
        "one_way": chap_document(*one_way, "--chap-secret-file", "LUNAPORT_CHAP_SECRET"),
        "mutual": chap_document(*mutual, "--mutual-secret-file", "LUNAPORT_MUTUAL_SECRET"),
    }
    if any(chap.values()):
        body["chap"] = {direction: values for direction, values in chap.items() if values}
    limits: dict[str, int] = {}
    if iops is not None:
        limits["iops"] = iops
    if bytes_per_second is not None:
        limits["bytes_per_second"] = (
            0 if bytes_per_second == "0" else parse_size(bytes_per_second, "--bytes-per-second")
        )
    if limits:
        body["limits"] = limits
    return body


def reach(portal_groups: list[int] | None, isns: bool | None) -> dict[str, Any]:
    """How initiators find a target and come to it, as API v1 takes it."""
    body: dict[str, Any] = {}
    if portal_groups:
        body["portal_groups"] = [] if portal_groups == [0] else portal_groups
    if isns is not None:
        body["isns"] = isns
    return body


def chap_document(user: str | None, secret_file: str | None, option: str, variable: str) -> dict[str, Any]:
    """One direction of CHAP. The variable's secret counts where a user is given. Raises CliError."""
    if user is None and secret_file is None:
        return {}
    values: dict[str, Any] = {"enabled": True}
    if user is not None:
        values["username"] = user
    if secret_file is not None:
        values["secret"] = read_secret(secret_file, option)
    elif variable in os.environ:
        values["secret"] = os.environ[variable]
    return values


def access(found: Any) -> str:
    """Who may use a target, in a few words."""
    count = len(found["rules"])
    rules = "everybody" if not count else "by 1 rule" if count == 1 else f"by {count} rules"
    return f"{rules}, one initiator at a time" if found["single_initiator"] else rules


def print_target(target: Any, *, as_json: bool) -> None:
    """One target: its disks, CHAP, limits, and who may use it."""
    from lunaport.cli.output import amount, print_json, print_record

    if as_json:
        print_json(target)
        return
    lun, chap, limits = target["luns"][0], target["chap"], target["limits"]
    print_record(
        {
            "id": target["id"],
            "name": target["name"],
            "size": f"{amount(lun['size_bytes'])} ({lun['size_bytes']} bytes)",
            "volume": lun["volume"],
            **{
                f"LUN {each['lun']}": f"{amount(each['size_bytes'])} on {each['volume']}, {traits(each)}"
                for each in (target["luns"] if len(target["luns"]) > 1 else ())
            },
            "header digest": target["header_digest"],
            "data digest": target["data_digest"],
            "CHAP": ", ".join(chap_users.names(chap)) or "no",
            "mutual CHAP": chap["mutual"]["username"] if chap["mutual"]["enabled"] else "no",
            "commands a second": limits["iops"] or "no limit",
            "bytes a second": amount(limits["bytes_per_second"]) if limits["bytes_per_second"] else "no limit",
            "access": access(target["access"]),
            "portal groups": ", ".join(map(str, target["portal_groups"])) or "all",
            "told to iSNS": target["isns"],
            "draining": target["draining"],
            "created": target["created_at"],
            **{"warning" + f" {number}" * (number > 1): text for number, text in enumerate(target["warnings"], 1)},
        }
    )
