"""What was measured, and what it is held against. Nothing here measures."""

from collections.abc import Iterable
from dataclasses import dataclass

Figures = dict[str, float]
"""By name; the unit is the end of the name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """What one figure has to be."""

    says: str
    """What is measured, in words."""
    figure: str
    limit: float
    unit: str = ""
    at_least: bool = False
    """The figure has to reach the limit; or else it may not go beyond."""

    def is_met(self, figures: Figures) -> bool:
        """Whether it was measured, and is as it has to be."""
        value = figures.get(self.figure)
        if value is None:
            return False
        return value >= self.limit if self.at_least else value <= self.limit

    def line(self, figures: Figures) -> str:
        """Bar, figure and verdict."""
        value = figures.get(self.figure)
        verdict = "not measured" if value is None else "met" if self.is_met(figures) else "MISSED"
        found = "" if value is None else f"{number(value)} {self.unit}".strip()
        wanted = f"at {'least' if self.at_least else 'most'} {number(self.limit)} {self.unit}".strip()
        return f"{verdict:13}{self.says:72}{wanted:>20}{found:>16}"


def number(value: float) -> str:
    """A number with as many places as tell something."""
    size = abs(value)
    if size >= 100 or value == int(value):
        return f"{value:,.0f}"
    return f"{value:.1f}" if size >= 10 else f"{value:.2f}"


def table(bars: Iterable[Bar], figures: Figures) -> str:
    """A line for each bar."""
    return "\n".join(bar.line(figures) for bar in bars)


def markdown(bars: Iterable[Bar], figures: Figures) -> str:
    """Rows of a table of the manual: what, bar, figure; what is missed stands out."""
    return "\n".join(
        f"| {bar.says} | {'≥' if bar.at_least else '≤'} {number(bar.limit)} {bar.unit}".rstrip()
        + f" | {_emphasized(bar, figures)} |"
        for bar in bars
    )


def _emphasized(bar: Bar, figures: Figures) -> str:
    value = figures.get(bar.figure)
    if value is None:
        return "not measured"
    found = f"{number(value)} {bar.unit}".strip()
    return found if bar.is_met(figures) else f"**{found}, missed**"


def missed(bars: Iterable[Bar], figures: Figures) -> list[str]:
    """What is not met, in words."""
    return [bar.says for bar in bars if not bar.is_met(figures)]


def document(bars: Iterable[Bar], figures: Figures) -> list[dict[str, object]]:
    """The bars with what was found, for JSON."""
    return [
        {
            "says": bar.says,
            "figure": bar.figure,
            "limit": bar.limit,
            "at_least": bar.at_least,
            "unit": bar.unit,
            "value": figures.get(bar.figure),
            "met": bar.is_met(figures),
        }
        for bar in bars
    ]
