"""Logical unit numbers on the wire (SAM-5 4.7): 8 bytes, read as one big-endian integer.

Only single level LUNs: peripheral device addressing (0 to 255, bus 0) and flat space addressing (0 to 16383), and the
one well known logical unit there is.
"""

from typing import Final

from lunaport.scsi.limits import LUN_MAX

_LEVEL_SHIFT = 48
REPORT_LUNS_LUN: Final = 0xC101 << _LEVEL_SHIFT
"""The REPORT LUNS well known logical unit (SAM-5 4.7.7.5.2), as on the wire."""
_FLAT_SPACE = 0x4000
_PERIPHERAL_MAX = 0xFF


def serialize_lun(lun: int) -> int:
    """The form REPORT LUNS gives: peripheral device addressing as far as it goes, flat space addressing beyond."""
    return (lun if lun <= _PERIPHERAL_MAX else _FLAT_SPACE | lun) << _LEVEL_SHIFT


def lun_forms(lun: int) -> tuple[int, ...]:
    """Every form an initiator may use for `lun`."""
    if not 0 <= lun <= LUN_MAX:
        raise ValueError(f"LUN {lun} is not in 0 to {LUN_MAX}")
    flat = (_FLAT_SPACE | lun) << _LEVEL_SHIFT
    return (flat,) if lun > _PERIPHERAL_MAX else (lun << _LEVEL_SHIFT, flat)
