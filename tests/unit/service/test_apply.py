"""Documents: what they ask for, what that takes, all of it or nothing, and nothing the second time."""

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from lunaport.engine.interface import Change, DesiredState, EngineError, PortalError, PortalSpec
from lunaport.model.chap import ChapChange, CredentialChange
from lunaport.model.document import ApplyReport, BlockWish, ConfigDocument, UserWish, VolumeWish
from lunaport.model.errors import Fault, InvalidError
from lunaport.model.iscsi_service import ServiceChange
from lunaport.model.limits import LimitsChange
from lunaport.model.lun import LunChange
from lunaport.model.target import TargetChange
from lunaport.model.user import Actor, Role
from lunaport.service import apply
from lunaport.service.actions import (
    ApplyDocument,
    BlockInitiator,
    CreateUser,
    CreateVolume,
    DeleteTarget,
    PlanDocument,
    UpdateTarget,
)
from lunaport.service.actor import CURRENT
from lunaport.service.errors import ConflictError, EngineFailedError
from lunaport.service.nas import Nas
from tests.unit.service.engine_double import CrashError, Fuse
from tests.unit.service.stand import ALICE, Stand, create, path_of
from tests.unit.service.test_backup import configuration

pytestmark = pytest.mark.anyio

PREFIX = "iqn.2026-11.io.lunaport"


@pytest.fixture
async def nas(stand: Stand) -> Nas:
    """A NAS with an administrator."""
    started = await stand.start()
    await started.perform(CreateUser(name="admin", password="admins-password", role=Role.ADMIN))
    return started


def target(name: str, size: str | None = "1M", *, luns: tuple[LunChange, ...] = (), **more: Any) -> TargetChange:
    """A whole target."""
    return TargetChange(name=name, luns=luns or (LunChange(lun=0, size=size),), whole=True, header_digest=False, **more)


FULL = ConfigDocument(
    service=ServiceChange(enabled=True, port=4000, discovery_open=True),
    volumes=(VolumeWish(name="default", overcommit_factor=3), VolumeWish(name="fast", path="/srv/fast")),
    targets=(
        target("one", one_way=ALICE, limits=LimitsChange(iops=100)),
        target(
            "two",
            luns=(
                LunChange(lun=1, size="2M", volume="fast"),
                LunChange(lun=7, size="1M", kind={"encrypted": True, "read_only": True}),
            ),
        ),
    ),
    blocks=(BlockWish(initiator="iqn.2026-11.test:evil", note="why"),),
    users=(
        UserWish(name="admin", role=Role.ADMIN),
        UserWish(name="carol", role=Role.OPERATOR, password="carols-password"),
    ),
)


async def done(nas: Nas, document: ConfigDocument, *, prune: bool = False) -> ApplyReport:
    """Apply; what was planned before is what is done."""
    plan = await nas.perform(PlanDocument(document=document, prune=prune))
    report = await nas.perform(ApplyDocument(document=document, prune=prune))
    assert report == replace(plan, applied=True)
    return report


def told(report: ApplyReport) -> list[tuple[str, str, str]]:
    """What was done, without fields."""
    return [(step.action, step.kind, step.name.removeprefix(f"{PREFIX}:")) for step in report.steps]


async def test_everything_at_once_and_nothing_the_second_time(nas: Nas, stand: Stand) -> None:
    report = await done(nas, FULL)
    assert told(report) == [
        ("update", "volume", "default"),
        ("create", "volume", "fast"),
        ("create", "target", "one"),
        ("create", "target", "two"),
        ("update", "service", ""),
        ("create", "block", "iqn.2026-11.test:evil"),
        ("create", "user", "carol"),
    ]
    one, two = await nas.targets()
    assert (one.limits.iops, one.one_way.secret) == (100, "alice-secret-1")
    assert [(lun.lun, lun.volume, lun.size_bytes, lun.kind.read_only, bool(lun.key)) for lun in two.luns] == [
        (1, "fast", 2 << 20, False, False),
        (7, "default", 1 << 20, True, True),
    ]
    assert set(stand.engine.targets) == {one.name, two.name}
    assert [each.port for each in stand.engine.portals] == [4000, 4000]
    assert stand.engine.blocks[0].initiator == "iqn.2026-11.test:evil"
    assert len(stand.engine.files) == 3
    before, changes = await configuration(stand), list(stand.engine.changes)
    again = await done(nas, FULL)
    assert (again.steps, again.kept) == ((), ())
    assert await configuration(stand) == before
    assert stand.engine.changes == changes, "nobody is touched"
    await stand.restart()
    assert await configuration(stand) == before


