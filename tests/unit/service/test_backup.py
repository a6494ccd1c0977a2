"""Backup and restore: on an empty machine, on one that is not, with files there and missing; all of it or nothing."""

import shutil
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from lunaport.engine.interface import EngineError
from lunaport.model.errors import Fault, InvalidError
from lunaport.model.iscsi_service import ServiceChange
from lunaport.model.lun import Lun, LunChange
from lunaport.model.target import Target
from lunaport.model.user import Actor, Role
from lunaport.service import actions, backup_file
from lunaport.service.actions import (
    BlockInitiator,
    CreateUser,
    CreateVolume,
    DeleteTarget,
    ExportBackup,
    ImportBackup,
    PlanImport,
    UpdateService,
)
from lunaport.service.actor import CURRENT
from lunaport.service.errors import ConflictError, EngineFailedError
from lunaport.service.nas import Nas
from tests.unit.service.engine_double import CrashError, Fuse
from tests.unit.service.stand import ALICE, THE_NAS, Stand, create, path_of

pytestmark = pytest.mark.anyio

PASSPHRASE = "correct horse battery"
ADMIN = Actor(user="admin", role=Role.ADMIN, way="password")


@pytest.fixture(autouse=True)
def cheap(monkeypatch: pytest.MonkeyPatch) -> None:
    """Deriving the key costs nothing."""
    monkeypatch.setattr(backup_file, "MEMORY_KIB", 32)
    real = backup_file.seal

    def seal(*args: Any, **kwargs: Any) -> Any:
        return real(*args, **kwargs, memory_kib=32)

    monkeypatch.setattr("lunaport.service.backup.seal", seal)


@pytest.fixture
async def other(tmp_path: Path, template: Path) -> AsyncIterator[Stand]:
    """Another machine, empty but for its administrator."""
    made = Stand(folder=shutil.copytree(template, tmp_path / "other"))
    token = CURRENT.set(ADMIN)
    await (await made.start()).perform(CreateUser(name="admin", password="another-password", role=Role.ADMIN))
    yield made
    CURRENT.reset(token)
    await made.stop()


async def filled(nas: Nas) -> None:
    """Something of everything."""
    await nas.perform(CreateUser(name="admin", password="admins-password", role=Role.ADMIN))
    await nas.perform(CreateUser(name="carol", password="carols-password", role=Role.OPERATOR))
    await nas.perform(CreateVolume(name="fast", path="/srv/fast"))
    await nas.perform(create("one", one_way=ALICE, mutual=THE_NAS))
    await nas.perform(create("two", volume="fast"))
    await nas.perform(create("vault", size="1M", luns=(LunChange(lun=3, size="1M", kind={"encrypted": True}),)))
    gone = await nas.perform(create("gone"))
    await nas.perform(DeleteTarget(target_id=gone.id))
    await nas.perform(UpdateService(change=ServiceChange(port=4000, discovery_open=True)))
    await nas.perform(BlockInitiator(initiator="iqn.2026-11.test:evil"))


async def exported(nas: Nas) -> dict[str, Any]:
    """A backup."""
    return await nas.perform(ExportBackup(passphrase=PASSPHRASE))


def restore(document: dict[str, Any], **more: Any) -> ImportBackup:
    """The action that restores it."""
    return ImportBackup(document=document, passphrase=PASSPHRASE, **more)


async def configuration(stand: Stand) -> Any:
    """All that is configured, without what tells only when it changed."""
    assert stand.store is not None
    found = await stand.store.configuration()
    return replace(
        found,
        service=replace(found.service, revision=0),
        volumes=tuple(replace(each, revision=0) for each in found.volumes),
        targets=tuple(replace(each, revision=0) for each in found.targets),
    )


async def test_an_empty_machine_serves_the_same(nas: Nas, stand: Stand, other: Stand) -> None:
    await filled(nas)
    document = await exported(nas)
    other.engine.files, other.engine.keys = dict(stand.engine.files), dict(stand.engine.keys)
    assert other.nas is not None
    plan = await other.nas.perform(PlanImport(document=document, passphrase=PASSPHRASE))
    assert (plan.applied, plan.replaces, other.engine.targets) == (False, (), {})
    report = await other.nas.perform(restore(document))
    assert report == replace(plan, applied=True)
    assert {each.state for each in report.luns} == {"present"}
    assert (report.targets, report.volumes, report.users, report.left) == (3, 2, 2, ())
    assert await configuration(other) == await configuration(stand)
    assert other.engine.targets == stand.engine.targets
    assert (other.engine.portals, other.engine.blocks) == (stand.engine.portals, stand.engine.blocks)
    assert other.engine.discovery == stand.engine.discovery
    assert other.engine.volumes == stand.engine.volumes
    assert await (await other.restart()).targets() != []
    assert other.engine.targets == stand.engine.targets


