"""The configuration as a whole: out of one database, into another with another key; nothing of it forgotten."""

import os
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import LargeBinary

from lunaport.model.audit import AuditFilter
from lunaport.model.backup import BackupContent, check_configuration
from lunaport.model.errors import Fault, InvalidError
from lunaport.store import backup
from lunaport.store.migrate import REVISIONS
from lunaport.store.store import DATABASE_FILE, KEY_FILE, SqlStore, open_store
from lunaport.store.tables import METADATA
from tests.unit.store.dumps import KEY_TEXT, load
from tests.unit.store.test_upgrade import expected_target
from tests.unit.store.values import new_target

pytestmark = pytest.mark.anyio


async def opened(folder: Path, revision: str = REVISIONS[-1]) -> SqlStore:
    """A store with something in every table."""
    folder.mkdir(exist_ok=True)
    load(revision, folder / DATABASE_FILE)
    (folder / KEY_FILE).write_text(KEY_TEXT)
    return await open_store(folder, random_bytes=os.urandom)


@pytest.fixture
async def full(tmp_path: Path) -> AsyncIterator[SqlStore]:
    """A store with something in every table."""
    store = await opened(tmp_path / "full")
    yield store
    await store.close()


@pytest.fixture
async def empty(tmp_path: Path) -> AsyncIterator[SqlStore]:
    """A new store, with a key of its own."""
    (tmp_path / "empty").mkdir()
    store = await open_store(tmp_path / "empty", random_bytes=os.urandom)
    yield store
    await store.close()


async def test_every_table_and_column_is_in_it(full: SqlStore) -> None:
    """A column that is new is in the backup by itself; a table that shall not be is left out by name."""
    content = await full.dump()
    assert set(content.tables) == set(METADATA.tables) - {"audit"} == set(METADATA.tables) - backup.LEFT_OUT
    for name, rows in content.tables.items():
        assert rows, f"the dump of {REVISIONS[-1]} has nothing in {name}: add to FILLING in tests/unit/store/dumps.py"
        left_out = {"key_check"} if name == "revision" else set()
        assert set(rows[0]) == {each.name for each in METADATA.tables[name].columns} - left_out


def test_every_column_of_bytes_is_known_to_be_a_secret_or_none() -> None:
    for table in METADATA.tables.values():
        found = {each.name for each in table.columns if isinstance(each.type, LargeBinary)}
        known = set(backup.SEALED.get(table.name, {})) | backup.PLAIN.get(table.name, frozenset())
        assert found == known | backup.LEFT_OUT_COLUMNS.get(table.name, frozenset()), table.name


async def test_into_another_database(full: SqlStore, empty: SqlStore, tmp_path: Path) -> None:
    content = await full.dump()
    before = await full.configuration()
    renewed, meant = await empty.renewed(content)
    assert meant == before
    check_configuration(meant)
    assert await empty.targets() == []
    await empty.load(renewed, stamp=False)
    assert await empty.configuration() == before
    assert (await empty.targets())[0].disk.key == expected_target(REVISIONS[-1]).disk.key
    await empty.close()
    again = await open_store(tmp_path / "empty", random_bytes=os.urandom)
    assert await again.configuration() == before
    assert [each.action for each in await again.audit(count_max=9, wanted=AuditFilter())] == []
    added = await again.reserve_target(new_target("iqn.2026-11.test:next"))
    assert added.id == 6, "numbers that were given there are not given here"
    await again.close()


async def test_what_is_being_made_stays_out(full: SqlStore) -> None:
    assert [each.name for each in await full.in_creation()] == ["iqn.2026-11.test:half"]
    content = await full.dump()
    assert [row["name"] for row in content.tables["target"]] == ["iqn.2026-11.test:disk", "iqn.2026-11.test:gone"]
    assert len(content.tables["lun"]) == 2


@pytest.mark.parametrize("revision", REVISIONS)
async def test_a_backup_of_every_form(empty: SqlStore, tmp_path: Path, revision: str) -> None:
    """As a program of that time would have written it: what its database holds, in its own form."""
    old = as_of(revision, tmp_path)
    renewed, meant = await empty.renewed(old)
    assert renewed.revision == REVISIONS[-1]
    check_configuration(meant)
    await empty.load(renewed, stamp=False)
    assert await empty.targets() == [expected_target(revision)]


