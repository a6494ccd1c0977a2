"""What the audit log shows of values, and what it does not."""

from dataclasses import dataclass, field, replace
from enum import Enum

from hypothesis import given
from hypothesis import strategies as st

from lunaport.model.audit import CHANGED_SECRET, SECRET, differences, masked, without_nothing


class Colour(Enum):
    """Something with names."""

    RED = "red"


@dataclass(frozen=True, slots=True, kw_only=True)
class Inner:
    """With a secret."""

    name: str = "n"
    secret: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outer:
    """With all kinds of things."""

    inner: Inner
    many: tuple[Inner, ...] = ()
    colour: Colour = Colour.RED
    size: int = 1
    some: frozenset[int] | None = None
    extra: dict[str, int] = field(default_factory=dict)


def test_everything_is_plain_and_secrets_are_masked() -> None:
    value = Outer(inner=Inner(secret="hidden"), many=(Inner(), Inner(secret="h2")), some=frozenset({2, 1}))
    assert masked(value) == {
        "inner": {"name": "n", "secret": SECRET},
        "many": [{"name": "n", "secret": None}, {"name": "n", "secret": SECRET}],
        "colour": "red",
        "size": 1,
        "some": ["1", "2"],
        "extra": {},
    }


def test_only_what_differs() -> None:
    before = Outer(inner=Inner(secret="one"), many=(Inner(),), size=1)
    after = replace(before, inner=Inner(secret="two"), many=(Inner(name="m", secret="new"),), size=2)
    assert differences(before, after) == {
        "inner.secret": (SECRET, CHANGED_SECRET),
        "many[0].name": ("n", "m"),
        "many[0].secret": (None, SECRET),
        "size": (1, 2),
    }
    assert differences(after, after) == {}


def test_what_is_new_or_gone_is_there_as_a_whole() -> None:
    assert differences(None, Inner(secret="x")) == {"": (None, {"name": "n", "secret": SECRET})}
    assert differences(Inner(), None) == {"": ({"name": "n", "secret": None}, None)}
    longer = Outer(inner=Inner(), many=(Inner(), Inner()))
    assert differences(replace(longer, many=()), longer)["many"][0] == []


def test_what_a_request_left_out_is_left_out() -> None:
    assert without_nothing({"a": None, "b": {"c": None}, "d": 0, "e": "", "f": []}) == {"d": 0, "e": "", "f": []}


@given(st.text(min_size=4), st.text(min_size=4))
def test_no_secret_is_ever_shown(one: str, other: str) -> None:
    marker = "\u2603secret"
    before, after = Inner(secret=marker + one), Inner(secret=marker + other)
    assert marker not in repr((masked(before), differences(before, after), differences(None, after)))
