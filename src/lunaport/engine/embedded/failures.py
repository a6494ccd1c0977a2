"""What fails and what works again, as events: portals that cannot be opened, disks that are not there or broken,
reservations that are lost.
"""

from lunaport.engine.embedded.addresses import format_address
from lunaport.engine.embedded.journal import Journal
from lunaport.engine.embedded.portals import Portals
from lunaport.engine.embedded.targets import TargetTable


class Failures:
    """Remembers what was told, so that each failure is told once, and its end too."""

    def __init__(self, journal: Journal) -> None:
        self.journal = journal
        self.portals: dict[str, str] = {}
        self.disks: dict[tuple[str, int], str] = {}
        self.lost: set[tuple[str, int]] = set()

    def tell(self, portals: Portals, targets: TargetTable) -> None:
        """Compare with what is now. What was taken away on purpose has not come to work again: nothing is said."""
        failed = {format_address(*key): failure.reason for key, failure in portals.errors.items()}
        listening = {format_address(*key) for key in portals.listening}
        for address in failed.keys() - self.portals.keys():
            self.journal.add("portal_failed", portal=address, reason=failed[address])
        for address in self.portals.keys() - failed.keys():
            if address in listening:
                self.journal.add("portal_works", portal=address)
        self.portals = failed
        broken: dict[tuple[str, int], str] = {}
        served: set[tuple[str, int]] = set()
        for target in targets:
            name = target.spec.name
            broken.update({(name, lun): reason for lun, reason in target.missing.items()})
            for lun, disk in target.disks.items():
                served.add((name, lun))
                if disk.device.failure:
                    broken[name, lun] = disk.device.failure
        for name, lun in broken.keys() - self.disks.keys():
            self.journal.add("disk_failed", target=name, lun=str(lun), reason=broken[name, lun])
        for name, lun in (self.disks.keys() - broken.keys()) & served:
            self.journal.add("disk_works", target=name, lun=str(lun))
        self.disks = broken
        self._tell_lost(targets)

    def _tell_lost(self, targets: TargetTable) -> None:
        lost: set[tuple[str, int]] = set()
        known: set[tuple[str, int]] = set()
        for target in targets:
            for lun, disk in target.disks.items():
                known.add((target.spec.name, lun))
                if disk.unit.reservations.now.lost:
                    lost.add((target.spec.name, lun))
        for name, lun in lost - self.lost:
            self.journal.add("reservations_lost", target=name, lun=str(lun))
        for name, lun in (self.lost - lost) & known:
            self.journal.add("reservations_replaced", target=name, lun=str(lun))
        self.lost = lost
