"""Portals: the listening sockets, opened and closed as desired state changes (RFC 7143 section 4.2.6).

A peer is told of the portals that it can reach, as far as its own connection shows that: see `reachable`.
"""

import errno
import os
import socket
from collections.abc import Callable, Iterable
from functools import partial
from ipaddress import IPv4Address, IPv6Address, ip_address

import structlog

from lunaport.engine.embedded.loop import READABLE, Loop
from lunaport.engine.interface import PortalError, PortalReport, PortalSpec

log = structlog.get_logger()

BACKLOG = 1024
ACCEPTS_PER_EVENT_MAX = 64
ADDRESS_GONE = "this machine has this address no more; the portal works again when it is back"
OUT_OF_DESCRIPTORS_PAUSE_S = 0.2

AcceptCallback = Callable[[socket.socket, str, str], None]
"""(socket, peer address, portal address)"""


def format_address(host: str, port: int) -> str:
    """host:port, IPv6 in brackets."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def parse_address(text: str) -> tuple[str, int]:
    """What `format_address` made: host without brackets, and port."""
    host, _, port = text.rpartition(":")
    return host.strip("[]"), int(port)


def peer_address(text: str) -> IPv4Address | IPv6Address:
    """The address in what `format_address` made, without its scope."""
    return ip_address(parse_address(text)[0].partition("%")[0])


def reachable(listening: Iterable[tuple[str, int]], reached: tuple[str, int]) -> list[tuple[str, int]]:
    """Those of the addresses we listen on that a peer can use which came to `reached`, the one it came to first.

    A wildcard is the address that the peer came to, within that address's family. A loopback address means another
    machine to everyone who came over another interface, so it is left out for them. So is an IPv6 link-local address
    on another link than the peer's. Scopes (`%eth0`) are names of ours and not told.
    """
    host, _ = reached
    found: dict[tuple[str, int], None] = {}
    came_to = ip_address(host)
    for listened, port in listening:
        address = ip_address(listened)
        if address.is_unspecified:
            if address.version != came_to.version:
                continue
            address = came_to
        if address.is_loopback and not came_to.is_loopback:
            continue
        if isinstance(address, IPv6Address) and address.is_link_local and not _same_link(address, came_to):
            continue
        found[str(address).partition("%")[0], port] = None
    first = (str(came_to).partition("%")[0], reached[1])
    return sorted(found, key=lambda each: each != first)


def _same_link(address: IPv6Address, came_to: IPv4Address | IPv6Address) -> bool:
    return isinstance(came_to, IPv6Address) and came_to.is_link_local and came_to.scope_id == address.scope_id


def listen(spec: PortalSpec) -> socket.socket:
    """Open a listening socket. Raises PortalError."""
    try:
        found = socket.getaddrinfo(spec.host, spec.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        family, kind, protocol, _, address = found[0]
        sock = socket.socket(family, kind | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC, protocol)
    except OSError as error:
        raise PortalError(spec, error.strerror or str(error)) from error
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        sock.bind(address)
        sock.listen(BACKLOG)
    except OSError as error:
        sock.close()
        reasons = {
            errno.EADDRINUSE: "another program listens on this port already",
            errno.EADDRNOTAVAIL: "this machine has no such address",
            errno.EACCES: "ports below 1024 need the capability CAP_NET_BIND_SERVICE",
        }
        reason = reasons.get(error.errno or 0, os.strerror(error.errno or errno.EIO).lower())
        raise PortalError(spec, reason) from error
    return sock


def has_address(listening: socket.socket) -> bool:
    """Whether the address that a socket listens on is still one of this machine's."""
    address = listening.getsockname()
    try:
        with socket.socket(listening.family, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as probe:
            probe.bind((address[0], 0, *address[2:]))
    except OSError as error:
        return error.errno != errno.EADDRNOTAVAIL
    return True


class Portals:
    """The portals that shall be, and those that are."""

    def __init__(self, loop: Loop, accept: AcceptCallback) -> None:
        self.loop = loop
        self.accept = accept
        self.listening: dict[PortalSpec, socket.socket] = {}
        self.errors: dict[PortalSpec, str] = {}
        self.absent: set[PortalSpec] = set()
        """Portals that listen on an address that has gone; they work again when it is back."""

    def set(self, desired: tuple[PortalSpec, ...], *, partly: bool) -> None:
        """Open what is missing, then close what is too much.

        Raises PortalError with nothing changed, unless `partly`: then what cannot be opened is tried again later.
        """
        opened: dict[PortalSpec, socket.socket] = {}
        errors: dict[PortalSpec, str] = {}
        for spec in desired:
            if spec in self.listening:
                continue
            try:
                opened[spec] = listen(spec)
            except PortalError as error:
                if not partly:
                    for sock in opened.values():
                        sock.close()
                    raise
                log.error("portal cannot be opened", portal=format_address(spec.host, spec.port), reason=error.reason)
                errors[spec] = error.reason
        self.errors = errors
        for spec in [spec for spec in self.listening if spec not in desired]:
            sock = self.listening.pop(spec)
            self.loop.unregister(sock.fileno())
            sock.close()
        for spec, sock in opened.items():
            self._open(spec, sock)

    def open_missing(self) -> None:
        """Try the portals again that could not be opened."""
        for spec in list(self.errors):
            try:
                sock = listen(spec)
            except PortalError as error:
                self.errors[spec] = error.reason
                continue
            del self.errors[spec]
            self._open(spec, sock)

    def look(self) -> None:
        """See whether the machine still has the addresses that are listened on."""
        self.absent = {spec for spec, sock in self.listening.items() if not has_address(sock)}

    def failed(self) -> dict[PortalSpec, str]:
        """Every portal that cannot be reached, and why."""
        return self.errors | {spec: ADDRESS_GONE for spec in self.listening if spec in self.absent}

    def report(self) -> tuple[PortalReport, ...]:
        """Every portal that shall be."""
        failed = self.failed()
        good = (spec for spec in self.listening if spec not in failed)
        return tuple(PortalReport(host=spec.host, port=spec.port, listening=True) for spec in good) + tuple(
            PortalReport(host=spec.host, port=spec.port, listening=False, error=reason)
            for spec, reason in failed.items()
        )

    def addresses(self, portal: str) -> list[tuple[str, int]]:
        """The portals as a peer can reach them that came to `portal` (host:port); a host name is its address."""
        names = (sock.getsockname() for sock in self.listening.values())
        return reachable(((name[0], name[1]) for name in names), parse_address(portal))

    def _open(self, spec: PortalSpec, sock: socket.socket) -> None:
        self.listening[spec] = sock
        log.info("portal is open", portal=format_address(spec.host, spec.port))
        self.loop.register(sock.fileno(), partial(self._on_readable, sock), READABLE)

    def _on_readable(self, sock: socket.socket, _mask: int) -> None:
        for _ in range(ACCEPTS_PER_EVENT_MAX):
            try:
                connected, peer = sock.accept()
            except BlockingIOError:
                return
            except OSError as error:
                if error.errno in (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM):
                    log.warning("no connection can be accepted", reason=error.strerror)
                    fd = sock.fileno()
                    self.loop.modify(fd, 0)
                    self.loop.call_later(OUT_OF_DESCRIPTORS_PAUSE_S, partial(self._listen_again, sock, fd))
                    return
                continue  # the peer went away before it was accepted
            local = connected.getsockname()
            self.accept(connected, format_address(peer[0], peer[1]), format_address(local[0], local[1]))

    def _listen_again(self, sock: socket.socket, fd: int) -> None:
        if sock.fileno() == fd:
            self.loop.modify(fd, READABLE)
