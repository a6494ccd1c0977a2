"""The service: on and off, and from port to port; what cannot be opened changes nothing."""

import pytest

from lunaport.engine.interface import Change, DiscoverySpec, PortalSpec
from lunaport.model.errors import Fault, InvalidError
from lunaport.model.iscsi_service import IscsiService, ServiceChange
from lunaport.service.actions import UpdateService
from lunaport.service.errors import ConflictError, StaleError
from lunaport.service.nas import Nas
from tests.unit.service.stand import Stand

pytestmark = pytest.mark.anyio

OWN_PORTS = (PortalSpec(host="127.0.0.1", port=3260), PortalSpec(host="::1", port=3261))
ON_860 = (PortalSpec(host="127.0.0.1", port=860), PortalSpec(host="::1", port=860))


async def update(nas: Nas, **change: str | int | bool) -> IscsiService:
    return await nas.perform(UpdateService(change=ServiceChange(**change)))  # type: ignore[arg-type] # test shorthand


async def test_each_portal_has_its_own_port(nas: Nas, stand: Stand) -> None:
    assert stand.engine.portals == OWN_PORTS
    assert tuple(await nas.portals()) == OWN_PORTS


async def test_a_port_holds_for_all(nas: Nas, stand: Stand) -> None:
    assert (await update(nas, port="860")).port == 860
    assert stand.engine.changes == [Change(portals=ON_860)]
    await stand.restart()
    assert stand.engine.portals == ON_860


async def test_off_and_on(nas: Nas, stand: Stand) -> None:
    await update(nas, enabled=False)
    assert not stand.engine.portals
    nas = await stand.restart()
    assert not stand.engine.portals
    await update(nas, enabled=True)
    assert stand.engine.portals == OWN_PORTS


async def test_a_port_that_is_taken_changes_nothing(nas: Nas, stand: Stand) -> None:
    stand.engine.taken_ports.add(860)
    with pytest.raises(ConflictError) as caught:
        await update(nas, port="860", isns_address="192.0.2.1")
    (problem,) = caught.value.problems
    assert (problem.fault, problem.path) == (Fault.PORT_UNAVAILABLE, ("port",))
    assert "127.0.0.1:860: the address is already in use" in problem.message
    assert stand.engine.portals == OWN_PORTS
    assert (await nas.service()).isns_address == ""


async def test_an_address_does_not_touch_the_portals(nas: Nas, stand: Stand) -> None:
    assert (await update(nas, isns_address="nas.example.org")).isns_address == "nas.example.org"
    assert stand.engine.changes == []


async def test_opening_discovery_does_not_touch_the_portals(nas: Nas, stand: Stand) -> None:
    assert stand.engine.discovery == DiscoverySpec(open=False)
    assert (await update(nas, discovery_open=True)).discovery_open
    assert stand.engine.changes == [Change(discovery=DiscoverySpec(open=True))]
    await stand.restart()
    assert stand.engine.discovery == DiscoverySpec(open=True)


async def test_isns_needs_an_address(nas: Nas) -> None:
    with pytest.raises(InvalidError, match="is empty while isns is true"):
        await update(nas, isns=True)
    await update(nas, isns=True, isns_address="192.0.2.1")
    with pytest.raises(InvalidError, match="is empty while isns is true"):
        await update(nas, isns_address="")


async def test_no_change_is_no_change(nas: Nas) -> None:
    before = await nas.service()
    assert await update(nas, enabled=True, port="") == before


async def test_only_what_was_read_is_changed(nas: Nas) -> None:
    with pytest.raises(StaleError):
        await nas.perform(UpdateService(change=ServiceChange(enabled=False), revisions=frozenset({99})))
