"""What several pages say about the same things."""

import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from lunaport.model.access import Access
from lunaport.model.target import Target
from lunaport.service.errors import ServiceError
from lunaport.service.nas import EngineStatus, Nas, RefusedLogin
from lunaport.web.chart import Line, chart
from lunaport.web.markup import Html, ago, badge, duration, h, join, link, number, rate, tag
from lunaport.web.watching import INTERVAL_S, MOMENTS, Past

NEARLY_FULL: Final = 0.85
FULL: Final = 0.95
REFUSALS_S: Final = 3600.0
SHOWN_MAX: Final = 8
SLOTS_MIN: Final = 30
REASONS: Final = {
    "unknown_target": "asked for a target that is not there",
    "name_not_allowed": "has a name that is in no rule of the share",
    "address_not_allowed": "comes from an address that is in no rule of the share",
    "portal_not_allowed": "came by a portal group that is in no rule of the share",
    "wrong_portal_group": "came by a portal group through which the share is not served",
    "no_authentication": "offered no CHAP, but the share asks for it (or the other way round)",
    "unknown_user": "gave a CHAP user name that is not known",
    "wrong_secret": "gave a wrong CHAP secret",
    "authentication_failed": "failed CHAP",
    "digest_mismatch": "could not agree on digests",
    "too_many_sessions": "would have been one session too many",
    "in_use": "found the share in use by another initiator",
    "moved": "was sent to another address",
    "blocked": "is blocked",
    "draining": "came while the share, or the NAS, is being drained",
    "service_off": "came while the service is switched off",
    "busy": "came while too many logins waited for the share",
    "protocol_error": "broke the protocol",
}
"""What an initiator did that was refused."""


