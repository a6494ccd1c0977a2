"""`lunaport session ...`, `login ...` and `initiator ...`: who is there, who could not come, who may not."""

from typing import TYPE_CHECKING, Annotated, Final

import typer

from lunaport.cli.completion import complete_target
from lunaport.cli.context import AsJson, command, connected, group
from lunaport.cli.duration import parse_until
from lunaport.cli.errors import CliError, Exit
from lunaport.cli.lookup import find_target
from lunaport.cli.progress import wait_for

if TYPE_CHECKING:  # loaded when a command runs
    from lunaport.cli.client import Client

sessions: Final = group("session", "Who is logged in.")
logins: Final = group("login", "Who could not log in.")
initiators: Final = group("initiator", "Who is kept out.")

SessionId = Annotated[str, typer.Argument(metavar="ID", help="As lunaport session list shows it.")]
OfTarget = Annotated[
    str | None, typer.Option(metavar="TARGET", help="Only this target.", autocompletion=complete_target)
]
OfInitiator = Annotated[str | None, typer.Option(metavar="NAME", help="Only this initiator.")]
Name = Annotated[str, typer.Argument(metavar="NAME", help="Its full iSCSI name.")]


@sessions.command("list")
@command
def list_sessions(
    context: typer.Context, target: OfTarget = None, initiator: OfInitiator = None, as_json: AsJson = False
) -> None:
    """All sessions."""
    from lunaport.cli.output import amount, print_json, print_table

    parameters = {"initiator": initiator.lower()} if initiator else {}
    with connected(context) as client:
        if target:
            parameters["target"] = find_target(client, target)["name"]
        found = list(client.pages("/sessions", parameters))
    if as_json:
        print_json(found)
        return
    rows = [
        (
            each["id"],
            each["initiator"],
            each["target"] or "(discovery)",
            each["address"],
            each["since"],
            f"{each['rates']['commands']:.0f}/s",
            f"{amount(round(each['rates']['bytes_read']))}/s",
            f"{amount(round(each['rates']['bytes_written']))}/s",
        )
        for each in found
    ]
    columns = ("ID", "INITIATOR", "TARGET", "ADDRESS", "SINCE", "COMMANDS", "READ", "WRITTEN")
    print_table(columns, rows, empty="There are no sessions.")


@sessions.command()
@command
def show(context: typer.Context, session: SessionId, as_json: AsJson = False) -> None:
    """One session: what was agreed on at its login, what it does, how long its commands take."""
    from lunaport.cli.client import segment
    from lunaport.cli.output import amount, print_json, print_record

    with connected(context) as client:
        found = client.call("GET", f"/sessions/{segment(session)}", options={"id": "ID"})
    if as_json:
        print_json(found)
        return
    rates = found["rates"]
    total = sum(each["count"] for each in found["latency"])
    print_record(
        {
            "id": found["id"],
            "initiator": f"{found['initiator']} {found['initiator_alias']}".rstrip(),
            "target": found["target"] or "(discovery)",
            "address": found["address"],
            "portal": found["portal"],
            "since": found["since"],
            "CHAP user": found["chap_user"] or "no CHAP",
            "commands": f"{found['commands']}, {rates['commands']:.0f} a second, {found['outstanding']} under way",
            "read": f"{amount(found['bytes_read'])}, {amount(round(rates['bytes_read']))} a second",
            "written": f"{amount(found['bytes_written'])}, {amount(round(rates['bytes_written']))} a second",
            **{
                f"took {'longer' if each['below_us'] is None else 'below ' + duration(each['below_us'])}": (
                    f"{100 * each['count'] / total:.1f} %"
                )
                for each in found["latency"]
            },
            **found["negotiated"],
        }
    )


@sessions.command()
@command
def close(
    context: typer.Context,
    session: SessionId,
    wait: Annotated[float, typer.Option(metavar="SECONDS", min=0, help="Wait so long until it is closed.")] = 0,
    as_json: AsJson = False,
) -> None:
    """Ask the initiator to log out, then close the session. It may come back at once; see lunaport initiator block."""
    from lunaport.cli.client import segment
    from lunaport.cli.output import print_done

    path = f"/sessions/{segment(session)}"
    with connected(context) as client:
        client.call("DELETE", path, options={"id": "ID"})
        if wait:
            there = wait_for(
                lambda: is_there(client, path), lambda seen: not seen, wait, "Waiting for the session to end"
            )
            if there:
                raise CliError(Exit.TIMEOUT, f"after {wait:g} s the session is still there")
    print_done(f"{'Closed' if wait else 'Closing'} session {session}.", as_json=as_json)


