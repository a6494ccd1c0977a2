"""How glibc's allocator treats large blocks: given back to the system when they are freed."""

import contextlib
import ctypes
from typing import Final

MMAP_THRESHOLD: Final = -3
ARENA_MAX: Final = -8
"""Names of glibc's malloc.h."""
ARENAS: Final = 2


def return_memory(large_block_bytes: int) -> None:
    """Have blocks of this size and more given back.

    The allocator's own threshold grows with the first large block that is freed: what one password verification (19
    MiB) or one long read took would stay with the process for ever. A threshold that was set stays as it is.
    """
    with contextlib.suppress(OSError, AttributeError):
        mallopt = ctypes.CDLL(None).mallopt
        mallopt(MMAP_THRESHOLD, large_block_bytes)
        mallopt(ARENA_MAX, ARENAS)
