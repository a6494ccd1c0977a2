"""The NAS API in OpenAPI's words. It parses its bodies by hand, so its description is written by hand too."""

from typing import Any, Final

_PASSWORD = {
    "type": "string",
    "writeOnly": False,
    "description": "12 to 16 bytes. Answers always carry an empty string; an empty one in PUT keeps the stored one.",
}


def _chap(text: str) -> dict[str, Any]:
    return {
        "type": "object",
        "description": text,
        "additionalProperties": False,
        "properties": {
            "enabled": {"type": "boolean", "default": False},
            "username": {"type": "string", "description": "1 to 255 bytes of UTF-8."},
            "password": _PASSWORD,
        },
    }


_SHARE_PROPERTIES: Final[dict[str, Any]] = {
    "target": {"type": "string", "description": "iSCSI name, or a short name that becomes one. Answers: the full one."},
    "size": {
        "oneOf": [{"type": "string"}, {"type": "integer"}],
        "description": "Bytes, or a number with a unit: 10G and 10GiB are 2^30 each, 10GB is 10^9. "
        "Answers: bytes, as a string.",
    },
    "volume": {"type": "string", "description": "Where the share lives; `default` when empty or left out."},
    "header-digest": {"type": "boolean", "default": False},
    "data-digest": {"type": "boolean", "default": False},
    "one-way-chap": _chap("The target authenticates initiators."),
    "mutual-chap": _chap("The target authenticates itself too; needs one-way CHAP."),
}
_ID: Final = {"type": "integer", "description": "Given by the NAS, never used again."}
_SHARE_EXAMPLE: Final = {
    "target": "vm-disk",
    "size": "10G",
    "volume": "default",
    "header-digest": True,
    "data-digest": True,
    "one-way-chap": {"enabled": True, "username": "alice", "password": "alice-secret-1"},
    "mutual-chap": {"enabled": True, "username": "nas", "password": "nas-secret-123"},
}
_SHARE_ANSWER: Final = {
    "id": 1,
    "target": "iqn.2026-11.io.lunaport:vm-disk",
    "size": "10737418240",
    "volume": "default",
    "header-digest": True,
    "data-digest": True,
    "one-way-chap": {"enabled": True, "username": "alice", "password": ""},
    "mutual-chap": {"enabled": True, "username": "nas", "password": ""},
}
_SERVICE_EXAMPLE: Final = {"id": 1, "enabled": True, "port": "", "isns": False, "isns-address": ""}

SCHEMAS: Final[dict[str, Any]] = {
    "NasNewShare": {
        "type": "object",
        "additionalProperties": False,
        "required": ["target", "size"],
        "properties": _SHARE_PROPERTIES,
        "example": _SHARE_EXAMPLE,
    },
    "NasShareEdit": {
        "type": "object",
        "additionalProperties": False,
        "required": ["id"],
        "properties": {"id": _ID, **_SHARE_PROPERTIES},
        "example": {"id": 1, "size": "20G"},
    },
    "NasShare": {
        "type": "object",
        "additionalProperties": False,
        "required": ["id", *_SHARE_PROPERTIES],
        "properties": {"id": _ID, **_SHARE_PROPERTIES, "size": {"type": "string"}},
        "example": _SHARE_ANSWER,
    },
    "NasService": {
        "type": "object",
        "additionalProperties": False,
        "properties": {
            "id": {"type": "integer", "description": "Always 1."},
            "enabled": {"type": "boolean", "description": "False: nothing listens, sessions end."},
            "port": {"type": "string", "description": "TCP port; empty: each portal's own, 3260 unless set."},
            "isns": {"type": "boolean", "description": "Register with the iSNS server; true needs an address."},
            "isns-address": {
                "type": "string",
                "description": "host or host:port; port 3205 when left out. Several: with commas between.",
            },
        },
        "example": _SERVICE_EXAMPLE,
    },
    "NasErrors": {
        "type": "object",
        "required": ["errors"],
        "properties": {
            "errors": {
                "type": "array",
                "minItems": 1,
                "items": {
                    "type": "object",
                    "required": ["message", "code"],
                    "properties": {"message": {"type": "string"}, "code": {"type": "integer"}},
                },
            }
        },
        "example": {"errors": [{"message": "size: is missing; right would be a size such as 10G", "code": 1102}]},
    },
}


def _ref(name: str) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{name}"}


def _content(schema: dict[str, Any]) -> dict[str, Any]:
    return {"application/json": {"schema": schema}}


def _array(name: str) -> dict[str, Any]:
    return {"type": "array", "items": _ref(name)}


_BODIES: Final = {
    "create_share": "NasNewShare",
    "edit_share": "NasShareEdit",
    "delete_share": "NasShareEdit",
    "edit_service": "NasService",
}
_ANSWERS: Final = {
    "list_shares": _array("NasShare"),
    "create_share": _ref("NasShare"),
    "edit_share": _ref("NasShare"),
    "delete_share": _ref("NasShare"),
    "list_service": _array("NasService"),
    "edit_service": _ref("NasService"),
}
_ERRORS: Final = {
    400: "The body or a field is wrong.",
    401: "The password is missing or wrong.",
    403: "The request comes from a page of another site.",
    404: "There is no such share.",
    408: "The body did not arrive in time.",
    409: "Something is in the way: the name is taken, the volume is full, the port cannot be opened.",
    413: "The body is larger than 1 MiB.",
    500: "The engine is starting, or failed.",
}


def documented(operation: str) -> dict[str, Any]:
    """Arguments of `add_api_route` that describe an operation."""
    errors = _ERRORS if operation in _BODIES else {code: _ERRORS[code] for code in (401, 500)}
    described: dict[str, Any] = {
        "responses": {
            200: {"description": "Done.", "content": _content(_ANSWERS[operation])},
            **{code: {"description": text, "content": _content(_ref("NasErrors"))} for code, text in errors.items()},
        }
    }
    if operation in _BODIES:
        either = {"oneOf": [_ref(_BODIES[operation]), {**_array(_BODIES[operation]), "minItems": 1, "maxItems": 1}]}
        described["openapi_extra"] = {"requestBody": {"required": True, "content": _content(either)}}
    return described
