"""A write that is atomic is whole after a crash at any moment, or was never there."""

import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lunaport.storage import intent
from lunaport.storage.file import FileDevice, open_file

SIZE = 1 << 20
OLD, NEW = b"o" * 65536, b"n" * 65536
OFFSET = 8192


def make(tmp_path: Path) -> Path:
    path = tmp_path / "disk.img"
    path.write_bytes(bytes(OFFSET) + OLD + bytes(SIZE - OFFSET - len(OLD)))
    return path


def opened(path: Path) -> FileDevice:
    return open_file(str(path), lambda: 0.0)


def record_of(path: Path) -> Path:
    return Path(f"{path}{intent.SUFFIX}")


def content(path: Path) -> bytes:
    return path.read_bytes()[OFFSET : OFFSET + len(NEW)]


def die_at(call: int, work: Callable[[], None]) -> None:
    """Run `work` in a process that writes half and is killed at its system call number `call`."""
    pid = os.fork()
    if pid:
        _, status = os.waitpid(pid, 0)
        assert status in (0, signal.SIGKILL)
        return
    calls = 0

    def count(what: Callable[[], object]) -> None:
        nonlocal calls
        calls += 1
        if calls == call:
            what()
            os.kill(os.getpid(), signal.SIGKILL)

    pwrite, pwritev, fdatasync = os.pwrite, os.pwritev, os.fdatasync

    def half_pwrite(fd: int, data: memoryview, offset: int) -> int:
        count(lambda: pwrite(fd, data[: len(data) // 2], offset))
        return pwrite(fd, data, offset)

    def half_pwritev(fd: int, buffers: list[memoryview], offset: int) -> int:
        count(lambda: pwrite(fd, buffers[0][: len(buffers[0]) // 2], offset))
        return pwritev(fd, buffers, offset)

    def no_fdatasync(fd: int) -> None:
        count(lambda: None)
        fdatasync(fd)

    os.pwrite, os.pwritev, os.fdatasync = half_pwrite, half_pwritev, no_fdatasync  # type: ignore[assignment] # a fork's
    try:
        work()
    finally:
        os._exit(0)


@pytest.mark.parametrize("call", range(1, 8))
def test_killed_in_the_middle(tmp_path: Path, call: int) -> None:
    path = make(tmp_path)
    device = opened(path)
    device.close()

    def work() -> None:
        device = opened(path)
        device.write_atomic(OFFSET, memoryview(NEW))

    die_at(call, work)
    opened(path).close()
    assert content(path) in (OLD, NEW)
    if call == 5:  # in the middle of the write in place, after the record was written whole
        assert content(path) == NEW
    assert path.stat().st_size == SIZE


def test_the_middle_of_the_write_in_place_is_really_met(tmp_path: Path) -> None:
    path = make(tmp_path)
    torn = []
    for call in range(1, 8):
        path.write_bytes(bytes(OFFSET) + OLD + bytes(SIZE - OFFSET - len(OLD)))
        record_of(path).unlink(missing_ok=True)
        die_at(call, lambda: opened(path).write_atomic(OFFSET, memoryview(NEW)))
        if content(path) not in (OLD, NEW):
            torn.append(call)
            opened(path).close()
            assert content(path) == NEW
    assert torn


def test_a_later_write_is_not_undone_by_the_record(tmp_path: Path) -> None:
    path = make(tmp_path)

    def work() -> None:
        device = opened(path)
        device.write_atomic(OFFSET, memoryview(NEW))
        device.write(OFFSET, [memoryview(b"later")])
        os.kill(os.getpid(), signal.SIGKILL)

    die_at(0, work)
    assert record_of(path).exists()
    opened(path).close()
    assert content(path) == b"later" + NEW[5:]
    assert not record_of(path).exists()


def test_a_flush_settles_the_record_and_closing_removes_it(tmp_path: Path) -> None:
    path = make(tmp_path)
    device = opened(path)
    for byte in (b"1", b"2"):
        device.write_atomic(OFFSET, memoryview(byte * 4096))
    assert record_of(path).exists()
    device.flush()
    device.close()
    assert not record_of(path).exists()
    assert content(path)[:4096] == b"2" * 4096


@given(st.binary(max_size=200))
def test_what_is_no_record_changes_nothing(tmp_path_factory: pytest.TempPathFactory, junk: bytes) -> None:
    path = make(tmp_path_factory.mktemp("junk"))
    record_of(path).write_bytes(junk)
    opened(path).close()
    assert content(path) == OLD
    assert not record_of(path).exists()


@pytest.mark.parametrize("cut", [1, 100, 65536])
def test_a_torn_record_was_never_begun(tmp_path: Path, cut: int) -> None:
    path = make(tmp_path)
    record = intent.IntentRecord(str(record_of(path)))
    record.put(OFFSET, memoryview(NEW))
    record.close(remove=False)
    os.truncate(record_of(path), record_of(path).stat().st_size - cut)
    opened(path).close()
    assert content(path) == OLD


def test_a_record_that_reaches_beyond_the_disk_is_none(tmp_path: Path) -> None:
    path = make(tmp_path)
    record = intent.IntentRecord(str(record_of(path)))
    record.put(SIZE - 100, memoryview(NEW))
    record.close(remove=False)
    opened(path).close()
    assert path.stat().st_size == SIZE
