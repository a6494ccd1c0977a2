"""LOG SENSE (SPC-4 6.8 and 7.3, SBC-3 6.3): which pages there are, how much space a thin unit has, and its health.

Nothing can be reset or saved: there is no LOG SELECT, and every value is as it is now.
"""

import struct

from lunaport.scsi.enums import LogPage
from lunaport.scsi.limits import RESOURCE_UNIT_SHIFT
from lunaport.scsi.logical_unit import LogicalUnit
from lunaport.scsi.nexus import Nexus
from lunaport.scsi.reply import run, send
from lunaport.scsi.sense import ScsiError, failure_prediction_test, invalid_field_in_cdb
from lunaport.scsi.task import Task

_HEADER = struct.Struct(">BBH")
_PARAMETER = struct.Struct(">HBB")
_RESOURCE = struct.Struct(">IBxxx")

_PAGE = 0x3F
_PAGE_BIT = 5
_SPF = 0x40
_DS = 0x80
"""The page is not saved."""
_ALL_SUBPAGES = 0xFF
_BINARY_LIST = 0x03
"""Parameter control: a value, not a counter, in binary."""
_AVAILABLE, _USED = 0x0001, 0x0002
_SHARED, _DEDICATED = 0x02, 0x01
"""SCOPE: the space that is free is there for every unit, the space in use is this unit's own."""
_NO_TEMPERATURE = 0xFF
_COUNT_MAX = 0xFFFFFFFF


def log_sense(nexus: Nexus, unit: LogicalUnit, task: Task) -> None:
    cdb = task.cdb
    page, subpage = cdb[2] & _PAGE, cdb[3]
    allocation_length = int.from_bytes(cdb[7:9])
    pages = _supported(unit)
    if page not in pages:
        raise ScsiError(invalid_field_in_cdb(2, _PAGE_BIT))
    if subpage and not (page == LogPage.SUPPORTED and subpage == _ALL_SUBPAGES):
        raise ScsiError(invalid_field_in_cdb(3))
    if int.from_bytes(cdb[5:7]) > 0 and page != LogPage.PROVISIONING:
        raise ScsiError(invalid_field_in_cdb(5))
    if page == LogPage.PROVISIONING:
        _send_provisioning(nexus, unit, task, int.from_bytes(cdb[5:7]), allocation_length)
    elif page == LogPage.INFORMATIONAL_EXCEPTIONS:
        code = failure_prediction_test(attention=False).code if unit.modes.exceptions_test else 0
        data = _PARAMETER.pack(0, _BINARY_LIST, 4) + struct.pack(">HBx", code, _NO_TEMPERATURE)
        send(task, _HEADER.pack(_DS | page, 0, len(data)) + data, allocation_length)
    elif subpage:
        data = b"".join(bytes((code, 0)) for code in pages) + bytes((0, _ALL_SUBPAGES))
        send(task, _HEADER.pack(_DS | _SPF, subpage, len(data)) + data, allocation_length)
    else:
        send(task, _HEADER.pack(_DS, 0, len(pages)) + bytes(pages), allocation_length)


def _supported(unit: LogicalUnit) -> list[int]:
    return [page for page in LogPage if page != LogPage.PROVISIONING or unit.thin]


def _send_provisioning(nexus: Nexus, unit: LogicalUnit, task: Task, first: int, allocation_length: int) -> None:
    """The space is asked for in the background: a file system may let us wait."""
    if first > _USED:
        raise ScsiError(invalid_field_in_cdb(5))
    found: list[bytes] = []

    def work() -> None:
        space = unit.device.space()
        values = ((_AVAILABLE, space.free_bytes, _SHARED), (_USED, space.used_bytes, _DEDICATED))
        found.extend(
            _PARAMETER.pack(code, _BINARY_LIST, _RESOURCE.size)
            + _RESOURCE.pack(min(size_bytes >> RESOURCE_UNIT_SHIFT, _COUNT_MAX), scope)
            for code, size_bytes, scope in values
            if code >= first
        )

    def answer() -> None:
        data = b"".join(found)
        send(task, _HEADER.pack(_DS | LogPage.PROVISIONING, 0, len(data)) + data, allocation_length)

    run(nexus, unit, task, work, answer=answer)
