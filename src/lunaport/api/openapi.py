"""The description of both APIs, as OpenAPI 3.0.3: the newest version that the documentation page we ship can show.

FastAPI describes in the words of 3.1; `to_3_0` says the same in those of 3.0. Also adds what routes read by hand.
"""

from collections.abc import Sequence
from typing import Any, Final

from fastapi.openapi.utils import get_openapi
from pydantic.json_schema import models_json_schema
from starlette.routing import BaseRoute

from lunaport import __version__
from lunaport.api.nas_schema import SCHEMAS as NAS_SCHEMAS
from lunaport.api.v1 import BODY_MODELS

VERSION: Final = "3.0.3"
_REF: Final = "#/components/schemas/{model}"
_TAGS: Final = [
    {"name": "NAS API", "description": "Shares and the service in the words of a NAS; fixed for ever."},
    {"name": "targets", "description": "Targets with their LUN and CHAP."},
    {"name": "volumes", "description": "Directories that hold the files of shares."},
    {"name": "service", "description": "The iSCSI service as a whole."},
    {"name": "sessions", "description": "Who is logged in, who could not, who has to go and who is kept out."},
    {"name": "events", "description": "What happens."},
    {"name": "users", "description": "Who may do what, and tokens that stand for them."},
    {"name": "audit", "description": "Who changed what, when, from where."},
    {"name": "configuration", "description": "Everything that is configured, as a whole."},
    {"name": "health", "description": "Whether the NAS serves."},
]


def to_3_0(node: Any) -> Any:
    """The same schema in the words of OpenAPI 3.0: `nullable` instead of a type null, `example`, `enum`."""
    if isinstance(node, list):
        return [to_3_0(each) for each in node]
    if not isinstance(node, dict):
        return node
    changed = {key: to_3_0(value) for key, value in node.items()}
    choices = changed.get("anyOf")
    if isinstance(choices, list) and {"type": "null"} in choices:
        rest = [each for each in choices if each != {"type": "null"}]
        del changed["anyOf"]
        if len(rest) == 1 and "$ref" not in rest[0]:
            changed = {**rest[0], **changed}
        else:
            changed["allOf" if len(rest) == 1 else "anyOf"] = rest
        changed["nullable"] = True
        if changed.get("default", ...) is None:
            del changed["default"]
    if "const" in changed:
        changed["enum"] = [changed.pop("const")]
    return changed


def _drop_validation_answers(document: dict[str, Any]) -> None:
    """FastAPI adds an answer of its own to every route with parameters; ours check them by hand and answer `Errors`."""
    for name in ("HTTPValidationError", "ValidationError"):
        document["components"]["schemas"].pop(name, None)
    for operations in document["paths"].values():
        for operation in operations.values():
            schema = operation["responses"].get("422", {}).get("content", {}).get("application/json", {}).get("schema")
            if schema == {"$ref": _REF.format(model="HTTPValidationError")}:
                del operation["responses"]["422"]


def describe(routes: Sequence[BaseRoute]) -> dict[str, Any]:
    """The description of these routes."""
    document = get_openapi(
        title="Lunaport",
        version=__version__,
        openapi_version=VERSION,
        summary=None,
        description="An iSCSI NAS. A 2xx answer means that the wire serves the new state.",
        routes=routes,
        tags=_TAGS,
    )
    _, bodies = models_json_schema([(model, "validation") for model in BODY_MODELS], ref_template=_REF)
    components = document.setdefault("components", {})
    components["schemas"] = {**components.get("schemas", {}), **bodies["$defs"], **NAS_SCHEMAS}
    components["securitySchemes"] = {
        "basic": {"type": "http", "scheme": "basic"},
        "token": {"type": "http", "scheme": "bearer"},
    }
    document["security"] = [{"basic": []}, {"token": []}]
    _drop_validation_answers(document)
    health = document["paths"].get("/api/v1/health", {}).get("get")
    if health is not None:
        health["security"] = []
    described: dict[str, Any] = to_3_0(document)
    return described
