"""`lunaport target lun ...`: the LUNs of a target that is in use, and what kind of disk a new one is."""

from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from lunaport.cli.context import AsJson, TargetName, command, confirm, connected, group
from lunaport.cli.errors import CliError, Exit
from lunaport.cli.lookup import find_target, parse_size

if TYPE_CHECKING:  # loaded when a command runs
    from lunaport.cli.client import Client

app: Final = group("lun", "The LUNs of a target, while it is used.")

KIND_OPTIONS: Final = {
    "block_size_bytes": "--block-size",
    "physical_block_size_bytes": "--physical-block-size",
    "read_only": "--read-only",
    "removable": "--removable",
    "write_cache": "--write-through",
    "unmap": "--no-unmap",
    "vendor": "--vendor",
    "product": "--product",
    "serial": "--serial",
    "encrypted": "--encrypted",
    "device_type": "--cdrom",
    "image": "--image",
}
"""What the fields of a kind of LUN are called on the command line."""
OPTIONS: Final = {"lun": "--lun", "size_bytes": "SIZE", "volume": "--volume", **KIND_OPTIONS}
Number = Annotated[int, typer.Argument(metavar="LUN", help="Its number.")]
BlockSize = Annotated[int | None, typer.Option(metavar="BYTES", help="512 or 4096 bytes. [512]")]
PhysicalBlockSize = Annotated[int | None, typer.Option(metavar="BYTES", help="512 to 65536 bytes. [4096]")]
ReadOnly = Annotated[bool, typer.Option("--read-only", help="Initiators may only read.")]
Removable = Annotated[bool, typer.Option("--removable", help="Initiators may eject and load the medium.")]
WriteThrough = Annotated[bool, typer.Option("--write-through", help="Every write is durable before it is answered.")]
NoUnmap = Annotated[bool, typer.Option("--no-unmap", help="It looks fully provisioned; no space is given back.")]
Vendor = Annotated[str | None, typer.Option(metavar="TEXT", help="What INQUIRY says: 1 to 8 characters.")]
Product = Annotated[str | None, typer.Option(metavar="TEXT", help="What INQUIRY says: 1 to 16 characters.")]
Serial = Annotated[str | None, typer.Option(metavar="TEXT", help="Up to 36 characters. [its uuid]")]
Encrypted = Annotated[bool, typer.Option("--encrypted", help="Its data lies encrypted on the disk.")]


def kind_document(
    *,
    block_size: int | None,
    physical_block_size: int | None,
    read_only: bool,
    removable: bool,
    write_through: bool,
    no_unmap: bool,
    vendor: str | None,
    product: str | None,
    serial: str | None,
    encrypted: bool,
) -> dict[str, Any]:
    """What the options say about the kind of a new LUN, as API v1 takes it."""
    wanted = {
        "block_size_bytes": block_size,
        "physical_block_size_bytes": physical_block_size,
        "read_only": read_only or None,
        "removable": removable or None,
        "write_cache": False if write_through else None,
        "unmap": False if no_unmap else None,
        "vendor": vendor,
        "product": product,
        "serial": serial,
        "encrypted": encrypted or None,
    }
    return {name: value for name, value in wanted.items() if value is not None}


@app.command("list")
@command
def list_luns(context: typer.Context, target: TargetName, as_json: AsJson = False) -> None:
    """The LUNs of a target."""
    from lunaport.cli.output import amount, print_json, print_table

    with connected(context) as client:
        found = client.call("GET", f"/targets/{find_target(client, target)['id']}/luns")
    if as_json:
        print_json(found)
        return
    rows = [(lun["lun"], amount(lun["size_bytes"]), lun["volume"], traits(lun)) for lun in found["items"]]
    print_table(("LUN", "SIZE", "VOLUME", "KIND"), rows, empty="There are no LUNs.")


