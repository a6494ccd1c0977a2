"""Mode pages (SPC-4 7.5, SBC-3 6.4): what can be chosen about a unit, and its bytes.

`Modes` is the choice; `pages_of` and `modes_of` turn it into pages and pages into it. Every other bit of a page is the
same for every unit and cannot be changed. MODE SENSE and MODE SELECT themselves are in `mode`.
"""

import struct
from dataclasses import dataclass, replace

from lunaport.scsi.enums import ModePage
from lunaport.scsi.threshold import SoftThreshold

_WCE = 0x04
_D_SENSE = 0x04
_GLTSD = 0x02
_UNRESTRICTED_REORDERING = 0x10
_SWP = 0x08
_DEXCPT, _TEST = 0x08, 0x04
_MRIE = 0x0F
METHODS = (NO_REPORTING, UNIT_ATTENTION, ON_REQUEST) = 0x0, 0x2, 0x6
"""Methods of reporting informational exceptions (SPC-4 table 394) that there are."""

_RECOVERY = struct.Struct(">BB10x")
_CACHING = struct.Struct(">BBB17x")
_CONTROL = struct.Struct(">BBBBB3xHH")
_EXCEPTIONS = struct.Struct(">BBBB8x")
_PROVISIONING = struct.Struct(">BBH12xBB2xI")

PROVISIONING_SUBPAGE = 0x02
_SPF = 0x40
_ENABLED = 0x80
_AVAILABLE_RESOURCES = 0x01


@dataclass(frozen=True, slots=True, kw_only=True)
class Modes:
    """What initiators may choose."""

    write_cache: bool = True
    """WCE; without it every write is on the medium before its status."""
    descriptor_sense: bool = False
    """D_SENSE: sense data in descriptor format."""
    write_protect: bool = False
    """SWP: the medium is write protected by software."""
    exceptions: bool = False
    """Not DEXCPT: informational exceptions are reported. None comes by itself: only what `exceptions_test` makes."""
    exceptions_method: int = NO_REPORTING
    """MRIE."""
    exceptions_test: bool = False
    """TEST: there is a false one. Never saved."""


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
            ModePage.INFORMATIONAL_EXCEPTIONS,
            _EXCEPTIONS.size - 2,
            (0 if modes.exceptions else _DEXCPT) | _TEST * modes.exceptions_test,
            modes.exceptions_method,
        ),
    }


def provisioning_page(threshold: SoftThreshold) -> bytes:
    """The logical block provisioning mode page (SBC-3 6.4.7): one soft threshold, of the space that is available.

    It is chosen where the space is managed, not by initiators. All nexuses are told (SITUA is 0).
    """
    enabled = _ENABLED if threshold.count else 0  # type soft, armed for a count that becomes less
    return _PROVISIONING.pack(
        _SPF | ModePage.INFORMATIONAL_EXCEPTIONS,
        PROVISIONING_SUBPAGE,
        _PROVISIONING.size - 4,
        enabled,
        _AVAILABLE_RESOURCES,
        threshold.count,
    )


_LEAST = pages_of(Modes(write_cache=False))
_MOST = pages_of(
    Modes(descriptor_sense=True, write_protect=True, exceptions=True, exceptions_test=True, exceptions_method=_MRIE)
)


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
        case ModePage.INFORMATIONAL_EXCEPTIONS:
            return replace(
                modes,
                exceptions=not page[2] & _DEXCPT,
                exceptions_test=bool(page[2] & _TEST),
                exceptions_method=page[3] & _MRIE,
            )
        case _:
            return modes
