"""From what is stored to what an engine shall serve."""

from lunaport.engine.interface import PortalSpec
from lunaport.model.address import HostPort
from lunaport.model.iscsi_service import IscsiService
from lunaport.service.desired import portal_specs

PORTALS = (
    HostPort(host="127.0.0.1", port=3260),
    HostPort(host="127.0.0.1", port=3261),
    HostPort(host="::1", port=3260),
)


def test_own_ports() -> None:
    specs = portal_specs(IscsiService(), PORTALS)
    assert specs == tuple(PortalSpec(host=each.host, port=each.port) for each in PORTALS)


def test_a_common_port_and_no_address_twice() -> None:
    specs = portal_specs(IscsiService(port=860), PORTALS)
    assert specs == (PortalSpec(host="127.0.0.1", port=860), PortalSpec(host="::1", port=860))


def test_off() -> None:
    assert portal_specs(IscsiService(enabled=False), PORTALS) == ()
