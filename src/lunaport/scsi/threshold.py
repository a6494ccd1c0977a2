"""The soft threshold of a thin unit (SBC-3 4.7.3.7): initiators are told when the space behind it gets scarce.

The space is the file system's, shared by all units on it, so it is a threshold of what is available. It is told once
when it is crossed; it is armed again when a little more than that is free, so that space that comes and goes does not
tell it every time.
"""

from lunaport.blockdev.device import Space
from lunaport.scsi.limits import RESOURCE_UNIT_SHIFT

REARMED_AT_PERCENT = 1
"""Of the whole, beyond the threshold."""


class SoftThreshold:
    """Compares the space there is with what shall be free."""

    __slots__ = ("count", "percent", "reached")

    def __init__(self, percent: int = 0) -> None:
        """`percent` of the whole that shall be free; 0: there is no threshold."""
        self.percent = percent
        self.count = 0
        """What shall be free, in threshold sets (VPD page B2h); 0 while the whole is not known."""
        self.reached = False

    def look(self, space: Space) -> bool:
        """Compare with the space there is now; whether the threshold has been crossed since the last time."""
        free_bytes_min = space.total_bytes * self.percent // 100
        self.count = min(free_bytes_min >> RESOURCE_UNIT_SHIFT, 0xFFFFFFFF)
        if not self.percent:
            self.reached = False
        elif not self.reached:
            self.reached = space.free_bytes <= free_bytes_min
            return self.reached
        elif space.free_bytes > free_bytes_min + space.total_bytes * REARMED_AT_PERCENT // 100:
            self.reached = False
        return False
