"""Migrations: from nothing to what the tables say; what is not ours or newer is left alone."""

import os
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, select

from lunaport.model.lun import LunKind
from lunaport.store.database import connect, open_database
from lunaport.store.errors import DatabaseBrokenError, DatabaseBusyError, DatabaseNewerError
from lunaport.store.key import SecretBox
from lunaport.store.migrate import REVISIONS, SCRIPTS, current_revision, migrate, upgrade
from lunaport.store.rows import lun_of
from lunaport.store.tables import LUN, METADATA


def test_the_list_of_revisions_is_that_of_the_scripts() -> None:
    config = Config()
    config.set_main_option("script_location", str(SCRIPTS))
    config.set_main_option("path_separator", "os")
    scripts = ScriptDirectory.from_config(config)
    assert tuple(script.revision for script in scripts.walk_revisions())[::-1] == REVISIONS


def schema_of(connection: Connection) -> set[tuple[str, ...]]:
    rows = connection.exec_driver_sql(
        "SELECT type, name, tbl_name, sql FROM sqlite_master WHERE name NOT LIKE 'sqlite_%'"
    )
    return {(kind, name, table, "".join(str(sql).split())) for kind, name, table, sql in rows}


def test_from_nothing_to_what_the_tables_say(tmp_path: Path) -> None:
    engine = connect(tmp_path / "a.db")
    with engine.begin() as connection:
        assert current_revision(connection) is None
        migrate(connection)
        assert current_revision(connection) == REVISIONS[-1]
        context = MigrationContext.configure(connection, opts={"compare_type": True, "compare_server_default": True})
        assert compare_metadata(context, METADATA) == []
    engine.dispose()


def columns_of(connection: Connection) -> dict[str, list[tuple[object, ...]]]:
    return {
        table: [tuple(row) for row in connection.exec_driver_sql(f"PRAGMA table_xinfo('{table}')")]
        for table in METADATA.tables
    }


def test_columns_and_defaults_are_the_same(tmp_path: Path) -> None:
    """What Alembic does not compare: order, primary keys, defaults, AUTOINCREMENT."""
    migrated, made = connect(tmp_path / "a.db"), connect(tmp_path / "b.db")
    with migrated.begin() as left, made.begin() as right:
        migrate(left)
        METADATA.create_all(right)
        assert columns_of(left) == columns_of(right)
        for connection in (left, right):
            sql = connection.exec_driver_sql("SELECT sql FROM sqlite_master WHERE name = 'target'").scalar_one()
            assert "AUTOINCREMENT" in str(sql)
        indexes = {row for row in schema_of(left) if row[0] == "index"}
        assert indexes == {row for row in schema_of(right) if row[0] == "index"}
    migrated.dispose()
    made.dispose()


def test_what_is_stored_survives_each_step(tmp_path: Path) -> None:
    """A database of every earlier form, with its service object changed, is one of today with the same in it."""
    for number, revision in enumerate(REVISIONS):
        engine = connect(tmp_path / f"{number}.db")
        with engine.begin() as connection:
            upgrade(connection, revision)
            connection.exec_driver_sql("UPDATE service SET port = 860, isns_address = '192.0.2.1'")
            connection.exec_driver_sql(
                "INSERT INTO target (name, state, header_digest, data_digest, created_at, revision) "
                "VALUES ('iqn.2026-11.test:a', 'active', 0, 0, 1, 2)"
            )
            connection.exec_driver_sql(
                "INSERT INTO chap (target_id, direction, enabled, username, secret_changed_at) "
                "VALUES (1, 'one_way', 0, 'alice', 0)"
            )
        with engine.begin() as connection:
            migrate(connection)
            assert current_revision(connection) == REVISIONS[-1]
            context = MigrationContext.configure(connection, opts={"compare_type": True})
            assert compare_metadata(context, METADATA) == []
            row = connection.exec_driver_sql("SELECT * FROM service").mappings().one()
            assert (row["port"], row["isns_address"], row["discovery_open"]) == (860, "192.0.2.1", 0)
            target = connection.exec_driver_sql("SELECT * FROM target").mappings().one()
            assert (target["name"], target["rules"], target["single_initiator"]) == ("iqn.2026-11.test:a", "[]", 0)
            chap = connection.exec_driver_sql("SELECT * FROM chap").mappings().one()
            assert (chap["username"], chap["old_secret"], chap["old_valid_until"]) == ("alice", None, 0)
        engine.dispose()


