"""Host names of portals, looked up in threads that nobody waits for long.

A resolver may take half a minute, and all sessions live on the loop's thread.
"""

import contextlib
import socket
import threading
from collections.abc import Callable, Iterable
from functools import partial
from typing import Final

from lunaport.engine.embedded.loop import Loop

LOOK_UP_S_MAX: Final = 5.0

Resolve = Callable[[str], str]
"""A name to a numeric address. Raises OSError."""


def resolve(host: str) -> str:
    """The first address of a name, in the system's order. Raises OSError."""
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except UnicodeError as error:
        raise OSError(f"{host!r} cannot be a host name") from error
    return str(found[0][4][0])


class Names:
    """What is known of names. One look-up of a name at a time."""

    def __init__(self, loop: Loop, resolve: Resolve = resolve) -> None:
        self._loop = loop
        self._resolve = resolve
        self._waiting: dict[str, list[Callable[[], None]]] = {}
        self.known: dict[str, str] = {}

    def look_up(self, hosts: Iterable[str], done: Callable[[], None]) -> None:
        """Ask for these names; `done` when each is in `known`, or is not known, or has not been told in time."""
        left = set(hosts)
        if not left:
            done()
            return

        def end() -> None:
            left.clear()
            timer.cancel()
            done()

        def told(host: str) -> None:
            if host in left:
                left.discard(host)
                if not left:
                    end()

        timer = self._loop.call_later(LOOK_UP_S_MAX, end)
        for host in list(left):
            self._ask(host, partial(told, host))

    def _ask(self, host: str, told: Callable[[], None]) -> None:
        if host in self._waiting:
            self._waiting[host].append(told)
            return
        self._waiting[host] = [told]

        def work() -> None:
            address = ""
            with contextlib.suppress(OSError):
                address = self._resolve(host)
            with contextlib.suppress(OSError):  # the loop has ended meanwhile
                self._loop.call_from_thread(partial(self._tell, host, address))

        threading.Thread(target=work, name="portal-name", daemon=True).start()

    def _tell(self, host: str, address: str) -> None:
        if address:
            self.known[host] = address
        else:
            self.known.pop(host, None)
        for told in self._waiting.pop(host):
            told()
