"""The references of the manual name everything that there is, as the program says it; and the manual can be built."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml
from manual.api import api_page, description, v1_operations
from manual.commands import commands_page
from manual.metrics import metrics_page
from manual.settings import settings_page

from lunaport.api import metrics
from lunaport.runtime.settings import Settings, load_settings
from tests.unit.cli.test_documentation import commands

ROOT = Path(__file__).parents[3]
WRITTEN = {
    "reference-cli.md", "reference-api-v1.md", "reference-settings.md", "reference-metrics.md",
    "architecture.md", "conformance.md", "changelog.md", "readme.md",
}  # fmt: skip


def test_every_command_with_its_options_and_examples() -> None:
    page = commands_page()
    for command in [*commands(), "serve", "doctor"]:
        assert f"### lunaport {command}\n" in page
    part = page.partition("### lunaport target create\n")[2].partition("\n###")[0]
    assert "| `--size " in part
    assert "| `--write-through` | Every write is durable before it is answered. |" in part
    for option in ("--url", "--password-file", "--ca", "--profile", "--install-completion"):
        assert f"| `{option}" in page.partition("### ")[0]


def test_every_route_of_api_v1_with_what_it_takes_and_answers() -> None:
    document = description()
    page = api_page(document)
    operations = list(v1_operations(document))
    assert len(operations) > 60
    for path, verb, operation in operations:
        part = page.partition(f"### {verb.upper()} {path}\n")[2].partition("\n###")[0]
        assert part, (verb, path)
        for parameter in operation.get("parameters", ()):
            assert f"| `{parameter['name']}` | {parameter['in']} |" in part, (verb, path)
    names = set(re.findall(r"\]\(#(\w+)\)", page))
    headings = {each.lower() for each in re.findall(r"^### (\w+)$", page, re.MULTILINE)}
    assert names
    assert names <= headings


def test_every_setting_with_its_default_and_variable() -> None:
    page = settings_page()
    for name, field in Settings.model_fields.items():
        assert field.description, name
        assert f"| `{name}` |" in page
        assert f"`LUNAPORT_{name.upper()}`" in page
    (block,) = re.findall(r"```toml\n(.*?)```", page, re.DOTALL)
    given = tomllib.loads(block)
    assert load_settings(given) == load_settings({})
    assert len(given) + block.count("\n#") == len(Settings.model_fields)


def test_every_metric_with_its_labels() -> None:
    page = metrics_page()
    assert "| `lunaport_target_commands_total` | counter | `target`, `kind` |" in page
    assert "| `lunaport_command_seconds` | histogram |" in page
    assert "| `lunaport_isns_state` | gauge | `server`, `state` |" in page
    for name in re.findall(r'Family\("(lunaport_\w+)"', Path(metrics.__file__).read_text()):
        assert f"`{name}" in page, f"{name}: manual/metrics.py does not ask for it"
    listed = re.findall(r"^\| `(lunaport_\w+)` \|", page, re.MULTILINE)
    assert len(listed) == len(set(listed)) > 40
    alerts = (ROOT / "monitoring" / "alerts.yml").read_text()
    for name in set(re.findall(r"\blunaport_\w+", alerts)):
        assert f"`{name.removesuffix('_bucket')}`" in page


def test_every_page_is_in_the_navigation() -> None:
    def pages(node: object) -> list[str]:
        if isinstance(node, str):
            return [node]
        return [page for each in (node.values() if isinstance(node, dict) else node) for page in pages(each)]  # type: ignore[attr-defined]

    found = pages(yaml.safe_load((ROOT / "mkdocs.yml").read_text())["nav"])
    assert len(found) == len(set(found))
    assert set(found) == {each.name for each in (ROOT / "docs").glob("*.md")} | WRITTEN


@pytest.mark.timeout(300)
def test_the_manual_is_built_without_a_warning(tmp_path: Path) -> None:
    words = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(tmp_path)]
    done = subprocess.run(
        words, cwd=ROOT, env={"NO_MKDOCS_2_WARNING": "1"}, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout + done.stderr) == (0, "")
    for page in WRITTEN:
        assert (tmp_path / page).with_suffix(".html").exists()
    assert (tmp_path / "monitoring" / "grafana.json").exists()
    elsewhere = re.compile(r'(?:src|href)="(?:https?:)?//(?!127)[^"]*\.(?:js|css|woff2?)"')
    for built in tmp_path.glob("*.html"):
        assert not elsewhere.search(built.read_text()), built.name
