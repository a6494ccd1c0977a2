"""What each fault is called on the wire: the NAS API's integer code, and the HTTP status in either API.

The codes are stable for ever and listed in docs/nas-api.md; a test compares the two. Numbers are grouped: 10xx the
body, 11xx fields, 12xx names, 13xx sizes, 14xx volumes, 15xx CHAP and access, 16xx LUNs and their users, 17xx the
service, 18xx the thing asked for, 19xx the caller, 20xx the NAS itself, 21xx its configuration as a whole.
"""

from dataclasses import dataclass
from typing import Final

from lunaport.model.errors import Fault


@dataclass(frozen=True, slots=True)
class Wire:
    """A fault on the wire."""

    code: int
    nas_status: int
    v1_status: int


WIRE: Final[dict[Fault, Wire]] = {
    Fault.BODY_NOT_JSON: Wire(1001, 400, 400),
    Fault.BODY_NOT_OBJECT: Wire(1002, 400, 400),
    Fault.BODY_TOO_LARGE: Wire(1003, 413, 413),
    Fault.BODY_TIMEOUT: Wire(1004, 408, 408),
    Fault.UNKNOWN_FIELD: Wire(1101, 400, 422),
    Fault.MISSING_FIELD: Wire(1102, 400, 422),
    Fault.WRONG_TYPE: Wire(1103, 400, 422),
    Fault.ID_NOT_ALLOWED: Wire(1104, 400, 422),
    Fault.NAME_INVALID: Wire(1201, 400, 422),
    Fault.NAME_TAKEN: Wire(1202, 409, 409),
    Fault.SIZE_INVALID: Wire(1301, 400, 422),
    Fault.SIZE_NOT_POSITIVE: Wire(1302, 400, 422),
    Fault.SIZE_TOO_LARGE: Wire(1303, 400, 422),
    Fault.SIZE_SHRINKS: Wire(1304, 400, 422),
    Fault.VOLUME_UNKNOWN: Wire(1401, 400, 422),
    Fault.VOLUME_FULL: Wire(1402, 409, 409),
    Fault.VOLUME_FIXED: Wire(1403, 409, 409),
    Fault.VOLUME_INVALID: Wire(1404, 400, 422),
    Fault.VOLUME_IN_USE: Wire(1405, 409, 409),
    Fault.VOLUME_TAKEN: Wire(1406, 409, 409),
    Fault.TRASH_BUSY: Wire(1407, 409, 409),
    Fault.CHAP_USERNAME_INVALID: Wire(1501, 400, 422),
    Fault.CHAP_SECRET_INVALID: Wire(1502, 400, 422),
    Fault.CHAP_INCOMPLETE: Wire(1503, 400, 422),
    Fault.CHAP_MUTUAL_ALONE: Wire(1504, 400, 422),
    Fault.CHAP_SECRETS_EQUAL: Wire(1505, 400, 422),
    Fault.CHAP_OVERLAP_INVALID: Wire(1506, 400, 422),
    Fault.CHAP_CREDENTIALS_INVALID: Wire(1507, 400, 422),
    Fault.ACCESS_INVALID: Wire(1551, 400, 422),
    Fault.LUNS_INVALID: Wire(1601, 400, 422),
    Fault.LUN_KIND_INVALID: Wire(1606, 400, 422),
    Fault.LUN_KIND_FIXED: Wire(1607, 409, 409),
    Fault.LUN_TAKEN: Wire(1608, 409, 409),
    Fault.LUN_LAST: Wire(1609, 409, 409),
    Fault.PORT_INVALID: Wire(1701, 400, 422),
    Fault.PORT_UNAVAILABLE: Wire(1702, 409, 409),
    Fault.PORTAL_INVALID: Wire(1706, 400, 422),
    Fault.PORTAL_GROUP_INVALID: Wire(1707, 400, 422),
    Fault.PORTAL_LAST: Wire(1708, 409, 409),
    Fault.ISNS_ADDRESS_INVALID: Wire(1703, 400, 422),
    Fault.ISNS_ADDRESS_MISSING: Wire(1705, 400, 422),
    Fault.LIMIT_INVALID: Wire(1602, 400, 422),
    Fault.TIME_INVALID: Wire(1603, 400, 422),
    Fault.NOTE_INVALID: Wire(1604, 400, 422),
    Fault.BLOCKS_FULL: Wire(1605, 409, 409),
    Fault.NOT_FOUND: Wire(1801, 404, 404),
    Fault.STALE: Wire(1802, 409, 412),
    Fault.PARAMETER_INVALID: Wire(1803, 400, 422),
    Fault.METHOD_NOT_ALLOWED: Wire(1804, 405, 405),
    Fault.UNAUTHORIZED: Wire(1901, 401, 401),
    Fault.FORBIDDEN: Wire(1902, 403, 403),
    Fault.BUSY: Wire(1903, 500, 503),
    Fault.THROTTLED: Wire(1904, 401, 429),
    Fault.ROLE_TOO_LOW: Wire(1905, 403, 403),
    Fault.USER_NAME_INVALID: Wire(1906, 400, 422),
    Fault.USER_NAME_TAKEN: Wire(1907, 409, 409),
    Fault.USER_LAST_ADMIN: Wire(1908, 409, 409),
    Fault.PASSWORD_WRONG: Wire(1909, 403, 403),
    Fault.ENGINE_FAILED: Wire(2001, 500, 500),
    Fault.ENGINE_UNAVAILABLE: Wire(2002, 500, 503),
    Fault.DATABASE_FAILED: Wire(2004, 500, 503),
    Fault.INTERNAL: Wire(2003, 500, 500),
    Fault.BACKUP_INVALID: Wire(2101, 400, 422),
    Fault.BACKUP_NEWER: Wire(2102, 400, 422),
    Fault.BACKUP_PASSPHRASE: Wire(2103, 400, 422),
    Fault.CONFIG_PRESENT: Wire(2104, 409, 409),
}
