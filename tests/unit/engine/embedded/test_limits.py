"""What docs/limits.md says of the data process is so."""

import re
from pathlib import Path

from lunaport.engine.embedded import limits
from lunaport.engine.embedded.limits import ConnectionBounds, DataLimits
from lunaport.engine.embedded.pool import KEPT_MAX, OUTPUT_BYTES, RECEIVE_BYTES

TEXT = (Path(__file__).parents[4] / "docs" / "limits.md").read_text()


def test_the_settings_and_their_defaults_are_documented() -> None:
    rows = dict(re.findall(r"^\|[^|]*\| (\d+) \| `(\w+)` \|", TEXT, re.MULTILINE))
    told = {name: int(default) for default, name in rows.items()}
    defaults = {name: getattr(DataLimits(), name) for name in DataLimits.__struct_fields__}
    assert told | {"memory_mib": 256} == defaults
    assert "256 MiB of data under way (setting `memory_mib`" in TEXT


def test_what_is_fixed_is_documented() -> None:
    bounds = ConnectionBounds()
    for row in (
        f"| connections in all | {bounds.in_all} |",
        f"less {limits.DESCRIPTORS_KEPT_MAX}, or half",
        f"| connections that have not logged in | {bounds.before_login} |",
        f"| the same from one address | {bounds.before_login_per_address} |",
        f"one connection holds {limits.CONNECTION_BYTES_MAX >> 20} MiB at most",
        f"Every {limits.STALL_S:.0f} s sessions",
        f"not moved {limits.STALL_PROGRESS_BYTES >> 10} KiB",
    ):
        assert row in TEXT
    assert 1 << limits.SHARE_SHIFT == 8
    assert KEPT_MAX * (RECEIVE_BYTES + OUTPUT_BYTES) < 20 << 20


def test_nothing_that_one_command_wants_is_more_than_there_can_be() -> None:
    """Otherwise it would wait for ever."""
    assert 64 << 20 > limits.CONNECTION_BYTES_MAX > 16 << 20
