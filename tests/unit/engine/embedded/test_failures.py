"""What fails is told once, and its end too."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from unittest.mock import create_autospec

import pytest

from lunaport.engine.embedded.failures import Failures
from lunaport.engine.embedded.journal import Journal
from lunaport.engine.embedded.portals import Portals
from lunaport.scsi.reservations import Reservations
from lunaport.storage.sidecar import RESERVATIONS

from .test_lun_change import NAME, Stand


@pytest.fixture
def stand(tmp_path: Path) -> Iterator[Stand]:
    made = Stand(tmp_path)
    yield made
    for name in list(made.table.targets):
        ended: list[object] = []
        made.table.close(name, ended.append)
        made.run_until(partial(bool, ended))
    made.loop.close()


def test_reservations_that_are_lost(stand: Stand) -> None:
    journal = Journal(stand.loop, "run")
    failures = Failures(journal)
    portals = create_autospec(Portals, instance=True, errors={}, listening={})
    bad, good = stand.spec(0), stand.spec(1)
    Path(bad.path + RESERVATIONS).write_bytes(b"damage")
    stand.open(bad, good)
    for _ in range(2):
        failures.tell(portals, stand.table)
    assert [(event.kind, event.facts) for event in journal.events] == [
        ("reservations_lost", {"target": NAME, "lun": "0"})
    ]
    assert failures.lost == {(NAME, 0)}
    stand.target.disks[0].unit.reservations.now = Reservations()
    failures.tell(portals, stand.table)
    assert journal.events[-1].kind == "reservations_replaced"
    assert failures.lost == set()
