"""The audit log: every action that somebody asks for, with what became of it, and never a secret."""

from dataclasses import replace

import pytest

from lunaport.engine.interface import EngineError
from lunaport.model.audit import AuditEntry, AuditFilter, Outcome
from lunaport.model.chap import ChapChange
from lunaport.model.errors import InvalidError
from lunaport.model.iscsi_service import ServiceChange
from lunaport.model.target import TargetChange
from lunaport.model.user import NAS_ITSELF, Actor, Role
from lunaport.service.actions import CreateUser, DeleteTarget, TidyUp, UpdateService, UpdateTarget
from lunaport.service.actor import CURRENT
from lunaport.service.errors import EngineFailedError, NotFoundError
from lunaport.service.nas import Nas
from tests.unit.service.engine_double import CrashError, Fuse
from tests.unit.service.stand import ALICE, Stand, create

pytestmark = pytest.mark.anyio

CAROL = Actor(user="carol", role=Role.ADMIN, way="token script", address="192.0.2.1")


async def entries(nas: Nas) -> list[AuditEntry]:
    return list(await nas.audit(count_max=100))


async def test_a_target_from_its_creation_to_its_end(nas: Nas, stand: Stand) -> None:
    before = CURRENT.set(CAROL)
    target = await nas.perform(create(one_way=ALICE))
    stand.now += 5
    new = TargetChange(size="2G", one_way=ChapChange(secret="another-secre1"))
    await nas.perform(UpdateTarget(target_id=target.id, change=new))
    await nas.perform(DeleteTarget(target_id=target.id))
    CURRENT.reset(before)
    deleted, updated, created = await entries(nas)
    for entry in (deleted, updated, created):
        assert (entry.user, entry.way, entry.address) == ("carol", "token script", "192.0.2.1")
        assert (entry.outcome, entry.error) == (Outcome.DONE, "")
        assert entry.subject == f"target {target.name}"
    assert [created.action, updated.action, deleted.action] == ["create_target", "update_target", "delete_target"]
    assert created.request["change"]["one_way"] == {"enabled": True, "username": "alice", "secret": "(secret)"}
    assert created.changes[""][0] is None
    assert created.changes[""][1]["name"] == target.name
    assert updated.request == {"target_id": target.id, "change": {"size": "2G", "one_way": {"secret": "(secret)"}}}
    assert updated.at == created.at + 5
    assert updated.changes.pop("revision")[0] == target.revision
    assert updated.changes.pop("one_way.secret_changed_at") == (stand.now - 5, stand.now)
    assert updated.changes == {
        "luns[0].size_bytes": (1 << 30, 2 << 30),
        "one_way.secret": ("(secret)", "(changed)"),
    }
    assert deleted.changes[""][1] is None
    assert "alice-secret-1" not in repr(await entries(nas))
    assert "another-secre1" not in repr(await entries(nas))


async def test_what_was_refused_or_failed(nas: Nas, stand: Stand) -> None:
    with pytest.raises(InvalidError):
        await nas.perform(create(size="-1"))
    with pytest.raises(NotFoundError):
        await nas.perform(DeleteTarget(target_id=77))
    stand.engine.failures["apply"] = EngineError("the disk is on fire")
    with pytest.raises(EngineFailedError):
        await nas.perform(create())
    stand.engine.failures["create_file"] = RuntimeError("a mistake of ours")
    with pytest.raises(RuntimeError):
        await nas.perform(create())
    mistake, fire, missing, negative = await entries(nas)
    assert (mistake.outcome, mistake.error) == (Outcome.FAILED, "an internal error; the log tells more")
    assert (fire.outcome, fire.error) == (Outcome.REFUSED, "the disk is on fire")
    assert missing.error == "there is no share with the id 77"
    assert negative.error.startswith("size: ")
    assert {entry.user for entry in (mistake, fire, missing, negative)} == {NAS_ITSELF.user}


async def test_what_a_crash_cut_off_says_begun(stand: Stand) -> None:
    fuse = Fuse()
    nas = await stand.open(fuse)
    await nas.start()
    fuse.at = fuse.count + 3
    with pytest.raises(CrashError):
        await nas.perform(create())
    nas = await stand.restart()
    (entry,) = await entries(nas)
    assert (entry.action, entry.outcome) == ("create_target", Outcome.BEGUN)


async def test_service_and_users(nas: Nas) -> None:
    await nas.perform(UpdateService(change=ServiceChange(port=860)))
    await nas.perform(CreateUser(name="carol", password="carols-password", role=Role.VIEWER))
    user, service = await entries(nas)
    assert (service.subject, service.changes["port"]) == ("service", (None, 860))
    assert user.subject == "user carol"
    assert user.request == {"name": "carol", "password": "(secret)", "role": "viewer"}
    assert user.changes[""][1]["password_hash"] == "(secret)"


async def test_pages_and_filters(nas: Nas, stand: Stand) -> None:
    await nas.perform(create("one"))
    stand.now += 1
    await nas.perform(create("two"))
    stand.now += 1
    before = CURRENT.set(replace(CAROL, user="dave"))
    await nas.perform(UpdateService(change=ServiceChange(port=860)))
    CURRENT.reset(before)
    newest, middle, oldest = await entries(nas)
    assert await nas.audit(count_max=1) == [newest]
    assert await nas.audit(count_max=9, before_id=newest.id) == [middle, oldest]
    looked_for = [
        (AuditFilter(user="dave"), [newest]),
        (AuditFilter(subject="target iqn.2026-11.io.lunaport:one"), [oldest]),
        (AuditFilter(action="create_target"), [middle, oldest]),
        (AuditFilter(action="create_target", subject="service"), []),
        (AuditFilter(since=middle.at), [newest, middle]),
        (AuditFilter(until=middle.at), [oldest]),
        (AuditFilter(since=middle.at, until=newest.at), [middle]),
    ]
    for wanted, found in looked_for:
        assert await nas.audit(count_max=9, wanted=wanted) == found


async def test_old_entries_are_forgotten(nas: Nas, stand: Stand) -> None:
    await nas.perform(create("one"))
    stand.now += 365 * 86400 - 1
    await nas.perform(create("two"))
    await nas.perform(TidyUp())
    assert len(await entries(nas)) == 2
    stand.now += 2
    await nas.perform(TidyUp())
    (left,) = await entries(nas)
    assert left.subject == "target iqn.2026-11.io.lunaport:two"
