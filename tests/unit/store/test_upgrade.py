"""A database of every form there ever was opens as one of today, with all that was in it."""

import os
from pathlib import Path

import pytest

from lunaport.model.access import Access, AccessRule
from lunaport.model.audit import AuditFilter, Outcome
from lunaport.model.block import Block
from lunaport.model.chap import Chap, Credential, OldSecret
from lunaport.model.iscsi_service import IscsiService
from lunaport.model.limits import Limits
from lunaport.model.lun import Lun, LunKind, Medium
from lunaport.model.portal import Portal
from lunaport.model.target import Target
from lunaport.model.user import Role, Token, User
from lunaport.model.volume import Volume
from lunaport.store.migrate import REVISIONS
from lunaport.store.store import DATABASE_FILE, KEY_FILE, SqlStore, open_store
from tests.unit.store.dumps import DISK_UUID, GONE_UUID, KEY_TEXT, LUN_KEY, dump_path, load

pytestmark = pytest.mark.anyio


async def opened(folder: Path, revision: str) -> SqlStore:
    """The store on a database of this form."""
    load(revision, folder / DATABASE_FILE)
    (folder / KEY_FILE).write_text(KEY_TEXT)
    return await open_store(folder, random_bytes=os.urandom)


def since(revision: str, at: str) -> bool:
    """Whether a database of the form `at` holds what came with `revision`."""
    return REVISIONS.index(at) >= REVISIONS.index(revision)


def expected_target(at: str) -> Target:
    """What the dump holds, as far as that form could."""
    rule = AccessRule(initiators=("iqn.2026-11.test:*",), networks=("192.0.2.0/24",), read_only=True, luns=(0,))
    bob = Credential(
        username="bob", secret="bobs-secret-12", secret_changed_at=1020.0, initiators=("iqn.2026-11.test:b",)
    )
    old = OldSecret(username="al", secret="old-secret-123", valid_until=1_900_000_000.0)
    access, steering = since("access", at), since("steering", at)
    encrypted = since("lun_encryption", at)
    kind = LunKind(read_only=True, serial="S-1") if since("lun_kind", at) else LunKind()
    return Target(
        id=3,
        name="iqn.2026-11.test:disk",
        header_digest=True,
        one_way=Chap(
            enabled=True,
            username="alice",
            secret="alice-secret-1",
            secret_changed_at=1005.0,
            old=old if access else None,
        ),
        mutual=Chap(enabled=True, username="nas", secret="nas-secret-123", secret_changed_at=1006.0),
        credentials=(bob,) if access else (),
        access=Access(rules=(rule,), single_initiator=True) if access else Access(),
        luns=(
            Lun(
                lun=0,
                uuid=DISK_UUID,
                volume="fast",
                file=f"luns/{DISK_UUID}.img",
                size_bytes=1 << 20,
                key=LUN_KEY if encrypted else "",
                kind=LunKind(read_only=kind.read_only, serial=kind.serial, encrypted=encrypted),
                medium=Medium(out=True, insertion=3) if since("lun_medium", at) else Medium(),
            ),
        ),
        limits=Limits(iops=500, bytes_per_second=100 << 20) if steering else Limits(),
        portal_groups=(2, 3) if since("portal_groups", at) else (),
        isns=not since("portal_groups", at),
        draining=steering,
        created_at=1001.0,
        revision=7,
    )


@pytest.mark.parametrize("revision", REVISIONS)
async def test_everything_is_there(tmp_path: Path, revision: str) -> None:
    assert dump_path(revision).exists(), "add to FILLING in tests/unit/store/dumps.py, and run it as it says"
    store = await opened(tmp_path, revision)
    assert await store.targets() == [expected_target(revision)]
    assert [each.name for each in await store.in_creation()] == ["iqn.2026-11.test:half"]
    (gone,) = await store.trashed()
    assert (gone.id, gone.trashed_at, gone.luns[0].uuid) == (4, 1003.0, GONE_UUID)
    assert gone.luns[0].file == "trash/gone.img"
    assert await store.volumes() == [
        Volume(name="default", path="", overcommit_factor=4.0, revision=1),
        Volume(
            name="fast",
            path="/srv/fast",
            overcommit_factor=2.0,
            low_space_percent=25 if since("low_space", revision) else 10,
            revision=5,
        ),
    ]
    finder = Chap(enabled=True, username="finder", secret="finders-secret", secret_changed_at=1021.0)
    assert await store.service() == IscsiService(
        port=860,
        portals=(Portal(host="192.0.2.7", port=860, group=2),) if since("portal_groups", revision) else None,
        isns=True,
        isns_address="192.0.2.1",
        discovery_open=since("discovery_open", revision),
        draining=since("steering", revision),
        discovery_one_way=finder if since("access", revision) else Chap(),
        revision=6,
    )
    await check_users(store, revision)
    if since("nas_identity", revision):
        assert await store.nas_uuid() == "0123456789abcdef0123456789abcdef"
    note = Block(
        initiator="iqn.2026-11.test:evil",
        until=1_900_000_000.0,
        note="a note",
        created_at=1015.0,
        created_by="carol",
    )
    assert await store.blocks() == ([note] if since("steering", revision) else [])
    again = await store.reserve_target(Target(id=0, name="iqn.2026-11.test:next"))
    assert (again.id, again.revision) == (6, 41), "ids and the counter go on where they were"
    await store.close()


async def check_users(store: SqlStore, revision: str) -> None:
    """Users, tokens and the audit log."""
    admin = User(name="admin", password_hash="$argon2id$admin", created_at=1000.0, role=Role.ADMIN)
    if not since("users_and_audit", revision):
        assert await store.users() == [admin]
        return
    carol = User(name="carol", password_hash="$argon2id$carol", created_at=1010.0, role=Role.OPERATOR)
    assert await store.users() == [admin, carol]
    assert await store.tokens() == [
        Token(
            id=2,
            name="script",
            user="carol",
            role=Role.VIEWER,
            digest=bytes(32),
            created_at=1011.0,
            expires_at=2_000_000_000.0,
        )
    ]
    (entry,) = await store.audit(count_max=9, wanted=AuditFilter())
    assert (entry.id, entry.outcome, entry.changes) == (9, Outcome.DONE, {"port": (None, 860)})


async def test_a_second_start_changes_nothing(tmp_path: Path) -> None:
    store = await opened(tmp_path, REVISIONS[0])
    before = await store.targets(), await store.service(), await store.nas_uuid()
    await store.close()
    store = await open_store(tmp_path, random_bytes=os.urandom)
    assert (await store.targets(), await store.service(), await store.nas_uuid()) == before
    await store.close()
