"""From bytes to one JSON object."""

import contextlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lunaport.api.answers import RequestError
from lunaport.api.body import parse_json, parse_object

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


@given(VALUES)
def test_round_trip(value: Any) -> None:
    assert parse_json(json.dumps(value, ensure_ascii=False).encode()) == value


@given(st.binary(max_size=200))
def test_any_bytes_are_a_value_or_refused(body: bytes) -> None:
    with contextlib.suppress(RequestError):
        parse_json(body)


def test_object_or_array_of_one() -> None:
    assert parse_object(b'{"a": 1}') == {"a": 1}
    assert parse_object(b'[{"a": 1}]', or_array=True) == {"a": 1}
    for body in (b'[{"a": 1}]', b"5", b'"x"', b"null", b"[[{}]]"):
        with pytest.raises(RequestError):
            parse_object(body)


def test_many_lone_lists_are_no_trouble() -> None:
    with pytest.raises(RequestError):
        parse_json(b"[" * 900 + b"]" * 900 + b"x")