async def test_a_plan_changes_nothing(nas: Nas, stand: Stand) -> None:
    before = await configuration(stand)
    plan = await nas.perform(PlanDocument(document=FULL))
    assert (len(plan.steps), plan.applied) == (7, False)
    assert await configuration(stand) == before
    assert (stand.engine.files, stand.engine.targets) == ({}, {})
    assert stand.engine.volumes == {"/data/volumes/default"}
    assert [each.action for each in await nas.audit(count_max=9)] == ["create_user"]


async def test_a_diff_that_can_be_read(nas: Nas) -> None:
    await done(nas, FULL)
    changed = replace(
        FULL,
        targets=(
            target("one", "4M", one_way=ChapChange(secret="another-secre1"), draining=True),
            (FULL.targets or ())[1],
        ),
        service=ServiceChange(port=4001),
    )
    one, service = (await done(nas, changed)).steps
    assert one.changes == {
        "chap.one_way.secret": ("(secret)", "(changed)"),
        "draining": (False, True),
        "luns.0.size_bytes": (1 << 20, 4 << 20),
    }
    assert service.changes == {"port": (4000, 4001)}
    assert "another-secre1" not in repr(one)


async def test_secrets_that_are_left_out_stay(nas: Nas) -> None:
    both = target("one", one_way=ALICE, credentials=(CredentialChange(username="bob", secret="bobs-secret-12"),))
    await done(nas, ConfigDocument(targets=(both,)))
    without = target(
        "one",
        one_way=ChapChange(enabled=True, username="alice"),
        credentials=(CredentialChange(username="bob"),),
    )
    assert (await done(nas, ConfigDocument(targets=(without,)))).steps == ()
    (found,) = await nas.targets()
    assert (found.one_way.secret, found.credentials[0].secret) == ("alice-secret-1", "bobs-secret-12")


async def test_a_password_is_changed_only_when_it_is_another(nas: Nas) -> None:
    await done(nas, FULL)
    users = (
        UserWish(name="admin", role=Role.ADMIN),
        UserWish(name="carol", role=Role.VIEWER, password="a-new-password"),
    )
    (step,) = (await done(nas, ConfigDocument(users=users))).steps
    assert step.changes == {"password": ("(secret)", "(changed)"), "role": ("operator", "viewer")}
    assert (await done(nas, ConfigDocument(users=users))).steps == ()


async def test_what_is_not_named_stays_until_it_is_pruned(nas: Nas, stand: Stand) -> None:
    await done(nas, FULL)
    small = ConfigDocument(
        volumes=(),
        targets=(target("two", luns=(LunChange(lun=7, size="1M", kind={"read_only": True}),)),),
        blocks=(),
        users=(UserWish(name="admin", role=Role.ADMIN),),
    )
    report = await done(nas, small)
    assert report.steps == ()
    assert report.kept == (
        "volume fast",
        f"LUN 1 of target {PREFIX}:two",
        f"target {PREFIX}:one",
        "block iqn.2026-11.test:evil",
        "user carol",
    )
    report = await done(nas, small, prune=True)
    assert told(report) == [
        ("delete", "volume", "fast"),
        ("update", "target", "two"),
        ("delete", "target", "one"),
        ("delete", "block", "iqn.2026-11.test:evil"),
        ("delete", "user", "carol"),
    ]
    (two,) = await nas.targets()
    assert [lun.lun for lun in two.luns] == [7]
    assert sorted(path.split("/")[-2] for path in stand.engine.files) == ["luns", "trash", "trash"]
    assert [volume.volume.name for volume in await nas.volumes()] == ["default"]
    assert stand.engine.blocks == ()
    assert (await done(nas, small, prune=True)).steps == ()


