"""`lunaport target rule ...`: who may use a target."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from lunaport.cli.context import AsJson, TargetName, command, confirm, connected, group
from lunaport.cli.errors import CliError, Exit
from lunaport.cli.lookup import find_target

if TYPE_CHECKING:  # loaded when a command runs
    from lunaport.cli.client import Client

app: Final = group("rule", "Who may use a target: the first rule that fits counts; no rules: everybody.")

ENTRIES_MAX: Final = 64
LISTS: Final = {"initiators": "--initiator", "networks": "--network", "portal_groups": "--portal-group"}
Rules = list[dict[str, Any]]


@app.command("list")
@command
def list_rules(context: typer.Context, target: TargetName, as_json: AsJson = False) -> None:
    """The rules of a target, in the order in which they are asked."""
    with connected(context) as client:
        print_rules(find_target(client, target), as_json=as_json)


@app.command()
@command
def add(
    context: typer.Context,
    target: TargetName,
    initiator: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="A full name, or a pattern with * and ?; repeatable. [any]")
    ] = None,
    network: Annotated[
        list[str] | None, typer.Option(metavar="NETWORK", help="Such as 192.0.2.0/24; repeatable. [any]")
    ] = None,
    portal_group: Annotated[
        list[int] | None, typer.Option(metavar="NUMBER", help="The portal group by which it comes; repeatable. [any]")
    ] = None,
    read_only: Annotated[bool, typer.Option("--read-only", help="It may only read.")] = False,
    lun: Annotated[
        list[int] | None, typer.Option(metavar="NUMBER", help="A LUN that is there for it; repeatable. [all]")
    ] = None,
    at: Annotated[
        int | None, typer.Option(metavar="NUMBER", min=1, help="Its place among the rules. [the last]")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Add a rule. With the first one, everybody else is kept out, at once."""
    rule = {
        "initiators": initiator or [],
        "networks": network or [],
        "portal_groups": portal_group or [],
        "read_only": read_only,
        "luns": lun or None,
    }

    def change(rules: Rules) -> Rules:
        place = len(rules) if at is None else min(at - 1, len(rules))
        return [*rules[:place], rule, *rules[place:]]

    with connected(context) as client:
        print_rules(change_rules(client, target, change), as_json=as_json)


@app.command()
@command
def remove(
    context: typer.Context,
    target: TargetName,
    number: Annotated[int, typer.Argument(metavar="NUMBER", min=1, help="As lunaport target rule list shows it.")],
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask, if it is the last rule.")] = False,
    as_json: AsJson = False,
) -> None:
    """Remove a rule. Without any, everybody may use the target."""

    def change(rules: Rules) -> Rules:
        if number > len(rules):
            raise CliError(Exit.NOT_FOUND, f"NUMBER: there is no rule {number}; the target has {len(rules)}")
        if len(rules) == 1:
            confirm("Without a rule everybody may use the target. Remove the last one?", yes=yes)
        return [rule for place, rule in enumerate(rules, 1) if place != number]

    with connected(context) as client:
        print_rules(change_rules(client, target, change), as_json=as_json)


def change_rules(client: "Client", target: str, change: Callable[[Rules], Rules]) -> Any:
    """Read the rules, change them, write them: only if nobody else changed the target in between. Raises CliError."""
    found = find_target(client, target)
    rules = change(found["access"]["rules"])
    return client.call(
        "PATCH",
        f"/targets/{found['id']}",
        {"access": {"rules": rules}},
        options=options(len(rules)),
        revision=found["revision"],
    )


def options(count: int) -> Mapping[str, str]:
    """What the fields of so many rules are called on the command line."""
    found = {"access.rules": "--at"}
    for rule in range(count):
        found[f"access.rules[{rule}].luns"] = "--lun"
        for name, option in LISTS.items():
            found[f"access.rules[{rule}].{name}"] = option
            found |= {f"access.rules[{rule}].{name}[{entry}]": option for entry in range(ENTRIES_MAX)}
    return found


def print_rules(target: Any, *, as_json: bool) -> None:
    """The rules of a target."""
    from lunaport.cli.output import print_json, print_table

    rules = target["access"]["rules"]
    if as_json:
        print_json(rules)
        return
    rows = [
        (
            number,
            ", ".join(rule["initiators"]) or "any",
            ", ".join(rule["networks"]) or "any",
            ", ".join(map(str, rule["portal_groups"])) or "any",
            "all" if rule["luns"] is None else ", ".join(map(str, rule["luns"])) or "none",
            "read" if rule["read_only"] else "read, write",
        )
        for number, rule in enumerate(rules, 1)
    ]
    columns = ("NUMBER", "INITIATORS", "NETWORKS", "PORTAL GROUPS", "LUNS", "MAY")
    print_table(columns, rows, empty="There are no rules: everybody may use this target.")
