"""Charts that move: SVG made here, so that they need no library in the browser and take the colours of the theme."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from lunaport.web.markup import Html, h, join, tag

WIDTH = 600
HEIGHT = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One line: its values from old to new."""

    name: str
    colour: str
    """A variable of the style: `--read`."""
    values: Sequence[float]


def chart(title: str, lines: Sequence[Line], show: Callable[[float], str], *, slots: int, least: float) -> Html:
    """Lines over the last `slots` moments, the newest at the right; the axis ends with `least` or more."""
    top = nice(max((max(line.values, default=0.0) for line in lines), default=0.0), least)
    shapes = [f'<line class="rule" x1="0" x2="{WIDTH}" y1="{y}" y2="{y}"/>' for y in (0, HEIGHT / 2, HEIGHT)]
    shapes += [_shape(line, top, slots) for line in lines]
    said = ", ".join(f"{line.name} {show(line.values[-1] if line.values else 0.0)}" for line in lines)
    svg = Html(
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" preserveAspectRatio="none" role="img" '
        f'aria-label="{h(f"{title}: now {said}")}">{"".join(shapes)}</svg>'
    )
    legend = tag(
        "div",
        *(
            tag("span", f"{line.name} ", tag("b", show(line.values[-1] if line.values else 0.0)),
                style=f"--c:var({line.colour})")
            for line in lines
        ),
        class_="legend",
    )  # fmt: skip
    axis = join(
        (
            tag("span", show(top), class_="axis", style="top:-2px", aria_hidden="true"),
            tag("span", show(top / 2), class_="axis", style="top:calc(50% - 8px)", aria_hidden="true"),
        )
    )
    return tag("div", tag("div", svg, axis, class_="plot"), legend, class_="chart")


def _shape(line: Line, top: float, slots: int) -> str:
    values = list(line.values)[-slots:]
    if len(values) < 2:
        return ""
    step = WIDTH / max(1, slots - 1)
    first = WIDTH - step * (len(values) - 1)
    points = " ".join(
        f"{first + step * index:.1f},{HEIGHT - HEIGHT * value / top:.1f}" for index, value in enumerate(values)
    )
    colour = f"var({line.colour})"
    return (
        f'<polygon class="area" fill="{colour}" points="{first:.1f},{HEIGHT} {points} {WIDTH},{HEIGHT}"/>'
        f'<polyline class="line" stroke="{colour}" points="{points}"/>'
    )


def nice(value: float, least: float) -> float:
    """The end of an axis that has room for a value: `least`, or that doubled as often as is needed."""
    top = least
    while top < value:
        top *= 2
    return top
