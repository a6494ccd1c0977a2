"""The examples of docs/initiator.md do what they say."""

import importlib.util
import re
from pathlib import Path

import pytest

from tests.unit.initiator.served import GUARDED, HOST, PLAIN, serving
from tests.unit.iscsi.initiator import TARGET

PAGE = Path(__file__).parents[3] / "docs" / "initiator.md"
EXAMPLES = re.findall(r"^```python\n(.*?)^```", PAGE.read_text(), re.DOTALL | re.MULTILINE)


@pytest.mark.anyio
@pytest.mark.parametrize("number", range(len(EXAMPLES)))
async def test_an_example(number: int, tmp_path: Path) -> None:
    path = tmp_path / f"example_{number}.py"
    path.write_text(EXAMPLES[number])
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    async with serving(GUARDED if "ChapOptions" in EXAMPLES[number] else PLAIN) as served:
        await module.example(HOST, served.port, TARGET)


def test_there_are_examples() -> None:
    assert len(EXAMPLES) >= 4
