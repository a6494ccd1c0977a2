"""HTML of our own: everything that goes in is escaped, unless it is `Html` already. And numbers for people."""

import re
import time
from collections.abc import Iterable, Sequence
from html import escape
from typing import Final

_TAGS: Final = re.compile("<[^>]*>")
_UNITS: Final = ("B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB")


class Html(str):
    """Text that is HTML already."""

    __slots__ = ()


def h(value: object) -> Html:
    """A value as HTML."""
    return value if isinstance(value, Html) else Html(escape(str(value), quote=True))


def join(parts: Iterable[object]) -> Html:
    """Parts one behind the other."""
    return Html("".join(map(h, parts)))


def tag(name: str, *content: object, **attributes: object) -> Html:
    """An element. `class_` for class; a `_` in a name is a `-`; None and False are left out, True stands alone."""
    found = ""
    for key, value in attributes.items():
        word = key.rstrip("_").replace("_", "-")
        if value is True:
            found += f" {word}"
        elif value is not None and value is not False:
            found += f' {word}="{h(value)}"'
    return Html(f"<{name}{found}>{join(content)}</{name}>")


def link(text: object, href: str, **attributes: object) -> Html:
    """A link."""
    return tag("a", text, href=href, **attributes)


def badge(text: object, kind: str = "") -> Html:
    """A state in a word; `kind`: good, warn, bad or nothing."""
    return tag("span", text, class_=f"badge {kind}".strip())


def act(
    label: str, what: str, which: object = "", *, kind: str = "", name: str | None = None, off: bool = False
) -> Html:
    """A small button that the page's `clicked` hears of; `name`: what it is called for those who do not see the row."""
    return tag(
        "button",
        label,
        type="button",
        class_=f"button small {kind}".strip(),
        data_do=what,
        data_id=which,
        aria_label=name,
        disabled=off,
    )


def facts(pairs: Iterable[tuple[object, object]]) -> Html:
    """Names and values."""
    return tag("dl", *(join((tag("dt", name), tag("dd", value))) for name, value in pairs), class_="facts")


def table(
    caption: str, columns: Sequence[object], rows: Sequence[Sequence[object]], *, numbers: Iterable[int] = ()
) -> Html:
    """A table; `numbers`: the columns that hold such. A column that is `Html` of a `th` already stays as it is.

    On phones each row is a block in which every cell has its column's name; the roles keep it a table there too.
    """
    right = set(numbers)
    labels = [_TAGS.sub("", str(column)).strip(" ↑↓") for column in columns]

    def heading(index: int, column: object) -> Html:
        if isinstance(column, Html) and column.startswith("<th"):
            return column
        return tag("th", column, scope="col", role="columnheader", class_="num" if index in right else None)

    def cell(index: int, content: object) -> Html:
        kind = "num" if index in right else None
        return tag("td", content, role="cell", class_=kind, data_label=labels[index] or None)

    head = tag("tr", *(heading(index, column) for index, column in enumerate(columns)), role="row")
    body = [tag("tr", *(cell(index, content) for index, content in enumerate(row)), role="row") for row in rows]
    whole = tag(
        "table",
        tag("caption", caption, class_="sr"),
        tag("thead", head, role="rowgroup"),
        tag("tbody", *body, role="rowgroup"),
        class_="data",
        role="table",
    )
    return tag("div", whole, class_="sideways", tabindex=0, role="region", aria_label=caption)


def empty(title: str, *more: object) -> Html:
    """Instead of a table without rows."""
    return tag("div", tag("strong", title), *(tag("span", each) for each in more), class_="empty")


def pager(first: int, shown: int, count: int, page_count: int, what: str) -> Html:
    """Where in a list one is, and the way on; `what`: of which things it is a list."""
    if count <= page_count:
        return tag("div", f"{count} {what}{'' if count == 1 else 's'}", class_="pager")
    return tag(
        "div",
        tag("span", f"{first + 1} to {first + shown} of {count}"),
        act("Previous", "page", "back", off=first == 0),
        act("Next", "page", "next", off=first + shown >= count),
        class_="pager",
    )


def bar(fraction: float, label: str, *, fills: bool = True) -> Html:
    """How full something is, which is bad in the end; not `fills`: how far it is."""
    percent = max(0.0, min(1.0, fraction)) * 100
    kind = "" if not fills else " bad" if percent >= 95 else " warn" if percent >= 85 else ""
    inner = tag("span", style=f"width:{percent:.1f}%")
    return tag("div", inner, class_=f"bar{kind}", role="img", aria_label=f"{label}: {percent:.0f} %")


def size(value: float) -> str:
    """Bytes for people."""
    step = 0
    while value >= 1024 and step < len(_UNITS) - 1:
        value, step = value / 1024, step + 1
    shown = f"{value:.0f}" if value >= 100 or value == int(value) else f"{value:.1f}"
    return f"{shown} {_UNITS[step]}"


def typed_size(size_bytes: int) -> str:
    """Bytes exactly, as one would type them: 10GiB, 1536MiB, 1000 for what is no whole number of any unit."""
    step = 0
    while size_bytes and size_bytes % 1024 == 0 and step < len(_UNITS) - 1:
        size_bytes, step = size_bytes // 1024, step + 1
    return f"{size_bytes}{_UNITS[step] if step else ''}"


def rate(value: float) -> str:
    """Bytes a second for people."""
    return f"{size(value)}/s"


def number(value: float) -> str:
    """A count for people: 950, 12.3k, 4.5M."""
    if value < 1000:
        return f"{value:.0f}"
    return f"{value / 1000:.1f}k" if value < 1e6 else f"{value / 1e6:.1f}M"


def duration(seconds: float) -> str:
    """A short time for people."""
    if seconds < 1e-3:
        return f"{seconds * 1e6:.0f} µs"
    if seconds < 1:
        return f"{seconds * 1e3:.1f} ms" if seconds < 0.1 else f"{seconds * 1e3:.0f} ms"
    return f"{seconds:.1f} s"


def ago(at: float, now: float | None = None) -> Html:
    """When something was, for people, with the exact time behind it."""
    passed = max(0.0, (time.time() if now is None else now) - at)
    word = "just now"
    for limit, unit, text in ((60, 1, "s"), (3600, 60, "min"), (86400, 3600, "h"), (1e12, 86400, "d")):
        if passed < limit:
            word = f"{passed / unit:.0f} {text} ago" if passed >= 5 else word
            break
    exact = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(at))
    return tag("time", word, datetime=exact, title=exact)
