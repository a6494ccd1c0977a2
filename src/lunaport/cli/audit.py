"""`lunaport audit ...`: who changed what, when, from where."""

import sys
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from lunaport.cli.context import AsJson, command, connected, group
from lunaport.cli.errors import CliError, Exit

app: Final = group("audit", "Who changed what, when, from where.")

OPTIONS: Final = {name: f"--{name}" for name in ("limit", "since", "until", "format")}
User = Annotated[str | None, typer.Option(metavar="NAME", help="Only what this user asked for.")]
Subject = Annotated[
    str | None, typer.Option(metavar="SUBJECT", help="Only what is about exactly this, such as 'target iqn...'.")
]
Action = Annotated[str | None, typer.Option(metavar="ACTION", help="Only these actions, such as delete_target.")]
Since = Annotated[str | None, typer.Option(metavar="TIME", help="Not before this, such as 2030-01-31T12:00:00Z.")]
Until = Annotated[str | None, typer.Option(metavar="TIME", help="Before this.")]


@app.command("list")
@command
def list_audit(
    context: typer.Context,
    user: User = None,
    subject: Subject = None,
    action: Action = None,
    since: Since = None,
    until: Until = None,
    limit: Annotated[int, typer.Option(metavar="COUNT", help="So many entries at most, the newest ones.")] = 50,
    as_json: AsJson = False,
) -> None:
    """The newest entries."""
    from lunaport.cli.output import print_json, print_table

    parameters = {**wanted(user, subject, action, since, until), "limit": str(limit)}
    with connected(context) as client:
        found = client.call("GET", "/audit", parameters=parameters, options=OPTIONS)["items"]
    if as_json:
        print_json(found)
        return
    rows = [
        (
            each["at"],
            each["user"] or "lunaport",
            each["address"],
            each["action"],
            each["subject"],
            each["outcome"],
            each["error"] or summary(each["changes"]),
        )
        for each in found
    ]
    columns = ("WHEN", "WHO", "FROM", "ACTION", "SUBJECT", "OUTCOME", "WHAT")
    print_table(columns, rows, empty="Nothing was changed.")


@app.command()
@command
def export(
    context: typer.Context,
    file: Annotated[str, typer.Argument(metavar="FILE", help="Where to; - is standard output.")],
    form: Annotated[str, typer.Option("--format", metavar="FORMAT", help="ndjson (JSON lines) or csv.")] = "ndjson",
    user: User = None,
    subject: Subject = None,
    action: Action = None,
    since: Since = None,
    until: Until = None,
) -> None:
    """The whole log, or what the options look for, the newest entry first."""
    parameters = {**wanted(user, subject, action, since, until), "format": form}
    with connected(context) as client:
        text = client.text("/audit/export", parameters=parameters, options=OPTIONS)
    if file == "-":
        sys.stdout.write(text)
        return
    try:
        Path(file).write_text(text, encoding="utf-8", newline="")
    except OSError as error:
        raise CliError(Exit.USAGE, f"FILE: {error}") from error


def wanted(
    user: str | None, subject: str | None, action: str | None, since: str | None, until: str | None
) -> dict[str, str]:
    """What is looked for, as API v1 takes it."""
    given = {"user": user, "subject": subject, "action": action, "since": since, "until": until}
    return {name: value for name, value in given.items() if value is not None}


def summary(changes: dict[str, Any]) -> str:
    """The names of the fields that changed."""
    names = [name for name in changes if name and not name.endswith(("revision", "_changed_at"))]
    return ", ".join(names[:6]) + (", ..." if len(names) > 6 else "")
