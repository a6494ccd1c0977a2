"""Numbers of RFC 4171: functions (section 5.1.2), attributes (6.1), status codes (5.4), flags (5.1.4)."""

from enum import IntEnum, IntFlag
from typing import Final

VERSION: Final = 1
RESPONSE: Final = 0x8000
"""Set in the function of every response."""


class Function(IntEnum):
    """Requests; a response has RESPONSE added."""

    DEV_ATTR_REG = 0x0001
    DEV_ATTR_QRY = 0x0002
    DEV_GET_NEXT = 0x0003
    DEV_DEREG = 0x0004
    SCN_REG = 0x0005
    SCN_DEREG = 0x0006
    SCN_EVENT = 0x0007
    SCN = 0x0008
    DD_REG = 0x0009
    DD_DEREG = 0x000A
    DDS_REG = 0x000B
    DDS_DEREG = 0x000C
    ESI = 0x000D
    HEARTBEAT = 0x000E


class Flag(IntFlag):
    """Flags of a PDU."""

    CLIENT = 0x8000
    SERVER = 0x4000
    AUTHENTICATION = 0x2000
    REPLACE = 0x1000
    LAST = 0x0800
    FIRST = 0x0400


class Tag(IntEnum):
    """Attributes that a target has to do with."""

    DELIMITER = 0
    ENTITY_IDENTIFIER = 1
    ENTITY_PROTOCOL = 2
    TIMESTAMP = 4
    REGISTRATION_PERIOD = 6
    PORTAL_ADDRESS = 16
    PORTAL_PORT = 17
    ESI_INTERVAL = 19
    ESI_PORT = 20
    SCN_PORT = 23
    ISCSI_NAME = 32
    ISCSI_NODE_TYPE = 33
    ISCSI_ALIAS = 34
    ISCSI_SCN_BITMAP = 35
    GROUP_ISCSI_NAME = 48
    GROUP_PORTAL_ADDRESS = 49
    GROUP_PORTAL_PORT = 50
    GROUP_TAG = 51


class Protocol(IntEnum):
    """Values of ENTITY_PROTOCOL (section 6.2.2)."""

    ISCSI = 2


class NodeType(IntFlag):
    """Values of ISCSI_NODE_TYPE (section 6.4.2)."""

    TARGET = 1
    INITIATOR = 2
    CONTROL = 4


class ScnBitmap(IntFlag):
    """Values of ISCSI_SCN_BITMAP (section 6.4.4)."""

    DD_MEMBER_ADDED = 0x01
    DD_MEMBER_REMOVED = 0x02
    OBJECT_UPDATED = 0x04
    OBJECT_ADDED = 0x08
    OBJECT_REMOVED = 0x10
    MANAGEMENT = 0x20
    TARGET_AND_SELF = 0x40
    INITIATOR_AND_SELF = 0x80


class Status(IntEnum):
    """Status codes of responses."""

    SUCCESSFUL = 0
    UNKNOWN_ERROR = 1
    MESSAGE_FORMAT_ERROR = 2
    INVALID_REGISTRATION = 3
    INVALID_QUERY = 5
    SOURCE_UNKNOWN = 6
    SOURCE_ABSENT = 7
    SOURCE_UNAUTHORIZED = 8
    NO_SUCH_ENTRY = 9
    VERSION_NOT_SUPPORTED = 10
    INTERNAL_ERROR = 11
    BUSY = 12
    OPTION_NOT_UNDERSTOOD = 13
    INVALID_UPDATE = 14
    MESSAGE_NOT_SUPPORTED = 15
    SCN_EVENT_REJECTED = 16
    SCN_REGISTRATION_REJECTED = 17
    ATTRIBUTE_NOT_IMPLEMENTED = 18
    FC_DOMAIN_ID_NOT_AVAILABLE = 19
    FC_DOMAIN_ID_NOT_ALLOCATED = 20
    ESI_NOT_AVAILABLE = 21
    INVALID_DEREGISTRATION = 22
    REGISTRATION_FEATURE_NOT_SUPPORTED = 23


_NAMES: Final = {int(each): each.name.lower().replace("_", " ") for each in Status}


def status_text(status: int) -> str:
    """A status code in words."""
    return f"{_NAMES.get(status, 'unknown status')} (status {status})"
