"""The reference of API v1, from its OpenAPI description."""

from collections.abc import Iterator, Mapping
from typing import Any, Final, cast

from lunaport.api.app import make_api
from lunaport.service.nas import Nas
from manual.text import cell, code, escaped, table

Schema = Mapping[str, Any]
VERBS: Final = ("get", "post", "put", "patch", "delete")
EVERYWHERE: Final = {"401", "403", "429", "500", "503"}
HEAD = """# Reference of API v1

Every route with its parameters, its body and its answers, from the description that the NAS itself serves at
`/api/v1/openapi.json` (OpenAPI 3.0.3; [the file](openapi.json)). What holds for all of them (secrets, ETags,
pages, errors) and examples: [API v1](api-v1.md). Beside the answers named here, every route may answer 401,
429, 500 and 503, and one that changes something 403.

"""


def description() -> dict[str, Any]:
    """The OpenAPI document."""
    app = make_api(cast("Nas", None))  # the routes are only described
    found: dict[str, Any] = app.openapi()
    return found


def api_page(document: Mapping[str, Any]) -> str:
    """The page."""
    parts = [HEAD]
    operations = list(v1_operations(document))
    for tag in document["tags"]:
        of_tag = [each for each in operations if tag["name"] in each[2]["tags"]]
        if of_tag:
            parts.append(f"## {tag['name'].capitalize()}\n\n{escaped(tag['description'])}\n\n")
            parts += [described(*each) for each in of_tag]
    parts.append("## Documents\n\nWhat bodies and answers are made of. Fields in bold have to be there.\n\n")
    schemas = document["components"]["schemas"]
    parts += [document_table(name, schemas[name]) for name in sorted(schemas) if not name.startswith("Nas")]
    return "".join(parts)


def v1_operations(document: Mapping[str, Any]) -> Iterator[tuple[str, str, Schema]]:
    """Path, verb and operation of every route of API v1."""
    for path, operations in document["paths"].items():
        if path.startswith("/api/v1/"):
            for verb in VERBS:
                if verb in operations:
                    yield path, verb, operations[verb]


def described(path: str, verb: str, operation: Schema) -> str:
    """One route."""
    parts = [f"### {verb.upper()} {path}\n\n{escaped(operation['description'])}\n\n"]
    rows = [
        (code(each["name"]), each["in"], type_of(each["schema"]), escaped(meaning(each["schema"], each)))
        for each in operation.get("parameters", ())
    ]
    if rows:
        parts.append(table(("parameter", "in", "type", "meaning"), rows))
    body = next(iter(operation.get("requestBody", {}).get("content", {}).values()), None)
    if body is not None:
        parts.append(f"Body: {type_of(body['schema'])}.\n\n")
    answers = [
        (status, type_of(content_of(each)), escaped(cell(each["description"]).replace("Successful Response", "Done.")))
        for status, each in operation["responses"].items()
        if status not in EVERYWHERE
    ]
    parts.append(table(("status", "answer", "when"), answers))
    return "".join(parts)


def content_of(response: Schema) -> Schema:
    """The schema of an answer; an empty one where it has no body."""
    kinds: dict[str, Any] = response.get("content", {})
    none: dict[str, Any] = {}
    found: Schema = next(iter(kinds.values()), none).get("schema", none)
    return found


def document_table(name: str, schema: Schema) -> str:
    """One document with its fields."""
    text = escaped(cell(schema.get("description", "")))
    parts = [f"### {name}\n\n{text}\n\n"]
    if "enum" in schema:
        parts.append("One of " + ", ".join(code(each) for each in schema["enum"]) + ".\n\n")
    needed = schema.get("required", ())
    rows = [
        (f"**{code(field)}**" if field in needed else code(field), type_of(each), escaped(meaning(each, {})))
        for field, each in schema.get("properties", {}).items()
    ]
    if rows:
        parts.append(table(("field", "type", "meaning"), rows))
    return "".join(parts)


def meaning(schema: Schema, parameter: Schema) -> str:
    """What a field or parameter means, with its bounds and its default."""
    words = [schema.get("description") or parameter.get("description") or ""]
    low, high = schema.get("minimum"), schema.get("maximum")
    if low is not None and high is not None:
        words.append(f"{low} to {high}.")
    default = schema.get("default")
    if default not in (None, "", [], {}):
        words.append(f"Default: {str(default).lower() if isinstance(default, bool) else default}.")
    return cell(" ".join(filter(None, words)))


def type_of(schema: Schema) -> str:
    """A type in words, documents as links."""
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        found = f"[{name}](#{name.lower()})" if not name.startswith("Nas") else name
    elif "allOf" in schema and len(schema["allOf"]) == 1:
        found = type_of(schema["allOf"][0])
    elif choices := schema.get("anyOf") or schema.get("oneOf"):
        found = " or ".join(type_of(each) for each in choices)
    elif "enum" in schema:
        found = " or ".join(code(each) for each in schema["enum"])
    elif schema.get("type") == "array":
        found = f"list of {type_of(schema.get('items', {}))}"
    else:
        found = str(schema.get("format") or schema.get("type", ""))
    return f"{found} or null" if schema.get("nullable") and found else found
