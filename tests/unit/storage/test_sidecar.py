"""Sidecars: whole, durable, checked, and never silently empty."""

import errno
import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lunaport.blockdev.device import DeviceError, DeviceFault
from lunaport.storage.sidecar import ReservationsSidecar


def make(tmp_path: Path) -> ReservationsSidecar:
    return ReservationsSidecar(str(tmp_path / "disk"))


def test_save_and_load(tmp_path: Path) -> None:
    assert make(tmp_path).load() is None
    for document in (b"one", b"", b"two\nlines\n"):
        make(tmp_path).save(document)
        assert make(tmp_path).load() == document
    assert [entry.name for entry in tmp_path.iterdir()] == ["disk.reservations"]
    assert (tmp_path / "disk.reservations").stat().st_mode & 0o777 == 0o600
    make(tmp_path).save(None)
    assert make(tmp_path).load() is None
    make(tmp_path).save(None)
    assert list(tmp_path.iterdir()) == []


def test_the_file_in_bytes(tmp_path: Path) -> None:
    make(tmp_path).save(b"abc")
    assert (tmp_path / "disk.reservations").read_bytes() == (
        b"lunaport 1 sha256 ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad\nabc"
    )


def test_is_durable_before_it_is_in_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[str] = []
    fsync, replace = os.fsync, os.replace

    def note_sync(fd: int) -> None:
        synced.append(str(Path(f"/proc/self/fd/{fd}").readlink()).removeprefix(str(tmp_path)))
        fsync(fd)

    def note_replace(source: str, target: str) -> None:
        synced.append("replace")
        replace(source, target)

    monkeypatch.setattr(os, "fsync", note_sync)
    monkeypatch.setattr(os, "replace", note_replace)
    make(tmp_path).save(b"x")
    assert synced == ["/disk.reservations.new", "replace", ""]
    synced.clear()
    make(tmp_path).save(None)
    assert synced == [""]


@settings(deadline=None, max_examples=50)
@given(cut=st.integers(0, 85), byte=st.integers(0, 85), flip=st.integers(1, 255))
def test_any_damage_is_noticed(tmp_path_factory: pytest.TempPathFactory, cut: int, byte: int, flip: int) -> None:
    path = tmp_path_factory.mktemp("damage")
    sidecar = make(path)
    sidecar.save(b"abc")
    file = path / "disk.reservations"
    whole = file.read_bytes()
    changed = bytearray(whole)
    changed[byte] ^= flip
    for damaged in (whole[:cut], bytes(changed), whole + b"x"):
        file.write_bytes(damaged)
        with pytest.raises(DeviceError, match="checksum") as caught:
            make(path).load()
        assert caught.value.fault is DeviceFault.MEDIUM_READ


def test_one_that_is_far_too_long_is_damaged(tmp_path: Path) -> None:
    make(tmp_path).save(bytes(1 << 20))
    with pytest.raises(DeviceError, match="damaged"):
        make(tmp_path).load()


def test_a_damaged_one_stays_until_it_is_replaced_and_is_kept_then(tmp_path: Path) -> None:
    file = tmp_path / "disk.reservations"
    for number, document in enumerate((b"new", None)):
        file.write_bytes(b"damage %d" % number)
        sidecar = make(tmp_path)
        for _ in range(2):
            with pytest.raises(DeviceError):
                sidecar.load()
        sidecar.save(document)
        assert make(tmp_path).load() == document
        assert (tmp_path / "disk.reservations.damaged").read_bytes() == b"damage %d" % number
        sidecar.save(b"newer")
        assert (tmp_path / "disk.reservations.damaged").read_bytes() == b"damage %d" % number


def test_what_is_no_file_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "disk.reservations").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(DeviceError):
        make(tmp_path).load()
    (tmp_path / "disk.reservations").unlink()
    (tmp_path / "disk.reservations").mkdir()
    with pytest.raises(DeviceError):
        make(tmp_path).load()


@pytest.mark.parametrize(
    ("number", "fault"),
    [
        (errno.ENOSPC, DeviceFault.NO_SPACE),
        (errno.EROFS, DeviceFault.READ_ONLY),
        (errno.EIO, DeviceFault.MEDIUM_WRITE),
    ],
)
def test_what_cannot_be_saved(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, fault: DeviceFault) -> None:
    sidecar = make(tmp_path)
    sidecar.save(b"before")

    def fail(fd: int) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(DeviceError) as caught:
        sidecar.save(b"after")
    assert caught.value.fault is fault
    assert sidecar.load() == b"before"


def test_what_a_crash_left_behind_is_in_nobodys_way(tmp_path: Path) -> None:
    (tmp_path / "disk.reservations.new").write_bytes(b"half a docum")
    make(tmp_path).save(b"whole")
    assert make(tmp_path).load() == b"whole"
