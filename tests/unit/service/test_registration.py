"""What shall be registered with iSNS servers, and who is told when it may have changed."""

import pytest

from lunaport.engine.interface import EngineStatus, PortalReport, PortalSpec
from lunaport.model.address import HostPort
from lunaport.model.iscsi_service import ServiceChange
from lunaport.model.target import TargetChange
from lunaport.service.actions import DeleteTarget, UpdateService, UpdateTarget
from lunaport.service.errors import ConflictError
from lunaport.service.nas import Nas
from lunaport.service.registration import NoRegistrar, RegisteredTarget
from tests.unit.service.stand import Stand, create

pytestmark = pytest.mark.anyio

PORTALS = (PortalSpec(host="127.0.0.1", port=3260), PortalSpec(host="::1", port=3261))
SERVER = HostPort(host="192.0.2.1", port=3205)


async def switch_on(nas: Nas) -> None:
    await nas.perform(UpdateService(change=ServiceChange(isns=True, isns_address="192.0.2.1")))


async def test_nothing_is_registered_nowhere_while_isns_is_off(nas: Nas) -> None:
    await nas.perform(create())
    registration = await nas.registration()
    assert (registration.servers, registration.portals, registration.targets) == ((), (), ())


async def test_targets_and_portals_as_they_are_served(nas: Nas) -> None:
    await switch_on(nas)
    first = await nas.perform(create("a"))
    second = await nas.perform(create("b"))
    registration = await nas.registration()
    assert (registration.servers, registration.portals) == ((SERVER,), PORTALS)
    assert [each.name for each in registration.targets] == [first.name, second.name]
    await nas.perform(UpdateTarget(target_id=first.id, change=TargetChange(name="c")))
    await nas.perform(DeleteTarget(target_id=second.id))
    assert (await nas.registration()).targets == (RegisteredTarget(name="iqn.2026-11.io.lunaport:c"),)
    await nas.perform(UpdateTarget(target_id=first.id, change=TargetChange(isns=False)))
    assert (await nas.registration()).targets == ()
    await nas.perform(UpdateTarget(target_id=first.id, change=TargetChange(isns=True, portal_groups=(2,))))
    assert (await nas.registration()).targets == (
        RegisteredTarget(name="iqn.2026-11.io.lunaport:c", portal_groups=(2,)),
    )
    await nas.perform(UpdateService(change=ServiceChange(port="860")))
    assert {portal.port for portal in (await nas.registration()).portals} == {860}
    await nas.perform(UpdateService(change=ServiceChange(enabled=False)))
    assert (await nas.registration()).portals == ()


async def test_a_portal_that_cannot_be_opened_is_left_out(
    nas: Nas, stand: Stand, monkeypatch: pytest.MonkeyPatch
) -> None:
    await switch_on(nas)
    status = EngineStatus(
        available=True,
        portals=(
            PortalReport(host="127.0.0.1", port=3260, listening=False, error="taken"),
            PortalReport(host="::1", port=3261, listening=True),
        ),
    )

    async def told(_engine: object) -> EngineStatus:
        return status

    monkeypatch.setattr(type(stand.engine), "status", told)
    assert (await nas.registration()).portals == PORTALS[1:]
    status = EngineStatus(available=False)
    assert (await nas.registration()).portals == PORTALS


async def test_the_entity_is_the_same_for_ever(nas: Nas, stand: Stand) -> None:
    entity = (await nas.registration()).entity
    assert entity.startswith("lunaport-")
    assert len(entity) == len("lunaport-") + 32
    again = await stand.restart()
    assert (await again.registration()).entity == entity


async def test_the_registrar_is_told_of_every_change_and_of_the_start(stand: Stand) -> None:
    nas = await stand.start()
    assert stand.registrar.changes == 1
    await nas.perform(create("a"))
    assert stand.registrar.changes == 2
    with pytest.raises(ConflictError):
        await nas.perform(create("a"))
    assert stand.registrar.changes == 2


def test_without_a_registrar_nothing_is_registered() -> None:
    NoRegistrar().changed()
    assert NoRegistrar().servers() == ()