def is_there(client: "Client", path: str) -> bool:
    """Whether something exists. Raises CliError."""
    try:
        client.call("GET", path)
    except CliError as error:
        if error.code == Exit.NOT_FOUND:
            return False
        raise
    return True


@logins.command()
@command
def failures(
    context: typer.Context,
    target: Annotated[
        str | None, typer.Option(metavar="TARGET", help="Only this target; one that is not there by its full name.")
    ] = None,
    initiator: OfInitiator = None,
    limit: Annotated[int, typer.Option(metavar="COUNT", help="How many at most.")] = 50,
    as_json: AsJson = False,
) -> None:
    """The last logins that were refused, the newest first, and why."""
    from lunaport.cli.output import print_json, print_table

    parameters = {"limit": str(limit)}
    if initiator:
        parameters["initiator"] = initiator.lower()
    with connected(context) as client:
        if target:
            known = target.lower().startswith(("iqn.", "eui.", "naa."))
            parameters["target"] = target.lower() if known else find_target(client, target)["name"]
        answer = client.call("GET", "/login-failures", parameters=parameters, options={"limit": "--limit"})
    found = answer["items"]
    if as_json:
        print_json(found)
        return
    rows = [
        (
            each["at"],
            each["initiator"],
            each["address"],
            each["target"] or "(discovery)",
            each["reason"],
            each["detail"],
        )
        for each in found
    ]
    columns = ("WHEN", "INITIATOR", "ADDRESS", "TARGET", "REASON", "DETAIL")
    print_table(columns, rows, empty="No login was refused.")


@initiators.command("blocked")
@command
def list_blocked(context: typer.Context, as_json: AsJson = False) -> None:
    """The initiators that are kept out."""
    from lunaport.cli.output import print_json, print_table

    with connected(context) as client:
        found = client.call("GET", "/blocks")["items"]
    if as_json:
        print_json(found)
        return
    rows = [(each["initiator"], each["until"] or "for good", each["created_by"], each["note"]) for each in found]
    print_table(("INITIATOR", "UNTIL", "BY", "NOTE"), rows, empty="No initiator is blocked.")


@initiators.command()
@command
def block(
    context: typer.Context,
    name: Name,
    until: Annotated[
        str | None, typer.Option(metavar="TIME", help="Until when: 30m, 2h, 7d, or a time with its zone. [for good]")
    ] = None,
    note: Annotated[str, typer.Option(metavar="TEXT", help="For whoever looks at it later.")] = "",
    as_json: AsJson = False,
) -> None:
    """Keep an initiator out, and end its sessions."""
    from lunaport.cli.client import segment
    from lunaport.cli.output import print_done, print_json

    options = {"initiator": "NAME", "until": "--until", "note": "--note"}
    body = {"until": None if until is None else parse_until(until, "--until"), "note": note}
    with connected(context) as client:
        answer = client.call("PUT", f"/blocks/{segment(name)}", body, options=options)
    if as_json:
        print_json(answer)
    else:
        print_done(
            f"{answer['initiator']} is kept out {'until ' + answer['until'] if answer['until'] else 'for good'}.",
            as_json=False,
        )


@initiators.command()
@command
def unblock(context: typer.Context, name: Name, as_json: AsJson = False) -> None:
    """Let an initiator in again."""
    from lunaport.cli.client import segment
    from lunaport.cli.output import print_done

    with connected(context) as client:
        client.call("DELETE", f"/blocks/{segment(name)}", options={"initiator": "NAME"})
    print_done(f"{name} may log in again.", as_json=as_json)


def duration(microseconds: float) -> str:
    """A time for people."""
    if microseconds < 1000:
        return f"{microseconds:.0f} us"
    return f"{microseconds / 1000:.0f} ms" if microseconds < 1_000_000 else f"{microseconds / 1_000_000:.0f} s"
