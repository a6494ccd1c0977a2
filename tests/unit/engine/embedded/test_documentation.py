"""docs/sessions.md names every reason of a refusal and every event."""

import re
from pathlib import Path

from lunaport.engine.embedded import failures, nas, space, steering
from lunaport.iscsi.errors import Refusal
from lunaport.runtime.isns import EVENTS
from lunaport.service.events import DROPPED, MISSED
from lunaport.service.problems import watch_database
from lunaport.service.watch import KINDS, follow_engine

PAGE = (Path(__file__).parents[4] / "docs" / "sessions.md").read_text()


def test_every_reason_is_described() -> None:
    assert sorted(re.findall(r"^\| `(\w+)` \| .* \| .* \|$", PAGE, re.MULTILINE)) == sorted(Refusal)


def test_every_event_is_described() -> None:
    table = PAGE.partition("| event | when |")[2]
    described = set(re.findall(r"`([a-z]+(?:_[a-z]+)*)`", "\n".join(re.findall(r"^\| (.*?) \|", table, re.MULTILINE))))
    sources = [Path(module.__file__ or "").read_text() for module in (failures, nas, space, steering)]
    told = {kind for text in sources for kind in re.findall(r'(?:journal\.add|_tell_error)\(\s*"(\w+)"', text)}
    for function in (follow_engine, watch_database):
        source = Path(function.__code__.co_filename).read_text()
        told |= set(re.findall(r'events\.publish\("(\w+)"', source))
    assert described == told | set(KINDS.values()) | set(EVENTS.values()) | {DROPPED, MISSED}
