"""Portals: the listening sockets, opened and closed as desired state changes (RFC 7143 section 4.2.6).

A portal whose address is not there is no mistake: it is tried again, and opened when the address comes. One whose
address goes away is closed, for its socket would listen on and hear nothing; sessions are not touched by any of that.
"""

import errno
import socket
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from ipaddress import ip_address

import structlog

from lunaport.engine.embedded.addresses import (
    Listening,
    format_address,
    is_numeric,
    parse_address,
    reachable,
)
from lunaport.engine.embedded.listening import AbsentError, is_there, listen
from lunaport.engine.embedded.loop import READABLE, Loop
from lunaport.engine.embedded.names import Names
from lunaport.engine.embedded.steps import Finish
from lunaport.engine.interface import PortalError, PortalReport, PortalSpec

log = structlog.get_logger()

ACCEPTS_PER_EVENT_MAX = 64
OUT_OF_DESCRIPTORS_PAUSE_S = 0.2

AcceptCallback = Callable[[socket.socket, str, str, int], None]
"""(socket, peer address, portal address, portal group tag)"""
Key = tuple[str, int]
"""Host and port: what tells a portal from others."""


def key_of(spec: PortalSpec) -> Key:
    """What tells a portal from others."""
    return spec.host, spec.port


@dataclass(slots=True)
class Listener:
    """A portal that listens, since when (seconds since 1970). Its group may change while it does."""

    spec: PortalSpec
    sock: socket.socket
    since: float


@dataclass(slots=True)
class Failed:
    """A portal that cannot be opened now."""

    spec: PortalSpec
    reason: str
    since: float