async def test_a_kind_that_may_change_has_its_default_when_it_is_not_said(nas: Nas) -> None:
    await done(nas, FULL)
    document = ConfigDocument(targets=(target("two", luns=(LunChange(lun=1, size="2M"), LunChange(lun=7, size="1M"))),))
    (step,) = (await done(nas, document)).steps
    assert step.changes == {"luns.7.read_only": (True, None)}


async def test_luns_come_with_the_document(nas: Nas, stand: Stand) -> None:
    await done(nas, ConfigDocument(targets=(target("one"),)))
    more = target("one", luns=(LunChange(lun=0, size="1M"), LunChange(lun=3, size="1M", volume="new")))
    volumes = (VolumeWish(name="new", path="/srv/new"),)
    report = await done(nas, ConfigDocument(targets=(more,), volumes=volumes))
    assert told(report) == [("create", "volume", "new"), ("update", "target", "one")]
    assert report.steps[1].changes == {"luns.3": (None, {"size_bytes": 1 << 20, "volume": "new"})}
    assert [lun.lun for lun in stand.engine.targets[f"{PREFIX}:one"].luns] == [0, 3]
    await stand.restart()
    assert [lun.lun for lun in stand.engine.targets[f"{PREFIX}:one"].luns] == [0, 3]


@pytest.mark.parametrize(
    ("document", "path", "fault"),
    [
        ({"targets": (target("one"), target("a b"))}, ("targets", 1, "name"), Fault.NAME_INVALID),
        ({"targets": (target("one"), target("ONE"))}, ("targets", 1), Fault.NAME_TAKEN),
        (
            {"targets": (target("one", "512"), target("two", "-1"))},
            ("targets", 1, "luns", 0, "size"),
            Fault.SIZE_NOT_POSITIVE,
        ),
        (
            {"targets": (target("x", luns=(LunChange(lun=0, size="1M", volume="no"),)),)},
            ("targets", 0, "luns", 0, "volume"),
            Fault.VOLUME_UNKNOWN,
        ),
        (
            {"targets": (target("x", one_way=ChapChange(enabled=True, username="a")),)},
            ("targets", 0, "one_way", "secret"),
            Fault.CHAP_INCOMPLETE,
        ),
        ({"volumes": (VolumeWish(name="x"),)}, ("volumes", 0, "path"), Fault.VOLUME_INVALID),
        ({"volumes": (VolumeWish(name="fast", path="/srv/other"),)}, ("volumes", 0, "path"), Fault.VOLUME_INVALID),
        ({"volumes": (VolumeWish(name="x", path="/srv/fast/x"),)}, ("volumes", 0, "path"), Fault.VOLUME_INVALID),
        ({"service": ServiceChange(port=0)}, ("service", "port"), Fault.PORT_INVALID),
        ({"blocks": (BlockWish(initiator="x"),)}, ("blocks", 0, "initiator"), Fault.NAME_INVALID),
        ({"users": (UserWish(name="dave", role=Role.ADMIN),)}, ("users", 0, "password"), Fault.MISSING_FIELD),
        ({"users": (UserWish(name="admin", role=Role.VIEWER),)}, ("users",), Fault.USER_LAST_ADMIN),
        ({"users": (UserWish(name="A!", role=Role.VIEWER),)}, ("users", 0, "name"), Fault.USER_NAME_INVALID),
    ],
)
async def test_one_thing_that_is_wrong_and_nothing_is_done(
    nas: Nas, stand: Stand, document: dict[str, Any], path: tuple[str | int, ...], fault: Fault
) -> None:
    await nas.perform(CreateVolume(name="fast", path="/srv/fast"))
    before = await configuration(stand)
    wanted = ConfigDocument(**{"blocks": (BlockWish(initiator="iqn.2026-11.test:fine"),), **document})
    for action in (PlanDocument(document=wanted), ApplyDocument(document=wanted)):
        with pytest.raises(InvalidError) as caught:
            await nas.perform(action)
        (problem,) = caught.value.problems
        assert (problem.path, problem.fault) == (path, fault)
    assert await configuration(stand) == before
    assert (stand.engine.files, stand.engine.targets) == ({}, {})


