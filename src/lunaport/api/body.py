"""From the bytes of a body to one JSON object, trusting nothing.

Refused: what is not UTF-8 or not JSON (RFC 8259), NaN and the infinities, names that appear twice in an object, nesting
deeper than the interpreter's stack, integers of thousands of digits, strings with lone surrogates. The size of the body
has been limited before (`api.guard`).
"""

import json
from collections.abc import Iterable
from typing import Any, NoReturn

from lunaport.api.answers import refuse
from lunaport.model.errors import Fault

JsonObject = dict[str, Any]


class _RefusedError(ValueError):
    """Holds our own words, unlike other ValueErrors."""


def _constant(name: str) -> NoReturn:
    raise _RefusedError(f"{name} is not JSON")


def _check_text(text: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError:
        raise _RefusedError("a string holds half of a surrogate pair") from None


def _check_values(values: Iterable[Any]) -> None:
    for value in values:
        if isinstance(value, str):
            _check_text(value)
        elif isinstance(value, list):
            _check_values(value)


def _object(pairs: list[tuple[str, Any]]) -> JsonObject:
    for key, _ in pairs:
        _check_text(key)
    found = dict(pairs)
    if len(found) != len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in found if keys.count(key) > 1)
        raise _RefusedError(f"the field {twice[:64]!r} appears twice")
    _check_values(found.values())
    return found


def parse_json(body: bytes) -> Any:
    """The JSON value. Raises RequestError."""
    if not body:
        raise refuse(Fault.BODY_NOT_JSON, "the body is empty; right would be a JSON object")
    try:
        value = json.loads(body.decode(), object_pairs_hook=_object, parse_constant=_constant)
        _check_values([value])
    except UnicodeDecodeError as error:
        raise refuse(Fault.BODY_NOT_JSON, f"the body is not UTF-8 (byte {error.start})") from error
    except json.JSONDecodeError as error:
        raise refuse(
            Fault.BODY_NOT_JSON, f"the body is not JSON: {error.msg} at line {error.lineno}, column {error.colno}"
        ) from error
    except _RefusedError as error:
        raise refuse(Fault.BODY_NOT_JSON, str(error)) from error
    except RecursionError as error:
        raise refuse(Fault.BODY_NOT_JSON, "the body is nested too deep") from error
    except ValueError as error:
        raise refuse(Fault.BODY_NOT_JSON, "the body holds a number that is too long") from error
    return value


def parse_object(body: bytes, *, or_array: bool = False) -> JsonObject:
    """The JSON object; `or_array`: also as the only element of an array. Raises RequestError."""
    value = parse_json(body)
    if or_array and isinstance(value, list) and len(value) == 1:
        value = value[0]
    if not isinstance(value, dict):
        wanted = "a JSON object, or an array that holds one object" if or_array else "a JSON object"
        raise refuse(Fault.BODY_NOT_OBJECT, f"the body is {_kind(value)}; right would be {wanted}")
    return value


def _kind(value: Any) -> str:
    match value:
        case list():
            return f"an array with {len(value)} elements"
        case bool() | int() | float():
            return "a number or boolean"
        case str():
            return "a string"
        case _:
            return "null"
