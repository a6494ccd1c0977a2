"""What takes long and is under way: it goes on when one looks elsewhere, and is found here again."""

from collections.abc import Iterable, Mapping
from typing import Final

from lunaport.model.target import Target
from lunaport.service.nas import Work
from lunaport.web import facts
from lunaport.web.markup import Html, ago, badge, bar, join, size, tag

SHOWN_MAX: Final = 20
WORDS: Final = {
    "sanitize": "Erasing (SANITIZE)",
    "format": "Formatting",
    "copy": "Copying",
    "drain": "Draining",
    "image": "Taking in an image",
    "restore": "Restoring a backup",
    "apply": "Applying a configuration",
}


def work_rows(work: Iterable[Work], targets: Mapping[str, Target]) -> list[Html]:
    """A line for each, with how far it is."""
    found = list(work)
    rows = [_row(each, targets) for each in found[:SHOWN_MAX]]
    if len(found) > SHOWN_MAX:
        rows.append(tag("li", tag("span", f"and {len(found) - SHOWN_MAX} more", class_="soft")))
    return rows


def work_card(work: Iterable[Work], targets: Mapping[str, Target], *, width: str = "") -> Html:
    """The card; nothing where nothing is under way."""
    rows = work_rows(work, targets)
    if not rows:
        return Html()
    note = "goes on when you leave"
    return facts.card("Under way", tag("ul", *rows, class_="list"), note=note, width=width, name="work")


def _row(work: Work, targets: Mapping[str, Target]) -> Html:
    words = WORDS[work.kind]
    parts: list[object] = [tag("b", words), " ", _subject(work, targets)]
    if work.by:
        parts += [" ", tag("span", f"for {work.by}" if work.kind == "copy" else f"by {work.by}", class_="soft")]
    if work.failed:
        parts.append(tag("div", "It failed: the disk stays closed until it is erased anew.", class_="soft"))
    elif work.part is not None:
        done = f"{size(work.done_bytes)} of {size(work.total_bytes)}, {work.part * 100:.0f} %"
        parts += [" ", tag("span", done, class_="soft"), bar(work.part, words, fills=False)]
    return tag("li", tag("div", *parts, class_="grow"), _state(work), ago(work.since) if work.since else "")


def _subject(work: Work, targets: Mapping[str, Target]) -> Html:
    if work.kind == "image":
        return join((work.image, " into ", work.volume))
    if not work.target:
        return Html("the NAS") if work.kind == "drain" else Html()
    known = targets.get(work.target)
    name = facts.share_link(known) if known else facts.short(work.target)
    return join((name, f" LUN {work.lun}" if work.lun is not None else ""))


def _state(work: Work) -> Html:
    if work.failed:
        return badge("failed", "bad")
    if work.kind == "drain":
        left = f"{work.sessions} session{'' if work.sessions == 1 else 's'} left"
        return badge(left, "warn") if work.sessions else badge("all have gone", "good")
    return badge("under way")
