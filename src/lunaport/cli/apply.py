"""`lunaport apply`, `config show`, `target export` and `target import`: what is configured, as a file."""

import os
import sys
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from lunaport.cli import config, targets
from lunaport.cli.context import AsJson, TargetName, command, connected
from lunaport.cli.errors import CliError, Exit
from lunaport.cli.progress import working

SIGNS: Final = {"create": "+", "update": "~", "delete": "-"}
File = Annotated[str, typer.Option("--file", "-f", metavar="FILE", help="What shall be, as YAML; - is standard input.")]
PlanOnly = Annotated[bool, typer.Option("--plan", help="Say what would be done, and do nothing.")]


@command
def apply(
    context: typer.Context,
    file: File,
    plan: PlanOnly = False,
    prune: Annotated[
        bool, typer.Option("--prune", help="What the file's sections do not name goes. Else it stays.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Make what a file says: all of it, or nothing. The second time there is nothing to do."""
    send(context, file, plan=plan, prune=prune, as_json=as_json)


@config.app.command("show")
@command
def show_config(context: typer.Context, as_json: AsJson = False) -> None:
    """Everything that is configured, as `apply` takes it. Secrets are left out: so they stay as they are."""
    from lunaport.cli.output import print_json
    from lunaport.cli.yaml_file import format_document

    with connected(context) as client:
        document = client.call("GET", "/config")
    if as_json:
        print_json(document)
    else:
        sys.stdout.write(format_document(document))


@targets.app.command("export")
@command
def export_target(
    context: typer.Context,
    target: TargetName,
    file: Annotated[str, typer.Argument(metavar="FILE", help="Where to; - is standard output.")] = "-",
    as_json: Annotated[bool, typer.Option("--json", help="JSON instead of YAML.")] = False,
) -> None:
    """One target, as `target import` and `apply` take it. Secrets are left out."""
    import json

    from lunaport.cli.lookup import find_target
    from lunaport.cli.yaml_file import format_document

    with connected(context) as client:
        name = find_target(client, target)["name"]
        document = client.call("GET", "/config")
    wanted = [each for each in document["targets"] if each["name"] == name]
    found = {"version": document["version"], "targets": wanted}
    text = json.dumps(found, indent=2) + "\n" if as_json else format_document(found)
    if file == "-":
        sys.stdout.write(text)
        return
    try:
        Path(file).write_text(text, encoding="utf-8")
    except OSError as error:
        raise CliError(Exit.USAGE, f"FILE: {error}") from error


@targets.app.command("import")
@command
def import_target(
    context: typer.Context,
    file: Annotated[str, typer.Argument(metavar="FILE", help="What `target export` wrote; - is standard input.")],
    plan: PlanOnly = False,
    as_json: AsJson = False,
) -> None:
    """Make the target of a file, or change it to what the file says. A new one gets new, empty disks."""
    send(context, file, plan=plan, prune=False, as_json=as_json, only_targets=True)


def send(
    context: typer.Context, file: str, *, plan: bool, prune: bool, as_json: bool, only_targets: bool = False
) -> None:
    """Apply a file, and print what that did. Raises CliError."""
    from lunaport.cli.output import print_json
    from lunaport.cli.yaml_file import read_document

    document = read_document(file, os.environ)
    others = ", ".join(name for name in document if name not in ("version", "targets"))
    if only_targets and others:
        raise CliError(Exit.USAGE, f"FILE: holds more than targets ({others}); lunaport apply takes it")
    parameters = {"plan": "true" if plan else "false", "prune": "true" if prune else "false"}
    with connected(context) as client, working("Comparing" if plan else "Applying"):
        report = client.call("PUT", "/config", document, parameters=parameters)
    if as_json:
        print_json(report)
        return
    from lunaport.cli.output import plain

    for line in report_lines(report, prune=prune):
        typer.echo(plain(line))


def report_lines(report: Any, *, prune: bool) -> list[str]:
    """What was done or would be, a line a thing and a line a field."""
    lines = []
    for step in report["steps"]:
        note = f" ({step['note']})" if step["note"] else ""
        lines.append(f"{SIGNS[step['action']]} {step['kind']} {step['name']}".rstrip() + note)
        for change in step["changes"]:
            before, after = (value(change[side]) for side in ("before", "after"))
            lines.append(f"    {change['field']}: {after if step['action'] == 'create' else f'{before} -> {after}'}")
    if report["kept"] and not prune:
        lines.append("Not in the file, and kept (--prune takes it away):")
        lines += [f"    {each}" for each in report["kept"]]
    counts = [sum(step["action"] == action for step in report["steps"]) for action in SIGNS]
    if not report["steps"]:
        lines.append("Nothing to do: it is so already.")
    else:
        done = "Done" if report["applied"] else "Would be done"
        lines.append(f"{done}: {counts[0]} created, {counts[1]} changed, {counts[2]} deleted.")
    return lines


def value(shown: Any) -> str:
    """A value for people."""
    import json

    if shown is None:
        return "nothing"
    return shown if isinstance(shown, str) and shown else json.dumps(shown, ensure_ascii=False)
