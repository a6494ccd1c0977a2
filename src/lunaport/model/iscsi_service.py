"""The iSCSI service as a whole: on or off, on which port, its iSNS servers, and what discovery tells."""

from dataclasses import dataclass, field, replace
from typing import Final

from lunaport.model.address import ISNS_PORT, HostPort, parse_host_port, parse_port
from lunaport.model.chap import Chap, ChapChange, check_pair, merge_chap
from lunaport.model.errors import Collector, Fault, InvalidError, invalid
from lunaport.model.portal import Portal, check_portals, with_port

SERVICE_ID = 1
"""There is one service; this is its id in the NAS API."""
ISNS_SERVERS_MAX: Final = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class IscsiService:
    """The service object. `port` None: each portal's own port. `isns_address`: as typed, empty for none.

    `discovery_open`: every initiator is told of every target, not only of those that he may use. `discovery_one_way`:
    where enabled, discovery asks for CHAP, and whoever proves this secret is told of what needs other secrets to use.
    """

    enabled: bool = True
    port: int | None = None
    portals: tuple[Portal, ...] | None = None
    """None: those of the command line."""
    isns: bool = False
    isns_address: str = ""
    draining: bool = False
    """Initiators of all targets are asked to go, and nobody is let in."""
    discovery_open: bool = False
    discovery_one_way: Chap = field(default_factory=Chap)
    discovery_mutual: Chap = field(default_factory=Chap)
    revision: int = 0

    @property
    def isns_servers(self) -> tuple[HostPort, ...]:
        """The iSNS servers to register with now."""
        return parse_isns_address(self.isns_address) if self.isns else ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceChange:
    """What a request says about the service; None: as it is. An empty `port` means each portal's own."""

    enabled: bool | None = None
    port: str | int | None = None
    isns: bool | None = None
    isns_address: str | None = None
    draining: bool | None = None
    discovery_open: bool | None = None
    discovery_one_way: ChapChange = field(default_factory=ChapChange)
    discovery_mutual: ChapChange = field(default_factory=ChapChange)


def parse_isns_address(text: str) -> tuple[HostPort, ...]:
    """The servers in a text: none, one, or several with commas between. Raises InvalidError."""
    if not text:
        return ()
    parts = [part.strip() for part in text.split(",", ISNS_SERVERS_MAX)]
    if len(parts) > ISNS_SERVERS_MAX:
        raise invalid(
            Fault.ISNS_ADDRESS_INVALID,
            f"names more servers than the {ISNS_SERVERS_MAX} that are possible; leave some out",
        )
    servers = tuple(parse_host_port(part, ISNS_PORT) for part in parts)
    if len(set(servers)) < len(servers):
        raise invalid(Fault.ISNS_ADDRESS_INVALID, "names a server twice; name each one once")
    return servers


def merge_service(current: IscsiService, change: ServiceChange, *, now: float) -> IscsiService:
    """`current` as `change` makes it. Raises InvalidError with every problem."""
    problems = Collector()
    port = current.port
    if change.port is not None:
        try:
            port = None if change.port == "" else parse_port(change.port)
            with_port(current.portals or (), port)
        except InvalidError as error:
            problems.take(error)
    address = current.isns_address
    if change.isns_address is not None:
        address = change.isns_address
        try:
            parse_isns_address(address)
        except InvalidError as error:
            problems.take(error, "isns_address")
    isns = current.isns if change.isns is None else change.isns
    if isns and not address:
        problems.add(
            Fault.ISNS_ADDRESS_MISSING,
            "is empty while isns is true; right would be the address of the iSNS server, such as 192.0.2.7",
            "isns_address",
        )
    one_way, mutual = _merge_discovery(current, change, now, problems)
    problems.raise_any()
    return IscsiService(
        enabled=current.enabled if change.enabled is None else change.enabled,
        port=port,
        portals=current.portals,
        isns=isns,
        isns_address=address,
        draining=current.draining if change.draining is None else change.draining,
        discovery_open=current.discovery_open if change.discovery_open is None else change.discovery_open,
        discovery_one_way=one_way,
        discovery_mutual=mutual,
        revision=current.revision,
    )


def with_portals(current: IscsiService, portals: tuple[Portal, ...] | None) -> IscsiService:
    """`current` with these portals; None: those of the command line. Raises InvalidError."""
    if portals is not None:
        check_portals(portals)
        with_port(portals, current.port)
    return replace(current, portals=portals)


def _merge_discovery(
    current: IscsiService, change: ServiceChange, now: float, problems: Collector
) -> tuple[Chap, Chap]:
    one_way, mutual = current.discovery_one_way, current.discovery_mutual
    found = len(problems.problems)
    try:
        one_way = merge_chap(one_way, change.discovery_one_way, now)
    except InvalidError as error:
        problems.take(error, "discovery", "one_way")
    try:
        mutual = merge_chap(mutual, change.discovery_mutual, now)
    except InvalidError as error:
        problems.take(error, "discovery", "mutual")
    if len(problems.problems) == found:
        try:
            check_pair(one_way, mutual)
        except InvalidError as error:
            problems.take(error, "discovery")
    return one_way, mutual
