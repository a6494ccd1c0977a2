"""The key file and what is encrypted with it."""

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lunaport.store.errors import KeyMissingError, KeyWrongError
from lunaport.store.key import SecretBox, load_key

BOX = SecretBox(bytes(32), os.urandom)


@given(st.text(max_size=40), st.text(max_size=10))
def test_round_trip(text: str, context: str) -> None:
    assert BOX.decrypt(BOX.encrypt(text, context), context) == text


def test_a_text_is_bound_to_its_place() -> None:
    sealed = BOX.encrypt("alice-secret-1", "chap:1:one_way")
    with pytest.raises(KeyWrongError) as caught:
        BOX.decrypt(sealed, "chap:2:one_way")
    assert "alice" not in str(caught.value)


@pytest.mark.parametrize("sealed", [b"", b"x" * 11, b"x" * 12, b"x" * 40])
def test_garbage(sealed: bytes) -> None:
    with pytest.raises(KeyWrongError):
        BOX.decrypt(sealed, "x")


def test_the_same_text_never_looks_the_same() -> None:
    assert BOX.encrypt("x", "y") != BOX.encrypt("x", "y")


def test_the_box_shows_nothing() -> None:
    assert repr(BOX) == "SecretBox()"


def test_a_new_key(tmp_path: Path) -> None:
    path = tmp_path / "secret.key"
    key = load_key(path, may_create=True, random_bytes=lambda count: b"\xab" * count)
    assert key == b"\xab" * 32
    assert path.read_text() == "ab" * 32 + "\n"
    assert path.stat().st_mode & 0o777 == 0o600
    assert list(tmp_path.iterdir()) == [path]
    assert load_key(path, may_create=False, random_bytes=os.urandom) == key


def test_no_key_may_be_made(tmp_path: Path) -> None:
    with pytest.raises(KeyMissingError):
        load_key(tmp_path / "secret.key", may_create=False, random_bytes=os.urandom)


def test_what_a_crash_left_is_replaced(tmp_path: Path) -> None:
    (tmp_path / f"secret.key.{os.getpid()}.new").write_text("half")
    load_key(tmp_path / "secret.key", may_create=True, random_bytes=os.urandom)
    assert [each.name for each in tmp_path.iterdir()] == ["secret.key"]


@pytest.mark.parametrize("text", ["", "ab", "ab" * 32, "xy" * 32 + "\n", "ab" * 33 + "\n"])
def test_a_file_that_is_no_key(tmp_path: Path, text: str) -> None:
    path = tmp_path / "secret.key"
    path.write_text(text)
    with pytest.raises(KeyWrongError, match="is not a key file"):
        load_key(path, may_create=True, random_bytes=os.urandom)
    assert path.read_text() == text


def test_others_may_not_read_it(tmp_path: Path) -> None:
    path = tmp_path / "secret.key"
    path.write_text("ab" * 32 + "\n")
    path.chmod(0o644)
    load_key(path, may_create=False, random_bytes=os.urandom)
    assert path.stat().st_mode & 0o777 == 0o600
