"""What an initiator may do with a target: which of its LUNs it sees, and whether it may write to them.

A LUN that is not seen is as good as none (SAM-5 5.11). A write that is not allowed is DATA PROTECT, WRITE PROTECTED.
"""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True, kw_only=True)
class Rights:
    """`luns` None: all there are."""

    read_only: bool = False
    luns: frozenset[int] | None = None

    def sees(self, lun: int) -> bool:
        """Whether this LUN is there for it."""
        return self.luns is None or lun in self.luns


ALL_RIGHTS: Final = Rights()
