"""Listening sockets, and whether an address is there. Nothing here waits: names are looked up in `names`."""

import errno
import os
import socket
from ipaddress import ip_address
from typing import Any, Final

from lunaport.engine.interface import PortalError, PortalSpec

BACKLOG: Final = 1024
_ABSENT: Final = (errno.EADDRNOTAVAIL, errno.ENODEV, errno.ENXIO)
_REASONS: Final = {
    errno.EADDRINUSE: "another program listens on this port already",
    errno.EADDRNOTAVAIL: "this machine has no such address",
    errno.ENODEV: "this machine has no such interface",
    errno.ENXIO: "this machine has no such interface",
    errno.EACCES: "ports below 1024 need the capability CAP_NET_BIND_SERVICE",
    errno.EAFNOSUPPORT: "this machine has no IPv6",
}


class AbsentError(PortalError):
    """The address is not there now: no mistake, it may come."""


def listen(spec: PortalSpec, address: str) -> socket.socket:
    """Open a listening socket for a portal whose host has this numeric address. Raises PortalError."""
    flags = socket.AI_NUMERICHOST | socket.AI_NUMERICSERV
    try:
        found = socket.getaddrinfo(address, spec.port, type=socket.SOCK_STREAM, flags=flags)
    except OSError as error:
        # The address is one; what is not known is the interface behind its %.
        raise AbsentError(spec, _REASONS[errno.ENODEV]) from error
    family, kind, protocol, _, sockaddr = found[0]
    try:
        sock = socket.socket(family, kind | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC, protocol)
    except OSError as error:
        raise _refused(spec, error) from error
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        sock.bind(sockaddr)
        sock.listen(BACKLOG)
    except OSError as error:
        sock.close()
        raise _refused(spec, error) from error
    return sock


def _refused(spec: PortalSpec, error: OSError) -> PortalError:
    number = error.errno or errno.EIO
    reason = _REASONS.get(number, os.strerror(number).lower())
    return AbsentError(spec, reason) if number in _ABSENT else PortalError(spec, reason)


def is_there(sock: socket.socket) -> bool:
    """Whether the machine still has the address on which this socket listens.

    A socket whose address went away listens on and hears nothing; whether another one can be bound tells.
    """
    sockaddr: tuple[Any, ...] = sock.getsockname()
    address = ip_address(sockaddr[0])
    if address.is_unspecified or address.is_loopback:
        return True
    with socket.socket(sock.family, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as probe:
        try:
            probe.bind((sockaddr[0], 0, *sockaddr[2:]))
        except OSError as error:
            return error.errno not in _ABSENT
    return True
