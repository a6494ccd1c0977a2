"""The numbers of MMC-6 that only optical drives have, once."""

from enum import IntEnum


class OpticalOpcode(IntEnum):
    """Operation codes of the commands that disks have not (MMC-6 table 222)."""

    SEEK_10 = 0x2B
    READ_TOC_PMA_ATIP = 0x43
    GET_CONFIGURATION = 0x46
    GET_EVENT_STATUS_NOTIFICATION = 0x4A
    READ_DISC_INFORMATION = 0x51
    READ_TRACK_INFORMATION = 0x52
    READ_DISC_STRUCTURE = 0xAD
    SET_STREAMING = 0xB6
    READ_CD_MSF = 0xB9
    SET_CD_SPEED = 0xBB
    MECHANISM_STATUS = 0xBD
    READ_CD = 0xBE


class Profile(IntEnum):
    """What a medium is (MMC-6 table 95)."""

    NONE = 0x0000
    CD_ROM = 0x0008
    DVD_ROM = 0x0010


class Feature(IntEnum):
    """What a drive can do (MMC-6 table 93)."""

    PROFILE_LIST = 0x0000
    CORE = 0x0001
    MORPHING = 0x0002
    REMOVABLE_MEDIUM = 0x0003
    RANDOM_READABLE = 0x0010
    MULTI_READ = 0x001D
    CD_READ = 0x001E
    DVD_READ = 0x001F
    POWER_MANAGEMENT = 0x0100
    TIMEOUT = 0x0105
    SERIAL_NUMBER = 0x0108


class RequestedFeatures(IntEnum):
    """RT field of GET CONFIGURATION (MMC-6 table 278)."""

    ALL = 0
    CURRENT = 1
    ONE = 2


class EventClass(IntEnum):
    """Notification classes of GET EVENT STATUS NOTIFICATION (MMC-6 table 285), the first of them the most urgent."""

    OPERATIONAL_CHANGE = 1
    POWER_MANAGEMENT = 2
    MEDIA = 4
    DEVICE_BUSY = 6


class MediaEvent(IntEnum):
    """MMC-6 table 296."""

    NONE = 0
    EJECT_REQUEST = 1
    NEW_MEDIA = 2
    MEDIA_REMOVAL = 3


class TocFormat(IntEnum):
    """FORMAT of READ TOC/PMA/ATIP (MMC-6 table 461)."""

    TOC = 0
    SESSIONS = 1
    FULL_TOC = 2


class DiscStructure(IntEnum):
    """FORMAT of READ DISC STRUCTURE (MMC-6 table 390)."""

    PHYSICAL = 0x00
    COPYRIGHT = 0x01
    MANUFACTURER = 0x04
    LIST = 0xFF
