"""Media that are put in and taken out by the administrator: images of drives, and those of removable disks."""

import time
from typing import TYPE_CHECKING, Final

import structlog

from lunaport.engine.embedded.steps import Finish
from lunaport.engine.interface import LunSpec, MediumReport
from lunaport.scsi.logical_unit import LogicalUnit
from lunaport.scsi.optical_drive import insert_medium, remove_medium
from lunaport.scsi.optical_enums import MediaEvent
from lunaport.scsi.sense import medium_may_have_changed
from lunaport.storage.errors import StorageError
from lunaport.storage.file import FileDevice
from lunaport.storage.image import open_image

if TYPE_CHECKING:  # disks need this module
    from lunaport.engine.embedded.disk import Disk

log = structlog.get_logger()

CDROM: Final = "cdrom"


def open_medium(spec: LunSpec) -> tuple[FileDevice | None, str]:
    """The image of a drive, or why there is none. A drive whose image is gone is an empty drive, not a missing one."""
    if not spec.image:
        return None, ""
    try:
        return open_image(spec.image, time.monotonic), ""
    except StorageError as error:
        log.error("image cannot be opened; the drive is empty", lun=spec.lun, reason=str(error))
        return None, str(error)


def change_medium(disk: "Disk", spec: LunSpec, finish: Finish) -> None:
    """Put the medium of `spec` in, or take it out; locks of initiators are gone with the one before."""
    opened: list[FileDevice] = []

    def work() -> None:
        if spec.image:
            opened.append(open_image(spec.image, time.monotonic))
        elif spec.medium_out:
            disk.device.flush()
        disk.tray.save(lambda: False)

    def done(error: BaseException | None) -> None:
        if error is not None:
            for image in opened:
                image.close()
            disk.finish(error, finish)
            return
        disk.tray.insertion = spec.insertion
        disk.unit.preventing.clear()
        if disk.unit.drive is None:
            _move_medium(disk.unit, out=spec.medium_out)
        else:
            _change_image(disk, opened[0] if opened else None)
        disk.spec = spec
        finish(None)

    disk.workers.submit(work, done)


def _move_medium(unit: LogicalUnit, *, out: bool) -> None:
    if unit.ejected and not out:
        unit.raise_attention(medium_may_have_changed())
    unit.set_medium(ejected=out)


def _change_image(disk: "Disk", image: FileDevice | None) -> None:
    before, disk.image, disk.image_failure = disk.image, image, ""
    if image is None:
        remove_medium(disk.unit)
    else:
        insert_medium(disk.unit, image)
    if before is not None:  # who reads it may end
        disk.unit.when_ended(before.close)


def report_medium(disk: "Disk", *, request_eject: bool) -> MediumReport | None:
    """How it stands with the medium of a LUN. `request_eject`: who keeps it in is told that it is wanted."""
    unit = disk.unit
    if not unit.removable:
        return None
    if request_eject and unit.drive is not None:
        unit.drive.tell(unit.preventing, MediaEvent.EJECT_REQUEST)
    return MediumReport(
        loaded=not unit.ejected,
        tray_open=unit.tray_open,
        locked_by=tuple(sorted({nexus.id.initiator_port.partition(",i,")[0] for nexus in unit.preventing})),
    )
