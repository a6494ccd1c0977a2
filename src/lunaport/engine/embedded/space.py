"""Watches how much space is left below thin disks, and tells initiators and events when it gets scarce.

One look at a file system is enough for all disks on it. It is done by a worker thread of one of them, as a file system
may let us wait; as long as it does, it is not asked again.
"""

import os

from lunaport.blockdev.device import Space
from lunaport.engine.embedded.disk import Disk
from lunaport.engine.embedded.journal import Journal
from lunaport.engine.embedded.loop import Loop
from lunaport.engine.embedded.targets import TargetTable

FIRST_S, SPACE_S = 1.0, 5.0
"""When it looks first, and how often then."""


class SpaceWatch:
    """Looks at the file systems below the disks of `targets`."""

    def __init__(self, loop: Loop, targets: TargetTable, journal: Journal) -> None:
        self.loop = loop
        self.targets = targets
        self.journal = journal
        self.asking: set[str] = set()
        self.scarce: set[str] = set()

    def look(self) -> None:
        """Look at all file systems now, and again after a while."""
        for volume, disks in self._by_volume().items():
            self._ask(volume, disks[0])
        self.loop.call_later(SPACE_S, self.look)

    def _by_volume(self) -> dict[str, list[Disk]]:
        """The disks by the directory of their volume."""
        found: dict[str, list[Disk]] = {}
        for target in self.targets:
            for disk in target.disks.values():
                # There may be thousands, and the event loop waits: pathlib takes ten times as long.
                volume = os.path.dirname(os.path.dirname(disk.spec.path))  # noqa: PTH120
                found.setdefault(volume, []).append(disk)
        return found

    def _ask(self, volume: str, asked: Disk) -> None:
        if volume in self.asking:
            return
        spaces: list[Space] = []

        def done(_: BaseException | None) -> None:
            self.asking.discard(volume)
            for space in spaces:  # none where it could not be found out: reads and writes tell of that
                self._tell(volume, space)

        self.asking.add(volume)
        asked.workers.submit(lambda: spaces.append(asked.device.space()), done)

    def _tell(self, volume: str, space: Space) -> None:
        disks = self._by_volume().get(volume, [])
        for disk in disks:
            disk.unit.look_at_space(space)
        if any(disk.unit.threshold.reached for disk in disks):
            if volume not in self.scarce:
                self.scarce.add(volume)
                self.journal.add("space_scarce", volume=volume, free_bytes=str(space.free_bytes))
        elif volume in self.scarce:
            self.scarce.discard(volume)
            self.journal.add("space_enough", volume=volume, free_bytes=str(space.free_bytes))