async def test_files_that_are_not_there(nas: Nas, stand: Stand, other: Stand) -> None:
    await filled(nas)
    one, two, vault = await nas.targets()
    document = await exported(nas)
    assert other.nas is not None
    fast = path_of(two, "/srv/fast")
    other.engine.files = {path_of(vault): 1 << 20, fast: 100}
    plan = await other.nas.perform(PlanImport(document=document, passphrase=PASSPHRASE))
    assert [(each.target, each.lun, each.state) for each in plan.luns] == [
        (one.name, 0, "missing"),
        (two.name, 0, "cut"),
        (vault.name, 3, "no_key"),
    ]
    assert plan.luns[0].path == path_of(one)
    assert "put the file back" in plan.luns[0].advice
    assert "100 bytes of" in plan.luns[1].advice
    assert f"{path_of(vault)}.key" in plan.luns[2].advice
    assert path_of(one) not in other.engine.files, "nothing is made empty unless it is asked for"
    other.engine.files = {path_of(vault): 1 << 20, fast: 1 << 30}
    other.engine.keys[path_of(vault)] = "there"
    report = await other.nas.perform(restore(document, create_missing=True))
    assert [each.state for each in report.luns] == ["created", "present", "present"]
    assert other.engine.files[path_of(one)] == 1 << 30
    assert other.engine.targets == stand.engine.targets


async def test_a_lun_without_data_of_its_own_needs_no_file(nas: Nas, stand: Stand, other: Stand) -> None:
    await nas.perform(CreateUser(name="admin", password="admins-password", role=Role.ADMIN))
    assert stand.store is not None
    lun = Lun(lun=0, uuid="ab" * 16, volume="default", file="luns/drive.img", size_bytes=0)
    made = await stand.store.reserve_target(Target(id=0, name="iqn.2026-11.test:drive", luns=(lun,)))
    await stand.store.activate_target(made.id)
    document = await exported(nas)
    assert other.nas is not None
    report = await other.nas.perform(restore(document))
    assert [each.state for each in report.luns] == ["created"]
    assert other.engine.files == {path_of(made): 0}


async def test_a_file_that_has_grown_since(nas: Nas, stand: Stand, other: Stand) -> None:
    await nas.perform(CreateUser(name="admin", password="admins-password", role=Role.ADMIN))
    target = await nas.perform(create("one", size="1M"))
    document = await exported(nas)
    assert other.nas is not None
    other.engine.files = {path_of(target): (2 << 20) + 100}
    report = await other.nas.perform(restore(document))
    assert report.luns[0].state == "grown"
    assert (await other.nas.targets())[0].disk.size_bytes == 2 << 20
    assert other.engine.targets[target.name].luns[0].size_bytes == 2 << 20


async def test_what_is_configured_is_not_replaced_unless_asked(nas: Nas, stand: Stand, other: Stand) -> None:
    await filled(nas)
    document = await exported(nas)
    assert other.nas is not None
    mine = await other.nas.perform(create("mine"))
    other.engine.files |= {path: size for path, size in stand.engine.files.items() if path not in other.engine.files}
    other.engine.keys = dict(stand.engine.keys)
    before = await configuration(other)
    with pytest.raises(ConflictError) as caught:
        await other.nas.perform(restore(document))
    (problem,) = caught.value.problems
    assert (problem.fault, problem.path, problem.blockers) == (
        Fault.CONFIG_PRESENT,
        ("replace",),
        (f"target {mine.name}",),
    )
    assert await configuration(other) == before
    # The double's identifiers start at 1 on either machine: the same file, which is then used again.
    report = await other.nas.perform(restore(document, replace=True))
    assert report.replaces == (f"target {mine.name}",)
    assert set(other.engine.targets) == set(stand.engine.targets)


async def test_replacing_names_all_that_goes_and_keeps_every_file(nas: Nas, stand: Stand) -> None:
    token = CURRENT.set(ADMIN)
    await nas.perform(CreateUser(name="admin", password="admins-password", role=Role.ADMIN))
    document = await exported(nas)
    await nas.perform(CreateUser(name="carol", password="carols-password", role=Role.OPERATOR))
    await nas.perform(actions.CreateToken(name="script", role=Role.VIEWER, days=None))
    await nas.perform(CreateVolume(name="fast", path="/srv/fast"))
    one = await nas.perform(create("one"))
    gone = await nas.perform(create("gone"))
    await nas.perform(DeleteTarget(target_id=gone.id))
    await nas.perform(UpdateService(change=ServiceChange(port=4000)))
    await nas.perform(BlockInitiator(initiator="iqn.2026-11.test:evil"))
    files = dict(stand.engine.files)
    report = await nas.perform(restore(document, replace=True))
    assert report.replaces == (
        f"target {one.name}",
        f"deleted target {gone.name} (in the trash)",
        "volume fast",
        "block of iqn.2026-11.test:evil",
        "user carol",
        "token admin/script",
        "settings of the service",
    )
    assert set(report.left) == set(files) == set(stand.engine.files)
    assert stand.engine.targets == {}
    assert [each.port for each in stand.engine.portals] == [3260, 3261]
    CURRENT.reset(token)


