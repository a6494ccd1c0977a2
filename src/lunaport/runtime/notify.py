"""Telling systemd how far we are (sd_notify(3)): one datagram to the socket it names. Without systemd nothing is said.

It is told ready when the wire serves, so units that come after this one can log in.
"""

import contextlib
import os
import socket
from collections.abc import Mapping
from typing import Final

VARIABLE: Final = "NOTIFY_SOCKET"


def notify(*lines: str, environment: Mapping[str, str] = os.environ) -> None:
    """Say `READY=1`, `STOPPING=1` or `STATUS=text`. A systemd that does not listen is no reason to fail."""
    path = environment.get(VARIABLE, "")
    if not path:
        return
    address = f"\0{path[1:]}" if path.startswith("@") else path
    with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sock:
        sock.setblocking(False)
        sock.sendto("\n".join(lines).encode(), address)
