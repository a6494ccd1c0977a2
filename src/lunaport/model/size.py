"""Sizes as people write them, in bytes as disks have them.

`10G` and `10GiB` are 2^30 each, `10GB` is 10^9 (SI), a number alone is bytes. Decimals are exact (`1.5T`). The
result is rounded up to whole blocks of 512 bytes, the smallest logical block that initiators know.
"""

import re
from typing import Final

from lunaport.model.errors import Fault, InvalidError, invalid

BLOCK_BYTES: Final = 512
SIZE_BYTES_MAX: Final = 2**63 - BLOCK_BYTES
"""The largest whole number of blocks that a file offset reaches."""

TYPED_CHARS_MAX: Final = 64

_NUMBER = re.compile(r"([+-]?)([0-9]+)(?:\.([0-9]+))?[ ]?([A-Za-z]*)")
_PREFIXES = "KMGTPE"
_EXAMPLES = "right would be a number of bytes or a number with a unit, such as 10737418240, 10G, 10GiB, 500MB or 1.5T"

UNITS: Final = {
    "": 1,
    "b": 1,
    **{prefix.lower(): 1024 ** (power + 1) for power, prefix in enumerate(_PREFIXES)},
    **{f"{prefix.lower()}ib": 1024 ** (power + 1) for power, prefix in enumerate(_PREFIXES)},
    **{f"{prefix.lower()}b": 1000 ** (power + 1) for power, prefix in enumerate(_PREFIXES)},
}


def parse_size(value: str | int) -> int:
    """The bytes that `value` means, rounded up to whole blocks. Raises InvalidError at `size`."""
    if isinstance(value, int):
        return _whole_blocks(value, 1, str(value) if abs(value) <= SIZE_BYTES_MAX else "the number")
    text = value.strip()
    match = _NUMBER.fullmatch(text) if len(text) <= TYPED_CHARS_MAX else None
    if match is None:
        raise _refuse(f"{_shown(text)} is not a size")
    sign, whole, fraction, unit = match.groups("")
    factor = UNITS.get(unit.lower())
    if factor is None:
        raise _refuse(f"the unit {unit!r} is not known")
    numerator = int(whole + fraction) * factor
    return _whole_blocks(-numerator if sign == "-" else numerator, 10 ** len(fraction), repr(text))


def _whole_blocks(numerator: int, denominator: int, shown: str) -> int:
    if numerator <= 0:
        raise invalid(
            Fault.SIZE_NOT_POSITIVE, f"{shown} is not more than 0; the smallest disk has {BLOCK_BYTES} bytes", "size"
        )
    blocks = -(-numerator // (denominator * BLOCK_BYTES))
    size_bytes = blocks * BLOCK_BYTES
    if size_bytes > SIZE_BYTES_MAX:
        raise invalid(
            Fault.SIZE_TOO_LARGE,
            f"{shown} is too large; the largest disk has {SIZE_BYTES_MAX} bytes (just under 8 EiB)",
            "size",
        )
    return size_bytes


def _shown(text: str) -> str:
    if not text:
        return "an empty text"
    return repr(text) if len(text) <= TYPED_CHARS_MAX else f"a text of {len(text)} characters"


def _refuse(reason: str) -> InvalidError:
    return invalid(Fault.SIZE_INVALID, f"{reason}; {_EXAMPLES}", "size")


def format_size(size_bytes: int) -> str:
    """A size for people: exact bytes, and the nearest binary unit where that helps."""
    for power in range(len(_PREFIXES), 0, -1):
        unit = 1024**power
        if size_bytes >= unit:
            return f"{size_bytes} bytes ({size_bytes / unit:.4g} {_PREFIXES[power - 1]}iB)"
    return f"{size_bytes} bytes"
