"""The portals of a data process that has none itself: process 0 listens, and hands logins over.

What is known here is which there shall be, and where they are: enough to say whether the service is on, which ports a
target has, and where else an initiator finds it. Whether they listen now only process 0 knows.
"""

from lunaport.engine.embedded.addresses import Listening, is_numeric, parse_address, reachable
from lunaport.engine.embedded.loop import Loop
from lunaport.engine.embedded.names import Names
from lunaport.engine.embedded.portals import Failed, Key, Listener, Portals
from lunaport.engine.embedded.steps import Finish
from lunaport.engine.interface import PortalReport, PortalSpec


class PortalsElsewhere:
    """The portals that shall be. See `portals.Portals`, whose place it takes."""

    def __init__(self, loop: Loop, *, names: Names | None = None) -> None:
        self.names = names or Names(loop)
        self.desired: tuple[PortalSpec, ...] = ()
        self.listening: dict[Key, Listener] = {}
        self.errors: dict[Key, Failed] = {}

    @property
    def groups(self) -> tuple[int, ...]:
        """The portal groups that shall be."""
        return tuple(sorted({spec.group for spec in self.desired}))

    def set(self, desired: tuple[PortalSpec, ...], finish: Finish, *, partly: bool) -> None:
        """These shall be. A host name is no reason to wait: it is only needed where somebody asks for addresses."""
        self.desired = tuple({(spec.host, spec.port): spec for spec in desired}.values())
        self.names.look_up(self._names(), lambda: None)
        finish(None)

    def _names(self) -> list[str]:
        return [spec.host for spec in self.desired if not is_numeric(spec.host)]

    def open_missing(self, finish: Finish) -> None:
        """There is none to open."""
        finish(None)

    def look(self) -> None:
        """There is none to close."""

    def report(self) -> tuple[PortalReport, ...]:
        """Process 0 tells of them."""
        return ()

    def addresses(self, portal: str) -> list[Listening]:
        """Where a peer can reach them that came to `portal` (host:port); a name whose address is not known is none."""
        found = []
        for spec in self.desired:
            host = spec.host if is_numeric(spec.host) else self.names.known.get(spec.host)
            if host is not None:
                found.append(Listening(host=host, port=spec.port, group=spec.group))
        return reachable(found, parse_address(portal))


AnyPortals = Portals | PortalsElsewhere