class Portals:
    """The portals that shall be, and those that are."""

    def __init__(
        self,
        loop: Loop,
        accept: AcceptCallback,
        *,
        names: Names | None = None,
        clock: Callable[[], float] = time.time,
        is_there: Callable[[socket.socket], bool] = is_there,
    ) -> None:
        self.loop = loop
        self.accept = accept
        self.names = names or Names(loop)
        self.clock = clock
        self.is_there = is_there
        self.desired: tuple[PortalSpec, ...] = ()
        self.listening: dict[Key, Listener] = {}
        self.errors: dict[Key, Failed] = {}

    @property
    def groups(self) -> tuple[int, ...]:
        """The portal groups that shall be."""
        return tuple(sorted({spec.group for spec in self.desired}))

    def set(self, desired: tuple[PortalSpec, ...], finish: Finish, *, partly: bool) -> None:
        """Open what is missing, close what is too much.

        `finish` with PortalError and nothing changed, unless `partly`: then what cannot be opened is tried again later.
        """

        def names_told() -> None:
            try:
                self._set(desired, partly=partly)
            except PortalError as error:
                finish(error)
                return
            finish(None)

        self.names.look_up(self._names(spec for spec in desired if key_of(spec) not in self.listening), names_told)

    def _names(self, specs: Iterable[PortalSpec]) -> list[str]:
        return [spec.host for spec in specs if not is_numeric(spec.host)]

    def _set(self, desired: tuple[PortalSpec, ...], *, partly: bool) -> None:
        wanted = {key_of(spec): spec for spec in desired}
        new = [spec for key, spec in wanted.items() if key not in self.listening]
        leaving = [listener for key, listener in self.listening.items() if key not in wanted]
        # Two sockets cannot share a port where one of them is a wildcard: there the old one goes first.
        first = [each for each in leaving if any(self._in_the_way(each, spec) for spec in new)]
        for listener in first:
            self._close(listener)
        opened: list[Listener] = []
        errors: dict[Key, Failed] = {}
        for spec in new:
            try:
                opened.append(Listener(spec, self._listen(spec), self.clock()))
            except PortalError as error:
                if not partly and not isinstance(error, AbsentError):
                    for listener in opened:
                        listener.sock.close()
                    self._open_again(first)
                    raise
                errors[key_of(spec)] = self._failed(spec, error)
        for listener in leaving:
            if listener not in first:
                self._close(listener)
        self.errors = errors
        self.desired = tuple(wanted.values())
        for key, listener in self.listening.items():
            listener.spec = wanted[key]
        for listener in opened:
            self._open(listener)

    def _in_the_way(self, listener: Listener, spec: PortalSpec) -> bool:
        try:
            address = ip_address(self._address(spec))
        except PortalError:
            return False
        other = ip_address(listener.sock.getsockname()[0])
        same = spec.port == listener.spec.port and address.version == other.version
        return same and (address.is_unspecified or other.is_unspecified or address == other)

    def _address(self, spec: PortalSpec) -> str:
        """The numeric address of a portal. Raises AbsentError."""
        if is_numeric(spec.host):
            return spec.host
        address = self.names.known.get(spec.host)
        if address is None:
            raise AbsentError(spec, "no address of this name is known")
        return address

    def _listen(self, spec: PortalSpec) -> socket.socket:
        return listen(spec, self._address(spec))

    def _failed(self, spec: PortalSpec, error: PortalError) -> Failed:
        before = self.errors.get(key_of(spec))
        if before is None:
            log.error("portal cannot be opened", portal=format_address(spec.host, spec.port), reason=error.reason)
        return Failed(spec, error.reason, before.since if before is not None else self.clock())

    def _open_again(self, closed: list[Listener]) -> None:
        for listener in closed:
            try:
                self._open(Listener(listener.spec, self._listen(listener.spec), listener.since))
            except PortalError as error:
                self.errors[key_of(listener.spec)] = self._failed(listener.spec, error)

    def open_missing(self, finish: Finish) -> None:
        """Try the portals again that could not be opened."""

        def names_told() -> None:
            for key, failed in list(self.errors.items()):
                try:
                    sock = self._listen(failed.spec)
                except PortalError as error:
                    failed.reason = error.reason
                    continue
                del self.errors[key]
                self._open(Listener(failed.spec, sock, self.clock()))
            finish(None)

        self.names.look_up(self._names(failed.spec for failed in self.errors.values()), names_told)

    def look(self) -> None:
        """Close the portals whose address has gone away; they are tried again as those that could not be opened."""
        for key, listener in list(self.listening.items()):
            if not self.is_there(listener.sock):
                self._close(listener)
                gone = AbsentError(listener.spec, "this machine has no such address any more")
                self.errors[key] = self._failed(listener.spec, gone)

    def report(self) -> tuple[PortalReport, ...]:
        """Every portal that shall be, in that order."""
        return tuple(self._report_one(spec) for spec in self.desired)

    def _report_one(self, spec: PortalSpec) -> PortalReport:
        listener, failed = self.listening.get(key_of(spec)), self.errors.get(key_of(spec))
        return PortalReport(
            host=spec.host,
            port=spec.port,
            group=spec.group,
            listening=listener is not None,
            error=failed.reason if failed is not None else "",
            since=listener.since if listener is not None else failed.since if failed is not None else 0.0,
        )

    def addresses(self, portal: str) -> list[Listening]:
        """The portals as a peer can reach them that came to `portal` (host:port); a host name is its address."""
        found = []
        for listener in self.listening.values():
            name = listener.sock.getsockname()
            found.append(Listening(host=name[0], port=name[1], group=listener.spec.group))
        return reachable(found, parse_address(portal))

    def _open(self, listener: Listener) -> None:
        spec, sock = listener.spec, listener.sock
        self.listening[key_of(spec)] = listener
        log.info("portal is open", portal=format_address(spec.host, spec.port), group=spec.group)
        self.loop.register(sock.fileno(), partial(self._on_readable, listener), READABLE)

    def _close(self, listener: Listener) -> None:
        del self.listening[key_of(listener.spec)]
        self.loop.unregister(listener.sock.fileno())
        listener.sock.close()

    def _on_readable(self, listener: Listener, _mask: int) -> None:
        sock = listener.sock
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
            portal = format_address(local[0], local[1])
            self.accept(connected, format_address(peer[0], peer[1]), portal, listener.spec.group)

    def _listen_again(self, sock: socket.socket, fd: int) -> None:
        if sock.fileno() == fd:
            self.loop.modify(fd, READABLE)
