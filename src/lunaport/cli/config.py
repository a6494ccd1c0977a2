"""`lunaport config ...`: everything that is configured, as a whole."""

import json
import os
import sys
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from lunaport.cli.connection import read_secret
from lunaport.cli.context import AsJson, command, connected, group
from lunaport.cli.errors import CliError, Exit
from lunaport.cli.progress import working

app: Final = group("config", "Everything that is configured, as a whole.")

PASSPHRASE_VARIABLE: Final = "LUNAPORT_BACKUP_PASSPHRASE"  # noqa: S105 - a variable's name
FILE_BYTES_MAX: Final = 34 << 20
OPTIONS: Final = {
    "passphrase": "--passphrase-file",
    "backup": "FILE",
    "replace": "--replace",
}
PassphraseFile = Annotated[
    str | None,
    typer.Option(
        metavar="FILE", help=f"The passphrase is its first line; - is standard input. Or {PASSPHRASE_VARIABLE}."
    ),
]


@app.command("export")
@command
def export_backup(
    context: typer.Context,
    file: Annotated[str, typer.Argument(metavar="FILE", help="Where to; - is standard output.")],
    passphrase_file: PassphraseFile = None,
) -> None:
    """Save everything that is configured, secrets too, in one encrypted file. Not the data of the disks."""
    passphrase = find_passphrase(passphrase_file, twice=True)
    with connected(context) as client, working("Saving"):
        backup = client.call("POST", "/config/export", {"passphrase": passphrase}, options=OPTIONS)
    text = json.dumps(backup, indent=1) + "\n"
    if file == "-":
        sys.stdout.write(text)
    else:
        write_whole(Path(file), text)
        typer.echo(f"Saved in {file}; only its passphrase opens it.", err=True)


@app.command("import")
@command
def import_backup(
    context: typer.Context,
    file: Annotated[str, typer.Argument(metavar="FILE", help="What `config export` wrote; - is standard input.")],
    passphrase_file: PassphraseFile = None,
    plan: Annotated[bool, typer.Option("--plan", help="Say what would be, and change nothing.")] = False,
    replace: Annotated[bool, typer.Option("--replace", help="In place of what is configured there.")] = False,
    create_missing: Annotated[
        bool, typer.Option("--create-missing", help="Disks whose file is not there become new, empty ones.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Restore what `config export` saved: all of it, or nothing. Its users and passwords hold from then on."""
    from lunaport.cli.output import print_json

    backup = read_backup(file)
    body: dict[str, Any] = {
        "backup": backup,
        "passphrase": find_passphrase(passphrase_file, twice=False),
        "replace": replace,
        "missing": "create" if create_missing else "wait",
        "plan": plan,
    }
    with connected(context) as client, working("Reading the backup" if plan else "Restoring"):
        report = client.call("POST", "/config/import", body, options=OPTIONS)
    if as_json:
        print_json(report)
    else:
        print_report(report, create_missing=create_missing)


def find_passphrase(file: str | None, *, twice: bool) -> str:
    """From the file, the environment, or somebody at the terminal. Raises CliError."""
    if file is not None:
        return read_secret(file, "--passphrase-file")
    if PASSPHRASE_VARIABLE in os.environ:
        return os.environ[PASSPHRASE_VARIABLE]
    if not sys.stdin.isatty():
        raise CliError(Exit.USAGE, f"--passphrase-file: a passphrase is needed, from a file or {PASSPHRASE_VARIABLE}")
    passphrase: str = typer.prompt("Passphrase of the backup", hide_input=True, confirmation_prompt=twice, err=True)
    return passphrase


def read_backup(file: str) -> dict[str, Any]:
    """The document in a file. Raises CliError."""
    try:
        with Path("/dev/stdin" if file == "-" else file).open("rb") as stream:
            content = stream.read(FILE_BYTES_MAX + 1)
    except OSError as error:
        raise CliError(Exit.USAGE, f"FILE: {error}") from error
    if len(content) > FILE_BYTES_MAX:
        raise CliError(Exit.USAGE, f"FILE: {file} is larger than any backup")
    try:
        document = json.loads(content)
    except (ValueError, RecursionError):
        document = None
        if content.lstrip().startswith(b"{"):
            raise CliError(Exit.USAGE, f"FILE: {file} is damaged: it has no end, or was changed") from None
    if not isinstance(document, dict):
        raise CliError(Exit.USAGE, f"FILE: {file} is no backup of Lunaport")
    return document


def write_whole(path: Path, text: str) -> None:
    """Write a file that only its owner may read, all of it or nothing. Raises CliError."""
    draft = path.with_name(f"{path.name}.{os.getpid()}.new")
    try:
        try:
            descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
                stream.write(text)
                stream.flush()
                os.fsync(stream.fileno())
            draft.replace(path)
        finally:
            draft.unlink(missing_ok=True)
    except OSError as error:
        raise CliError(Exit.USAGE, f"FILE: {error}") from error


def print_report(report: Any, *, create_missing: bool) -> None:
    """What an import did or would do, and what is left to do."""
    from lunaport.cli.output import plain

    head = "Restored" if report["applied"] else "Would restore"
    counts = ", ".join(f"{report[what]} {what[:-1]}(s)" for what in ("targets", "volumes", "users"))
    lines = [f"{head}: {counts}; the backup is of {report['created_at']}."]
    if report["replaces"]:
        lines.append(f"{'Replaced' if report['applied'] else 'Would replace'}:")
        lines += [f"  {each}" for each in report["replaces"]]
    for each in report["luns"]:
        if each["state"] != "present":
            lines.append(f"{each['target']} LUN {each['lun']}: {each['state'].replace('_', ' ')}: {each['path']}")
            lines.append(f"  {each['advice']}")
    lines += [f"{each}; put it right, then restart the NAS" for each in report["volume_problems"]]
    if report["left"]:
        lines.append("No target uses these files any more; they stay where they are:")
        lines += [f"  {each}" for each in report["left"]]
    if any(each["state"] == "missing" for each in report["luns"]) and not create_missing:
        lines.append("Missing disks are served as soon as their files are there. --create-missing makes empty ones.")
    for line in lines:
        typer.echo(plain(line))
