"""Mode pages (SPC-4 7.5, SBC-3 6.4): what can be chosen about a unit, and its bytes.

`Modes` is the choice; `pages_of` and `modes_of` turn it into pages and pages into it. Every other bit of a page is the
same for every unit and cannot be changed. MODE SENSE and MODE SELECT themselves are in `mode`.
"""

import struct
from dataclasses import dataclass, replace

from lunaport.scsi.enums import ModePage

_WCE = 0x04
_D_SENSE = 0x04
_GLTSD = 0x02
_UNRESTRICTED_REORDERING = 0x10
_SWP = 0x08
_DEXCPT = 0x08

_RECOVERY = struct.Struct(">BB10x")
_CACHING = struct.Struct(">BBB17x")
_CONTROL = struct.Struct(">BBBBB3xHH")
_EXCEPTIONS = struct.Struct(">BBB9x")


@dataclass(frozen=True, slots=True, kw_only=True)
class Modes:
    """What initiators may choose."""

    write_cache: bool = True
    """WCE; without it every write is on the medium before its status."""
    descriptor_sense: bool = False
    """D_SENSE: sense data in descriptor format."""
    write_protect: bool = False
    """SWP: the medium is write protected by software."""


def pages_of(modes: Modes) -> dict[int, bytes]:
    """Every page by its code, in order. The PS bit is not set."""
    return {
        # Retries and reallocation are matters of the disk below. sg_format does not work on a disk without this page.
        ModePage.READ_WRITE_ERROR_RECOVERY: _RECOVERY.pack(ModePage.READ_WRITE_ERROR_RECOVERY, _RECOVERY.size - 2),
        ModePage.CACHING: _CACHING.pack(ModePage.CACHING, _CACHING.size - 2, _WCE * modes.write_cache),
        ModePage.CONTROL: _CONTROL.pack(
            ModePage.CONTROL,
            _CONTROL.size - 2,
            _GLTSD | _D_SENSE * modes.descriptor_sense,  # one task set for all nexuses
            _UNRESTRICTED_REORDERING,  # of simple tasks; an error does not touch the other ones
            _SWP * modes.write_protect,
            0xFFFF,  # busy timeout: no limit
            0,
        ),
        ModePage.INFORMATIONAL_EXCEPTIONS: _EXCEPTIONS.pack(
            ModePage.INFORMATIONAL_EXCEPTIONS, _EXCEPTIONS.size - 2, _DEXCPT
        ),
    }


_LEAST = pages_of(Modes(write_cache=False))
_MOST = pages_of(Modes(descriptor_sense=True, write_protect=True))


def changeable_pages() -> dict[int, bytes]:
    """The same pages with a 1 for each bit that can be changed."""
    return {
        code: page[:2] + bytes(a ^ b for a, b in zip(page[2:], _MOST[code][2:], strict=True))
        for code, page in _LEAST.items()
    }


def modes_of(modes: Modes, page: bytes) -> Modes:
    """`modes` with what a whole, valid page chooses."""
    match page[0] & 0x3F:
        case ModePage.CACHING:
            return replace(modes, write_cache=bool(page[2] & _WCE))
        case ModePage.CONTROL:
            return replace(modes, descriptor_sense=bool(page[2] & _D_SENSE), write_protect=bool(page[4] & _SWP))
        case _:
            return modes
