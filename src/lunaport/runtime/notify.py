"""Telling systemd how far we are (sd_notify(3)): one datagram to the socket it names. Without systemd nothing is said.

It is told ready when the wire serves, so units that come after this one can log in. Where it watches (WatchdogSec=),
the supervisor says all along that it lives.
"""

import contextlib
import os
import socket
from collections.abc import Mapping
from typing import Final

VARIABLE: Final = "NOTIFY_SOCKET"
WATCHDOG_VARIABLES: Final = ("WATCHDOG_USEC", "WATCHDOG_PID")


def notify(*lines: str, environment: Mapping[str, str] = os.environ) -> None:
    """Say `READY=1`, `STOPPING=1`, `WATCHDOG=1`, `STATUS=text`. A systemd that does not listen is no reason to fail."""
    path = environment.get(VARIABLE, "")
    if not path:
        return
    address = f"\0{path[1:]}" if path.startswith("@") else path
    with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sock:
        sock.setblocking(False)
        sock.sendto("\n".join(lines).encode(), address)


def watchdog_s(environment: Mapping[str, str] = os.environ) -> float:
    """How often at least systemd wants `WATCHDOG=1` of this process (sd_watchdog_enabled(3)); 0: it does not."""
    limit_us, pid = (environment.get(name, "") for name in WATCHDOG_VARIABLES)
    if not limit_us.isdecimal() or (pid and pid != str(os.getpid())):
        return 0.0
    return int(limit_us) / 1e6
