"""The NAS API's objects: from JSON to the model's changes, and from the model to JSON.

Types are taken strictly; what was wrong is gathered, so that one answer names it all. Null counts as left out for `id`
only. Passwords go in and never come out.
"""

import re
from collections.abc import Collection
from typing import Any, Final

from lunaport.api.answers import RequestError
from lunaport.api.body import JsonObject
from lunaport.model.chap import Chap, ChapChange
from lunaport.model.errors import Fault, Problem
from lunaport.model.iscsi_service import SERVICE_ID, IscsiService, ServiceChange
from lunaport.model.target import Target, TargetChange

SHARE_FIELDS: Final = (
    "id",
    "target",
    "size",
    "volume",
    "header-digest",
    "data-digest",
    "one-way-chap",
    "mutual-chap",
)
CHAP_FIELDS: Final = ("enabled", "username", "password")
SERVICE_FIELDS: Final = ("id", "enabled", "port", "isns", "isns-address")
ID_MAX: Final = 2**63 - 1
_ID_TEXT: Final = re.compile(r"[0-9]{1,19}")

_KINDS: Final = {bool: "true or false", str: "a string", int: "an integer", dict: "an object"}


class Reader:
    """Takes fields out of an object and gathers what was wrong with them."""

    def __init__(self, source: JsonObject, known: Collection[str], problems: list[Problem], *path: str) -> None:
        self._source = source
        self._problems = problems
        self._path = path
        for key in source:
            if key not in known:
                self.refuse(Fault.UNKNOWN_FIELD, f"is not a field; right would be one of: {', '.join(known)}", key[:64])

    def refuse(self, fault: Fault, message: str, field: str) -> None:
        """Note a problem with a field."""
        self._problems.append(Problem(fault=fault, message=message, path=(*self._path, field)))

    def _take(self, field: str, *kinds: type) -> Any:
        if field not in self._source:
            return None
        value = self._source[field]
        # A boolean is an int to Python, but not to JSON.
        if isinstance(value, kinds) and (bool in kinds or not isinstance(value, bool)):
            return value
        wanted = " or ".join(_KINDS[kind] for kind in kinds)
        self.refuse(Fault.WRONG_TYPE, f"is {_json_kind(value)}; right would be {wanted}", field)
        return None

    def boolean(self, field: str) -> bool | None:
        """A boolean, None when left out or wrong."""
        value: bool | None = self._take(field, bool)
        return value

    def text(self, field: str) -> str | None:
        """A string, None when left out or wrong."""
        value: str | None = self._take(field, str)
        return value

    def text_or_integer(self, field: str) -> str | int | None:
        """A string or an integer, None when left out or wrong."""
        value: str | int | None = self._take(field, str, int)
        return value

    def child(self, field: str, known: Collection[str]) -> "Reader":
        """An object within; an empty one when left out or wrong."""
        value: JsonObject = self._take(field, dict) or {}
        return Reader(value, known, self._problems, *self._path, field)

    def identity(self) -> int | None:
        """`id` as an integer or a string of digits; None when left out, null or wrong."""
        if self._source.get("id") is None:
            return None
        value = self.text_or_integer("id")
        if isinstance(value, str) and _ID_TEXT.fullmatch(value):
            value = int(value)
        if isinstance(value, int) and 0 <= value <= ID_MAX:
            return value
        if value is not None:
            self.refuse(Fault.WRONG_TYPE, "is not an id; right would be the integer that the NAS gave", "id")
        return None


def _json_kind(value: Any) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return "a boolean"
        case int():
            return "an integer"
        case float():
            return "a number with a fraction or exponent"
        case str():
            return "a string"
        case list():
            return "an array"
        case _:
            return "an object"


def _raise_any(problems: list[Problem]) -> None:
    if problems:
        raise RequestError(problems)


def _chap_change(reader: Reader) -> ChapChange:
    return ChapChange(
        enabled=reader.boolean("enabled"),
        username=reader.text("username"),
        # An empty password means the stored one: answers carry it empty, and a client may send an answer back.
        secret=reader.text("password") or None,
    )


def _share_change(reader: Reader) -> TargetChange:
    return TargetChange(
        name=reader.text("target"),
        size=reader.text_or_integer("size"),
        volume=reader.text("volume"),
        header_digest=reader.boolean("header-digest"),
        data_digest=reader.boolean("data-digest"),
        one_way=_chap_change(reader.child("one-way-chap", CHAP_FIELDS)),
        mutual=_chap_change(reader.child("mutual-chap", CHAP_FIELDS)),
    )


def new_share(source: JsonObject) -> TargetChange:
    """A share object to create. Raises RequestError."""
    problems: list[Problem] = []
    reader = Reader(source, SHARE_FIELDS, problems)
    if source.get("id") is not None:
        reader.refuse(Fault.ID_NOT_ALLOWED, "is given by the NAS; leave it out (to edit a share, use PUT)", "id")
    change = _share_change(reader)
    _raise_any(problems)
    return change


def edited_share(source: JsonObject) -> tuple[int, TargetChange]:
    """The id and the changes of a share object to edit. Raises RequestError."""
    problems: list[Problem] = []
    reader = Reader(source, SHARE_FIELDS, problems)
    target_id = _needed_id(reader, problems)
    change = _share_change(reader)
    _raise_any(problems)
    return target_id, change


def deleted_share(source: JsonObject) -> int:
    """The id of a share object to delete; its other fields are known ones and do not matter. Raises RequestError."""
    problems: list[Problem] = []
    target_id = _needed_id(Reader(source, SHARE_FIELDS, problems), problems)
    _raise_any(problems)
    return target_id


def _needed_id(reader: Reader, problems: list[Problem]) -> int:
    noted = len(problems)
    target_id = reader.identity()
    if target_id is None and len(problems) == noted:
        reader.refuse(Fault.MISSING_FIELD, "is missing; right would be the id of the share", "id")
    return target_id or 0


def service_change(source: JsonObject) -> tuple[int, ServiceChange]:
    """The id (that of the only service when left out) and the changes of a service object. Raises RequestError."""
    problems: list[Problem] = []
    reader = Reader(source, SERVICE_FIELDS, problems)
    identity = reader.identity()
    change = ServiceChange(
        enabled=reader.boolean("enabled"),
        port=reader.text_or_integer("port"),
        isns=reader.boolean("isns"),
        isns_address=reader.text("isns-address"),
    )
    _raise_any(problems)
    return SERVICE_ID if identity is None else identity, change


def _chap_object(chap: Chap) -> JsonObject:
    return {"enabled": chap.enabled, "username": chap.username, "password": ""}


def share_object(target: Target) -> JsonObject:
    """A share as the NAS API answers it."""
    return {
        "id": target.id,
        "target": target.name,
        "size": str(target.disk.medium_bytes),
        "volume": target.disk.volume,
        "header-digest": target.header_digest,
        "data-digest": target.data_digest,
        "one-way-chap": _chap_object(target.one_way),
        "mutual-chap": _chap_object(target.mutual),
    }


def service_object(service: IscsiService) -> JsonObject:
    """The service as the NAS API answers it."""
    return {
        "id": SERVICE_ID,
        "enabled": service.enabled,
        "port": "" if service.port is None else str(service.port),
        "isns": service.isns,
        "isns-address": service.isns_address,
    }
