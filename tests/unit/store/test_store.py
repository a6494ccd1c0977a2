"""The configuration database: what is stored comes back, after a restart too, and secrets are not in the file."""

import os
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy.exc import IntegrityError

from lunaport.model.block import Block
from lunaport.model.iscsi_service import IscsiService
from lunaport.model.limits import Limits
from lunaport.model.lun import LunKind, LunState
from lunaport.model.target import Target
from lunaport.model.trash import TrashedLun, TrashedTarget
from lunaport.model.user import User
from lunaport.model.volume import Volume
from lunaport.store.errors import KeyMissingError, KeyWrongError
from lunaport.store.store import DATABASE_FILE, KEY_FILE, SqlStore, open_store
from tests.unit.store.values import OTHER_SECRET, SECRET, new_target

pytestmark = pytest.mark.anyio


async def reopened(store: SqlStore, folder: Path) -> SqlStore:
    await store.close()
    return await open_store(folder, random_bytes=os.urandom)


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SqlStore]:
    opened = await open_store(tmp_path, random_bytes=os.urandom)
    yield opened
    await opened.close()


async def active(store: SqlStore, target: Target) -> Target:
    return await store.activate_target((await store.reserve_target(target)).id)


async def test_a_new_store(store: SqlStore) -> None:
    assert await store.targets() == []
    assert await store.service() == IscsiService(revision=1)
    assert await store.volumes() == [Volume(name="default", path="", overcommit_factor=10.0, revision=1)]
    assert not await store.has_users()


async def test_a_target_comes_back_as_it_was(store: SqlStore, tmp_path: Path) -> None:
    wanted = new_target()
    stored = await active(store, wanted)
    assert stored == replace(wanted, id=1, revision=stored.revision)
    again = await reopened(store, tmp_path)
    assert await again.targets() == [stored]
    assert await again.target(1) == stored
    assert await again.target(2) is None
    await again.close()


async def test_limits_and_draining_come_back(store: SqlStore, tmp_path: Path) -> None:
    stored = await active(store, new_target())
    assert (stored.limits, stored.draining) == (Limits(), False)
    wanted = replace(stored, limits=Limits(iops=100, bytes_per_second=1 << 30), draining=True)
    changed = await store.replace_target(wanted)
    again = await reopened(store, tmp_path)
    assert await again.targets() == [changed] == [replace(wanted, revision=changed.revision)]
    await again.close()


async def test_blocks_come_back_by_name(store: SqlStore, tmp_path: Path) -> None:
    first = Block(initiator="iqn.2026-11.test:b", until=5.5, note="n", created_at=1.0, created_by="admin")
    second = Block(initiator="iqn.2026-11.test:a", created_at=2.0)
    await store.put_block(first)
    await store.put_block(second)
    await store.put_block(replace(first, until=None))
    again = await reopened(store, tmp_path)
    assert await again.blocks() == [second, replace(first, until=None)]
    await again.remove_block(second.initiator)
    assert await again.blocks() == [replace(first, until=None)]
    await again.close()


async def test_a_target_in_creation_holds_its_name_and_is_not_listed(store: SqlStore) -> None:
    reserved = await store.reserve_target(new_target())
    assert reserved.disk.state is LunState.CREATING
    assert await store.targets() == []
    assert await store.target(reserved.id) is None
    assert await store.name_holder(reserved.name) == reserved.id
    assert await store.in_creation() == [reserved]
    with pytest.raises(IntegrityError):
        await store.reserve_target(new_target(number=2))
    await store.forget_target(reserved.id)
    assert await store.in_creation() == []
    assert await store.name_holder(reserved.name) is None


async def test_new_values(store: SqlStore) -> None:
    stored = await active(store, new_target())
    wanted = replace(stored, name="iqn.2026-11.io.lunaport:other", luns=(replace(stored.disk, size_bytes=1 << 30),))
    changed = await store.replace_target(wanted)
    assert changed == replace(wanted, revision=changed.revision)
    assert changed.revision > stored.revision
    with pytest.raises(LookupError):
        await store.replace_target(replace(wanted, id=99))


async def test_ids_are_never_used_again(store: SqlStore, tmp_path: Path) -> None:
    first = await store.reserve_target(new_target())
    await store.forget_target(first.id)
    again = await reopened(store, tmp_path)
    second = await again.reserve_target(new_target())
    assert second.id > first.id
    await again.close()


async def test_the_way_through_the_trash(store: SqlStore) -> None:
    stored = await active(store, new_target())
    uuid = stored.disk.uuid
    await store.trash_target(stored.id, {uuid: "trash/x.img"}, 7.0)
    assert await store.targets() == []
    assert await store.name_holder(stored.name) is None
    lun = TrashedLun(uuid=uuid, volume="default", file=stored.disk.file, trash_file="trash/x.img", size_bytes=1 << 20)
    trashed = TrashedTarget(id=stored.id, name=stored.name, trashed_at=7.0, luns=(lun,))
    assert await store.trashed() == [trashed]
    assert await store.volume_targets("default") == [stored.name]
    assert await store.committed_bytes() == {}
    restored = await store.restore_target(stored.id)
    assert restored == replace(stored, revision=restored.revision)
    await store.trash_target(stored.id, {uuid: "trash/x.img"}, 7.0)
    await store.finish_trash(stored.id)
    assert (await store.trashed())[0].luns == (replace(lun, file="trash/x.img", trash_file=""),)
    assert await store.volume_targets("default") == []
    await store.forget_target(stored.id)
    assert await store.trashed() == []
    with pytest.raises(LookupError):
        await store.trash_target(stored.id, {}, 8.0)


