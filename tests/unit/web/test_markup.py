"""HTML of our own: nothing that goes in comes out as more than text."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lunaport.model.size import parse_size
from lunaport.web.chart import Line, chart, nice
from lunaport.web.markup import (
    Html,
    act,
    ago,
    bar,
    duration,
    facts,
    h,
    number,
    pager,
    rate,
    size,
    table,
    tag,
    typed_size,
)


@given(st.text())
def test_texts_and_attributes_are_escaped(text: str) -> None:
    made = tag("p", text, title=text)
    inside = made.removeprefix('<p title="').removesuffix("</p>")
    assert "<" not in inside
    assert inside.count('"') == 1
    assert inside.count(">") == 1


def test_html_is_not_escaped_twice() -> None:
    assert h(tag("b", "a&b")) == "<b>a&amp;b</b>"
    assert (
        tag("input", disabled=True, hidden=False, aria_label=None, class_="x") == '<input disabled class="x"></input>'
    )


def test_tables_name_themselves_and_their_columns() -> None:
    made = table("Things", ("Name", "Size", Html("<th>ready</th>")), [("<a>", 1, "x")], numbers=(1,))
    assert "<caption" in made
    assert made.count("<th") == 3 + made.count("<thead")
    assert "&lt;a&gt;" in made
    assert '<td role="cell" class="num" data-label="Size">1</td>' in made


def test_a_list_says_where_in_it_one_is() -> None:
    assert "3 shares" in pager(0, 3, 3, 25, "share")
    assert "1 share<" in pager(0, 1, 1, 25, "share")
    middle = pager(25, 25, 60, 25, "share")
    assert "26 to 50 of 60" in middle
    assert "disabled" not in middle
    assert pager(50, 10, 60, 25, "share").count("disabled") == 1


@pytest.mark.parametrize("size_bytes", [512, 1000, 1024, 1536 << 20, 10 << 30, (10 << 30) + 512, 1 << 62])
def test_a_size_as_it_is_typed_is_exact(size_bytes: int) -> None:
    assert parse_size(typed_size(size_bytes)) == -(-size_bytes // 512) * 512


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "0 B"), (1023, "1023 B"), (1024, "1 KiB"), (1536, "1.5 KiB"), (10 << 30, "10 GiB"), (2**63, "8 EiB")],
)
def test_sizes(value: float, text: str) -> None:
    assert size(value) == text
    assert rate(value) == f"{text}/s"


def test_numbers_and_times() -> None:
    assert [number(value) for value in (0, 999, 1500, 2_500_000)] == ["0", "999", "1.5k", "2.5M"]
    assert [duration(value) for value in (5e-6, 2e-3, 0.25, 3)] == ["5 µs", "2.0 ms", "250 ms", "3.0 s"]
    assert [ago(0, now).partition(">")[2][:-7] for now in (2, 30, 120, 7200, 86400 * 3)] == [
        "just now",
        "30 s ago",
        "2 min ago",
        "2 h ago",
        "3 d ago",
    ]


def test_a_bar_says_how_full_and_when_that_is_too_full() -> None:
    assert [word in bar(part, "x") for part, word in ((0.5, "50 %"), (0.9, "warn"), (0.99, "bad"))] == [True] * 3
    assert "100 %" in bar(7, "x")


def test_facts_and_buttons() -> None:
    assert facts([("a", "b")]) == '<dl class="facts"><dt>a</dt><dd>b</dd></dl>'
    assert 'data-do="close" data-id="&quot;1"' in act("Close", "close", '"1')


def test_a_chart_has_room_for_the_largest_and_says_what_is_now() -> None:
    made = chart(
        "Rate", [Line(name="r", colour="--read", values=[1, 5, 3])], lambda value: f"{value:g}", slots=10, least=2
    )
    assert 'aria-label="Rate: now r 3"' in made
    assert ">8</span>" in made
    assert "<polyline" not in chart("Rate", [Line(name="r", colour="--read", values=[])], str, slots=10, least=1)
    assert [nice(value, 4) for value in (0, 4, 5)] == [4, 4, 8]
