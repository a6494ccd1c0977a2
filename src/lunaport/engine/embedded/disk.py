"""A LUN of a data process: a specification turned into a logical unit on an open file.

It changes under its users: it grows, becomes read-only or writable, writes back or through. What waits for the disk is
done in its own threads; `finish` is called on the event loop.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace

import structlog

from lunaport.blockdev.device import BlockDevice, DeviceError, DeviceFault
from lunaport.engine.embedded.kept_modes import load_modes
from lunaport.engine.embedded.loop import Loop
from lunaport.engine.embedded.media import CDROM, change_medium, open_medium
from lunaport.engine.embedded.steps import Finish, Step, run_steps
from lunaport.engine.embedded.tray import Tray
from lunaport.engine.embedded.workers import Workers
from lunaport.engine.interface import EngineError, LunSpec, StorageError
from lunaport.scsi.erasure import UNREADABLE, parse_plan, resume_erasure
from lunaport.scsi.logical_unit import LogicalUnit
from lunaport.scsi.mode_pages import Modes
from lunaport.scsi.optical_drive import OpticalDrive, empty_medium
from lunaport.scsi.ranges import Span
from lunaport.scsi.reservation_book import ReservationBook
from lunaport.scsi.reservation_store import load_reservations
from lunaport.storage import companion
from lunaport.storage import errors as storage_errors
from lunaport.storage.companion import Companion
from lunaport.storage.encrypted import open_encrypted
from lunaport.storage.file import FileDevice, open_file
from lunaport.storage.sidecar import ReservationsSidecar

log = structlog.get_logger()

LEAVE_WITHIN_S = 2.0
"""How long commands may take that are under way on a LUN that is taken away."""


@dataclass(slots=True)
class Disk:
    """A LUN: its file, the logical unit on it, the threads that block for it."""

    spec: LunSpec
    device: FileDevice
    workers: Workers
    unit: LogicalUnit
    tray: Tray
    image: FileDevice | None = None
    """What lies in a drive."""
    image_failure: str = ""
    """Why the image that should lie in it does not."""

    @property
    def failure(self) -> str:
        """What is wrong with it; empty while all is well."""
        return self.device.failure or self.image_failure

    def change(self, spec: LunSpec, finish: Finish) -> None:
        """Become what `spec` says, as far as that can change."""
        steps: list[Step] = []
        if spec.size_bytes > self.spec.size_bytes:
            steps.append(lambda done: self._grow(spec, done))
        if spec.write_cache != self.spec.write_cache:
            steps.append(lambda done: self._set_write_cache(spec, done))
        if spec.read_only != self.spec.read_only:
            steps.append(lambda done: self._set_read_only(spec, done))
        if spec.insertion != self.spec.insertion:
            steps.append(lambda done: change_medium(self, spec, done))
        self.unit.threshold.percent = spec.low_space_percent
        self.spec = replace(self.spec, low_space_percent=spec.low_space_percent)
        run_steps(steps, finish)

    def _grow(self, spec: LunSpec, finish: Finish) -> None:
        """Make the file larger (which waits for the disk), then tell the initiators."""

        def grown(error: BaseException | None) -> None:
            if error is None:
                self.spec = replace(self.spec, size_bytes=spec.size_bytes)
                self.unit.grow()
            self.finish(error, finish)

        self.workers.submit(lambda: self.device.grow(spec.size_bytes), grown)

    def _set_write_cache(self, spec: LunSpec, finish: Finish) -> None:
        """Who switches the cache off is told that it is when what was in it is on the medium."""
        unit = self.unit
        unit.set_write_cache(spec.write_cache)
        saved, save = unit.saved_modes, unit.save_modes

        def work() -> None:
            if not spec.write_cache:
                self.device.flush()
            if saved is not None and save is not None:
                save(saved)

        def done(error: BaseException | None) -> None:
            if error is None:
                self.spec = replace(self.spec, write_cache=spec.write_cache)
            self.finish(error, finish)

        self.workers.submit(work, done)

    def _set_read_only(self, spec: LunSpec, finish: Finish) -> None:
        """Read-only means that no write lands any more, and that those that did are on the medium."""
        unit = self.unit
        if unit.erasure is not None:
            finish(EngineError(f"LUN {spec.lun} is being erased; wait until that has ended"))
            return

        def done(error: BaseException | None) -> None:
            if error is None:
                self.spec = replace(self.spec, read_only=spec.read_only)
                if not spec.read_only:
                    unit.set_read_only(False, thin=spec.unmap)
            elif spec.read_only:
                unit.set_read_only(False, thin=spec.unmap)
            self.finish(error, finish)

        if not spec.read_only:
            self.workers.submit(self.device.reopen_for_writing, done)
            return
        unit.set_read_only(True, thin=spec.unmap)
        everything = Span(0, self.device.size_bytes, writes=True)

        def left_alone() -> None:
            self.workers.submit(self.device.flush, flushed)

        def flushed(error: BaseException | None) -> None:
            unit.ranges.leave(everything)
            done(error)

        if not unit.ranges.enter(everything, left_alone):
            done(DeviceError(DeviceFault.GONE, "too many commands wait for it; try again"))

    def finish(self, error: BaseException | None, finish: Finish) -> None:
        """End a step, with an error in the words of the engine."""
        finish(None if error is None else EngineError(f"{self.spec.path}: {error}"))

    def leave(self, finish: Finish) -> None:
        """Let go of a LUN that nobody can reach any more: commands that are under way may end, for a while."""
        unit, loop = self.unit, self.workers.loop
        unit.closing = True
        left = False

        def close() -> None:
            nonlocal left
            if not left:
                left = True
                timer.cancel()
                self.close(finish)

        def end() -> None:
            loop.call_later(LEAVE_WITHIN_S, close)
            unit.abort(list(unit.task_set), close)

        timer = loop.call_later(LEAVE_WITHIN_S, end)
        unit.when_ended(close)

    def close(self, finish: Finish) -> None:
        """Let go of the file when nothing is under way on it any more."""

        def idle() -> None:
            self.device.close()
            if self.image is not None:
                self.image.close()
            finish(None)

        self.unit.closing = True
        self.workers.close(idle)


def open_disk(loop: Loop, spec: LunSpec) -> Disk:
    """Open a LUN's file and put a logical unit on it. Raises StorageError."""
    image, image_failure = open_medium(spec)
    try:
        device = open_file(spec.path, time.monotonic, size_bytes=spec.size_bytes, read_only=spec.read_only)
        served, erase_key = _decrypted(device, spec)
    except storage_errors.StorageError as error:
        if image is not None:
            image.close()
        raise StorageError(error.fault, error.path, error.reason) from error
    tray = Tray(spec.path, spec.insertion)
    ejected = spec.removable and (spec.medium_out or tray.load())
    drive = None
    if spec.device_type == CDROM:
        drive = OpticalDrive(has_medium=image is not None, tray_open=ejected)
        served = image or empty_medium()
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
        ejected=ejected,
        keep_ejected=tray.save,
        drive=drive,
        low_space_percent=spec.low_space_percent,
    )
    _resume_erasure(spec, unit, journal)
    return Disk(spec, device, workers, unit, tray, image, image_failure)


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