TROUBLES: Final = {
    "engine": "The iSCSI engine",
    "database": "The configuration database",
    "disk": "A disk cannot be used:",
    "disk_errors": "Commands failed on",
    "reservations": "The reservations cannot be read of",
    "portal": "Not listened on:",
    "storage": "The file system",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Concern:
    """Something that needs attention. `kind`: bad or warn."""

    kind: str
    text: Html


def short(name: str) -> str:
    """A target's name without what all have in common."""
    return name.partition(":")[2] or name


def share_link(target: Target) -> Html:
    """A link to a share."""
    return link(short(target.name), f"/shares/{target.id}", class_="name")


def reason_words(reason: str) -> str:
    """Why a login was refused, in words."""
    return REASONS.get(reason, reason.replace("_", " "))


def is_open(target: Target) -> bool:
    """Whether everybody may use it."""
    return not target.asks_for_chap and target.access == Access(single_initiator=target.access.single_initiator)


async def concerns(
    nas: Nas, status: EngineStatus, targets: Iterable[Target], *, secure: bool, local: bool
) -> list[Concern]:
    """What needs attention, the worst first."""
    found = [*await _service_concerns(nas, status), *await _trouble_concerns(nas), *await _place_concerns(nas, status)]
    found += await _login_concerns(nas)
    unprotected = [target for target in targets if is_open(target)]
    if unprotected:
        names = join([join([", " if index else "", share_link(each)]) for index, each in enumerate(unprotected[:4])])
        more = f" and {len(unprotected) - 4} more" if len(unprotected) > 4 else ""
        found.append(_concern("warn", "Open to everyone who reaches the NAS: ", names, more, "."))
    if not secure and not local:
        text = "This page came without HTTPS: passwords can be read on the way. "
        found.append(_concern("warn", text, link("Settings", "/settings")))
    return sorted(found, key=lambda each: each.kind != "bad")


def _concern(kind: str, *parts: object) -> Concern:
    return Concern(kind=kind, text=join(parts))


async def _service_concerns(nas: Nas, status: EngineStatus) -> list[Concern]:
    found = []
    service = await nas.service()
    if status.available and not service.enabled:
        found.append(_concern("warn", "The iSCSI service is ", link("switched off", "/service"), "."))
    if service.draining:
        found.append(_concern("warn", "The NAS is being drained: nobody is let in."))
    found += [
        _concern("warn", f"iSNS server {server.address}: {server.error}.")
        for server in await nas.isns_servers()
        if server.state == "failing"
    ]
    return found


async def _trouble_concerns(nas: Nas) -> list[Concern]:
    """What does not work, as `/api/v1/problems` tells it: engine, database, failed disks, portals."""
    problems = await nas.problems()
    found = [
        _concern(
            "bad",
            TROUBLES.get(each.kind, each.kind),
            f" {each.subject}: " if each.subject else ": ",
            each.reason.rstrip("."),
            ", since ",
            ago(each.since),
            ".",
        )
        for each in problems.troubles[:SHOWN_MAX]
    ]
    if problems.count > len(found):
        found.append(_concern("bad", f"and {problems.count - len(found)} more problems of this kind."))
    return found


async def _place_concerns(nas: Nas, status: EngineStatus) -> list[Concern]:
    found = []
    for volume in await nas.volumes() if status.available else ():
        name = link(volume.volume.name, "/volumes")
        if volume.usage is None:
            found.append(_concern("bad", "Volume ", name, f" does not answer: {volume.error}."))
        elif volume.usage.total_bytes:
            filled = 1 - volume.usage.free_bytes / volume.usage.total_bytes
            if filled >= NEARLY_FULL:
                kind = "bad" if filled >= FULL else "warn"
                found.append(_concern(kind, "Volume ", name, f" is {filled * 100:.0f} % full."))
    return found


async def _login_concerns(nas: Nas) -> list[Concern]:
    refused = [each for each in await refused_logins(nas) if each.at > time.time() - REFUSALS_S]
    if not refused:
        return []
    last = refused[0]
    count = "A login was refused" if len(refused) == 1 else f"{len(refused)} logins were refused"
    who = tag("b", last.initiator or last.address)
    more = link("All of them", "/sessions#refused")
    return [_concern("warn", f"{count} in the last hour. The last: ", who, f" {reason_words(last.reason)}. ", more)]


async def refused_logins(nas: Nas) -> list[RefusedLogin]:
    """The last refused logins; none while the engine does not answer."""
    try:
        return list(await nas.refused_logins())
    except ServiceError:
        return []


def concern_list(found: Iterable[Concern]) -> Html:
    """What needs attention, as a list."""
    rows = [
        tag("li", badge("Now" if each.kind == "bad" else "Look", each.kind), tag("span", each.text, class_="grow"))
        for each in found
    ]
    if not rows:
        rows = [tag("li", badge("All well", "good"), tag("span", "Nothing needs attention.", class_="grow"))]
    return tag("ul", *rows, class_="list")


def refusal_list(found: Iterable[RefusedLogin], none: str) -> Html:
    """Refused logins with their reasons."""
    rows = []
    for each in found:
        why = tag("span", reason_words(each.reason), class_="soft", title=each.detail)
        who = tag("b", each.initiator or each.address)
        where = tag("div", f"from {each.address} at {each.portal}", class_="hint") if each.initiator else ""
        rows.append(tag("li", tag("div", who, " ", why, where, class_="grow"), ago(each.at)))
    return tag("ul", *rows, class_="list") if rows else tag("p", none, class_="soft")


def charts(past: Past) -> list[Html]:
    """The three of them, over the last minutes: as many as there are to tell of, up to five."""
    minutes = slots(past) * INTERVAL_S / 60
    note = "1 minute" if minutes < 1.5 else f"{minutes:.0f} minutes"
    drawn = (("Throughput", traffic), ("Commands", commands), ("Latency", latency))
    return [card(title, draw(past), width="w4", note=note) for title, draw in drawn]


def slots(past: Past) -> int:
    """How many moments a chart has room for."""
    return max(SLOTS_MIN, min(MOMENTS // 2, len(past.moments)))


def traffic(past: Past) -> Html:
    """Throughput."""
    moments = list(past.moments)
    return chart(
        "Throughput",
        [
            Line(name="read", colour="--read", values=[each.bytes_read for each in moments]),
            Line(name="write", colour="--write", values=[each.bytes_written for each in moments]),
        ],
        rate,
        slots=slots(past),
        least=1 << 20,
    )


def commands(past: Past) -> Html:
    """Commands a second."""
    moments = list(past.moments)
    return chart(
        "Commands a second",
        [
            Line(name="read", colour="--read", values=[each.reads for each in moments]),
            Line(name="write", colour="--write", values=[each.writes for each in moments]),
        ],
        lambda value: f"{number(value)}/s",
        slots=slots(past),
        least=100,
    )


def latency(past: Past) -> Html:
    """How long commands take."""
    moments = list(past.moments)
    return chart(
        "Latency",
        [
            Line(name="mean", colour="--read", values=[each.latency for each in moments]),
            Line(name="99 of 100 below", colour="--write", values=[each.latency_99 for each in moments]),
        ],
        duration,
        slots=slots(past),
        least=1e-3,
    )


def card(title: object, content: object, *, note: object = "", width: str = "", name: str | None = None) -> Html:
    """A part of a page under its title."""
    head = tag("h2", title, tag("span", note, class_="hint") if note else "")
    return tag("section", head, content, class_=f"card {width}".strip(), id=name)


__all__ = ["Concern", "card", "h"]
