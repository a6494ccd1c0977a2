"""The iSCSI service as a whole: on or off, on which port, its iSNS server, and what discovery tells."""

from dataclasses import dataclass

from lunaport.model.address import ISNS_PORT, parse_host_port, parse_port
from lunaport.model.errors import Collector, Fault, InvalidError

SERVICE_ID = 1
"""There is one service; this is its id in the NAS API."""


@dataclass(frozen=True, slots=True, kw_only=True)
class IscsiService:
    """The service object. `port` None: each portal's own port. `isns_address`: as typed, empty for none.

    `discovery_open`: every initiator is told of every target, not only of those that he may use.
    """

    enabled: bool = True
    port: int | None = None
    isns: bool = False
    isns_address: str = ""
    draining: bool = False
    """Initiators of all targets are asked to go, and nobody is let in."""
    discovery_open: bool = False
    revision: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceChange:
    """What a request says about the service; None: as it is. An empty `port` means each portal's own."""

    enabled: bool | None = None
    port: str | int | None = None
    isns: bool | None = None
    isns_address: str | None = None
    draining: bool | None = None
    discovery_open: bool | None = None


def merge_service(current: IscsiService, change: ServiceChange) -> IscsiService:
    """`current` as `change` makes it. Raises InvalidError with every problem."""
    problems = Collector()
    port = current.port
    if change.port is not None:
        try:
            port = None if change.port == "" else parse_port(change.port)
        except InvalidError as error:
            problems.take(error)
    address = current.isns_address
    if change.isns_address is not None:
        address = change.isns_address
        if address:
            try:
                parse_host_port(address, ISNS_PORT)
            except InvalidError as error:
                problems.take(error, "isns_address")
    if change.isns:
        problems.add(
            Fault.ISNS_UNAVAILABLE,
            "is true, but registration with an iSNS server is not available yet; right would be false",
            "isns",
        )
    problems.raise_any()
    return IscsiService(
        enabled=current.enabled if change.enabled is None else change.enabled,
        port=port,
        isns=False,
        isns_address=address,
        draining=current.draining if change.draining is None else change.draining,
        discovery_open=current.discovery_open if change.discovery_open is None else change.discovery_open,
        revision=current.revision,
    )