@app.command()
@command
def add(
    context: typer.Context,
    target: TargetName,
    size: Annotated[
        str,
        typer.Argument(metavar="SIZE", help="Bytes, or with a unit: 10G, 10GiB (2^30), 10GB (10^9). Not for a drive."),
    ] = "",
    cdrom: Annotated[bool, typer.Option("--cdrom", help="A CD-ROM drive instead of a disk.")] = False,
    image: Annotated[str | None, typer.Option(metavar="IMAGE", help="The image that shall lie in the drive.")] = None,
    lun: Annotated[int | None, typer.Option(metavar="NUMBER", help="Its number. [the lowest free one]")] = None,
    volume: Annotated[str | None, typer.Option(metavar="VOLUME", help="The volume it lies on. [default]")] = None,
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
    """Add a LUN; initiators that are logged in are told of it."""
    body = kind_document(
        block_size=block_size, physical_block_size=physical_block_size, read_only=read_only, removable=removable,
        write_through=write_through, no_unmap=no_unmap, vendor=vendor, product=product, serial=serial,
        encrypted=encrypted,
    )  # fmt: skip
    if cdrom:
        body["device_type"] = "cdrom"
    if image is not None:
        body["image"] = image
    if size or not cdrom:
        body["size_bytes"] = parse_size(size, "SIZE")
    if lun is not None:
        body["lun"] = lun
    if volume is not None:
        body["volume"] = volume
    with connected(context) as client:
        found = find_target(client, target)
        print_lun(client.call("POST", f"/targets/{found['id']}/luns", body, options=OPTIONS), as_json=as_json)


@app.command()
@command
def edit(
    context: typer.Context,
    target: TargetName,
    lun: Number,
    size: Annotated[
        str | None, typer.Option(metavar="SIZE", help="The new size, such as 20G; or +5G for so much more.")
    ] = None,
    read_only: Annotated[
        bool | None, typer.Option("--read-only/--writable", help="Whether initiators may only read.")
    ] = None,
    write_through: Annotated[
        bool | None, typer.Option("--write-through/--write-back", help="Whether writes are durable at once.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Change a LUN, live: what the options name."""
    body: dict[str, Any] = {}
    more = size is not None and size.startswith("+")
    if size is not None:
        body["size_bytes"] = parse_size(size.removeprefix("+"), "--size")
    if read_only is not None:
        body["read_only"] = read_only
    if write_through is not None:
        body["write_cache"] = not write_through
    if not body:
        raise CliError(Exit.USAGE, "no option says what to change; lunaport target lun edit --help lists them")
    with connected(context) as client:
        found = find_target(client, target)
        if more:
            body["size_bytes"] += find_lun(client, found, lun)["size_bytes"]
        # Read, then written: somebody else's change in between must not be added to.
        revision = found["revision"] if more else None
        path = f"/targets/{found['id']}/luns/{lun}"
        options = OPTIONS | {"size_bytes": "--size"}
        print_lun(client.call("PATCH", path, body, options=options, revision=revision), as_json=as_json)


@app.command()
@command
def insert(
    context: typer.Context,
    target: TargetName,
    lun: Number,
    image: Annotated[
        str, typer.Argument(metavar="IMAGE", help="The image; not for a removable disk, which has its own medium.")
    ] = "",
    force: Annotated[bool, typer.Option("--force", help="Also when an initiator keeps the present one in.")] = False,
    as_json: AsJson = False,
) -> None:
    """Put an image into a drive, or the medium of a removable disk back in."""
    with connected(context) as client:
        path = f"/targets/{find_target(client, target)['id']}/luns/{lun}/medium"
        body = {"image": image, "force": force}
        print_medium(client.call("PUT", path, body, options={"image": "IMAGE", "lun": "LUN"}), as_json=as_json)


@app.command()
@command
def eject(
    context: typer.Context,
    target: TargetName,
    lun: Number,
    force: Annotated[bool, typer.Option("--force", help="Also when an initiator keeps it in.")] = False,
    as_json: AsJson = False,
) -> None:
    """Take the medium out. Without --force, an initiator that keeps it in is asked to let it go."""
    with connected(context) as client:
        path = f"/targets/{find_target(client, target)['id']}/luns/{lun}/medium"
        parameters = {"force": "true"} if force else {}
        options = {"image": "LUN", "lun": "LUN"}
        print_medium(client.call("DELETE", path, parameters=parameters, options=options), as_json=as_json)


@app.command()
@command
def remove(
    context: typer.Context,
    target: TargetName,
    lun: Number,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    as_json: AsJson = False,
) -> None:
    """Take a LUN off its target. Its disk stays in the volume's trash for some days."""
    from lunaport.cli.output import print_done

    with connected(context) as client:
        found = find_target(client, target)
        find_lun(client, found, lun)
        confirm(f"Remove LUN {lun} of {found['name']}, in use or not?", yes=yes)
        client.call("DELETE", f"/targets/{found['id']}/luns/{lun}")
    print_done(f"Removed LUN {lun} of {found['name']}.", as_json=as_json)


def find_lun(client: "Client", target: Any, number: int) -> Any:
    """A LUN of a target. Raises CliError."""
    return client.call("GET", f"/targets/{target['id']}/luns/{number}")


def traits(lun: Any) -> str:
    """What is not usual about a LUN, in words."""
    if lun["device_type"] == "cdrom":
        return f"CD-ROM drive, {lun['image'] or 'empty'}"
    found = []
    if lun["block_size_bytes"] != 512:
        found.append(f"{lun['block_size_bytes']}-byte blocks")
    if lun["read_only"]:
        found.append("read-only")
    if lun["removable"]:
        found.append("removable")
    if not lun["write_cache"]:
        found.append("write-through")
    if not lun["unmap"]:
        found.append("fully provisioned")
    if lun["encrypted"]:
        found.append("encrypted")
    return ", ".join(found) or "-"


def print_medium(medium: Any, *, as_json: bool) -> None:
    """What lies in a LUN now."""
    from lunaport.cli.output import print_json, print_record

    if as_json:
        print_json(medium)
        return
    print_record(
        {
            "image": medium["image"] or "-",
            "loaded": medium["loaded"],
            "tray open": medium["tray_open"],
            "locked by": ", ".join(medium["locked_by"]) or "-",
        }
    )


def print_lun(lun: Any, *, as_json: bool) -> None:
    """One LUN."""
    from lunaport.cli.output import amount, print_json, print_record

    if as_json:
        print_json(lun)
        return
    print_record(
        {
            "LUN": lun["lun"],
            "size": f"{amount(lun['size_bytes'])} ({lun['size_bytes']} bytes)",
            "volume": lun["volume"],
            "kind": traits(lun),
            "vendor, product": f"{lun['vendor']}, {lun['product']}",
            "serial": lun["serial"] or lun["uuid"],
        }
    )
