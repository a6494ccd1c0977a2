"""Looks every two seconds after what may break silently: files that are cut, removed or replaced.

Files are looked at in one thread of its own: a file system that does not answer holds up nothing but that. When it
takes long that is a trouble, too.
"""

from collections.abc import Callable
from functools import partial
from typing import Final

from lunaport.engine.embedded.failures import Failures
from lunaport.engine.embedded.loop import Loop
from lunaport.engine.embedded.portals_elsewhere import AnyPortals
from lunaport.engine.embedded.targets import TargetTable
from lunaport.engine.embedded.workers import Workers
from lunaport.storage.file import FileDevice

INSPECTION_S: Final = 2.0
STALLED_AFTER_S: Final = 20.0


class Inspection:
    """Begins by itself and never ends."""

    def __init__(
        self, loop: Loop, portals: AnyPortals, targets: TargetTable, failures: Failures, clock: Callable[[], float]
    ) -> None:
        self.loop = loop
        self.portals = portals
        self.targets = targets
        self.failures = failures
        self.clock = clock
        self.workers = Workers(loop, "inspection", threads_max=1)
        self.began: float | None = None
        loop.call_later(INSPECTION_S, self._look)

    def _look(self) -> None:
        now = self.clock()
        if self.began is None:
            self.began = now
            devices = [disk.device for target in self.targets for disk in target.disks.values()]
            self.workers.submit(partial(_check, devices), self._checked)
        elif now - self.began > STALLED_AFTER_S:
            self.failures.stalled = f"a disk's file system has not answered for {now - self.began:.0f} s"
        self.failures.tell(self.portals, self.targets)
        self.loop.call_later(INSPECTION_S, self._look)

    def _checked(self, _: BaseException | None) -> None:
        self.began = None
        self.failures.stalled = ""
        self.failures.tell(self.portals, self.targets)


def _check(devices: list[FileDevice]) -> None:
    for device in devices:
        device.check()
