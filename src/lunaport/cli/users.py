"""`lunaport user ...` and `lunaport token ...`: who may use the NAS's interfaces."""

import os
import sys
from typing import Annotated, Any, Final

import typer

from lunaport.cli.completion import complete_role
from lunaport.cli.connection import read_secret
from lunaport.cli.context import AsJson, command, confirm, connected, group
from lunaport.cli.errors import CliError, Exit

users: Final = group("user", "Who may use the NAS.")
tokens: Final = group("token", "Tokens, which stand for a user in scripts.")

NEW_PASSWORD_VARIABLE: Final = "LUNAPORT_NEW_PASSWORD"  # noqa: S105 - a variable's name
OPTIONS: Final = {"name": "NAME", "password": "--new-password-file", "role": "--role", "days": "--days"}
Name = Annotated[str, typer.Argument(metavar="NAME", help="1 to 63 of a-z, 0-9, dot, dash, underscore.")]
Role = Annotated[
    str,
    typer.Option(
        metavar="ROLE",
        autocompletion=complete_role,
        help="viewer, operator or admin; each may do all that the ones before it may.",
    ),
]
NewPassword = Annotated[
    str | None,
    typer.Option(
        metavar="FILE", help="The new password, 8 to 256 bytes; - reads standard input. Or LUNAPORT_NEW_PASSWORD."
    ),
]


@users.command("list")
@command
def list_users(context: typer.Context, as_json: AsJson = False) -> None:
    """All users. For administrators."""
    from lunaport.cli.output import print_json, print_table

    with connected(context) as client:
        found = client.call("GET", "/users")["items"]
    if as_json:
        print_json(found)
        return
    rows = [(each["name"], each["role"], each["created_at"]) for each in found]
    print_table(("NAME", "ROLE", "CREATED"), rows, empty="There are no users.")


@users.command()
@command
def me(context: typer.Context, as_json: AsJson = False) -> None:
    """Who you are to the NAS."""
    from lunaport.cli.output import print_json, print_record

    with connected(context) as client:
        found = client.call("GET", "/me")
    if as_json:
        print_json(found)
    else:
        print_record({"name": found["name"], "role": found["role"], "by": found["way"]})


@users.command()
@command
def create(
    context: typer.Context, name: Name, role: Role, new_password_file: NewPassword = None, as_json: AsJson = False
) -> None:
    """Add a user. For administrators."""
    body = {"name": name, "role": role, "password": new_password(new_password_file, f"Password of {name}")}
    with connected(context) as client:
        print_user(client.call("POST", "/users", body, options=OPTIONS), as_json=as_json)


@users.command()
@command
def edit(
    context: typer.Context,
    name: Name,
    role: Annotated[
        str | None, typer.Option(metavar="ROLE", autocompletion=complete_role, help="viewer, operator or admin.")
    ] = None,
    new_password_file: NewPassword = None,
    as_json: AsJson = False,
) -> None:
    """Give a user another role or password. For administrators."""
    from lunaport.cli.client import segment

    body: dict[str, Any] = {}
    if role is not None:
        body["role"] = role
    if new_password_file is not None or NEW_PASSWORD_VARIABLE in os.environ:
        body["password"] = new_password(new_password_file, "")
    if not body:
        raise CliError(Exit.USAGE, "no option says what to change; lunaport user edit --help lists them")
    with connected(context) as client:
        print_user(client.call("PATCH", f"/users/{segment(name)}", body, options=OPTIONS), as_json=as_json)


@users.command()
@command
def delete(
    context: typer.Context,
    name: Name,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    as_json: AsJson = False,
) -> None:
    """Remove a user and his tokens. For administrators; the last of them cannot be removed."""
    from lunaport.cli.client import segment
    from lunaport.cli.output import print_done

    with connected(context) as client:
        confirm(f"Remove {name} and his tokens?", yes=yes)
        client.call("DELETE", f"/users/{segment(name)}", options=OPTIONS)
    print_done(f"Removed {name} and his tokens.", as_json=as_json)


@users.command()
@command
def password(context: typer.Context, new_password_file: NewPassword = None, as_json: AsJson = False) -> None:
    """Give yourself another password. Log in with the present one, not with a token."""
    from lunaport.cli.output import print_done

    with connected(context) as client:
        present = client.connection.password
        if client.connection.token or not present:
            raise CliError(Exit.USAGE, "a token cannot change the password; log in with the present one")
        chosen = new_password(new_password_file, f"New password of {client.connection.user}")
        client.call("PUT", "/me/password", {"present": present, "password": chosen}, options=OPTIONS)
        print_done(f"{client.connection.user} has another password.", as_json=as_json)


@tokens.command("list")
@command
def list_tokens(context: typer.Context, as_json: AsJson = False) -> None:
    """Your tokens; for administrators everybody's."""
    from lunaport.cli.output import print_json, print_table

    with connected(context) as client:
        found = client.call("GET", "/tokens")["items"]
    if as_json:
        print_json(found)
        return
    rows = [(each["id"], each["name"], each["user"], each["role"], each["expires_at"] or "never") for each in found]
    print_table(("ID", "NAME", "USER", "ROLE", "EXPIRES"), rows, empty="There are no tokens.")


@tokens.command("create")
@command
def create_token(
    context: typer.Context,
    name: Name,
    role: Role,
    days: Annotated[float | None, typer.Option(metavar="DAYS", help="Days until it expires. [never]")] = None,
    as_json: AsJson = False,
) -> None:
    """Make a token for yourself, with your role or less. Its text is printed once, and kept nowhere."""
    from lunaport.cli.output import print_json

    with connected(context) as client:
        made = client.call("POST", "/tokens", {"name": name, "role": role, "days": days}, options=OPTIONS)
    if as_json:
        print_json(made)
    else:
        typer.echo(made["token"])


@tokens.command("delete")
@command
def delete_token(
    context: typer.Context,
    token: Annotated[str, typer.Argument(metavar="TOKEN", help="Its id, or the name of one of yours.")],
    as_json: AsJson = False,
) -> None:
    """Remove a token; it stops working at once."""
    from lunaport.cli.output import print_done

    with connected(context) as client:
        token_id = token
        if not (token.isascii() and token.isdigit()):
            own = client.call("GET", "/me")["name"]
            ids = [
                each["id"]
                for each in client.call("GET", "/tokens")["items"]
                if (each["name"], each["user"]) == (token, own)
            ]
            if not ids:
                raise CliError(Exit.NOT_FOUND, f"TOKEN: you have no token {token}; lunaport token list shows them")
            token_id = str(ids[0])
        client.call("DELETE", f"/tokens/{token_id}", options={"id": "TOKEN"})
    print_done(f"Removed token {token}.", as_json=as_json)


def new_password(path: str | None, question: str) -> str:
    """A password from a file, from the environment, or from whoever can answer. Raises CliError."""
    if path is not None:
        return read_secret(path, "--new-password-file")
    if NEW_PASSWORD_VARIABLE in os.environ:
        return os.environ[NEW_PASSWORD_VARIABLE]
    if not sys.stdin.isatty():
        raise CliError(Exit.USAGE, f"--new-password-file: is missing; or set {NEW_PASSWORD_VARIABLE}")
    chosen: str = typer.prompt(question, hide_input=True, confirmation_prompt=True, err=True)
    return chosen


def print_user(user: Any, *, as_json: bool) -> None:
    """One user."""
    from lunaport.cli.output import print_json, print_record

    if as_json:
        print_json(user)
    else:
        print_record({"name": user["name"], "role": user["role"], "created": user["created_at"]})
