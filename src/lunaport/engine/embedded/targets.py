"""Targets of a data process: specifications turned into SCSI targets on open files, and who may log in to them."""

import os
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import partial

import structlog

from lunaport.engine.embedded.access import Access, Asker
from lunaport.engine.embedded.disk import Disk, open_disk
from lunaport.engine.embedded.loop import Loop
from lunaport.engine.embedded.lun_change import change_luns
from lunaport.engine.embedded.media import report_medium
from lunaport.engine.embedded.neighbour import Neighbour
from lunaport.engine.embedded.steps import Finish, run_together
from lunaport.engine.interface import MediumReport, StorageError, TargetSpec
from lunaport.iscsi.enums import LoginStatus
from lunaport.iscsi.errors import LoginRefused, Refusal
from lunaport.scsi.copy_domain import CopyDomain
from lunaport.scsi.rights import Rights
from lunaport.scsi.target import ScsiTarget

log = structlog.get_logger()


@dataclass(slots=True)
class Known:
    """A target that initiators may be told of."""

    spec: TargetSpec
    access: Access

    def serves(self, portal_group: int) -> bool:
        """Whether it is served through a portal group."""
        return not self.spec.portal_groups or portal_group in self.spec.portal_groups


@dataclass(slots=True)
class Elsewhere(Known):
    """A target that the data process with this number serves. Its specification comes without the LUNs."""

    process: int


@dataclass(slots=True)
class Target(Known):
    """A target on the wire. `missing`: LUNs whose file could not be opened, with the reason."""

    scsi: ScsiTarget
    disks: dict[int, Disk] = field(default_factory=dict)
    missing: dict[int, str] = field(default_factory=dict)

    def rights_of(self, asker: Asker) -> Rights:
        """What the asker may do, coming by the portal group that he comes by. Raises LoginRefused."""
        if not self.serves(asker.portal_group):
            reason = f"the target is not served through portal group {asker.portal_group}"
            raise LoginRefused(LoginStatus.NOT_FOUND, reason, refusal=Refusal.WRONG_PORTAL_GROUP)
        return self.access.rights_of(asker)


class TargetTable:
    """The targets that run, by name."""

    def __init__(self, loop: Loop, clock: Callable[[], float]) -> None:
        self.loop = loop
        self.domain = CopyDomain(time.monotonic, os.urandom)
        self.clock = clock
        self.targets: dict[str, Target] = {}
        self.elsewhere: dict[str, Elsewhere] = {}
        self.groups: tuple[int, ...] = (1,)

    def __iter__(self) -> Iterator[Target]:
        return iter(self.targets.values())

    def known(self) -> Iterator[Known]:
        """All that are known here, those of other processes too."""
        yield from self.targets.values()
        yield from self.elsewhere.values()

    def change_elsewhere(self, put: Iterable[Neighbour], removed: Iterable[str]) -> None:
        """Other processes serve these targets, or serve them no longer."""
        for name in removed:
            self.elsewhere.pop(name, None)
        for each in put:
            self.elsewhere[each.spec.name] = Elsewhere(each.spec, Access(each.spec, self.clock), each.process)

    def specs(self) -> dict[str, TargetSpec]:
        """What runs, as specifications."""
        return {name: target.spec for name, target in self.targets.items()}

    def open(self, spec: TargetSpec, *, partly: bool) -> None:
        """Put a target on the wire. `partly`: a LUN that cannot be opened is left out and tried again later.

        Raises StorageError unless `partly`; then nothing is open.
        """
        disks: dict[int, Disk] = {}
        missing: dict[int, str] = {}
        for lun in spec.luns:
            try:
                disks[lun.lun] = open_disk(self.loop, lun)
            except StorageError as error:
                if not partly:
                    for disk in disks.values():
                        disk.close(lambda _: None)
                    raise
                log.error("disk cannot be opened", target=spec.name, lun=lun.lun, reason=str(error))
                missing[lun.lun] = str(error)
        units = {lun: disk.unit for lun, disk in disks.items()}
        scsi = ScsiTarget(units, name=spec.name, ports=self._ports(spec), domain=self.domain)
        self.targets[spec.name] = Target(spec, Access(spec, self.clock), scsi, disks, missing)

    def medium(self, name: str, lun: int, *, request_eject: bool) -> MediumReport | None:
        """The medium of a LUN now; None where there is none that could be taken out."""
        target = self.targets.get(name)
        disk = target.disks.get(lun) if target is not None else None
        return None if disk is None else report_medium(disk, request_eject=request_eject)

    def set_groups(self, groups: tuple[int, ...]) -> None:
        """The portal groups of now; each is a SCSI target port of the targets that it serves."""
        self.groups = groups
        for target in self:
            target.scsi.ports = self._ports(target.spec)

    def _ports(self, spec: TargetSpec) -> tuple[int, ...]:
        serving = tuple(group for group in self.groups if not spec.portal_groups or group in spec.portal_groups)
        return serving or spec.portal_groups

    def open_missing(self) -> None:
        """Try the LUNs again whose file could not be opened."""
        for target in self.targets.values():
            for lun in [lun for lun in target.spec.luns if lun.lun in target.missing]:
                try:
                    target.disks[lun.lun] = open_disk(self.loop, lun)
                except StorageError as error:
                    target.missing[lun.lun] = str(error)
                    continue
                del target.missing[lun.lun]
                target.scsi.set_units({number: disk.unit for number, disk in target.disks.items()})
                log.info("disk is there again", target=target.spec.name, lun=lun.lun)

    def update(self, spec: TargetSpec, finish: Finish, *, partly: bool) -> None:
        """New secrets and digests for the next login; other LUNs and larger disks at once. An error leaves the LUNs."""
        target = self.targets[spec.name]

        def changed(error: BaseException | None) -> None:
            if error is None:
                target.spec = spec
                target.access = Access(spec, self.clock)
                target.scsi.ports = self._ports(spec)
            finish(error)

        change_luns(target, spec, partial(open_disk, self.loop), changed, partly=partly)

    def close(self, name: str, finish: Finish) -> None:
        """Take a target off the wire; its sessions have ended."""
        target = self.targets.pop(name)
        run_together([disk.close for disk in target.disks.values()], finish)