async def test_everything_that_is_wrong_is_told_at_once(nas: Nas) -> None:
    document = ConfigDocument(targets=(target("a b"), target("two", "-1")), blocks=(BlockWish(initiator="x"),))
    with pytest.raises(InvalidError) as caught:
        await nas.perform(PlanDocument(document=document))
    assert [each.path[:2] for each in caught.value.problems] == [("targets", 0), ("targets", 1), ("blocks", 0)]


async def test_what_cannot_become_another(nas: Nas) -> None:
    await done(nas, FULL)
    for luns, fault in (
        ((LunChange(lun=0, size="512"),), Fault.SIZE_SHRINKS),
        ((LunChange(lun=0, size="1M", volume="fast"),), Fault.VOLUME_FIXED),
        ((LunChange(lun=0, size="1M", kind={"block_size_bytes": 4096}),), Fault.LUN_KIND_FIXED),
    ):
        with pytest.raises(InvalidError) as caught:
            await nas.perform(PlanDocument(document=ConfigDocument(targets=(target("one", luns=luns),))))
        assert caught.value.problems[0].fault is fault
    with pytest.raises(InvalidError, match="which holds") as caught:
        await nas.perform(PlanDocument(document=ConfigDocument(volumes=()), prune=True))
    assert caught.value.problems[0].blockers == (f"{PREFIX}:two",)


async def test_room_is_reckoned_over_the_whole_document(nas: Nas, stand: Stand) -> None:
    stand.engine.total_bytes = 1 << 20
    volumes = (VolumeWish(name="default", overcommit_factor=4),)
    with pytest.raises(ConflictError, match="promised"):
        await nas.perform(
            ApplyDocument(document=ConfigDocument(volumes=volumes, targets=(target("a", "3M"), target("b", "2M"))))
        )
    assert await nas.targets() == []
    await done(nas, ConfigDocument(volumes=volumes, targets=(target("a", "3M"),)))
    # What goes makes room for what comes.
    await done(nas, ConfigDocument(targets=(target("b", "4M"),)), prune=True)
    assert [each.name for each in await nas.targets()] == [f"{PREFIX}:b"]


async def test_a_block_that_is_over_is_none(nas: Nas, stand: Stand) -> None:
    document = ConfigDocument(blocks=(BlockWish(initiator="iqn.2026-11.test:evil", until=stand.now + 10),))
    assert told(await done(nas, document)) == [("create", "block", "iqn.2026-11.test:evil")]
    assert (await done(nas, document)).steps == ()
    stand.now += 11
    assert (await done(nas, document)).steps == ()


BEFORE = ConfigDocument(
    volumes=(VolumeWish(name="old", path="/srv/old"),),
    targets=(target("one"), target("gone"), target("on-old", luns=(LunChange(lun=0, size="1M", volume="old"),))),
    users=(UserWish(name="admin", role=Role.ADMIN), UserWish(name="dave", role=Role.VIEWER, password="daves-password")),
)
AFTER = replace(
    FULL,
    targets=(
        target("one", luns=(LunChange(lun=0, size="2M"), LunChange(lun=2, size="1M"))),
        *(FULL.targets or ())[1:],
        target("three"),
    ),
)


@pytest.mark.parametrize(
    "failures",
    [
        {"create_file": EngineError("no")},
        {"grow_file": EngineError("no")},
        {"apply": EngineError("no")},
        {"apply": PortalError(PortalSpec(host="127.0.0.1", port=4000), "in use")},
    ],
)
async def test_a_failure_midway_leaves_everything_as_it_was(
    nas: Nas, stand: Stand, failures: dict[str, BaseException]
) -> None:
    await done(nas, BEFORE)
    before, wire = await configuration(stand), dict(stand.engine.targets)
    files = set(stand.engine.files)
    stand.engine.failures |= failures
    with pytest.raises((EngineFailedError, ConflictError)):
        await nas.perform(ApplyDocument(document=AFTER, prune=True))
    assert await configuration(stand) == before
    assert stand.engine.targets == wire
    assert set(stand.engine.files) == files, "what was made is removed, what was there is there"
    stand.engine.failures.clear()
    await done(nas, AFTER, prune=True)
    assert await nas.perform(create("four"))


