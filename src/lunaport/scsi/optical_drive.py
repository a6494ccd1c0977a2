"""An optical drive (MMC-6): a logical unit whose medium is an image that comes and goes, and what it tells of that.

State: the tray, whether a medium lies in it, and for each I_T nexus the media event that it has not asked for yet; a
newer one takes the place of an older one. A drive is a unit of its own device type; it has commands, mode pages and
INQUIRY data of its own, and never takes the short way of disks through a nexus.
"""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

from lunaport.blockdev.device import BlockDevice
from lunaport.blockdev.memory import MemoryDevice
from lunaport.scsi.optical_enums import MediaEvent, Profile
from lunaport.scsi.sense import (
    Sense,
    medium_may_have_changed,
    medium_not_present_tray_closed,
    medium_not_present_tray_open,
)

if TYPE_CHECKING:  # both need this module
    from lunaport.scsi.logical_unit import LogicalUnit
    from lunaport.scsi.nexus import Nexus

BLOCK_SIZE_BYTES: Final = 2048
CD_BLOCKS_MAX: Final = 80 * 60 * 75
"""What is larger than a CD of 80 minutes is a DVD."""
CONTROL: Final = 0x14
"""ADR 1, a data track that may not be copied (MMC-6 table 29)."""


class OpticalDrive:
    """What a logical unit has beyond a disk's when it is an optical drive."""

    __slots__ = ("_events", "has_medium", "tray_open")

    def __init__(self, *, has_medium: bool, tray_open: bool = False) -> None:
        self.has_medium = has_medium
        """A medium lies in the tray, be that open or not."""
        self.tray_open = tray_open
        self._events: dict[Nexus, MediaEvent] = {}

    @property
    def loaded(self) -> bool:
        """Whether the medium can be read."""
        return self.has_medium and not self.tray_open

    @property
    def absence(self) -> Sense:
        """Why it cannot."""
        return medium_not_present_tray_open() if self.tray_open else medium_not_present_tray_closed()

    def tell(self, nexuses: Iterable["Nexus"], event: MediaEvent) -> None:
        """Something happened to the medium."""
        for nexus in nexuses:
            self._events[nexus] = event

    def take_event(self, nexus: "Nexus") -> MediaEvent:
        """What this nexus has not been told yet; told now."""
        return self._events.pop(nexus, MediaEvent.NONE)

    def forget(self, nexus: "Nexus") -> None:
        """A nexus is gone."""
        self._events.pop(nexus, None)


def empty_medium() -> BlockDevice:
    """What a drive without a medium stands on: nothing can be read from it."""
    return MemoryDevice(0, can_unmap=False)


def profile_of(unit: "LogicalUnit") -> Profile:
    """What lies in the drive."""
    if unit.drive is None or not unit.drive.loaded:
        return Profile.NONE
    return Profile.CD_ROM if unit.block_count <= CD_BLOCKS_MAX else Profile.DVD_ROM


def insert_medium(unit: "LogicalUnit", device: BlockDevice) -> None:
    """Put another medium into the drive, in place of one that lies there, and close the tray; every nexus is told."""
    drive = _drive_of(unit)
    drive.has_medium, drive.tray_open = True, False
    unit.stand_on(device)
    unit.block_count = device.size_bytes >> unit.shift
    drive.tell(unit.nexuses, MediaEvent.NEW_MEDIA)
    unit.raise_attention(medium_may_have_changed())
    unit.set_medium(ejected=False)


def remove_medium(unit: "LogicalUnit") -> None:
    """Take the medium out of the drive and close the tray; every nexus is told."""
    drive = _drive_of(unit)
    drive.has_medium = drive.tray_open = False
    unit.stand_on(empty_medium())
    unit.block_count = 0
    drive.tell(unit.nexuses, MediaEvent.MEDIA_REMOVAL)
    unit.set_medium(ejected=True)


def move_tray(unit: "LogicalUnit", nexus: "Nexus", *, open_it: bool) -> bool:
    """Open or close the tray with whatever lies in it, as `nexus` asked for; False where it is so already."""
    drive = _drive_of(unit)
    if drive.tray_open == open_it:
        return False
    drive.tray_open = open_it
    if drive.has_medium:
        drive.tell(unit.nexuses, MediaEvent.MEDIA_REMOVAL if open_it else MediaEvent.NEW_MEDIA)
        if not open_it:
            unit.raise_attention(medium_may_have_changed(), but=nexus)
    unit.set_medium(ejected=not drive.loaded)
    return True


def _drive_of(unit: "LogicalUnit") -> OpticalDrive:
    assert unit.drive is not None, "only drives have a medium that is changed"
    return unit.drive


def msf(lba: int) -> bytes:
    """Minute, second and frame of an LBA (MMC-6 table 706); the end of what they can say for what lies beyond."""
    minute, rest = divmod(lba + 150, 75 * 60)
    return bytes((min(minute, 0xFF), rest // 75, rest % 75))
