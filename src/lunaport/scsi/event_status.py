"""GET EVENT STATUS NOTIFICATION and MECHANISM STATUS (MMC-6 6.7 and 6.10): what happened to medium and tray.

Polled only: an initiator asks for classes of events and gets the most urgent event among them, or what is so without
one. An event is told to each I_T nexus once.
"""

import struct

from lunaport.scsi.logical_unit import LogicalUnit
from lunaport.scsi.nexus import Nexus
from lunaport.scsi.optical_drive import OpticalDrive
from lunaport.scsi.optical_enums import EventClass, MediaEvent
from lunaport.scsi.reply import send
from lunaport.scsi.sense import ScsiError, invalid_field_in_cdb
from lunaport.scsi.task import Task

_POLLED = 0x01
_POLLED_BIT = 0
_HEADER = struct.Struct(">HBB")
_NO_CLASS = 0x80
_SUPPORTED = sum(1 << each for each in EventClass)
_MEDIUM_PRESENT, _TRAY_OPEN = 0x02, 0x01
_ACTIVE = 0x01
_DOOR_OPEN = 0x10


def get_event_status_notification(nexus: Nexus, unit: LogicalUnit, task: Task) -> None:
    cdb = task.cdb
    if not cdb[1] & _POLLED:
        raise ScsiError(invalid_field_in_cdb(1, _POLLED_BIT))
    drive = _drive_of(unit)
    allocation_length = int.from_bytes(cdb[7:9])
    wanted = [each for each in EventClass if cdb[4] & 1 << each]
    if not wanted:
        send(task, _HEADER.pack(_HEADER.size - 2, _NO_CLASS, _SUPPORTED), allocation_length)
        return
    chosen = wanted[0]
    event = MediaEvent.NONE
    if EventClass.MEDIA in wanted and allocation_length > _HEADER.size:
        # No other class has events here, so one of this class goes before what is merely so in the others.
        event = drive.take_event(nexus)
        chosen = EventClass.MEDIA if event else chosen
    descriptor = _descriptor(drive, chosen, event)
    send(task, _HEADER.pack(_HEADER.size - 2 + len(descriptor), chosen, _SUPPORTED) + descriptor, allocation_length)


def _descriptor(drive: OpticalDrive, chosen: EventClass, event: MediaEvent) -> bytes:
    match chosen:
        case EventClass.MEDIA:
            status = (_MEDIUM_PRESENT if drive.loaded else 0) | (_TRAY_OPEN if drive.tray_open else 0)
            return bytes((event, status, 0, 0))
        case EventClass.POWER_MANAGEMENT:
            return bytes((0, _ACTIVE, 0, 0))
        case _:  # nothing changed, nothing is busy
            return bytes(4)


def mechanism_status(nexus: Nexus, unit: LogicalUnit, task: Task) -> None:
    """No changer, no slots."""
    data = bytes((0, _DOOR_OPEN if _drive_of(unit).tray_open else 0, 0, 0, 0, 0, 0, 0))
    send(task, data, int.from_bytes(task.cdb[8:10]))


def _drive_of(unit: LogicalUnit) -> OpticalDrive:
    assert unit.drive is not None, "the command table gives these to drives only"
    return unit.drive
