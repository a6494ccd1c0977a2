"""`lunaport session ...`, `login ...` and `initiator ...`: who is there, who could not come, who may not."""

from typing import Annotated, Final

import typer

from lunaport.cli.context import AsJson, command, connected, group
from lunaport.cli.lookup import find_target

sessions: Final = group("session", "Who is logged in.")
logins: Final = group("login", "Who could not log in.")
initiators: Final = group("initiator", "Who is kept out.")

SessionId = Annotated[str, typer.Argument(metavar="ID", help="As lunaport session list shows it.")]
OfTarget = Annotated[str | None, typer.Option(metavar="TARGET", help="Only this target.")]
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
def close(context: typer.Context, session: SessionId) -> None:
    """Ask the initiator to log out, then close the session. It may come back at once; see lunaport initiator block."""
    from lunaport.cli.client import segment

    with connected(context) as client:
        client.call("DELETE", f"/sessions/{segment(session)}", options={"id": "ID"})


@logins.command()
@command
def failures(
    context: typer.Context,
    target: Annotated[str | None, typer.Option(metavar="NAME", help="Only this target, by its full name.")] = None,
    initiator: OfInitiator = None,
    limit: Annotated[int, typer.Option(help="How many at most.")] = 50,
    as_json: AsJson = False,
) -> None:
    """The last logins that were refused, the newest first, and why."""
    from lunaport.cli.output import print_json, print_table

    parameters = {"limit": str(limit)}
    if target:
        parameters["target"] = target.lower()
    if initiator:
        parameters["initiator"] = initiator.lower()
    with connected(context) as client:
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
    until: Annotated[str | None, typer.Option(help="Such as 2030-01-31T12:00:00Z. [for good]")] = None,
    note: Annotated[str, typer.Option(help="For whoever looks at it later.")] = "",
    as_json: AsJson = False,
) -> None:
    """Keep an initiator out, and end its sessions."""
    from lunaport.cli.client import segment
    from lunaport.cli.output import print_json

    options = {"initiator": "NAME", "until": "--until", "note": "--note"}
    with connected(context) as client:
        answer = client.call("PUT", f"/blocks/{segment(name)}", {"until": until, "note": note}, options=options)
    if as_json:
        print_json(answer)


@initiators.command()
@command
def unblock(context: typer.Context, name: Name) -> None:
    """Let an initiator in again."""
    from lunaport.cli.client import segment

    with connected(context) as client:
        client.call("DELETE", f"/blocks/{segment(name)}", options={"initiator": "NAME"})


def duration(microseconds: float) -> str:
    """A time for people."""
    if microseconds < 1000:
        return f"{microseconds:.0f} us"
    return f"{microseconds / 1000:.0f} ms" if microseconds < 1_000_000 else f"{microseconds / 1_000_000:.0f} s"
