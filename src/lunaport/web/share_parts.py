"""What the page of a share shows of its settings, its access, its disks and its past."""

import json
from collections.abc import Sequence
from typing import Final
from urllib.parse import quote

from lunaport.model.audit import AuditEntry, AuditFilter
from lunaport.model.lun import Lun
from lunaport.model.target import Target
from lunaport.model.user import Role
from lunaport.web.markup import Html, act, ago, badge, join, link, number, size, table, tag
from lunaport.web.markup import facts as fact_list
from lunaport.web.page import Page
from lunaport.web.watching import Past

HISTORY_SHOWN: Final = 10
VALUE_CHARS_MAX: Final = 60


def settings(target: Target, used: int | None, past: Past) -> Html:
    """How it is set."""
    limits, counters = target.limits, past.counters
    conflicts = counters.failures.get("reservation_conflict", 0)
    digests = (("header", target.header_digest), ("data", target.data_digest))
    bounds = (
        f"{limits.iops} commands/s" if limits.iops else "",
        f"{size(limits.bytes_per_second)}/s" if limits.bytes_per_second else "",
    )
    groups = ", ".join(map(str, target.portal_groups))
    pairs: list[tuple[object, object]] = [
        ("Size", size(sum(lun.size_bytes for lun in target.luns))),
        ("Really used", "not known" if used is None else size(used)),
        ("CHAP", target.one_way.username if target.one_way.enabled else "off"),
        ("Mutual CHAP", target.mutual.username if target.mutual.enabled else "off"),
        ("Digests", " and ".join(name for name, on in digests if on) or "off"),
        ("Limits", ", ".join(filter(None, bounds)) or "none"),
        ("Portal groups", groups or "all"),
        ("iSNS", "registered, where there is a server" if target.isns else "left out"),
        ("Commands so far", number(counters.reads + counters.writes + counters.others)),
        ("Reservation conflicts", conflicts),
        ("Made", ago(target.created_at)),
    ]
    return fact_list(pairs)


def access(target: Target) -> Html:
    """Who may use it."""
    if not target.access.rules:
        text = "Everyone who proves the CHAP secret." if target.asks_for_chap else "Everyone who reaches the NAS."
        rows = [tag("li", tag("span", text, class_="grow"))]
    else:
        rows = []
        for rule in target.access.rules:
            who, where = ", ".join(rule.initiators) or "every initiator", ", ".join(rule.networks) or "anywhere"
            marks = (
                badge(f"LUN {', '.join(map(str, rule.luns)) or 'none'}") if rule.luns is not None else "",
                badge("may only read") if rule.read_only else "",
                badge(f"portal group {', '.join(map(str, rule.portal_groups))}") if rule.portal_groups else "",
            )
            rows.append(tag("li", tag("span", f"{who} from {where}", class_="grow"), *marks))
    if target.access.single_initiator:
        rows.append(tag("li", tag("span", "One initiator at a time.", class_="grow")))
    rows += [
        tag(
            "li",
            tag("span", "CHAP user ", tag("b", each.username), class_="grow"),
            tag("span", ", ".join(each.initiators) or "for all", class_="soft"),
        )
        for each in target.credentials
    ]
    return tag("ul", *rows, class_="list")


def disks(target: Target, *, may: bool) -> Html:
    """Its LUNs, with what can be done to each."""
    rows = [
        (
            lun.lun,
            size(lun.medium_bytes),
            lun.volume,
            f"{lun.kind.block_size_bytes} B",
            kind(lun),
            tag("span", lun.uuid, class_="mono breaks"),
            _tools(lun, alone=len(target.luns) == 1) if may else "",
        )
        for lun in target.luns
    ]
    return table("Disks", ("LUN", "Size", "Volume", "Blocks", "Kind", "Identifier", ""), rows, numbers=(1,))


def kind(lun: Lun) -> Html:
    """What kind of disk it is."""
    if lun.kind.is_drive:
        return join(("CD-ROM drive", tag("span", lun.medium.image or "no image", class_="under")))
    marks = (
        ("read-only", lun.kind.read_only),
        ("encrypted", lun.kind.encrypted),
        ("removable", lun.kind.removable),
        ("taken out", lun.kind.removable and lun.medium.out),
        ("write-through", not lun.kind.write_cache),
        ("no UNMAP", not lun.kind.unmap),
    )
    return Html(", ".join(word for word, on in marks if on) or "usual")


def _tools(lun: Lun, *, alone: bool) -> Html:
    name = f"LUN {lun.lun}"
    parts: list[object] = []
    if not lun.kind.is_drive:
        parts += [
            act("Grow", "grow", lun.lun, name=f"Grow {name}"),
            act("Change", "change", lun.lun, name=f"Change {name}"),
        ]
    if lun.kind.removable:
        parts.append(act("Medium", "medium", lun.lun, name=f"The medium of {name}"))
    if not alone:
        parts.append(act("Remove", "remove", lun.lun, kind="danger", name=f"Remove {name}"))
    return tag("div", *parts, class_="tools end")


async def history(page: Page, target: Target) -> Html:
    """What was changed in it: of what, and to what."""
    if not page.may(Role.ADMIN):
        return tag("p", "What was changed by whom is for administrators to see.", class_="soft")
    with page.as_actor():
        entries = await page.nas.audit(count_max=HISTORY_SHOWN, wanted=AuditFilter(subject=f"target {target.name}"))
    if not entries:
        return tag("p", "Nothing has been changed yet.", class_="soft")
    return tag("ul", *map(_entry, entries), class_="list")


def history_link(page: Page, target: Target) -> Html:
    """Where the rest is."""
    return link("All of it", f"/audit?subject={quote(f'target {target.name}')}") if page.may(Role.ADMIN) else Html()


def _entry(entry: AuditEntry) -> Html:
    who = tag("b", entry.user or "the NAS")
    outcome = "" if entry.outcome == "done" else badge(entry.outcome, "warn")
    if entry.action.startswith("create_"):
        what: Sequence[Html] = ()
    else:
        what = [
            tag("div", tag("span", path, class_="mono"), f": {shown(before)} → {shown(after)}", class_="soft")
            for path, (before, after) in list(entry.changes.items())[:4]
            if path != "revision"
        ]
    error = tag("div", entry.error, class_="soft") if entry.error else ""
    return tag(
        "li", tag("div", who, f" {entry.action.replace('_', ' ')}", *what, error, class_="grow"), outcome, ago(entry.at)
    )


def shown(value: object) -> str:
    """A value in few characters."""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= VALUE_CHARS_MAX else f"{text[: VALUE_CHARS_MAX - 3]}..."
