"""Targets of a data process: specifications turned into SCSI targets on open files, and who may log in to them."""

import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial

import structlog

from lunaport.engine.embedded.access import Access, Asker
from lunaport.engine.embedded.disk import Disk, open_disk
from lunaport.engine.embedded.loop import Loop
from lunaport.engine.embedded.lun_change import change_luns
from lunaport.engine.embedded.steps import Finish, run_together
from lunaport.engine.interface import StorageError, TargetSpec
from lunaport.iscsi.enums import LoginStatus
from lunaport.iscsi.errors import LoginRefused, Refusal
from lunaport.scsi.copy_domain import CopyDomain
from lunaport.scsi.rights import Rights
from lunaport.scsi.target import ScsiTarget

log = structlog.get_logger()


@dataclass(slots=True)
class Target:
    """A target on the wire. `missing`: LUNs whose file could not be opened, with the reason."""

    spec: TargetSpec
    access: Access
    scsi: ScsiTarget
    disks: dict[int, Disk] = field(default_factory=dict)
    missing: dict[int, str] = field(default_factory=dict)

    def serves(self, portal_group: int) -> bool:
        """Whether it is served through a portal group."""
        return not self.spec.portal_groups or portal_group in self.spec.portal_groups

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
        self.groups: tuple[int, ...] = (1,)

    def __iter__(self) -> Iterator[Target]:
        return iter(self.targets.values())

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
