"""Problems in the words of each API: its names for the fields, its shape, its status.

NAS API: `{"errors": [{"message", "code"}]}`. API v1: `{"errors": [{"field", "code", "message", "blockers"}]}`. The path
of the request decides which one a caller gets, also for what no route has seen (404, 405, 401, 413).
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from starlette.responses import JSONResponse, Response

from lunaport.api.faults import WIRE
from lunaport.model.errors import Fault, Path, Problem

NAS_PREFIX: Final = "/index.php/"
PROBLEM_COUNT_MAX: Final = 20

_NAS_NAMES: Final = {
    "name": "target",
    "one_way": "one-way-chap",
    "mutual": "mutual-chap",
    "secret": "password",
    "isns_address": "isns-address",
}
_OF_ONE_LUN: Final = re.compile(r"/api/v1/targets/[^/]*/luns(/|$)")
"""There, fields of the LUN stand alone."""
_V1_PLACES: Final[dict[Path, str]] = {
    ("size",): "luns[0].size_bytes",
    ("volume",): "luns[0].volume",
    ("encrypted",): "luns[0].encrypted",
    ("isns",): "isns.enabled",
    ("isns_address",): "isns.address",
}


class RequestError(Exception):
    """A request was refused before it became an action. Paths are already in the words of the API."""

    def __init__(self, problems: Sequence[Problem], headers: Mapping[str, str] | None = None) -> None:
        super().__init__(tuple(problems))
        self.problems = tuple(problems)
        self.headers = dict(headers or {})


def refuse(fault: Fault, message: str, *path: str | int, headers: Mapping[str, str] | None = None) -> RequestError:
    """A RequestError with one problem."""
    return RequestError([Problem(fault=fault, message=message, path=path)], headers)


def is_nas(path: str) -> bool:
    """Whether a request to this path is answered in the NAS API's shape."""
    return path.startswith(NAS_PREFIX)


def dotted(path: Path) -> str:
    """A path as text: `luns[0].size_bytes`."""
    text = ""
    for step in path:
        text += f"[{step}]" if isinstance(step, int) else f".{step}" if text else step
    return text


def nas_field(path: Path) -> str:
    """The NAS API's name for a field of the model."""
    return dotted(tuple(_NAS_NAMES.get(step, step) if isinstance(step, str) else step for step in path))


def v1_field(path: Path, request_path: str = "") -> str:
    """API v1's name for a field of the model, in the answer to a request to this path."""
    if _OF_ONE_LUN.match(request_path):
        return "size_bytes" if path == ("size",) else dotted(path)
    if len(path) > 2 and path[0] == "targets":
        return f"{dotted(path[:2])}.{v1_field(path[2:])}"
    if path[:2] == ("service", "portals"):
        return dotted(path)
    if len(path) > 1 and path[0] == "service":
        return f"service.{v1_field(path[1:])}"
    if path and path[0] in {"one_way", "mutual", "credentials"}:
        return dotted(("chap", *path))
    if len(path) > 1 and path[0] == "discovery" and path[1] in {"one_way", "mutual"}:
        return dotted(("discovery", "chap", *path[1:]))
    if path and path[0] == "portals":
        path = ("items", *path[1:])
    if len(path) == 3 and path[0] == "luns" and path[2] == "size":
        path = (*path[:2], "size_bytes")
    return _V1_PLACES.get(path, dotted(path))


def answer(
    request_path: str,
    problems: Sequence[Problem],
    *,
    own_words: bool = False,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """The answer to a request that failed. `own_words`: the problems name fields as the API does already."""
    first = WIRE[problems[0].fault]
    shown = problems[:PROBLEM_COUNT_MAX]
    content: dict[str, list[dict[str, Any]]]
    if is_nas(request_path):
        fields = [dotted(each.path) if own_words else nas_field(each.path) for each in shown]
        content = {
            "errors": [
                {
                    "message": f"{field}: {each.message}" if field else each.message,
                    "code": WIRE[each.fault].code,
                }
                for field, each in zip(fields, shown, strict=True)
            ]
        }
        return JSONResponse(content, status_code=first.nas_status, headers=headers)
    content = {
        "errors": [
            {
                "field": dotted(each.path) if own_words else v1_field(each.path, request_path),
                "code": each.fault.value,
                "message": each.message,
                "blockers": list(each.blockers),
            }
            for each in shown
        ]
    }
    return JSONResponse(content, status_code=first.v1_status, headers=headers)
