"""What the routes of API v1 have in common: how their bodies and errors are described."""

from typing import Any, Final

from lunaport.api.v1_models import Document, Errors

_TEXTS: Final = {
    400: "The body is not a JSON object.",
    401: "The password or token is missing or wrong.",
    403: "Your role does not allow it, or the request comes from a page of another site.",
    404: "There is no such thing.",
    408: "The body did not arrive in time.",
    409: "Something is in the way; `blockers` names it.",
    412: "It has changed since you read it (If-Match).",
    413: "The body is larger than 1 MiB (a configuration as a whole: 36 MiB).",
    429: "Too many wrong passwords, or too many requests; Retry-After says how long to wait.",
    422: "Fields are wrong; every one is named.",
    500: "The engine failed.",
    503: "The engine is starting, or the NAS is busy; try again.",
}

IF_MATCH: Final[dict[str, Any]] = {
    "name": "If-Match",
    "in": "header",
    "required": False,
    "schema": {"type": "string"},
    "description": "The ETag you have read: the change is made only when nothing has changed since.",
}

READING: Final = (401, 429, 500, 503)
CHANGING: Final = (400, 401, 403, 408, 409, 413, 422, 429, 500, 503)


_GUARDED: Final = {429, 500, 503}
"""Whoever has to say who he is may be told one of these by the guard, whatever the route."""


def errors(*codes: int) -> dict[int | str, dict[str, Any]]:
    """The `responses` of a route."""
    all_codes = {*codes, *(_GUARDED if 401 in codes else ())}
    return {code: {"model": Errors, "description": _TEXTS[code]} for code in sorted(all_codes)}


def described_body(model: type[Document] | None = None, *, if_match: bool = False) -> dict[str, Any]:
    """The `openapi_extra` of a route that reads its body by hand."""
    extra: dict[str, Any] = {}
    if model is not None:
        schema = {"$ref": f"#/components/schemas/{model.__name__}"}
        extra["requestBody"] = {"required": True, "content": {"application/json": {"schema": schema}}}
    if if_match:
        extra["parameters"] = [IF_MATCH]
    return extra