def as_of(revision: str, folder: Path) -> BackupContent:
    """What `dump` of that time gives."""
    import sqlite3

    from lunaport.store.key import SecretBox

    path = folder / "old.db"
    load(revision, path)
    connection = sqlite3.connect(path)
    connection.row_factory = sqlite3.Row
    box = SecretBox(bytes.fromhex(KEY_TEXT.strip()), os.urandom)
    tables: dict[str, list[dict[str, Any]]] = {}
    names = [row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
    for name in names:
        if name in ("audit", "alembic_version", "sqlite_sequence"):
            continue
        tables[name] = []
        for row in connection.execute(f'SELECT * FROM "{name}"'):  # noqa: S608 - a name out of our own dump
            values = dict(row)
            values.pop("key_check", None)
            if values.get("state") == "creating":
                continue
            for column, context in backup.SEALED.get(name, {}).items():
                if values.get(column) is not None:
                    values[column] = box.decrypt(values[column], context(values)).encode()
            tables[name].append(values)
    sequences = dict(connection.execute("SELECT name, seq FROM sqlite_sequence WHERE name != 'audit'"))
    connection.close()
    return BackupContent(revision=revision, tables=tables, sequences=sequences)


async def test_the_counter_never_goes_back(full: SqlStore, empty: SqlStore) -> None:
    content = await full.dump()
    await empty.load(content, stamp=True)
    (target,) = await empty.targets()
    assert target.revision == (await empty.service()).revision == 41
    await empty.load(content, stamp=False)
    assert (await empty.targets())[0].revision == 7
    await empty.load(content, stamp=True)
    assert (await empty.targets())[0].revision == 43


async def test_users_that_were_remembered_are_asked_again(full: SqlStore, empty: SqlStore) -> None:
    before = empty.users_version
    await empty.load(await full.dump(), stamp=True)
    assert empty.users_version != before


async def test_a_later_form(full: SqlStore) -> None:
    with pytest.raises(InvalidError, match="of a later version") as caught:
        await full.renewed(replace(await full.dump(), revision="of_tomorrow"))
    assert caught.value.problems[0].fault is Fault.BACKUP_NEWER


def spoiled(content: BackupContent, table: str, **values: object) -> BackupContent:
    """The content with other values in the first row of a table."""
    rows = [dict(row) for row in content.tables[table]]
    rows[0].update(values)
    return replace(content, tables={**content.tables, table: rows})


@pytest.mark.parametrize(
    ("table", "values"),
    [
        ("target", {"state": "flying"}),
        ("target", {"name": None}),
        ("target", {"rules": "no json"}),
        ("target", {"nothing": 1}),
        ("target", {'x") VALUES (1); DROP TABLE lun; --': 1}),
        ("lun", {"volume": "nowhere"}),
        ("lun", {"target_id": 99}),
        ("lun", {"uuid": "../x"}),
        ("lun", {"file": "../../etc/shadow"}),
        ("lun", {"file": "/etc/shadow"}),
        ("lun", {"file": "luns/.."}),
        ("lun", {"file": "luns/a/b"}),
        ("lun", {"size_bytes": -512}),
        ("lun", {"size_bytes": 511}),
        ("lun", {"key": b"short"}),
        ("lun", {"key": b"\xff"}),
        ("lun", {"kind": '{"colour": 1}'}),
        ("volume", {"name": "other"}),
        ("volume", {"overcommit_factor": float("nan")}),
        ("service", {"id": 2}),
        ("service", {"port": 99999}),
        ("service", {"isns_address": "a b"}),
        ("identity", {"uuid": "short"}),
        ("user", {"role": "king"}),
        ("block", {"initiator": "nobody"}),
        ("token", {"user": "nobody"}),
    ],
)
async def test_what_cannot_be_a_configuration(full: SqlStore, table: str, values: dict[str, object]) -> None:
    before = await full.configuration()
    with pytest.raises(InvalidError) as caught:
        _, meant = await full.renewed(spoiled(await full.dump(), table, **values))
        check_configuration(meant)
    assert caught.value.problems[0].fault is Fault.BACKUP_INVALID
    assert await full.configuration() == before


async def test_tables_that_are_not_ours_or_missing(full: SqlStore) -> None:
    content = await full.dump()
    for tables in ({**content.tables, "audit2": []}, {**content.tables, "service": []}, {}):
        with pytest.raises(InvalidError):
            await full.renewed(replace(content, tables=tables))


async def test_a_load_that_fails_changes_nothing(full: SqlStore) -> None:
    before = await full.configuration()
    twice = {**(content := await full.dump()).tables, "lun": [*content.tables["lun"], *content.tables["lun"]]}
    with pytest.raises(Exception, match="UNIQUE"):
        await full.load(replace(content, tables=twice), stamp=True)
    assert await full.configuration() == before


async def test_nobody_sees_secrets(full: SqlStore) -> None:
    content = await full.dump()
    for secret in ("alice-secret-1", "5a5a", "argon2id"):
        assert secret not in repr(content)
        assert secret not in repr(await full.configuration())
    with pytest.raises(InvalidError) as caught:
        await full.renewed(spoiled(content, "chap", direction="alice-secret-1"))
    assert "alice-secret-1" not in str(caught.value)