async def test_a_deleted_target_comes_back_from_the_trash(nas: Nas, stand: Stand) -> None:
    await nas.perform(CreateUser(name="admin", password="admins-password", role=Role.ADMIN))
    target = await nas.perform(create("one"))
    document = await exported(nas)
    await nas.perform(DeleteTarget(target_id=target.id))
    assert path_of(target) not in stand.engine.files
    report = await nas.perform(restore(document, replace=True))
    assert [each.state for each in report.luns] == ["in_trash"]
    assert list(stand.engine.files) == [path_of(target)]
    assert set(stand.engine.targets) == {target.name}
    assert (await nas.targets())[0].id == target.id
    assert (await nas.perform(create("two"))).id > target.id


@pytest.mark.parametrize("failing", ["create_file", "start", "move_file"])
async def test_a_refusal_of_the_engine_puts_everything_back(nas: Nas, stand: Stand, failing: str) -> None:
    await filled(nas)
    moved = await nas.perform(create("moved"))
    lost = await nas.perform(create("lost"))
    document = await exported(nas)
    await nas.perform(DeleteTarget(target_id=moved.id))
    await nas.perform(DeleteTarget(target_id=lost.id))
    stand.engine.files = {path: size for path, size in stand.engine.files.items() if lost.disk.uuid not in path}
    before, wire, files = await configuration(stand), dict(stand.engine.targets), dict(stand.engine.files)
    stand.engine.failures[failing] = EngineError("no")
    with pytest.raises(EngineFailedError):
        await nas.perform(restore(document, replace=True, create_missing=True))
    assert await configuration(stand) == before
    assert stand.engine.targets == wire
    assert stand.engine.files == files


async def test_a_crash_at_any_moment_leaves_all_or_nothing(nas: Nas, stand: Stand, tmp_path: Path) -> None:
    """Whatever step the control process dies at, the next start serves what was, or the backup."""
    await nas.perform(CreateUser(name="admin", password="admins-password", role=Role.ADMIN))
    await nas.perform(create("one"))
    document = await exported(nas)
    backup = await configuration(stand)
    one = (await nas.targets())[0]
    await nas.perform(DeleteTarget(target_id=one.id))
    two = await nas.perform(create("two"))
    await stand.stop()
    start = shutil.copytree(stand.folder, tmp_path / "before")
    files, targets = dict(stand.engine.files), dict(stand.engine.targets)
    seen = set()
    for step in range(1000):
        shutil.rmtree(stand.folder)
        shutil.copytree(start, stand.folder)
        stand.engine.files, stand.engine.targets = dict(files), dict(targets)
        fuse = Fuse()
        fused = await stand.open(fuse)
        await fused.start()
        fuse.at = fuse.count + step
        try:
            await fused.perform(restore(document, replace=True))
        except CrashError:
            pass
        else:
            break
        await stand.stop()
        await stand.start_partly()
        assert stand.store is not None
        names = [each.name for each in await stand.store.targets()]
        seen.add(tuple(names))
        assert names in ([one.name], [two.name])
        if names == [one.name]:
            assert await configuration(stand) == backup
        await stand.stop()
    assert seen == {(one.name,), (two.name,)}


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"passphrase": "an other passphrase"}, Fault.BACKUP_PASSPHRASE),
        ({"document": {"format": "tar"}}, Fault.BACKUP_INVALID),
    ],
)
async def test_what_cannot_be_opened_changes_nothing(
    nas: Nas, stand: Stand, change: dict[str, Any], fault: Fault
) -> None:
    await filled(nas)
    document = await exported(nas)
    before = await configuration(stand)
    with pytest.raises(InvalidError) as caught:
        await nas.perform(replace(restore(document, replace=True), **change))
    assert caught.value.problems[0].fault is fault
    assert await configuration(stand) == before


async def test_a_volume_that_overlaps_with_ours(nas: Nas, other: Stand) -> None:
    await nas.perform(CreateUser(name="admin", password="admins-password", role=Role.ADMIN))
    await nas.perform(CreateVolume(name="fast", path="/srv/fast"))
    document = await exported(nas)
    assert other.nas is not None
    config = replace(other.nas._context.config, default_volume_path="/srv/fast/default")
    other.nas._context = replace(other.nas._context, config=config)
    with pytest.raises(InvalidError, match="does not fit here"):
        await other.nas.perform(restore(document))


async def test_a_volume_that_cannot_be_made(nas: Nas, other: Stand) -> None:
    await nas.perform(CreateUser(name="admin", password="admins-password", role=Role.ADMIN))
    document = await exported(nas)
    assert other.nas is not None
    other.engine.failures["make_volume"] = EngineError("not mounted")
    report = await other.nas.perform(restore(document))
    assert report.volume_problems == ("volume default: not mounted",)


async def test_it_is_written_down_without_a_secret(nas: Nas, stand: Stand) -> None:
    await filled(nas)
    document = await exported(nas)
    await nas.perform(restore(document, replace=True))
    imported, exporting = await nas.audit(count_max=2)
    assert (exporting.action, exporting.request, exporting.changes) == (
        "export_backup",
        {"passphrase": "(secret)"},
        {},
    )
    assert imported.action == "import_backup"
    assert imported.request["document"] == "(secret)"
    assert "alice-secret-1" not in repr(imported)
    assert document["content"] not in repr(imported)
