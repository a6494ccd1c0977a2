"""MODE SENSE (6), (10) (SPC-4 6.13, 6.14) and the mode pages. None is changeable: there is no MODE SELECT."""

import struct
from collections.abc import Callable, Mapping

from lunaport.scsi.enums import ModePage, PageControl
from lunaport.scsi.logical_unit import LogicalUnit
from lunaport.scsi.nexus import Nexus
from lunaport.scsi.reply import send
from lunaport.scsi.sense import ScsiError, invalid_field_in_cdb, saving_parameters_not_supported
from lunaport.scsi.task import Task

_HEADER_6 = struct.Struct(">BBBB")
_HEADER_10 = struct.Struct(">HBBBxH")
_BLOCK_DESCRIPTOR = struct.Struct(">II")
_LONG_BLOCK_DESCRIPTOR = struct.Struct(">Q4xI")

_DBD = 0x08
_LLBAA = 0x10
_LONGLBA = 0x01
_DPOFUA = 0x10
_WP = 0x80
_BLOCKS_MAX = 0xFFFFFFFF
_NO_SUBPAGE = 0x00
_ALL_SUBPAGES = 0xFF

_WCE = 0x04
_GLTSD = 0x02
_UNRESTRICTED_REORDERING = 0x10
_DEXCPT = 0x08

_CACHING = struct.Struct(">BBB17x").pack(ModePage.CACHING, 18, _WCE)
_CONTROL = struct.Struct(">BBBB4xHH").pack(
    ModePage.CONTROL,
    10,
    _GLTSD,  # one task set for all nexuses, fixed format sense
    _UNRESTRICTED_REORDERING,  # of simple tasks; an error does not touch the other ones
    0xFFFF,  # busy timeout: no limit
    0,
)
_INFORMATIONAL_EXCEPTIONS = struct.Struct(">BBB9x").pack(ModePage.INFORMATIONAL_EXCEPTIONS, 10, _DEXCPT)

_PAGES: Mapping[int, bytes] = {
    ModePage.CACHING: _CACHING,
    ModePage.CONTROL: _CONTROL,
    ModePage.INFORMATIONAL_EXCEPTIONS: _INFORMATIONAL_EXCEPTIONS,
}


def mode_sense_6(nexus: Nexus, unit: LogicalUnit, task: Task) -> None:
    cdb = task.cdb
    pages = _pages(cdb)
    descriptor = b"" if cdb[1] & _DBD else _short_descriptor(unit)
    length = _HEADER_6.size - 1 + len(descriptor) + len(pages)
    send(task, _HEADER_6.pack(length, 0, _specific(nexus), len(descriptor)) + descriptor + pages, cdb[4])


def mode_sense_10(nexus: Nexus, unit: LogicalUnit, task: Task) -> None:
    cdb = task.cdb
    pages = _pages(cdb)
    descriptor = b""
    long_lba = 0
    if not cdb[1] & _DBD:
        long_lba = _LONGLBA if cdb[1] & _LLBAA else 0
        descriptor = _long_descriptor(unit) if long_lba else _short_descriptor(unit)
    length = _HEADER_10.size - 2 + len(descriptor) + len(pages)
    header = _HEADER_10.pack(length, 0, _specific(nexus), long_lba, len(descriptor))
    send(task, header + descriptor + pages, int.from_bytes(cdb[7:9]))


def _specific(nexus: Nexus) -> int:
    """The device-specific parameter (SBC-3 6.4.1)."""
    return _DPOFUA | (_WP if nexus.rights.read_only else 0)


def _pages(cdb: bytes) -> bytes:
    control, page, subpage = cdb[2] >> 6, cdb[2] & 0x3F, cdb[3]
    if control == PageControl.SAVED:
        raise ScsiError(saving_parameters_not_supported())
    if page != ModePage.ALL and page not in _PAGES:
        raise ScsiError(invalid_field_in_cdb(2, 5))
    if subpage not in (_NO_SUBPAGE, _ALL_SUBPAGES):
        raise ScsiError(invalid_field_in_cdb(3))
    chosen = _PAGES.values() if page == ModePage.ALL else (_PAGES[page],)
    form: Callable[[bytes], bytes] = _changeable if control == PageControl.CHANGEABLE else bytes
    return b"".join(map(form, chosen))


def _changeable(page: bytes) -> bytes:
    return page[:2] + bytes(len(page) - 2)


def _short_descriptor(unit: LogicalUnit) -> bytes:
    return _BLOCK_DESCRIPTOR.pack(min(unit.block_count, _BLOCKS_MAX), unit.block_size_bytes)


def _long_descriptor(unit: LogicalUnit) -> bytes:
    return _LONG_BLOCK_DESCRIPTOR.pack(unit.block_count, unit.block_size_bytes)
