"""What fails and what works again: portals that cannot be opened, disks that are not there or broken, failing commands.

Told twice: as events when it begins and when it ends, and as troubles for who asks how it is now. What was taken away
on purpose has not come to work again: nothing is said.
"""

import time
from collections.abc import Callable, Collection, Mapping
from typing import Final

from lunaport.blockdev.device import DeviceFault
from lunaport.engine.embedded.addresses import format_address
from lunaport.engine.embedded.disk import Disk
from lunaport.engine.embedded.journal import Journal
from lunaport.engine.embedded.portals_elsewhere import AnyPortals
from lunaport.engine.embedded.targets import Target, TargetTable
from lunaport.engine.interface import Trouble

QUIET_S: Final = 60.0
"""Errors of a disk are over when none came for so long."""
LOST: Final = "its reservations cannot be read, so it lets nobody in until they are replaced"

DiskKey = tuple[str, int]
ErrorKey = tuple[str, int, str]


class Recent:
    """An error that comes again and again is one trouble, from the first one until it is quiet."""

    __slots__ = ("count", "detail", "last", "since")

    def __init__(self, since: float) -> None:
        self.since = since
        self.last = 0.0
        self.count = 0
        self.detail = ""


class _Found:
    """What is wrong with disks now. Nearly all are well: a look at one of those has to cost next to nothing."""

    __slots__ = ("disks", "failing", "lost")

    def __init__(self) -> None:
        self.disks: dict[DiskKey, str] = {}
        self.failing: dict[DiskKey, Disk] = {}
        self.lost: set[DiskKey] = set()

    def look_at(self, target: Target) -> None:
        """At all disks of a target."""
        name = target.spec.name
        for lun, reason in target.missing.items():
            self.disks[name, lun] = reason
        for lun, disk in target.disks.items():
            if disk.failure:
                self.disks[name, lun] = disk.failure
            if disk.device.errors:
                self.failing[name, lun] = disk
            if disk.unit.reservations.now.lost:
                self.lost.add((name, lun))


def _is_served(table: Mapping[str, Target], name: str, lun: int) -> bool:
    return name in table and lun in table[name].disks


class Failures:
    """Remembers what was told, so that each failure is told once, and its end too."""

    def __init__(
        self,
        journal: Journal,
        *,
        clock: Callable[[], float] = time.monotonic,
        wall_clock: Callable[[], float] = time.time,
    ) -> None:
        self.journal = journal
        self.clock = clock
        self.wall_clock = wall_clock
        self.portals: dict[str, str] = {}
        self.disks: dict[DiskKey, str] = {}
        self.lost: set[DiskKey] = set()
        """Whose persistent reservations cannot be read."""
        self.errors: dict[ErrorKey, Recent] = {}
        self.stalled = ""
        self.since: dict[tuple[str, str], float] = {}

    def tell(self, portals: AnyPortals, targets: TargetTable, names: Collection[str] | None = None) -> None:
        """Compare with what is now. `names`: look at these targets only, of thousands, as they were just changed."""
        self._tell_portals(portals)
        table = targets.targets
        looked = table.values() if names is None else [table[name] for name in names if name in table]
        found = _Found()
        for target in looked:
            found.look_at(target)
        if names is not None:
            # Of those that were not looked at, it is as it was.
            found.disks |= {key: reason for key, reason in self.disks.items() if key[0] not in names}
            found.lost |= {key for key in self.lost if key[0] not in names}
        self._tell_disks(table, found.disks)
        self._tell_errors(found.failing, names)
        self._tell_lost(table, found.lost)

    def _tell_portals(self, portals: AnyPortals) -> None:
        failed = {format_address(*key): failure.reason for key, failure in portals.errors.items()}
        listening = {format_address(*key) for key in portals.listening}
        for address in failed.keys() - self.portals.keys():
            self.journal.add("portal_failed", portal=address, reason=failed[address])
        for address in self.portals.keys() - failed.keys():
            if address in listening:
                self.journal.add("portal_works", portal=address)
        self.portals = failed

    def _tell_disks(self, table: Mapping[str, Target], broken: dict[DiskKey, str]) -> None:
        for name, lun in broken.keys() - self.disks.keys():
            self.journal.add("disk_failed", target=name, lun=str(lun), reason=broken[name, lun])
        for name, lun in self.disks.keys() - broken.keys():
            if _is_served(table, name, lun):
                self.journal.add("disk_works", target=name, lun=str(lun))
        self.disks = broken

    def _tell_errors(self, failing: Mapping[DiskKey, Disk], names: Collection[str] | None) -> None:
        now = self.clock()
        found = {key: recent for key, recent in self.errors.items() if names is not None and key[0] not in names}
        for (name, lun), disk in failing.items():
            for fault, tally in disk.device.errors.tallies().items():
                key = (name, lun, fault.value)
                recent = self.errors.get(key) or Recent(self.wall_clock())
                found[key] = recent
                if tally.count != recent.count:
                    if now - recent.last >= QUIET_S or not recent.count:
                        recent.since = self.wall_clock()
                        self._tell_error("disk_error", key, tally.detail)
                    recent.last, recent.count, recent.detail = now, tally.count, tally.detail
                elif recent.last and now - recent.last >= QUIET_S:
                    recent.last = 0.0
                    self._tell_error("disk_error_over", key, recent.detail)
        self.errors = found

    def _tell_error(self, kind: str, key: ErrorKey, reason: str) -> None:
        name, lun, fault = key
        self.journal.add(kind, target=name, lun=str(lun), error=fault, reason=reason)

    def _tell_lost(self, table: Mapping[str, Target], lost: set[DiskKey]) -> None:
        for name, lun in lost - self.lost:
            self.journal.add("reservations_lost", target=name, lun=str(lun))
        for name, lun in self.lost - lost:
            if _is_served(table, name, lun):
                self.journal.add("reservations_replaced", target=name, lun=str(lun))
        self.lost = lost

    def troubles(self) -> list[Trouble]:
        """All that does not work now."""
        found = [("disk", f"{name} LUN {lun}", reason) for (name, lun), reason in self.disks.items()]
        found += [("portal", address, reason) for address, reason in self.portals.items()]
        found += [("reservations", f"{name} LUN {lun}", LOST) for name, lun in sorted(self.lost)]
        if self.stalled:
            found.append(("storage", "", self.stalled))
        now = self.wall_clock()
        self.since = {(kind, subject): self.since.get((kind, subject), now) for kind, subject, _ in found}
        troubles = [
            Trouble(kind=kind, subject=subject, reason=reason, since=self.since[kind, subject])
            for kind, subject, reason in found
        ]
        for (name, lun, fault), recent in self.errors.items():
            if recent.last and fault != DeviceFault.FLUSH_FAILED.value:  # that one is told of as the disk's failure
                reason = f"{fault} ({recent.detail}), {recent.count} times"
                troubles.append(
                    Trouble(kind="disk_errors", subject=f"{name} LUN {lun}", reason=reason, since=recent.since)
                )
        return troubles
