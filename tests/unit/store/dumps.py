"""Databases of every form there ever was, with something in every table: `released/<revision>.sql`.

Each was made once, when its revision was the newest, and never changes: it stands for what is on users' disks. After
adding a revision, write into `FILLING` what shows the new columns in use, and run

    .venv/bin/python -m tests.unit.store.dumps

which makes the dumps that are missing, each from the one before it.
"""

import os
import sqlite3
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from lunaport.store.database import connect
from lunaport.store.key import SecretBox
from lunaport.store.migrate import REVISIONS, upgrade

FOLDER: Final = Path(__file__).with_name("released")
KEY: Final = bytes(range(32))
KEY_TEXT: Final = KEY.hex() + "\n"
DISK_UUID: Final = "00112233445566778899aabbccddeeff"
GONE_UUID: Final = "ffeeddccbbaa99887766554433221100"
LUN_KEY: Final = "5a" * 32

Seal = Callable[[str, str], bytes]
Rows = list[tuple[str, tuple[object, ...]]]


def _first(seal: Seal) -> Rows:
    return [
        ("UPDATE revision SET value = 40, key_check = ?", (seal("the key fits", "key"),)),
        ("UPDATE volume SET overcommit_factor = 4 WHERE name = 'default'", ()),
        ("INSERT INTO volume VALUES ('fast', '/srv/fast', 2, 5)", ()),
        ("UPDATE service SET port = 860, isns = 1, isns_address = '192.0.2.1', revision = 6", ()),
        ("INSERT INTO user (name, password_hash, created_at) VALUES ('admin', '$argon2id$admin', 1000)", ()),
        (
            (
                "INSERT INTO target (id, name, state, header_digest, data_digest, created_at, trashed_at, revision) "
                "VALUES "
                "(3, 'iqn.2026-11.test:disk', 'active', 1, 0, 1001, NULL, 7), "
                "(4, 'iqn.2026-11.test:gone', 'trashed', 0, 0, 1002, 1003, 8), "
                "(5, 'iqn.2026-11.test:half', 'creating', 0, 0, 1004, NULL, 9)"
            ),
            (),
        ),
        (
            (
                "INSERT INTO lun (uuid, target_id, lun, volume, file, trash_file, size_bytes, state) VALUES "
                "(?, 3, 0, 'fast', ?, '', 1048576, 'active'), "
                "(?, 4, 0, 'default', 'trash/gone.img', '', 2097152, 'trashed'), "
                "('11111111111111111111111111111111', 5, 0, 'default', 'luns/half.img', '', 512, 'creating')"
            ),
            (DISK_UUID, f"luns/{DISK_UUID}.img", GONE_UUID),
        ),
        (
            (
                "INSERT INTO chap (target_id, direction, enabled, username, secret, secret_changed_at) VALUES "
                "(3, 'one_way', 1, 'alice', ?, 1005), (3, 'mutual', 1, 'nas', ?, 1006)"
            ),
            (seal("alice-secret-1", "chap:3:one_way"), seal("nas-secret-123", "chap:3:mutual")),
        ),
    ]


def _users_and_audit(_: Seal) -> Rows:
    return [
        ("INSERT INTO user VALUES ('carol', '$argon2id$carol', 1010, 'operator')", ()),
        ("INSERT INTO token VALUES (2, 'script', 'carol', 'viewer', ?, 1011, 2000000000)", (bytes(32),)),
        (
            (
                "INSERT INTO audit VALUES (9, 1012, 'carol', 'password', '192.0.2.9', 'update_service', 'service', "
                "'{}', 'done', '{\"port\": [null, 860]}', '')"
            ),
            (),
        ),
    ]


def _access(seal: Seal) -> Rows:
    return [
        (
            (
                'UPDATE target SET single_initiator = 1, rules = \'[{"initiators": ["iqn.2026-11.test:*"], '
                '"networks": ["192.0.2.0/24"], "read_only": true, "luns": [0]}]\' WHERE id = 3'
            ),
            (),
        ),
        (
            (
                "UPDATE chap SET old_username = 'al', old_secret = ?, old_valid_until = 1900000000 "
                "WHERE direction = 'one_way'"
            ),
            (seal("old-secret-123", "chap:3:one_way:old"),),
        ),
        (
            (
                "INSERT INTO credential (target_id, username, number, initiators, secret, secret_changed_at) "
                "VALUES (3, 'bob', 0, '[\"iqn.2026-11.test:b\"]', ?, 1020)"
            ),
            (seal("bobs-secret-12", "credential:3:bob"),),
        ),
        (
            (
                "INSERT INTO discovery_chap (direction, enabled, username, secret, secret_changed_at) "
                "VALUES ('one_way', 1, 'finder', ?, 1021)"
            ),
            (seal("finders-secret", "chap:discovery:one_way"),),
        ),
    ]


FILLING: Final[Mapping[str, Callable[[Seal], Rows]]] = {
    "0001": _first,
    "discovery_open": lambda _: [("UPDATE service SET discovery_open = 1", ())],
    "users_and_audit": _users_and_audit,
    "lun_encryption": lambda seal: [
        ("UPDATE lun SET key = ? WHERE uuid = ?", (seal(LUN_KEY, f"lun:{DISK_UUID}:key"), DISK_UUID))
    ],
    "nas_identity": lambda _: [("UPDATE identity SET uuid = '0123456789abcdef0123456789abcdef'", ())],
    "steering": lambda _: [
        ("UPDATE target SET iops_max = 500, bytes_per_second_max = 104857600, draining = 1 WHERE id = 3", ()),
        ("UPDATE service SET draining = 1", ()),
        ("INSERT INTO block VALUES ('iqn.2026-11.test:evil', 1900000000, 'a note', 1015, 'carol')", ()),
    ],
    "access": _access,
    "lun_kind": lambda _: [
        ('UPDATE lun SET kind = \'{"read_only": true, "serial": "S-1"}\' WHERE uuid = ?', (DISK_UUID,))
    ],
    "portal_groups": lambda _: [
        ('UPDATE service SET portals = \'[{"host": "192.0.2.7", "port": 860, "group": 2}]\'', ()),
        ("UPDATE target SET portal_groups = '[2, 3]', isns = 0 WHERE id = 3", ()),
    ],
    "low_space": lambda _: [("UPDATE volume SET low_space_percent = 25 WHERE name = 'fast'", ())],
    "lun_medium": lambda _: [
        ('UPDATE lun SET medium = \'{"out": true, "insertion": 3}\' WHERE uuid = ?', (DISK_UUID,))
    ],
}
"""What is put into the new columns and tables of a revision when its dump is made."""


def dump_path(revision: str) -> Path:
    """Where the dump of a revision lies."""
    return FOLDER / f"{revision}.sql"


def load(revision: str, path: Path) -> None:
    """Make the database of a dump at `path`."""
    connection = sqlite3.connect(path)
    connection.executescript(dump_path(revision).read_text())
    connection.close()


def make(revision: str) -> None:
    """Make the dump of a revision from that of the one before."""
    box = SecretBox(KEY, os.urandom)
    number = REVISIONS.index(revision)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.db"
        if number:
            load(REVISIONS[number - 1], path)
        engine = connect(path)
        with engine.begin() as connection:
            upgrade(connection, revision)
            for statement, values in FILLING[revision](box.encrypt):
                connection.exec_driver_sql(statement, values)
        engine.dispose()
        raw = sqlite3.connect(path)
        dump_path(revision).write_text("\n".join(raw.iterdump()) + "\n")
        raw.close()


if __name__ == "__main__":
    for each in REVISIONS:
        if not dump_path(each).exists():
            make(each)
