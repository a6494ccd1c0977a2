"""Volumes: directories and thin files, durable and repeatable."""

import errno
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from lunaport.storage.errors import StorageError
from lunaport.storage.file import open_file
from lunaport.storage.volume import (
    create_file,
    grow_file,
    make_volume,
    move_file,
    remove_file,
    volume_usage,
)


@pytest.fixture
def pool(tmp_path: Path) -> Path:
    path = tmp_path / "pool"
    make_volume(str(path))
    return path


def fault_of(call: Callable[[], object]) -> str:
    with pytest.raises(StorageError) as raised:
        call()
    return raised.value.fault


def names(path: Path) -> list[str]:
    return sorted(entry.name for entry in path.iterdir())


def test_make_volume_is_private_and_repeatable(pool: Path) -> None:
    make_volume(str(pool))
    assert names(pool) == ["luns", "trash"]
    assert [path.stat().st_mode & 0o777 for path in (pool, pool / "luns", pool / "trash")] == [0o700] * 3


def test_make_volume_completes_a_half_made_one(tmp_path: Path) -> None:
    (tmp_path / "pool").mkdir()
    make_volume(str(tmp_path / "pool"))
    assert names(tmp_path / "pool") == ["luns", "trash"]


def test_make_volume_refuses(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    assert fault_of(lambda: make_volume(str(tmp_path / "file"))) == "not a directory"
    assert fault_of(lambda: make_volume(str(tmp_path / "file" / "below"))) == "not a directory"
    assert fault_of(lambda: make_volume(str(tmp_path / "no" / "parent"))) == "missing"


def test_create_file_is_thin_and_private(pool: Path) -> None:
    path = pool / "luns" / "one"
    create_file(str(path), 10 << 30)
    status = path.stat()
    assert (status.st_size, status.st_mode & 0o777) == (10 << 30, 0o600)
    assert status.st_blocks * 512 < 1 << 20


def test_create_file_refuses_and_leaves_nothing(pool: Path) -> None:
    path = pool / "luns" / "one"
    create_file(str(path), 512)
    assert fault_of(lambda: create_file(str(path), 1024)) == "exists"
    assert path.stat().st_size == 512
    assert fault_of(lambda: create_file(str(pool / "luns" / "two"), 2**63)) == "too large"
    assert fault_of(lambda: create_file(str(pool / "no" / "two"), 512)) == "missing"
    assert names(pool / "luns") == ["one"]


@pytest.mark.parametrize(
    ("number", "fault"),
    [(errno.ENOSPC, "no space"), (errno.EFBIG, "too large"), (errno.EINVAL, "too large"), (errno.EIO, "i/o")],
)
def test_create_file_that_fails_later_leaves_nothing(
    pool: Path, monkeypatch: pytest.MonkeyPatch, number: int, fault: str
) -> None:
    def fail(fd: int, size: int) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "ftruncate", fail)
    assert fault_of(lambda: create_file(str(pool / "luns" / "one"), 512)) == fault
    assert names(pool / "luns") == []


def test_grow_file_never_shrinks(pool: Path) -> None:
    path = pool / "luns" / "one"
    create_file(str(path), 1024)
    grow_file(str(path), 4096)
    grow_file(str(path), 512)
    assert path.stat().st_size == 4096
    assert fault_of(lambda: grow_file(str(path), 2**63)) == "too large"
    assert fault_of(lambda: grow_file(str(path) + "x", 512)) == "missing"


def test_move_file_is_repeatable_and_never_replaces(pool: Path) -> None:
    source, target = str(pool / "luns" / "one"), str(pool / "trash" / "one")
    create_file(source, 512)
    move_file(source, target)
    move_file(source, target)
    assert (names(pool / "luns"), names(pool / "trash")) == ([], ["one"])
    create_file(source, 1024)
    assert fault_of(lambda: move_file(source, target)) == "exists"
    assert (Path(source).stat().st_size, Path(target).stat().st_size) == (1024, 512)
    assert fault_of(lambda: move_file(source + "x", target + "x")) == "missing"


def test_remove_file_is_repeatable_and_spares_what_is_served(pool: Path) -> None:
    path = str(pool / "luns" / "one")
    create_file(path, 4096)
    device = open_file(path, lambda: 0.0)
    assert fault_of(lambda: remove_file(path)) == "in use"
    device.close()
    remove_file(path)
    remove_file(path)
    assert names(pool / "luns") == []


def test_what_lies_beside_a_file_goes_with_it(pool: Path) -> None:
    source, target = pool / "luns/a", pool / "trash/b"
    create_file(str(source), 4096)
    for suffix in (".reservations", ".reservations.damaged", ".reservations.new"):
        Path(f"{source}{suffix}").write_text(suffix)
    (pool / "luns/ab.reservations").write_text("of another file")
    move_file(str(source), str(target))
    expected = ["b", "b.reservations", "b.reservations.damaged", "b.reservations.new"]
    assert (names(pool / "trash"), names(pool / "luns")) == (expected, ["ab.reservations"])
    assert (pool / "trash/b.reservations").read_text() == ".reservations"
    # A crash between file and sidecar: the move is repeated.
    (pool / "trash/b.reservations").rename(pool / "luns/a.reservations")
    move_file(str(source), str(target))
    assert names(pool / "trash") == expected
    remove_file(str(target))
    assert (names(pool / "trash"), names(pool / "luns")) == ([], ["ab.reservations"])


def test_usage_counts_what_files_occupy(pool: Path) -> None:
    create_file(str(pool / "luns" / "thin"), 1 << 30)
    create_file(str(pool / "trash" / "old"), 1 << 20)
    with (pool / "trash" / "old").open("r+b") as file:
        file.write(b"x" * (1 << 20))
        file.flush()
        os.fsync(file.fileno())
    usage = volume_usage(str(pool))
    assert 1 << 20 <= usage.used_bytes < 2 << 20
    assert 0 < usage.free_bytes < usage.total_bytes
    quick = volume_usage(str(pool), counted=False)
    assert (quick.total_bytes, quick.used_bytes) == (usage.total_bytes, 0)
    assert fault_of(lambda: volume_usage(str(pool / "no"))) == "missing"
