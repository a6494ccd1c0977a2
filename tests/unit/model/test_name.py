"""iSCSI names: what is one, what becomes one, and what would be one instead."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lunaport.model.errors import Fault, InvalidError
from lunaport.model.name import NAME_BYTES_MAX, is_iqn_prefix, parse_name

PREFIX = "iqn.2026-11.io.lunaport"


@pytest.mark.parametrize(
    ("typed", "name"),
    [
        ("vm-disk", "iqn.2026-11.io.lunaport:vm-disk"),
        ("a", "iqn.2026-11.io.lunaport:a"),
        ("Short-Name", "iqn.2026-11.io.lunaport:short-name"),
        ("db:1", "iqn.2026-11.io.lunaport:db:1"),
        ("iqn", "iqn.2026-11.io.lunaport:iqn"),
        ("iqn.2001-04.com.example", "iqn.2001-04.com.example"),
        ("iqn.2001-04.com.example:storage:sn-a8675309", "iqn.2001-04.com.example:storage:sn-a8675309"),
        ("IQN.2001-04.COM.Example:Disk", "iqn.2001-04.com.example:disk"),
        ("eui.02004567A425678D", "eui.02004567a425678d"),
        ("naa.52004567BA64678D", "naa.52004567ba64678d"),
        ("naa.62004567BA64678D0123456789ABCDEF", "naa.62004567ba64678d0123456789abcdef"),
        # RFC 3722: compatibility forms and case fold away, a soft hyphen maps to nothing.
        ("\uff44isk\uff11", "iqn.2026-11.io.lunaport:disk1"),
        ("di\u00adsk", "iqn.2026-11.io.lunaport:disk"),
        ("stra\u00dfe", "iqn.2026-11.io.lunaport:strasse"),
        ("\u00dcber", "iqn.2026-11.io.lunaport:\u00fcber"),
    ],
)  # fmt: skip
def test_parse(typed: str, name: str) -> None:
    assert parse_name(typed, PREFIX) == name


@pytest.mark.parametrize(
    "typed",
    [
        "",
        " ",
        "two words",
        "under_score",
        "a/b",
        "nul\x00",
        "line\n",
        "\u00ad",
        "emoji\U0001f600",
        "iqn.",
        "iqn.never:disk",
        "iqn.2026-13.com.example:a",
        "iqn.2026-00.com.example:a",
        "iqn.26-01.com.example:a",
        "iqn.2026-01.:a",
        "iqn.2026-01.com..example:a",
        "iqn.2026-01.-com:a",
        "iqn.2026-01.com.example:",
        "eui.0200",
        "eui.02004567a425678g",
        "naa.02004567a425678d0",
        "abc\u05d0",
        "\u05d0",  # becomes part of a name that is not right-to-left
        "x" * 2000,
        "x" * 200,
    ],
)
def test_refused(typed: str) -> None:
    with pytest.raises(InvalidError) as caught:
        parse_name(typed, PREFIX)
    (problem,) = caught.value.problems
    assert problem.fault is Fault.NAME_INVALID
    assert problem.path == ("name",)
    assert f"{PREFIX}:disk1" in problem.message
    assert len(problem.message) < 600


def test_the_longest_name() -> None:
    room = NAME_BYTES_MAX - len(PREFIX) - 1
    assert len(parse_name("x" * room, PREFIX)) == NAME_BYTES_MAX
    with pytest.raises(InvalidError):
        parse_name("x" * (room + 1), PREFIX)


@given(st.text(max_size=300))
def test_any_text_is_refused_or_becomes_a_stable_name(typed: str) -> None:
    try:
        name = parse_name(typed, PREFIX)
    except InvalidError:
        return
    assert len(name.encode()) <= NAME_BYTES_MAX
    assert re.match(r"(iqn|eui|naa)\.", name)
    assert parse_name(name, PREFIX) == name


@pytest.mark.parametrize(
    ("text", "fits"),
    [("iqn.2026-11.io.lunaport", True), ("iqn.2026-11.lan", True), ("iqn.2026-11.io:x", False), ("io.x", False)],
)
def test_prefix(text: str, fits: bool) -> None:
    assert is_iqn_prefix(text) is fits
