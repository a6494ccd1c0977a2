"""Sessions as tables and as facts, with the button that closes one."""

from collections.abc import Iterable, Mapping

from lunaport.model.target import Target
from lunaport.model.user import Role
from lunaport.service.actions import CloseSession
from lunaport.service.nas import SessionReport
from lunaport.web import facts
from lunaport.web.forms import confirm, tell
from lunaport.web.markup import Html, ago, badge, empty, join, number, rate, size, table, tag
from lunaport.web.page import Page


def session_table(page: Page, sessions: Iterable[SessionReport], targets: Mapping[str, Target] | None) -> Html:
    """Sessions; `targets`: to name the share of each, None where there is but one."""
    may = page.may(Role.OPERATOR)
    rows = []
    for each in sessions:
        way = " · ".join(filter(None, (each.address, each.chap_user, "may only read" if each.read_only else "")))
        who = [each.initiator, tag("span", way, class_="under"), negotiated(each)]
        row: list[object] = [join(who)]
        if targets is not None:
            known = targets.get(each.target)
            row.append(facts.share_link(known) if known else facts.short(each.target) or badge("discovery"))
        rates = each.rates
        row += [
            ago(each.since),
            join((rate(rates.bytes_read), tag("span", f"{size(each.bytes_read)} in all", class_="under"))),
            join((rate(rates.bytes_written), tag("span", f"{size(each.bytes_written)} in all", class_="under"))),
            f"{number(rates.commands)}/s",
            each.outstanding,
            tag("button", "Close", type="button", class_="button small", data_do="close", data_id=each.id,
                aria_label=f"Close the session of {each.initiator}") if may else "",
        ]  # fmt: skip
        rows.append(row)
    if not rows:
        return empty("Nobody is connected", "Sessions show up here the moment an initiator logs in.")
    columns = [
        "Initiator",
        *(["Share"] if targets is not None else []),
        "Since",
        "Read",
        "Written",
        "Commands",
        "Under way",
        "",
    ]
    shift = 1 if targets is not None else 0
    return table("Sessions", columns, rows, numbers=(2 + shift, 3 + shift, 4 + shift, 5 + shift))


def negotiated(session: SessionReport) -> Html:
    """What a session agreed on, and by which portal it came; folded away."""
    pairs = [("Portal", f"{session.portal}, group {session.portal_group}"), ("ISID", session.isid)]
    if session.initiator_alias:
        pairs.append(("Alias", session.initiator_alias))
    shown = (join((tag("dt", key), tag("dd", value))) for key, value in (*pairs, *session.negotiated.items()))
    return tag("details", tag("summary", "Negotiated"), tag("dl", *shown, class_="facts"), class_="under")


def close_session(page: Page, session_id: str) -> None:
    """Close a session, after asking."""

    async def work() -> None:
        await page.perform(CloseSession(session_id=session_id))
        tell("The session is closed")

    confirm(
        "Close the session?",
        "The initiator is asked to log out, then cut off. It may come back at once.",
        "Close",
        work,
    )