def test_every_nas_has_an_identifier_of_its_own(tmp_path: Path) -> None:
    found = set()
    for name in ("a.db", "b.db"):
        engine = connect(tmp_path / name)
        with engine.begin() as connection:
            migrate(connection)
            found.add(connection.exec_driver_sql("SELECT uuid FROM identity").scalar_one())
        engine.dispose()
    assert len(found) == 2
    assert {len(each) for each in found} == {32}


def test_a_crash_in_between_leaves_nothing(tmp_path: Path) -> None:
    engine = connect(tmp_path / "a.db")
    with pytest.raises(KeyboardInterrupt), engine.begin() as connection:
        migrate(connection)
        raise KeyboardInterrupt
    with engine.begin() as connection:
        assert current_revision(connection) is None
    engine.dispose()


def test_the_same_form_is_left_alone(tmp_path: Path) -> None:
    engine = connect(tmp_path / "a.db")
    for _ in range(2):
        with engine.begin() as connection:
            migrate(connection)
    engine.dispose()


@pytest.mark.anyio
async def test_a_newer_database_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "lunaport.db"
    await (await open_database(path)).close()
    engine = connect(path)
    with engine.begin() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
    engine.dispose()
    before = path.read_bytes()
    with pytest.raises(DatabaseNewerError, match=r"its revision is 9999, this program knows \w+ at most.*nothing was"):
        await open_database(path)
    assert path.read_bytes() == before


@pytest.mark.anyio
async def test_a_foreign_database_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "lunaport.db"
    engine = connect(path)
    with engine.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE theirs (x)")
    engine.dispose()
    with pytest.raises(DatabaseBrokenError, match="is no Lunaport database"):
        await open_database(path)


@pytest.mark.anyio
async def test_a_file_that_is_no_database_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "lunaport.db"
    path.write_bytes(b"this is no database, but a text long enough to be looked at as one" * 20)
    before = path.read_bytes()
    with pytest.raises(DatabaseBrokenError, match="Put it back from a copy"):
        await open_database(path)
    assert path.read_bytes() == before


@pytest.mark.anyio
async def test_a_damaged_database_is_told(tmp_path: Path) -> None:
    path = tmp_path / "lunaport.db"
    await (await open_database(path)).close()
    content = bytearray(path.read_bytes())
    content[8192:] = b"\xa5" * (len(content) - 8192)
    path.write_bytes(content)
    with pytest.raises(DatabaseBrokenError):
        await open_database(path)
    assert path.read_bytes() == content


@pytest.mark.anyio
async def test_a_database_that_another_process_holds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lunaport.store.opening.BUSY_TIMEOUT_S", 0.05)
    path = tmp_path / "lunaport.db"
    await (await open_database(path)).close()
    other = connect(path)
    with other.begin(), pytest.raises(DatabaseBusyError):
        await open_database(path)
    other.dispose()


def test_a_lun_of_the_first_form_is_of_the_usual_kind(tmp_path: Path) -> None:
    engine = connect(tmp_path / "a.db")
    with engine.begin() as connection:
        upgrade(connection, "0001")
        connection.exec_driver_sql(
            "INSERT INTO target (id, name, state, header_digest, data_digest, created_at, revision)"
            " VALUES (1, 'iqn.x', 'active', 0, 0, 1.0, 1)"
        )
        connection.exec_driver_sql(
            "INSERT INTO lun (uuid, target_id, lun, volume, file, trash_file, size_bytes, state)"
            " VALUES ('00112233445566778899aabbccddeeff', 1, 0, 'default', 'luns/x.img', '', 512, 'active')"
        )
        migrate(connection)
        (row,) = connection.execute(select(LUN)).mappings()
        assert lun_of(row, SecretBox(bytes(32), os.urandom)).kind == LunKind()
    engine.dispose()
