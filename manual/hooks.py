"""Hooks of MkDocs: pages that the program writes, and files of the source that are pages too.

Links to files of the source lead to those pages, or to copies of the files; MkDocs is strict about the rest.
"""

import json
import re
from pathlib import Path
from typing import Any, Final

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

from manual.api import api_page, description
from manual.commands import commands_page
from manual.metrics import metrics_page
from manual.settings import settings_page

ROOT: Final = Path(__file__).parents[1]
SOURCES: Final = {
    "ARCHITECTURE.md": "architecture.md",
    "CONFORMANCE.md": "conformance.md",
    "CHANGELOG.md": "changelog.md",
    "README.md": "readme.md",
}
"""Files beside `docs` that are pages of the manual."""
COPIED: Final = tuple(
    f"monitoring/{name}" for name in ("prometheus.yml", "alerts.yml", "alerts.test.yml", "grafana.json")
)


def written_pages() -> dict[str, str]:
    """What the program writes: path to text."""
    document = description()
    return {
        "reference-cli.md": commands_page(),
        "reference-api-v1.md": api_page(document),
        "reference-settings.md": settings_page(),
        "reference-metrics.md": metrics_page(),
        "openapi.json": json.dumps(document, indent=1) + "\n",
    }


def taken_pages() -> dict[str, str]:
    """Files of the source as pages, their links set right."""
    return {page: from_root((ROOT / name).read_text()) for name, page in SOURCES.items()}


def from_root(text: str) -> str:
    """Links of a file that lies beside `docs`, for a page in it."""
    return re.sub(r"\]\(docs/", "](", text)


def set_right(text: str) -> str:
    """Links of a page to files of the source, for the manual."""
    for name, page in SOURCES.items():
        text = re.sub(rf"\]\((?:\.\./)?{re.escape(name)}(#[^)]*)?\)", rf"]({page}\1)", text)
    return re.sub(r"\]\(\.\./(monitoring/[^)]+)\)", r"](\1)", text).replace(
        "[monitoring](../monitoring)", "these files"
    )


def on_files(files: Files, *, config: MkDocsConfig, **_: Any) -> Files:
    """Add what is not in `docs`."""
    for path, text in (written_pages() | taken_pages()).items():
        files.append(File.generated(config, path, content=text))
    for name in COPIED:
        files.append(File.generated(config, name, abs_src_path=str(ROOT / name)))
    return files


def on_page_markdown(markdown: str, *, page: Page, **_: Any) -> str:
    """Every page's links lead somewhere in the manual."""
    return set_right(markdown)
