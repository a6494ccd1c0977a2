"""YAML as `lunaport apply` reads and `lunaport config show` writes it, trusting nothing.

What counts as a number or a truth value is what YAML 1.2 says: `no` is a text, and so is a time. Refused: files that
are too large, nesting that is too deep, what grows beyond a bound when its aliases are followed, aliases of themselves,
keys that appear twice, other tags, several documents. Secrets may be references to the environment or to files of this
machine; they are resolved here, so the NAS sees values only.
"""

import math
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import yaml

from lunaport.cli.connection import read_secret
from lunaport.cli.errors import CliError, Exit
from lunaport.model.errors import InvalidError
from lunaport.model.size import parse_size

FILE_BYTES_MAX: Final = 8 << 20
DEPTH_MAX: Final = 32
NODES_MAX: Final = 500_000
"""With every alias followed."""
TAGS: Final = frozenset(
    f"tag:yaml.org,2002:{name}" for name in ["null", "bool", "int", "float", "str", "seq", "map", "merge"]
)
_MERGE: Final = "tag:yaml.org,2002:merge"
SECRET_FIELDS: Final = ("secret", "password")
_UNITS: Final = (("TiB", 1 << 40), ("GiB", 1 << 30), ("MiB", 1 << 20))


class _RefusedError(yaml.YAMLError):
    """Our own words."""


class _Loader(yaml.SafeLoader):
    """YAML 1.2's core schema, within bounds."""

    yaml_implicit_resolvers: dict[str, Any] = {}  # noqa: RUF012 - PyYAML's own way

    def __init__(self, stream: str) -> None:
        super().__init__(stream)
        self._depth = 0

    def compose_node(self, parent: Any, index: Any) -> Any:
        """One node, with all below it."""
        self._depth += 1
        if self._depth > DEPTH_MAX:
            raise _RefusedError(f"it is nested deeper than {DEPTH_MAX}")
        try:
            return super().compose_node(parent, index)
        finally:
            self._depth -= 1

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
        """A mapping whose keys are texts, each there once."""
        seen: set[str] = set()
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise _RefusedError(f"a key is no text, in line {key.start_mark.line + 1}")
            if key.value in seen and key.tag != _MERGE:
                raise _RefusedError(f"{key.value[:64]!r} appears twice, in line {key.start_mark.line + 1}")
            seen.add(key.value)
        found: dict[Any, Any] = super().construct_mapping(node, deep=deep)
        if not all(isinstance(key, str) for key in found):
            raise _RefusedError(f"a key is no text, in line {node.start_mark.line + 1}")
        return found


for _tag, _pattern, _first in (
    ("null", r"(?:~|null|Null|NULL|)", ["~", "n", "N", ""]),
    ("bool", r"(?:true|True|TRUE|false|False|FALSE)", list("tTfF")),
    ("int", r"(?:0|[-+]?[1-9][0-9]{0,30})", list("-+0123456789")),
    ("float", r"[-+]?(?:[0-9]+\.[0-9]*|\.[0-9]+)(?:[eE][-+][0-9]{1,3})?", list("-+.0123456789")),
    ("merge", r"<<", ["<"]),
):
    _Loader.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", re.compile(f"^{_pattern}$"), _first)


def _count(node: Any, known: dict[int, int], open_nodes: set[int]) -> int:
    """How many nodes there are when every alias is followed."""
    if id(node) in known:
        return known[id(node)]
    if id(node) in open_nodes:
        raise _RefusedError("an alias holds itself")
    if node.tag not in TAGS:
        raise _RefusedError(f"the tag {node.tag[:64]!r} is not for here, in line {node.start_mark.line + 1}")
    open_nodes.add(id(node))
    total = 1
    if isinstance(node, yaml.MappingNode):
        below = [part for pair in node.value for part in pair]
    else:
        below = node.value if isinstance(node, yaml.SequenceNode) else []
    for each in below:
        total += _count(each, known, open_nodes)
        if total > NODES_MAX:
            raise _RefusedError(f"with its aliases followed it has more than {NODES_MAX} values")
    open_nodes.discard(id(node))
    known[id(node)] = total
    return total


def parse_yaml(text: str) -> Any:
    """The value of a YAML document. Raises CliError."""
    try:
        loader = _Loader(text)
        node = loader.get_single_node()
        if node is None:
            return None
        _count(node, {}, set())
        return loader.construct_document(node)
    except _RefusedError as error:
        raise CliError(Exit.USAGE, f"FILE: {error}") from None
    except yaml.MarkedYAMLError as error:
        where = f" in line {error.problem_mark.line + 1}" if error.problem_mark is not None else ""
        raise CliError(Exit.USAGE, f"FILE: is not YAML{where}: {error.problem or error.context}") from None
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise CliError(Exit.USAGE, f"FILE: is not YAML: {str(error).splitlines()[0][:200]}") from None


