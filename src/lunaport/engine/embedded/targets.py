"""Targets of a data process: specifications turned into SCSI targets on open files, and who may log in to them."""

import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial

import structlog

from lunaport.blockdev.device import BlockDevice, DeviceError
from lunaport.engine.embedded.access import Access, Asker
from lunaport.engine.embedded.kept_modes import load_modes
from lunaport.engine.embedded.loop import Loop
from lunaport.engine.embedded.steps import Finish, run_steps, run_together
from lunaport.engine.embedded.workers import Workers
from lunaport.engine.interface import EngineError, LunSpec, StorageError, TargetSpec
from lunaport.iscsi.enums import LoginStatus
from lunaport.iscsi.errors import LoginRefused, Refusal
from lunaport.scsi.copy_domain import CopyDomain
from lunaport.scsi.erasure import UNREADABLE, parse_plan, resume_erasure
from lunaport.scsi.logical_unit import LogicalUnit
from lunaport.scsi.mode_pages import Modes
from lunaport.scsi.reservation_book import ReservationBook
from lunaport.scsi.reservation_store import load_reservations
from lunaport.scsi.rights import Rights
from lunaport.scsi.target import ScsiTarget
from lunaport.storage import companion
from lunaport.storage import errors as storage_errors
from lunaport.storage.companion import Companion
from lunaport.storage.encrypted import open_encrypted
from lunaport.storage.file import FileDevice, open_file
from lunaport.storage.sidecar import ReservationsSidecar

log = structlog.get_logger()


@dataclass(slots=True)
class Disk:
    """A LUN: its file, the logical unit on it, the threads that block for it."""

    spec: LunSpec
    device: FileDevice
    workers: Workers
    unit: LogicalUnit

    def grow(self, spec: LunSpec, finish: Finish) -> None:
        """Make the file larger (which waits for the disk), then tell the initiators."""

        def grown(error: BaseException | None) -> None:
            if error is None:
                self.spec = spec
                self.unit.grow()
                finish(None)
            else:
                finish(EngineError(f"{spec.path}: {error}"))

        self.workers.submit(lambda: self.device.grow(spec.size_bytes), grown)

    def close(self, finish: Finish) -> None:
        """Let go of the file when nothing is under way on it any more."""

        def idle() -> None:
            self.device.close()
            finish(None)

        self.unit.closing = True
        self.workers.close(idle)


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


def open_disk(loop: Loop, spec: LunSpec) -> Disk:
    """Open a LUN's file and put a logical unit on it. Raises StorageError."""
    try:
        device = open_file(spec.path, time.monotonic, size_bytes=spec.size_bytes, read_only=spec.read_only)
        served, erase_key = _decrypted(device, spec)
    except storage_errors.StorageError as error:
        raise StorageError(error.fault, error.path, error.reason) from error
    workers = Workers(loop, f"disk-{spec.uuid[:8]}")
    store = ReservationsSidecar(spec.path)
    reservations, damage = load_reservations(store)
    if damage:
        log.error("reservations are lost; the disk refuses access until they are replaced", lun=spec.lun, reason=damage)
    saved_modes, save_modes = load_modes(device)
    journal = Companion(spec.path, companion.ERASING)
    unit = LogicalUnit(
        served,
        workers,
        uuid=spec.uuid,
        serial=spec.serial or spec.uuid,
        block_size_bytes=spec.block_size_bytes,
        reservations=ReservationBook(store, reservations),
        physical_block_size_bytes=spec.physical_block_size_bytes,
        vendor=spec.vendor,
        product=spec.product,
        thin=spec.unmap,
        read_only=spec.read_only,
        removable=spec.removable,
        default_modes=Modes(write_cache=spec.write_cache),
        saved_modes=saved_modes,
        save_modes=save_modes,
        erase_journal=journal,
        erase_key=erase_key,
    )
    _resume_erasure(spec, unit, journal)
    return Disk(spec, device, workers, unit)


def _decrypted(device: FileDevice, spec: LunSpec) -> tuple[BlockDevice, Callable[[], None] | None]:
    """What the logical unit works on, and how to destroy the key of it; the file itself where there is no key."""
    if not spec.key:
        return device, None
    try:
        encrypted = open_encrypted(device, spec.path, bytes.fromhex(spec.key))
    except storage_errors.StorageError:
        device.close()
        raise
    return encrypted, encrypted.erase_key


def _resume_erasure(spec: LunSpec, unit: LogicalUnit, journal: Companion) -> None:
    """Go on with what SANITIZE or FORMAT UNIT had begun before the last end."""
    try:
        document = journal.load()
    except DeviceError as error:
        log.error("an erasure had begun, and how far it is cannot be read", lun=spec.lun, reason=str(error))
        plan = UNREADABLE
    else:
        if document is None:
            return
        plan = parse_plan(document)
    state = "an erasure had failed; the disk serves nothing until it is erased" if plan.failed else "an erasure goes on"
    log.warning(state, lun=spec.lun, path=spec.path)
    resume_erasure(unit, plan)


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

    def update(self, spec: TargetSpec, finish: Finish) -> None:
        """New secrets and digests for the next login; larger disks at once. On an error nothing has changed."""
        target = self.targets[spec.name]
        for lun in spec.luns:
            if lun.lun in target.missing and lun not in target.spec.luns:
                finish(EngineError(f"LUN {lun.lun} cannot be changed: {target.missing[lun.lun]}"))
                return
        growing = [
            partial(target.disks[lun.lun].grow, lun)
            for lun in spec.luns
            if lun.lun in target.disks and lun.size_bytes > target.disks[lun.lun].spec.size_bytes
        ]

        def grown(error: BaseException | None) -> None:
            if error is None:
                target.spec = spec
                target.access = Access(spec, self.clock)
                target.scsi.ports = self._ports(spec)
            finish(error)

        run_steps(growing, grown)

    def close(self, name: str, finish: Finish) -> None:
        """Take a target off the wire; its sessions have ended."""
        target = self.targets.pop(name)
        run_together([disk.close for disk in target.disks.values()], finish)
