"""`lunaport target chap-user ...`: with which names and secrets initiators log in to a target."""

from typing import Annotated, Any, Final

import typer

from lunaport.cli.connection import read_secret
from lunaport.cli.context import AsJson, TargetName, command, connected, group
from lunaport.cli.duration import parse_until
from lunaport.cli.errors import CliError, Exit
from lunaport.cli.lookup import find_target

app: Final = group("chap-user", "The CHAP users of a target.")

USERS_MAX: Final = 64
INITIATORS_MAX: Final = 64
Name = Annotated[str, typer.Argument(metavar="USER", help="The CHAP user name.")]
SecretFile = Annotated[
    str | None,
    typer.Option(metavar="FILE", help="The secret, 12 to 16 bytes; - reads standard input. [as it is]"),
]
KeepOld = Annotated[
    str | None,
    typer.Option(
        metavar="TIME",
        help="How long the secret of before is taken too: 30m, 2h, 7d, or a time with its zone. [not at all]",
    ),
]


@app.command("list")
@command
def list_users(context: typer.Context, target: TargetName, as_json: AsJson = False) -> None:
    """The CHAP users of a target; secrets are not shown."""
    with connected(context) as client:
        print_users(find_target(client, target), as_json=as_json)


@app.command("set")
@command
def set_user(
    context: typer.Context,
    target: TargetName,
    user: Name,
    secret_file: SecretFile = None,
    initiator: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="For whom it is: a full name or a pattern; repeatable. '*': all."),
    ] = None,
    keep_old: KeepOld = None,
    as_json: AsJson = False,
) -> None:
    """Add a CHAP user, or give the one there a new secret or other initiators. It holds at once; sessions stay."""
    new: dict[str, Any] = {}
    if secret_file is not None:
        new["secret"] = read_secret(secret_file, "--secret-file")
    if keep_old is not None:
        new["old_secret_valid_until"] = parse_until(keep_old, "--keep-old")
    with connected(context) as client:
        found = find_target(client, target)
        chap = found["chap"]
        if chap["one_way"]["enabled"] and chap["one_way"]["username"] == user:
            if initiator:
                reason = (
                    f"{user} is the user of the whole target (lunaport target edit --chap-user), for all initiators"
                )
                raise CliError(Exit.USAGE, f"--initiator: {reason}")
            body: dict[str, Any] = {"one_way": new}
        else:
            others = [known(each) for each in chap["credentials"]]
            one = next((each for each in others if each["username"] == user), None)
            if one is None:
                one = {"username": user, "initiators": []}
                others.append(one)
            one.update(new)
            if initiator:
                one["initiators"] = [] if initiator == ["*"] else initiator
            body = {"credentials": others}
        path = f"/targets/{found['id']}"
        answer = client.call("PATCH", path, {"chap": body}, options=options(), revision=found["revision"])
        print_users(answer, as_json=as_json)


@app.command()
@command
def remove(context: typer.Context, target: TargetName, user: Name, as_json: AsJson = False) -> None:
    """Remove a CHAP user. Sessions stay; it cannot log in again."""
    with connected(context) as client:
        found = find_target(client, target)
        left = [known(each) for each in found["chap"]["credentials"] if each["username"] != user]
        if len(left) == len(found["chap"]["credentials"]):
            raise CliError(Exit.NOT_FOUND, f"USER: there is no CHAP user {user} that could be removed here")
        body = {"chap": {"credentials": left}}
        path = f"/targets/{found['id']}"
        print_users(client.call("PATCH", path, body, revision=found["revision"]), as_json=as_json)


def known(credential: Any) -> dict[str, Any]:
    """A credential as it was answered, to be sent again: its secret stays."""
    return {"username": credential["username"], "initiators": credential["initiators"]}


def options() -> dict[str, str]:
    """What the fields are called on the command line."""
    found = {"chap.one_way.secret": "--secret-file", "chap.one_way.old_secret_valid_until": "--keep-old"}
    for number in range(USERS_MAX):
        path = f"chap.credentials[{number}]"
        found |= {
            f"{path}.username": "USER",
            f"{path}.secret": "--secret-file",
            f"{path}.old_secret_valid_until": "--keep-old",
            f"{path}.initiators": "--initiator",
            **{f"{path}.initiators[{entry}]": "--initiator" for entry in range(INITIATORS_MAX)},
        }
    return found


def names(chap: Any) -> list[str]:
    """The names of all CHAP users of a target."""
    found = [chap["one_way"]["username"]] if chap["one_way"]["enabled"] else []
    return found + [each["username"] for each in chap["credentials"]]


def print_users(target: Any, *, as_json: bool) -> None:
    """The CHAP users of a target."""
    from lunaport.cli.output import print_json, print_table

    chap = target["chap"]
    if as_json:
        print_json(chap)
        return
    found = [chap["one_way"] | {"initiators": []}] if chap["one_way"]["enabled"] else []
    rows = [
        (
            each["username"],
            ", ".join(each["initiators"]) or "all",
            each["secret"]["changed_at"],
            each["old_secret_valid_until"],
        )
        for each in [*found, *chap["credentials"]]
    ]
    columns = ("USER", "INITIATORS", "SECRET CHANGED", "OLD SECRET UNTIL")
    print_table(columns, rows, empty="There are no CHAP users: initiators need not prove who they are.")
