"""The file of a backup: what is written is read, and nothing else is."""

import base64
import json
import os
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lunaport.model.backup import BackupContent
from lunaport.model.errors import Fault, InvalidError
from lunaport.service import backup_file
from lunaport.service.backup_file import PASSPHRASE_BYTES_MAX, PASSPHRASE_BYTES_MIN, Document, check_passphrase, unseal

PASSPHRASE = "correct horse battery"
CONTENT = BackupContent(
    revision="0001",
    tables={"target": [{"id": 1, "name": "a", "on": True, "at": 1.5, "none": None, "secret": b"\x00\xff"}], "lun": []},
    sequences={"target": 7},
)


def sealed(content: BackupContent = CONTENT, passphrase: str = PASSPHRASE) -> Document:
    """A backup, as it comes out of a file; cheap to open."""
    document = backup_file.seal(
        content, passphrase, program="1.2.3", created_at=1000.5, random_bytes=os.urandom, memory_kib=32
    )
    parsed: Document = json.loads(json.dumps(document))
    return parsed


def fault(document: Any, passphrase: str = PASSPHRASE) -> tuple[Fault, str]:
    """How opening ends."""
    with pytest.raises(InvalidError) as caught:
        unseal(document, passphrase)
    (problem,) = caught.value.problems
    assert passphrase not in str(caught.value)
    return problem.fault, problem.message


def test_there_and_back() -> None:
    assert unseal(sealed(), PASSPHRASE) == CONTENT


def test_nothing_can_be_read() -> None:
    document = sealed()
    assert set(document) == {"format", "version", "program", "created_at", "kdf", "nonce", "check", "content"}
    assert b"target" not in base64.b64decode(document["content"])
    assert sealed()["content"] != document["content"]
    assert "correct" not in repr(CONTENT)
    assert "secret" not in repr(CONTENT)


def test_a_wrong_passphrase() -> None:
    assert fault(sealed(), "incorrect horse 1")[0] is Fault.BACKUP_PASSPHRASE


@pytest.mark.parametrize("where", ["kdf.salt", "nonce", "check", "content"])
@given(position=st.integers(min_value=0), bit=st.integers(0, 7))
@settings(max_examples=15, deadline=None)
def test_any_bit_that_changes(where: str, position: int, bit: int) -> None:
    document = sealed()
    owner, name = (document["kdf"], "salt") if where == "kdf.salt" else (document, where)
    content = bytearray(base64.b64decode(owner[name]))
    content[position % len(content)] ^= 1 << bit
    owner[name] = base64.b64encode(content).decode()
    assert fault(document)[0] is (Fault.BACKUP_INVALID if where == "content" else Fault.BACKUP_PASSPHRASE)


@pytest.mark.parametrize(("name", "value"), [("program", "9"), ("created_at", 7.0)])
def test_what_can_be_read_cannot_be_changed(name: str, value: object) -> None:
    assert fault({**sealed(), name: value})[0] is Fault.BACKUP_PASSPHRASE


def test_a_later_version() -> None:
    found, message = fault({**sealed(), "version": 2, "something": "new"})
    assert (found, "of version 2, this Lunaport knows version 1" in message) == (Fault.BACKUP_NEWER, True)


@pytest.mark.parametrize(
    "change",
    [
        {"format": "tar"},
        {"version": "1"},
        {"version": True},
        {"version": 0},
        {"more": 1},
        {"created_at": "now"},
        {"created_at": 1e300},
        {"program": 1},
        {"content": None},
        {"content": "!"},
        {"content": "ö"},
        {"check": "AAAA"},
        {"nonce": ""},
        {"kdf": None},
        {"kdf": []},
    ],
)
def test_what_is_no_backup(change: Document) -> None:
    assert fault({**sealed(), **change})[0] is Fault.BACKUP_INVALID
    assert fault({name: value for name, value in sealed().items() if name not in change} | change)[0]


@pytest.mark.parametrize(
    "change",
    [
        {"memory_kib": backup_file.MEMORY_KIB_MAX + 1},
        {"time_cost": backup_file.TIME_COST_MAX + 1},
        {"parallelism": backup_file.PARALLELISM_MAX + 1},
        {"memory_kib": 0},
        {"time_cost": "3"},
        {"parallelism": None},
        {"name": "md5"},
        {"salt": "AA=="},
        {"more": 1},
    ],
)
def test_a_derivation_that_would_cost_too_much_or_is_not_known(change: Document) -> None:
    document = sealed()
    document["kdf"].update(change)
    assert fault(document)[0] is Fault.BACKUP_INVALID


@pytest.mark.parametrize("cut", [1, 10, 1000])
def test_a_content_that_was_cut(cut: int) -> None:
    document = sealed()
    content = base64.b64decode(document["content"])
    document["content"] = base64.b64encode(content[:-cut]).decode()
    assert fault(document)[0] is Fault.BACKUP_INVALID


def resealed(plain: bytes) -> Document:
    """A backup with something else in it, by who knows the passphrase."""
    return backup_file.seal_plain(
        plain, PASSPHRASE, program="1", created_at=1.0, random_bytes=os.urandom, memory_kib=32
    )


@pytest.mark.parametrize(
    "plain",
    [
        b"",
        b"[]",
        b"null",
        b'{"revision": 1, "tables": {}, "sequences": {}}',
        b'{"revision": "x", "tables": [], "sequences": {}}',
        b'{"revision": "x", "tables": {"a": 1}, "sequences": {}}',
        b'{"revision": "x", "tables": {"a": [1]}, "sequences": {}}',
        b'{"revision": "x", "tables": {"a": [{"b": []}]}, "sequences": {}}',
        b'{"revision": "x", "tables": {"a": [{"b": 99999999999999999999}]}, "sequences": {}}',
        b'{"revision": "x", "tables": {"a": [{"b": {"$bytes": "!"}}]}, "sequences": {}}',
        b'{"revision": "x", "tables": {}, "sequences": {"a": -1}}',
        b'{"revision": "x", "tables": {}}',
        b"[" * 100_000,
    ],
)
def test_what_somebody_with_the_passphrase_can_write(plain: bytes) -> None:
    assert fault(resealed(plain))[0] is Fault.BACKUP_INVALID


def test_a_content_that_unpacks_to_too_much(monkeypatch: pytest.MonkeyPatch) -> None:
    document = sealed()
    plain_bytes = len(json.dumps({}, separators=(",", ":")))
    monkeypatch.setattr(backup_file, "PLAIN_BYTES_MAX", plain_bytes)
    assert fault(document)[0] is Fault.BACKUP_INVALID
    monkeypatch.undo()
    monkeypatch.setattr(backup_file, "CONTENT_BYTES_MAX", len(base64.b64decode(document["content"])) - 1)
    assert fault(document) == (Fault.BACKUP_INVALID, "is damaged: content is of another length")
    monkeypatch.setattr(backup_file, "CONTENT_BYTES_MAX", len(base64.b64decode(document["content"])))
    assert unseal(document, PASSPHRASE) == CONTENT


@pytest.mark.parametrize("length", [PASSPHRASE_BYTES_MIN - 1, PASSPHRASE_BYTES_MAX + 1, 0])
def test_passphrases_that_are_too_short_or_long(length: int) -> None:
    with pytest.raises(InvalidError, match="right would be 12 to 1024"):
        check_passphrase("x" * length)
    check_passphrase("x" * PASSPHRASE_BYTES_MIN)
    check_passphrase("x" * PASSPHRASE_BYTES_MAX)
