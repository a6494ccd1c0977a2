"""Keeping processors from sleeping while targets are compared: an option, to tell work from waking.

At depth 1 both targets wait most of the time, and being woken out of a processor's sleep takes longer than their whole
work: tens of microseconds in a virtual machine, or none, as it happens. That would be measured instead of them. Held at
0, the kernel's limit on wake-up latency (PM QoS) makes idle processors wait awake, for both alike.
"""

import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

LIMIT = Path("/dev/cpu_dma_latency")


@contextmanager
def awake(*, wanted: bool) -> Iterator[str]:
    """Hold the limit at 0 µs where that is wanted and possible (as root); says how it is."""
    if not wanted:
        yield "may sleep"
        return
    try:
        device = LIMIT.open("wb", buffering=0)
    except OSError as error:
        yield f"may sleep ({LIMIT}: {error.strerror})"
        return
    with device:
        device.write(struct.pack("i", 0))
        yield "kept awake"
