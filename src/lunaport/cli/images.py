"""`lunaport image ...`: images of CDs and DVDs."""

from pathlib import Path
from typing import Annotated, Final

import typer

from lunaport.cli.context import AsJson, command, confirm, connected, group
from lunaport.cli.errors import CliError, Exit
from lunaport.cli.progress import sending

app: Final = group("image", "Images of CDs and DVDs, for CD-ROM drives.")

Volume = Annotated[str, typer.Option(metavar="VOLUME", help="The volume they lie in.")]
Image = Annotated[str, typer.Argument(metavar="IMAGE", help="Its name.")]


@app.command("list")
@command
def list_images(context: typer.Context, volume: Volume = "default", as_json: AsJson = False) -> None:
    """The images of a volume."""
    from lunaport.cli.client import segment
    from lunaport.cli.output import amount, print_json, print_table

    with connected(context) as client:
        found = client.call("GET", f"/volumes/{segment(volume)}/images")
    if as_json:
        print_json(found)
        return
    rows = [(each["name"], amount(each["size_bytes"]), each["modified_at"]) for each in found["items"]]
    print_table(("NAME", "SIZE", "MODIFIED"), rows, empty="There are no images.")


@app.command()
@command
def upload(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The image on this machine.")],
    name: Annotated[str, typer.Option(metavar="NAME", help="Its name on the NAS. [that of the file]")] = "",
    volume: Volume = "default",
    as_json: AsJson = False,
) -> None:
    """Send an image to the NAS."""
    from lunaport.cli.client import segment
    from lunaport.cli.output import amount, print_done, print_json

    try:
        with file.open("rb") as opened, connected(context) as client:
            path = f"/volumes/{segment(volume)}/images/{segment(name or file.name)}"
            options = {"name": "--name", "volume": "--volume", "size_bytes": "FILE"}
            size_bytes = file.stat().st_size
            with sending(opened, size_bytes, file.name) as shown:
                answer = client.send(path, shown, size_bytes, options=options)
    except OSError as error:
        raise CliError(Exit.USAGE, f"FILE: {file}: {error.strerror}") from error
    if as_json:
        print_json(answer)
    else:
        print_done(f"{answer['name']} is in volume {volume}, {amount(answer['size_bytes'])}.", as_json=False)


@app.command()
@command
def delete(
    context: typer.Context,
    image: Image,
    volume: Volume = "default",
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    as_json: AsJson = False,
) -> None:
    """Remove an image that lies in no drive, for good."""
    from lunaport.cli.client import segment
    from lunaport.cli.output import print_done

    with connected(context) as client:
        confirm(f"Remove {image} from {volume}, for good?", yes=yes)
        options = {"name": "IMAGE", "volume": "--volume"}
        client.call("DELETE", f"/volumes/{segment(volume)}/images/{segment(image)}", options=options)
    print_done(f"Removed {image} from {volume}.", as_json=as_json)
