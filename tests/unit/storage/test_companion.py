"""Documents beside a file: whole or not there, gone when they should be, moved with the file."""

import contextlib
import errno
import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lunaport.blockdev.device import DeviceError, DeviceFault
from lunaport.storage.companion import ERASING, KEY, SUFFIXES, Companion
from lunaport.storage.volume import LUNS, TRASH, create_file, make_volume, move_file, remove_file


@pytest.fixture
def path(tmp_path: Path) -> Path:
    make_volume(str(tmp_path / "v"))
    file = tmp_path / "v" / LUNS / "disk"
    create_file(str(file), 4096)
    return file


def test_a_document_is_what_was_saved_last(path: Path) -> None:
    companion = Companion(str(path), ERASING)
    assert companion.load() is None
    companion.save(b"one")
    companion.save(b"two")
    assert companion.load() == b"two"
    assert Path(f"{path}{ERASING}").stat().st_mode & 0o777 == 0o600
    companion.save(None)
    companion.save(None)
    assert companion.load() is None
    assert [each.name for each in path.parent.iterdir()] == ["disk"]


@given(at=st.integers(0, 40), value=st.integers(1, 255))
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_changed_byte_is_noticed(path: Path, at: int, value: int) -> None:
    companion = Companion(str(path), ERASING)
    companion.save(b"document" * 2)
    file = Path(f"{path}{ERASING}")
    changed = bytearray(file.read_bytes())
    changed[at] ^= value
    file.write_bytes(changed)
    with pytest.raises(DeviceError, match="damaged"):
        companion.load()


def test_no_old_byte_is_left_where_a_key_was(path: Path) -> None:
    companion = Companion(str(path), KEY)
    companion.save(b"old key")
    with Path(f"{path}{KEY}").open("rb") as old:
        companion.replace_and_destroy(b"new key")
        assert not any(old.read()), "the old file's own bytes, which no name leads to any more"
    assert companion.load_or_finish() == b"new key"


@pytest.mark.parametrize("calls", range(6))
def test_a_key_is_old_or_new_wherever_a_replacement_stops(
    path: Path, monkeypatch: pytest.MonkeyPatch, calls: int
) -> None:
    companion = Companion(str(path), KEY)
    companion.save(b"old key")
    left = calls
    real = os.fsync

    def fsync(fd: int) -> None:
        nonlocal left
        if left == 0:
            raise OSError(errno.EIO, "power lost")
        left -= 1
        real(fd)

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", fsync)
        with contextlib.suppress(DeviceError):
            companion.replace_and_destroy(b"new key")
    assert companion.load_or_finish() == b"new key"
    assert companion.load() == b"new key"


def test_a_draft_that_is_not_whole_does_not_count(path: Path) -> None:
    companion = Companion(str(path), KEY)
    companion.save(b"old key")
    Path(f"{path}{KEY}.new").write_bytes(b"half")
    assert companion.load_or_finish() == b"old key"


@pytest.mark.parametrize(
    ("number", "fault"), [(errno.ENOSPC, DeviceFault.NO_SPACE), (errno.EROFS, DeviceFault.READ_ONLY)]
)
def test_what_went_wrong_is_told(path: Path, monkeypatch: pytest.MonkeyPatch, number: int, fault: DeviceFault) -> None:
    def refuse(*_: object, **__: object) -> int:
        raise OSError(number, "no")

    monkeypatch.setattr(os, "open", refuse)
    companion = Companion(str(path), KEY)
    for act in (lambda: companion.save(b"x"), lambda: companion.replace_and_destroy(b"x"), companion.load):
        with pytest.raises(DeviceError) as caught:
            act()
        assert caught.value.fault is fault


def test_companions_go_where_their_file_goes(path: Path) -> None:
    for suffix in SUFFIXES:
        Path(f"{path}{suffix}").write_bytes(suffix.encode())
    gone = path.parent.parent / TRASH / "disk"
    move_file(str(path), str(gone))
    move_file(str(path), str(gone))
    assert {each.name for each in gone.parent.iterdir()} == {"disk", *(f"disk{suffix}" for suffix in SUFFIXES)}
    assert list(path.parent.iterdir()) == []
    remove_file(str(gone))
    assert list(gone.parent.iterdir()) == []
