"""What the use cases ask of whoever registers the NAS with iSNS servers; the composition root implements it.

Nothing here waits for a server: the registrar is told that something may have changed, and asks `Nas.registration` when
it gets to it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from lunaport.engine.interface import PortalSpec
from lunaport.model.address import HostPort

IsnsState = Literal["idle", "registering", "registered", "failing"]


@dataclass(frozen=True, slots=True, kw_only=True)
class RegisteredTarget:
    """A target, and the portal groups through which it is served; none named: all."""

    name: str
    portal_groups: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Registration:
    """What shall be registered, and where. No servers: nothing, nowhere."""

    entity: str
    """The name under which all is registered; the same for ever."""
    servers: tuple[HostPort, ...] = ()
    portals: tuple[PortalSpec, ...] = ()
    """As configured: a host may be a name or a wildcard."""
    targets: tuple[RegisteredTarget, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class IsnsServerReport:
    """How it stands with a server now. Times are seconds since 1970; None: never."""

    address: str
    state: IsnsState = "registering"
    targets: int = 0
    portals: int = 0
    registered_since: float | None = None
    confirmed_at: float | None = None
    error: str = ""
    last_error: str = ""
    last_error_at: float | None = None


class Registrar(Protocol):
    """Registers the NAS with iSNS servers. No method waits or raises."""

    def changed(self) -> None:
        """Something that is registered may have changed."""

    def servers(self) -> Sequence[IsnsServerReport]:
        """Every server that is configured now."""


class NoRegistrar:
    """Registers nothing."""

    def changed(self) -> None:
        """Do nothing."""

    def servers(self) -> Sequence[IsnsServerReport]:
        """There is none."""
        return ()