async def test_an_active_target_cannot_be_forgotten(store: SqlStore) -> None:
    stored = await active(store, new_target())
    await store.forget_target(stored.id)
    assert await store.target(stored.id) == stored


async def test_pages_and_names(store: SqlStore) -> None:
    for number in range(1, 6):
        await active(store, new_target(f"iqn.2026-11.io.lunaport:d{number}", number))
    assert [each.id for each in await store.targets(after_id=2, count_max=2)] == [3, 4]
    assert [each.id for each in await store.targets(name="iqn.2026-11.io.lunaport:d5")] == [5]
    assert await store.committed_bytes() == {"default": 5 << 20}


async def test_volumes(store: SqlStore, tmp_path: Path) -> None:
    added = await store.add_volume(Volume(name="fast", path="/srv/fast", overcommit_factor=2.0))
    assert [each.name for each in await store.volumes()] == ["default", "fast"]
    changed = await store.replace_volume(replace(added, overcommit_factor=3.0))
    assert changed.overcommit_factor == 3.0
    stored = await active(store, new_target(volume="fast"))
    assert await store.volume_targets("fast") == [stored.name]
    with pytest.raises(IntegrityError):
        await store.remove_volume("fast")
    await store.trash_target(stored.id, {stored.disk.uuid: "trash/x"}, 1.0)
    await store.finish_trash(stored.id)
    await store.remove_volume("fast")
    assert [each.name for each in await store.volumes()] == ["default"]
    assert await store.trashed() == []
    default = await store.replace_volume(Volume(name="default", path="/elsewhere", overcommit_factor=5.0))
    assert (default.path, default.overcommit_factor) == ("", 5.0)


async def test_the_service(store: SqlStore, tmp_path: Path) -> None:
    wanted = IscsiService(enabled=False, port=860, isns_address="192.0.2.1", discovery_open=True, draining=True)
    stored = await store.put_service(wanted)
    assert stored == replace(wanted, revision=stored.revision)
    again = await reopened(store, tmp_path)
    assert await again.service() == stored
    await again.close()


async def test_users(store: SqlStore) -> None:
    user = User(name="admin", password_hash="$argon2id$x", created_at=1.0)
    await store.add_user(user)
    assert await store.user("admin") == user
    assert await store.user("root") is None
    assert await store.has_users()


async def test_no_secret_is_in_the_files(store: SqlStore, tmp_path: Path) -> None:
    await active(store, new_target())
    await store.close()
    content = (tmp_path / DATABASE_FILE).read_bytes()
    assert b"alice" in content
    assert SECRET.encode() not in content
    assert OTHER_SECRET.encode() not in content


async def test_a_missing_key_is_told_and_nothing_is_made(store: SqlStore, tmp_path: Path) -> None:
    await store.close()
    (tmp_path / KEY_FILE).unlink()
    with pytest.raises(KeyMissingError, match=r"secret\.key is missing"):
        await open_store(tmp_path, random_bytes=os.urandom)
    assert not (tmp_path / KEY_FILE).exists()


async def test_a_wrong_key_is_told(store: SqlStore, tmp_path: Path) -> None:
    await active(store, new_target())
    await store.close()
    before = (tmp_path / DATABASE_FILE).read_bytes()
    (tmp_path / KEY_FILE).write_text("0" * 64 + "\n")
    with pytest.raises(KeyWrongError, match="is not the key of"):
        await open_store(tmp_path, random_bytes=os.urandom)
    assert (tmp_path / DATABASE_FILE).read_bytes() == before


async def test_a_key_without_a_database_is_used(tmp_path: Path) -> None:
    (tmp_path / KEY_FILE).write_text("ab" * 32 + "\n")
    store = await open_store(tmp_path, random_bytes=os.urandom)
    await store.close()
    assert (tmp_path / KEY_FILE).read_text() == "ab" * 32 + "\n"


async def test_the_key_of_a_disk_comes_back_and_is_not_in_the_file(store: SqlStore, tmp_path: Path) -> None:
    wanted = new_target()
    key = os.urandom(32).hex()
    wanted = replace(wanted, luns=(replace(wanted.disk, key=key),))
    await active(store, wanted)
    again = await reopened(store, tmp_path)
    stored = await again.target(1)
    assert stored is not None
    assert (stored.disk.key, stored.disk.kind.encrypted) == (key, True)
    await again.close()
    for path in tmp_path.iterdir():
        for form in (key.encode(), bytes.fromhex(key)):
            assert form not in path.read_bytes()


async def test_the_kind_of_a_lun_is_kept(store: SqlStore) -> None:
    kind = LunKind(block_size_bytes=4096, read_only=True, removable=True, unmap=False, vendor="ACME", serial="S-1")
    target = new_target()
    (lun,) = target.luns
    made = await store.reserve_target(replace(target, luns=(replace(lun, lun=5, kind=kind),)))
    await store.activate_target(made.id)
    (found,) = await store.targets()
    assert (found.luns[0].lun, found.luns[0].kind) == (5, kind)