def read_document(file: str, environment: Mapping[str, str]) -> dict[str, Any]:
    """The document in a file, `-` is standard input; secrets and sizes resolved. Raises CliError."""
    try:
        with Path("/dev/stdin" if file == "-" else file).open("rb") as stream:
            content = stream.read(FILE_BYTES_MAX + 1)
        if len(content) > FILE_BYTES_MAX:
            raise CliError(Exit.USAGE, f"FILE: {file} is larger than {FILE_BYTES_MAX} bytes")
        text = content.decode("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise CliError(Exit.USAGE, f"FILE: {error}") from error
    document = parse_yaml(text)
    if not isinstance(document, dict):
        raise CliError(Exit.USAGE, f"FILE: {file} holds no document; right would be one that begins with version: 1")
    folder = Path() if file == "-" else Path(file).parent
    resolved: dict[str, Any] = _resolved(document, "", folder, environment)
    for number, target in enumerate(_list(resolved.get("targets"))):
        for lun_number, lun in enumerate(_list(target.get("luns")) if isinstance(target, dict) else []):
            _take_size(lun, f"targets[{number}].luns[{lun_number}]")
    return resolved


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _resolved(value: Any, place: str, folder: Path, environment: Mapping[str, str]) -> Any:
    """The value with every secret in it in clear."""
    if isinstance(value, list):
        return [_resolved(each, f"{place}[{index}]", folder, environment) for index, each in enumerate(value)]
    if not isinstance(value, dict):
        if isinstance(value, float) and not math.isfinite(value):
            raise CliError(Exit.USAGE, f"{place}: is no number")
        if isinstance(value, str) and not value.isprintable() and any("\ud800" <= char <= "\udfff" for char in value):
            raise CliError(Exit.USAGE, f"{place}: holds half of a surrogate pair")
        return value
    found = {}
    for key, each in value.items():
        here = f"{place}.{key}" if place else key
        if key in SECRET_FIELDS and isinstance(each, dict):
            found[key] = _secret(each, here, folder, environment)
        else:
            found[key] = _resolved(each, here, folder, environment)
    return found


def _secret(reference: dict[str, Any], place: str, folder: Path, environment: Mapping[str, str]) -> str:
    name = reference.get("env", reference.get("file"))
    if len(reference) != 1 or not isinstance(name, str):
        raise CliError(Exit.USAGE, f"{place}: is no secret; right would be a text, env: VARIABLE or file: PATH")
    if "env" in reference:
        if not environment.get(name):
            raise CliError(Exit.USAGE, f"{place}: the variable {name} is not set")
        return environment[name]
    return read_secret(os.fspath(folder / name), place)


def _take_size(lun: Any, place: str) -> None:
    """`size: 10G` becomes `size_bytes`, which the NAS knows."""
    if not isinstance(lun, dict) or "size" not in lun:
        return
    if "size_bytes" in lun:
        raise CliError(Exit.USAGE, f"{place}.size: is there beside size_bytes; one of them is enough")
    size = lun.pop("size")
    if isinstance(size, bool) or not isinstance(size, (str, int)):
        raise CliError(Exit.USAGE, f"{place}.size: is no size; right would be 10G, or a number of bytes")
    try:
        lun["size_bytes"] = parse_size(size)
    except InvalidError as error:
        raise CliError(Exit.USAGE, f"{place}.size: {error.problems[0].message}") from error


def format_document(document: dict[str, Any]) -> str:
    """A document as YAML that `read_document` reads back as it is."""
    shown = {**document, "targets": [_with_sizes(each) for each in document.get("targets", ())]}
    if "targets" not in document:
        del shown["targets"]
    text: str = yaml.safe_dump(shown, sort_keys=False, allow_unicode=True, width=120)
    return text


def _with_sizes(target: dict[str, Any]) -> dict[str, Any]:
    luns = []
    for lun in target["luns"]:
        if "size_bytes" not in lun:  # a drive: its size is that of what is in it
            luns.append(lun)
            continue
        size_bytes = lun["size_bytes"]
        unit = next(((name, factor) for name, factor in _UNITS if size_bytes % factor == 0), None)
        size = f"{size_bytes // unit[1]}{unit[0]}" if unit else size_bytes
        rest = {name: value for name, value in lun.items() if name not in ("lun", "size_bytes")}
        luns.append({"lun": lun["lun"], "size": size, **rest})
    return {**target, "luns": luns}
