"""The reference of the settings, from their class."""

from typing import Any

import typer
from pydantic.fields import FieldInfo

from lunaport.runtime.main import app
from lunaport.runtime.settings import Settings
from manual.text import code, escaped, table

HEAD = """# Reference of the settings

What `lunaport serve` is told when it starts. The first that has a value counts: the command line, the
variable of the environment, the TOML file that `--config` names, the default. A list stands in the variable
with commas between, in TOML as a list. Unknown names in the file are refused.

"""
FOOT = """
`LUNAPORT_ADMIN_PASSWORD` is no setting: it gives the first password of `admin` at the first start, and is
read by nothing else. What is changed while the NAS runs (shares, volumes, the service, users) is in its
database, and set by [API v1](api-v1.md), the [command line](cli.md) or the [page](page.md).

A TOML file with every default:

"""


def settings_page() -> str:
    """The page."""
    options = serve_options()
    rows = [
        (
            code(name),
            code(options.get(name, "")),
            code(f"LUNAPORT_{name.upper()}"),
            code(toml(field.default)) or "none",
            escaped(field.description or "") + limits(field),
        )
        for name, field in Settings.model_fields.items()
    ]
    columns = ("name (in TOML)", "option", "variable", "default", "meaning")
    lines = [f"{'#' * (toml(field.default) == '')}{name} = {toml(field.default)}".rstrip()
             for name, field in Settings.model_fields.items()]  # fmt: skip
    return HEAD + table(columns, rows) + FOOT + "```toml\n" + "\n".join(lines) + "\n```\n"


def serve_options() -> dict[str, str]:
    """The option of each setting that `serve` has one for."""
    command: Any = typer.main.get_command(app)
    return {each.name: each.opts[0] for each in command.commands["serve"].params}


def limits(field: FieldInfo) -> str:
    """What values it takes, where that is a range."""
    bounds = {name: getattr(each, name) for each in field.metadata for name in ("ge", "le") if hasattr(each, name)}
    return f" {bounds['ge']} to {bounds['le']}." if len(bounds) == 2 else ""


def toml(value: object) -> str:
    """A default as TOML has it; nothing for nothing."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple):
        return f"[{', '.join(toml(each) for each in value)}]"
    return str(value) if isinstance(value, int | float) else f'"{value}"'
