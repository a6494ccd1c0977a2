"""Portals set while the NAS runs: on the wire, stored, and in place of those of the command line."""

import pytest

from lunaport.engine.interface import AccessRule as EngineRule
from lunaport.engine.interface import Change, PortalSpec
from lunaport.model.access import AccessChange, AccessRule
from lunaport.model.errors import Fault, InvalidError
from lunaport.model.iscsi_service import ServiceChange
from lunaport.model.portal import Portal
from lunaport.model.target import TargetChange
from lunaport.service.actions import (
    PutPortal,
    RemovePortal,
    ResetPortals,
    SetPortals,
    UpdateService,
    UpdateTarget,
)
from lunaport.service.errors import ConflictError, NotFoundError, StaleError
from lunaport.service.nas import Nas
from tests.unit.service.stand import Stand, create

pytestmark = pytest.mark.anyio

OWN = (PortalSpec(host="127.0.0.1", port=3260), PortalSpec(host="::1", port=3261))
MORE = PortalSpec(host="192.0.2.7", port=860, group=2)


def served(stand: Stand) -> tuple[PortalSpec, ...]:
    return stand.engine.portals


async def test_the_first_change_takes_over_those_of_the_command_line(nas: Nas, stand: Stand) -> None:
    portal = await nas.perform(PutPortal(portal="192.0.2.7:860", group=2))
    assert portal == Portal(host="192.0.2.7", port=860, group=2)
    assert stand.engine.changes == [Change(portals=(*OWN, MORE))]
    await stand.restart()
    assert served(stand) == (*OWN, MORE)


async def test_a_portal_keeps_its_place_and_group(nas: Nas, stand: Stand) -> None:
    await nas.perform(PutPortal(portal="127.0.0.1", group=3))
    assert served(stand) == (PortalSpec(host="127.0.0.1", port=3260, group=3), OWN[1])
    assert (await nas.perform(PutPortal(portal="127.0.0.1:3260"))).group == 3
    assert len(stand.engine.changes) == 1
    assert set(await nas.portal_groups()) == {1, 3}


async def test_a_portal_goes_but_not_the_last(nas: Nas, stand: Stand) -> None:
    assert (await nas.perform(RemovePortal(portal="[::1]:3261"))).host == "::1"
    assert served(stand) == OWN[:1]
    with pytest.raises(NotFoundError):
        await nas.perform(RemovePortal(portal="[::1]:3261"))
    with pytest.raises(ConflictError) as last:
        await nas.perform(RemovePortal(portal="127.0.0.1"))
    assert last.value.problems[0].fault is Fault.PORTAL_LAST
    assert served(stand) == OWN[:1]


async def test_all_at_once_and_back(nas: Nas, stand: Stand) -> None:
    with pytest.raises(StaleError):
        await nas.perform(SetPortals(portals=(Portal(host="::", port=3260),), revisions=frozenset({99})))
    await nas.perform(SetPortals(portals=(Portal(host="::", port=3260),)))
    assert served(stand) == (PortalSpec(host="::", port=3260),)
    await nas.perform(ResetPortals())
    assert served(stand) == OWN
    assert (await nas.service()).portals is None


async def test_what_cannot_be_opened_changes_nothing(nas: Nas, stand: Stand) -> None:
    stand.engine.taken_ports.add(860)
    with pytest.raises(ConflictError, match="cannot listen on"):
        await nas.perform(PutPortal(portal="192.0.2.7:860"))
    assert served(stand) == OWN
    assert (await nas.service()).portals is None


async def test_what_covers_another_is_told_at_the_portal(nas: Nas) -> None:
    with pytest.raises(InvalidError, match="stands for every address") as refused:
        await nas.perform(PutPortal(portal="[::]:3261"))
    assert refused.value.problems[0].path == ("portal",)


async def test_off_and_one_port_for_all(nas: Nas, stand: Stand) -> None:
    await nas.perform(PutPortal(portal="192.0.2.7:860", group=2))
    await nas.perform(UpdateService(change=ServiceChange(port="99")))
    assert [each.port for each in served(stand)] == [99, 99, 99]
    await nas.perform(UpdateService(change=ServiceChange(enabled=False)))
    await nas.perform(PutPortal(portal="192.0.2.8", group=2))
    assert served(stand) == ()
    with pytest.raises(InvalidError, match="into the portal groups 1 and 2"):
        await nas.perform(PutPortal(portal="127.0.0.1:861", group=2))
    await nas.perform(UpdateService(change=ServiceChange(enabled=True, port="")))
    assert [each.host for each in served(stand)] == ["127.0.0.1", "::1", "192.0.2.7", "192.0.2.8"]


async def test_a_target_and_its_rules_name_groups(nas: Nas, stand: Stand) -> None:
    target = await nas.perform(create())
    rule = AccessRule(portal_groups=(2, 1))
    change = TargetChange(portal_groups=(7, 2, 2), isns=False, access=AccessChange(rules=(rule,)))
    changed = await nas.perform(UpdateTarget(target_id=target.id, change=change))
    assert (changed.portal_groups, changed.isns) == ((2, 7), False)
    spec = stand.engine.targets[target.name]
    assert (spec.portal_groups, spec.rules) == ((2, 7), (EngineRule(portal_groups=(1, 2)),))
    nas = await stand.restart()
    assert (await nas.target(target.id)).portal_groups == (2, 7)
    with pytest.raises(InvalidError) as refused:
        await nas.perform(UpdateTarget(target_id=target.id, change=TargetChange(portal_groups=(0,))))
    assert refused.value.problems[0].path == ("portal_groups", 0)


async def test_what_is_done_is_recorded_and_told(nas: Nas) -> None:
    await nas.perform(PutPortal(portal="192.0.2.7", group=2))
    await nas.perform(PutPortal(portal="192.0.2.7", group=3))
    await nas.perform(RemovePortal(portal="192.0.2.7"))
    removed, changed, added = await nas.audit(count_max=3)
    assert [each.subject for each in (removed, changed, added)] == ["portal 192.0.2.7:3260"] * 3
    assert {path: list(values) for path, values in changed.changes.items()} == {"group": [2, 3]}
    assert removed.action == "remove_portal"