async def test_a_crash_at_any_moment_leaves_all_or_nothing(nas: Nas, stand: Stand, tmp_path: Path) -> None:
    """Whatever step the control process dies at, the next start serves what was, or what shall be."""
    await done(nas, BEFORE)
    before = await configuration(stand)
    await stand.stop()
    start = shutil.copytree(stand.folder, tmp_path / "before")
    engine = replace(stand.engine)
    seen = []
    for step in range(1000):
        shutil.rmtree(stand.folder)
        shutil.copytree(start, stand.folder)
        stand.engine = replace(engine, files=dict(engine.files), targets=dict(engine.targets))
        fuse = Fuse()
        fused = await stand.open(fuse)
        await fused.start()
        fuse.at = fuse.count + step
        try:
            await fused.perform(ApplyDocument(document=AFTER, prune=True))
        except CrashError:
            crashed = True
        else:
            crashed = False
        await stand.stop()
        again = await stand.start()
        names = [each.name.removeprefix(f"{PREFIX}:") for each in await again.targets()]
        seen.append(names != ["one", "gone", "on-old"])
        if seen[-1]:
            assert sorted(names) == ["one", "three", "two"]
            assert (await again.service()).port == 4000
            report = await again.perform(PlanDocument(document=AFTER, prune=True))
            assert {step[1] for step in told(report)} <= {"volume"}, "all but emptied volumes is there"
        else:
            assert await configuration(stand) == before
        assert set(stand.engine.targets) == {f"{PREFIX}:{name}" for name in names}
        served = {lun.path for spec in stand.engine.targets.values() for lun in spec.luns}
        assert served <= set(stand.engine.files)
        await stand.stop()
        if not crashed:
            break
    assert seen == sorted(seen), "from one step on it is all there"
    assert {True, False} == set(seen)


async def test_it_is_written_down(nas: Nas) -> None:
    before = CURRENT.set(Actor(user="admin", role=Role.ADMIN, way="password", address="192.0.2.1"))
    await nas.perform(ApplyDocument(document=FULL))
    CURRENT.reset(before)
    (entry, *_) = await nas.audit(count_max=1)
    assert (entry.action, entry.subject, entry.user) == ("apply_document", "document", "admin")
    assert entry.changes["service: port"] == (None, 4000)
    assert entry.changes[f"target {PREFIX}:one: chap.one_way.secret"] == ("", "(secret)")
    assert entry.changes["user carol: password"] == (None, "(secret)")
    for secret in ("alice-secret-1", "carols-password"):
        assert secret not in repr(entry)


async def test_only_the_difference_goes_to_the_engine(nas: Nas, stand: Stand) -> None:
    await done(nas, BEFORE)
    stand.engine.changes.clear()
    await nas.perform(ApplyDocument(document=ConfigDocument(targets=(target("one", "2M"), target("gone")))))
    (change,) = stand.engine.changes
    assert [spec.name for spec in change.put] == [f"{PREFIX}:one"]
    assert (change.removed, change.portals, change.discovery, change.draining, change.blocks) == (
        (),
        None,
        None,
        None,
        None,
    )
    assert apply.difference(DesiredState(), DesiredState()) == Change()


async def test_what_others_did_is_seen(nas: Nas) -> None:
    await done(nas, FULL)
    (one, _) = await nas.targets()
    await nas.perform(UpdateTarget(target_id=one.id, change=TargetChange(header_digest=True)))
    await nas.perform(BlockInitiator(initiator="iqn.2026-11.test:more"))
    report = await done(nas, FULL)
    assert report.steps[0].changes == {"header_digest": (True, False)}
    assert report.kept == ("block iqn.2026-11.test:more",)
    await nas.perform(DeleteTarget(target_id=one.id))
    assert told(await done(nas, FULL)) == [("create", "target", "one")]
    assert path_of((await nas.targets())[-1])
