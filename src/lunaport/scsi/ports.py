"""REPORT TARGET PORT GROUPS (SPC-4 6.37): one group with all ports, always active and optimized.

For iSCSI a portal group is a SCSI target port, its tag the relative port identifier; every path is as good as another.
The state never changes, so there is no SET TARGET PORT GROUPS (TPGS in INQUIRY says: implicit only).
"""

import struct

from lunaport.scsi.inquiry import PORT_GROUP
from lunaport.scsi.logical_unit import LogicalUnit
from lunaport.scsi.nexus import Nexus
from lunaport.scsi.reply import send
from lunaport.scsi.sense import ScsiError, invalid_field_in_cdb
from lunaport.scsi.task import Task

_EXTENDED = 1
_FORMAT_BIT = 7
_HEADER = struct.Struct(">I")
_EXTENDED_HEADER = struct.Struct(">IBB2x")
_GROUP = struct.Struct(">BBHxBxB")
_PORT = struct.Struct(">2xH")

_ACTIVE_OPTIMIZED = 0x0
_PREFERRED = 0x80
_ONLY_ACTIVE_OPTIMIZED = 0x01
_NO_STATUS = 0x00


def report_target_port_groups(nexus: Nexus, unit: LogicalUnit, task: Task) -> None:
    form = task.cdb[1] >> 5
    ports = nexus.target.ports
    groups = _GROUP.pack(_PREFERRED | _ACTIVE_OPTIMIZED, _ONLY_ACTIVE_OPTIMIZED, PORT_GROUP, _NO_STATUS, len(ports))
    groups += b"".join(map(_PORT.pack, ports))
    if form == _EXTENDED:
        header = _EXTENDED_HEADER.pack(len(groups) + _EXTENDED_HEADER.size - _HEADER.size, form << 4, 0)
    elif form:
        raise ScsiError(invalid_field_in_cdb(1, _FORMAT_BIT))
    else:
        header = _HEADER.pack(len(groups))
    send(task, header + groups, int.from_bytes(task.cdb[6:10]))
