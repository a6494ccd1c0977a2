"""FileDevice: a disk on a thin file, and everything that can go wrong below it."""

import errno
import fcntl
import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lunaport.blockdev.device import BlockDevice, DeviceError, DeviceFault, Extent
from lunaport.blockdev.memory import MemoryDevice
from lunaport.storage import fallocate
from lunaport.storage import file as module
from lunaport.storage.errors import StorageError
from lunaport.storage.file import BACK_OFF_S, IOV_MAX, SLOW_WRITE_S, FileDevice, open_file

SIZE = 1 << 20


class Clock:
    def __init__(self) -> None:
        self.now = 100.0
        self.step = 0.0

    def __call__(self) -> float:
        self.now += self.step
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "disk"
    with path.open("wb") as file:
        file.truncate(SIZE)
    return path


@pytest.fixture
def device(path: Path, clock: Clock) -> Iterator[FileDevice]:
    device = open_file(str(path), clock)
    yield device
    device.close()


def view(data: bytes) -> memoryview:
    return memoryview(bytearray(data))


def read(device: BlockDevice, offset: int, length: int) -> bytes:
    buffer = view(bytes(length))
    device.read(offset, [buffer])
    return bytes(buffer)


def fault_of(call: Callable[[], object]) -> DeviceFault:
    with pytest.raises(DeviceError) as raised:
        call()
    return raised.value.fault


def failing(number: int) -> Callable[..., Any]:
    def fail(*_: object) -> Any:
        raise OSError(number, os.strerror(number))

    return fail


# Opening


def test_is_a_block_device(device: FileDevice) -> None:
    block_device: BlockDevice = device
    assert block_device.size_bytes == SIZE


def test_a_file_is_served_once(path: Path, device: FileDevice, clock: Clock) -> None:
    with pytest.raises(StorageError, match="served by another process") as raised:
        open_file(str(path), clock)
    assert raised.value.fault == "in use"
    device.close()
    device.close()
    open_file(str(path), clock).close()


def test_open_refuses(tmp_path: Path, path: Path, clock: Clock) -> None:
    (tmp_path / "link").symlink_to(path)
    os.mkfifo(tmp_path / "fifo")
    for name, fault in (("no", "missing"), ("link", "i/o"), ("fifo", "i/o"), (".", "i/o")):
        with pytest.raises(StorageError) as raised:
            open_file(str(tmp_path / name), clock)
        assert raised.value.fault == fault, name


def test_open_closes_what_it_cannot_use(path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fallocate, "punch_hole", failing(errno.EIO))
    with pytest.raises(StorageError) as raised:
        open_file(str(path), clock)
    assert raised.value.fault == "i/o"
    with path.open("rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


def test_file_system_without_holes(path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "punch_hole", failing(errno.EOPNOTSUPP))
    monkeypatch.setattr(fallocate, "punch_hole", failing(errno.EOPNOTSUPP))
    monkeypatch.setattr(module, "zero_range", failing(errno.EOPNOTSUPP))
    device = open_file(str(path), clock)
    assert not device.can_unmap
    device.write(0, [view(b"x" * 4096)])
    device.unmap(512, 512)
    device.write_zeroes(2048, 512)
    device.write_zeroes(3072, 512)
    assert read(device, 0, 4096) == (b"x" * 512 + bytes(512)) + b"x" * 1024 + (bytes(512) + b"x" * 512) * 2
    device.close()


# Moving bytes


def test_a_write_is_in_the_cache_and_a_read_finds_it(device: FileDevice) -> None:
    data = os.urandom(8192)
    assert device.write_now(4096, [view(data[:5000]), view(data[5000:])]) == 8192
    first, second = view(bytes(100)), view(bytes(8092))
    assert device.read_now(4096, [first, second]) == 8192
    assert bytes(first) + bytes(second) == data


def test_more_buffers_than_one_call_takes(device: FileDevice) -> None:
    data = os.urandom(3 * IOV_MAX)
    device.write(0, [view(data[index : index + 2]) for index in range(0, len(data), 2)])
    buffers = [view(bytes(1)) for _ in data]
    device.read(0, buffers)
    assert b"".join(map(bytes, buffers)) == data


def test_reading_nothing(device: FileDevice) -> None:
    device.read(0, [])
    device.read(0, [view(b"")])
    device.write(0, [])
    assert device.read_now(0, []) == 0


def test_short_moves_are_carried_on(device: FileDevice, monkeypatch: pytest.MonkeyPatch) -> None:
    preadv, pwritev = os.preadv, os.pwritev
    data = os.urandom(10000)
    monkeypatch.setattr(os, "pwritev", lambda fd, buffers, offset: pwritev(fd, [buffers[0][:700]], offset))
    device.write(0, [view(data[:1]), view(data[1:])])
    monkeypatch.setattr(os, "preadv", lambda fd, buffers, offset: preadv(fd, [buffers[0][:900]], offset))
    assert read(device, 0, 10000) == data


def test_a_file_that_was_cut_is_a_medium_error(path: Path, device: FileDevice) -> None:
    os.truncate(path, 4096)
    assert device.read_now(8192, [view(bytes(512))]) == 0
    assert fault_of(lambda: read(device, 4096 - 512, 1024)) is DeviceFault.MEDIUM_READ
    assert read(device, 0, 4096) == bytes(4096)


def test_what_would_block_is_not_read_now(device: FileDevice, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "preadv", failing(errno.EAGAIN))
    assert device.read_now(0, [view(bytes(512))]) == 0


def test_file_system_that_cannot_say_whether_it_blocks(device: FileDevice, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []
    preadv = os.preadv

    def fail(fd: int, buffers: list[memoryview], offset: int, flags: int = 0) -> int:
        if flags:
            asked.append(flags)
            raise OSError(errno.EOPNOTSUPP, "")
        return preadv(fd, buffers, offset)

    monkeypatch.setattr(os, "preadv", fail)
    monkeypatch.setattr(device, "_read_flags", os.RWF_NOWAIT)
    assert device.read_now(0, [view(bytes(512))]) == 0
    assert device.read_now(0, [view(bytes(512))]) == 0
    assert len(asked) == 1
    assert read(device, 0, 512) == bytes(512)


def test_a_file_system_that_asks_somebody_else_is_never_used_inline(
    tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """FUSE and some network file systems refuse RWF_NOWAIT: nobody knows how long they take."""
    path = tmp_path / "disk.img"
    path.write_bytes(bytes(SIZE))
    preadv = os.preadv

    def refuse(fd: int, buffers: list[bytearray], offset: int, flags: int = 0) -> int:
        if flags:
            raise OSError(errno.EOPNOTSUPP, "")
        return preadv(fd, buffers, offset)

    monkeypatch.setattr(os, "preadv", refuse)
    monkeypatch.setattr(module, "is_in_memory", lambda _: False)
    device = open_file(str(path), clock)
    assert device.write_now(0, [view(bytes(4096))]) == 0
    assert device.read_now(0, [view(bytes(512))]) == 0
    device.write(0, [view(b"x" * 4096)])
    assert read(device, 0, 4096) == b"x" * 4096
    device.close()


def test_a_file_in_memory_never_waits(clock: Clock) -> None:
    fd = os.memfd_create("disk", os.MFD_CLOEXEC)
    os.ftruncate(fd, SIZE)
    device = FileDevice(fd, path="/nowhere", size_bytes=SIZE, can_unmap=True, in_memory=True, clock=clock)
    assert device.write_now(100, [view(b"abc")]) == 3
    assert device.read_now(100, [view(bytes(512))]) == 512
    device.write_zeroes(101, 1)
    device.unmap(4096, 8192)
    assert read(device, 100, 3) == b"a\0c"
    device.close()


@pytest.mark.parametrize(
    ("number", "on_read", "on_write"),
    [
        (errno.EIO, DeviceFault.MEDIUM_READ, DeviceFault.MEDIUM_WRITE),
        (errno.ENOSPC, DeviceFault.NO_SPACE, DeviceFault.NO_SPACE),
        (errno.EDQUOT, DeviceFault.NO_SPACE, DeviceFault.NO_SPACE),
        (errno.EROFS, DeviceFault.READ_ONLY, DeviceFault.READ_ONLY),
        (errno.EPERM, DeviceFault.READ_ONLY, DeviceFault.READ_ONLY),
        (errno.ENODEV, DeviceFault.GONE, DeviceFault.GONE),
        (errno.EINVAL, DeviceFault.MEDIUM_READ, DeviceFault.MEDIUM_WRITE),
    ],
)
def test_errno(
    device: FileDevice, monkeypatch: pytest.MonkeyPatch, number: int, on_read: DeviceFault, on_write: DeviceFault
) -> None:
    buffers = [view(bytes(4096))]
    for name in ("preadv", "pwritev", "lseek", "ftruncate"):
        monkeypatch.setattr(os, name, failing(number))
    monkeypatch.setattr(module, "punch_hole", failing(number))
    monkeypatch.setattr(module, "zero_range", failing(number))
    assert fault_of(lambda: device.read_now(0, buffers)) is on_read
    assert fault_of(lambda: device.read(0, buffers)) is on_read
    assert fault_of(lambda: device.write_now(0, buffers)) is on_write
    assert fault_of(lambda: device.write(0, buffers)) is on_write
    assert fault_of(lambda: device.unmap(0, 4096)) is on_write
    assert fault_of(lambda: device.write_zeroes(0, 4096)) is on_write
    assert fault_of(lambda: device.grow(2 * SIZE)) is on_write
    assert device.size_bytes == SIZE
    if number != errno.ENODEV:
        assert fault_of(lambda: device.extents(0, 4096)) is on_read


def test_after_close_the_disk_is_gone(device: FileDevice) -> None:
    device.close()
    assert fault_of(lambda: read(device, 0, 512)) is DeviceFault.GONE


# Writing inline


def test_a_page_written_in_part_has_to_be_cached(device: FileDevice, monkeypatch: pytest.MonkeyPatch) -> None:
    cached: set[int] = set()
    preadv = os.preadv

    def pages(fd: int, buffers: list[memoryview], offset: int, flags: int) -> int:
        if offset // 4096 not in cached:
            raise BlockingIOError
        return preadv(fd, buffers, offset)

    monkeypatch.setattr(os, "preadv", pages)
    monkeypatch.setattr(device, "_in_memory", False)
    assert device.write_now(4096, [view(bytes(4096))]) == 4096
    assert device.write_now(4096 + 512, [view(bytes(512))]) == 0
    cached.add(1)
    assert device.write_now(4096 + 512, [view(bytes(512))]) == 512
    assert device.write_now(4096 + 512, [view(bytes(8192))]) == 0  # ends in page 3
    cached.add(3)
    assert device.write_now(4096 + 512, [view(bytes(8192))]) == 8192
    assert device.write_now(4096, [view(bytes(8192 + 512))]) == 8192 + 512
    cached.discard(3)
    assert device.write_now(4096, [view(bytes(8192 + 512))]) == 0


def test_a_throttled_write_sends_the_next_ones_to_threads(device: FileDevice, clock: Clock) -> None:
    buffers = [view(bytes(4096))]
    clock.step = SLOW_WRITE_S * 2
    assert device.write_now(0, buffers) == 4096
    clock.step = 0.0
    assert device.write_now(0, buffers) == 0
    clock.now += BACK_OFF_S - 0.01
    assert device.write_now(0, buffers) == 0
    clock.now += 0.02
    assert device.write_now(0, buffers) == 4096


# Flush


def test_flush_makes_it_durable(device: FileDevice, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[int] = []
    monkeypatch.setattr(os, "fdatasync", synced.append)
    device.flush()
    device.flush()
    assert len(synced) == 2


def test_a_failed_flush_is_never_retried_into_success(device: FileDevice, monkeypatch: pytest.MonkeyPatch) -> None:
    device.write(0, [view(b"x" * 512)])
    with monkeypatch.context() as broken:
        broken.setattr(os, "fdatasync", failing(errno.EIO))
        assert fault_of(device.flush) is DeviceFault.FLUSH_FAILED
    buffers = [view(bytes(512))]
    for call in (
        device.flush,
        lambda: device.write(0, buffers),
        lambda: device.write_now(0, buffers),
        lambda: device.unmap(0, 512),
        lambda: device.write_zeroes(0, 512),
    ):
        assert fault_of(call) is DeviceFault.FLUSH_FAILED
    assert read(device, 0, 512) == b"x" * 512


def test_one_flush_serves_all_who_waited_for_it(device: FileDevice, monkeypatch: pytest.MonkeyPatch) -> None:
    running = threading.Semaphore(0)
    go_on = threading.Semaphore(0)
    syncs: list[int] = []

    def sync(fd: int) -> None:
        syncs.append(fd)
        running.release()
        go_on.acquire()

    monkeypatch.setattr(os, "fdatasync", sync)
    first = threading.Thread(target=device.flush)
    first.start()
    running.acquire()
    # These come while the first runs: it may have begun before their writes, so one more is needed, and one only.
    arrived = threading.Barrier(4)

    def late() -> None:
        arrived.wait()
        device.flush()

    others = [threading.Thread(target=late) for _ in range(3)]
    for thread in others:
        thread.start()
    arrived.wait()
    while device._flushes_started != 1:
        pass
    wait_until_blocked(others)
    go_on.release()
    running.acquire()
    go_on.release()
    for thread in (first, *others):
        thread.join(10)
    assert len(syncs) == 2


def wait_until_blocked(threads: list[threading.Thread]) -> None:
    """Until every one of them sleeps in the kernel, which for these means: waits for the lock."""
    for thread in threads:
        while Path(f"/proc/self/task/{thread.native_id}/stat").read_text().rsplit(") ", 1)[1][0] != "S":
            pass


# Space


def test_unmap_and_extents(device: FileDevice, path: Path) -> None:
    device.write(0, [view(b"x" * SIZE)])
    device.flush()
    before = path.stat().st_blocks
    device.unmap(65536, 131072)
    device.unmap(0, 0)
    assert path.stat().st_blocks <= before - 131072 // 512
    assert device.extents(4096, SIZE - 4096) == [
        Extent(offset=4096, length=65536 - 4096, mapped=True),
        Extent(offset=65536, length=131072, mapped=False),
        Extent(offset=196608, length=SIZE - 196608, mapped=True),
    ]
    assert read(device, 65536, 131072) == bytes(131072)
    device.unmap(0, SIZE)
    assert device.extents(0, SIZE) == [Extent(offset=0, length=SIZE, mapped=False)]
    assert path.stat().st_size == SIZE


def test_write_zeroes_keeps_the_size(device: FileDevice, path: Path) -> None:
    device.write(0, [view(b"x" * SIZE)])
    device.write_zeroes(100, 70000)
    device.write_zeroes(0, 0)
    assert read(device, 0, SIZE) == b"x" * 100 + bytes(70000) + b"x" * (SIZE - 70100)
    assert path.stat().st_size == SIZE


def test_grow(device: FileDevice, path: Path) -> None:
    device.grow(2 * SIZE)
    device.grow(SIZE)
    assert device.size_bytes == path.stat().st_size == 2 * SIZE
    assert read(device, 2 * SIZE - 512, 512) == bytes(512)


steps = st.lists(
    st.tuples(
        st.sampled_from(["write", "write_now", "unmap", "zero", "flush"]),
        st.integers(0, 65535),
        st.integers(0, 20000),
        st.integers(1, 255),
    ),
    max_size=12,
)


@given(steps=steps)
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_behaves_like_a_bytearray(path: Path, steps: list[tuple[str, int, int, int]]) -> None:
    size = 65536
    device = open_file(str(path), lambda: 0.0)
    device.unmap(0, SIZE)
    model = bytearray(size)
    for kind, offset, length, fill in steps:
        length = min(length, size - offset)
        data = view(bytes([fill]) * length)
        if kind in ("write", "write_now"):
            done = device.write_now(offset, [data]) if kind == "write_now" else 0
            if done < length:
                device.write(offset + done, [data[done:]])
            model[offset : offset + length] = data
        elif kind == "flush":
            device.flush()
        else:
            (device.unmap if kind == "unmap" else device.write_zeroes)(offset, length)
            model[offset : offset + length] = bytes(length)
    assert read(device, 0, size) == model
    position = 0
    for extent in device.extents(0, size):
        assert extent.offset == position
        assert extent.mapped or not any(read(device, extent.offset, extent.length))
        position += extent.length
    assert position == size
    device.close()


def test_a_longer_file_is_served_as_far_as_was_promised(tmp_path: Path) -> None:
    path = tmp_path / "disk.img"
    path.write_bytes(bytes(8192))
    device = open_file(str(path), Clock(), size_bytes=4096)
    assert device.size_bytes == 4096
    device.grow(6144)
    assert device.size_bytes == 6144
    assert path.stat().st_size == 8192
    device.close()


def test_a_file_that_was_cut_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "disk.img"
    path.write_bytes(bytes(4095))
    with pytest.raises(StorageError, match="was cut: it has 4095 bytes and should have 4096"):
        open_file(str(path), Clock(), size_bytes=4096)


def test_files_are_copied_by_the_kernel(tmp_path: Path) -> None:
    devices = []
    for name in ("a", "b"):
        (tmp_path / name).write_bytes(bytes(SIZE))
        devices.append(open_file(str(tmp_path / name), Clock()))
    one, two = devices
    one.write(100, [view(b"copied")])
    assert two.copy_from(one, 0, 4096, SIZE - 4096)
    assert read(two, 4196, 6) == b"copied"
    assert one.copy_from(one, 100, 8192, 6)
    assert read(one, 8192, 6) == b"copied"
    assert not two.copy_from(MemoryDevice(SIZE), 0, 0, 512)
    with pytest.raises(DeviceError) as caught:
        two.copy_from(one, SIZE, 0, 512)
    assert caught.value.fault is DeviceFault.MEDIUM_READ
    for device in devices:
        device.close()
    with pytest.raises(DeviceError) as caught:
        two.copy_from(one, 0, 0, 512)
    assert caught.value.fault is DeviceFault.GONE


@pytest.mark.parametrize("number", [errno.EXDEV, errno.EOPNOTSUPP, errno.EINVAL])
def test_where_the_kernel_cannot_copy_it_says_so(
    device: FileDevice, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    def refuse(*_: object) -> int:
        raise OSError(number, "no")

    monkeypatch.setattr(os, "copy_file_range", refuse)
    assert not device.copy_from(device, 0, 4096, 4096)


def test_nothing_is_copied_to_a_file_that_failed_to_flush(device: FileDevice, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_fd: int) -> None:
        raise OSError(errno.EIO, "bad")

    monkeypatch.setattr(os, "fdatasync", fail)
    with pytest.raises(DeviceError):
        device.flush()
    with pytest.raises(DeviceError) as caught:
        device.copy_from(device, 0, 4096, 4096)
    assert caught.value.fault is DeviceFault.FLUSH_FAILED


# What somebody does to the file while it is served


def spoil_by_cutting(path: Path) -> None:
    os.truncate(path, SIZE // 2)


def spoil_by_removing(path: Path) -> None:
    path.unlink()


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [(spoil_by_cutting, f"the file was cut: it has {SIZE // 2} bytes"), (spoil_by_removing, "the file was removed")],
)
def test_a_flush_does_not_vouch_for_a_spoiled_file(
    device: FileDevice, path: Path, spoil: Callable[[Path], None], reason: str
) -> None:
    device.write(0, [view(b"before" * 100)])
    device.flush()
    spoil(path)
    device.write(0, [view(b"behind" * 100)])
    with pytest.raises(DeviceError) as raised:
        device.flush()
    assert raised.value.fault is DeviceFault.FLUSH_FAILED
    assert device.failure.startswith(reason)
    for write in (lambda: device.write_now(0, [view(b"x" * 512)]), lambda: device.write(0, [view(b"x" * 512)])):
        with pytest.raises(DeviceError, match="flush failed"):
            write()
    assert read(device, 0, 6) == b"behind", "what is left can be rescued"


def test_a_check_finds_what_was_done_to_the_file(device: FileDevice, path: Path) -> None:
    device.check()
    assert device.failure == ""
    path.rename(path.with_name("moved"))
    device.check()
    assert device.failure == "the file is no longer at its place"


def test_a_check_finds_another_file_in_its_place(device: FileDevice, path: Path) -> None:
    path.rename(path.with_name("moved"))
    path.write_bytes(bytes(SIZE))
    device.check()
    assert device.failure == "the file is no longer at its place"


def test_a_file_system_out_of_reach_is_no_reason_to_give_up(
    device: FileDevice, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "displaced", failing(errno.ESTALE))
    device.check()
    assert device.failure == ""
    assert device.errors.tallies()[DeviceFault.GONE].count == 1


def test_a_read_behind_a_cut_says_so(device: FileDevice, path: Path) -> None:
    os.truncate(path, 4096)
    with pytest.raises(DeviceError, match="the file ends before byte"):
        read(device, 8192, 512)
    assert device.failure.startswith("the file was cut")


def test_errors_are_counted(device: FileDevice, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "pwritev", failing(errno.ENOSPC))
    for _ in range(3):
        with pytest.raises(DeviceError):
            device.write_now(0, [view(b"x" * 4096)])
    tally = device.errors.tallies()[DeviceFault.NO_SPACE]
    assert (tally.count, tally.detail) == (3, "No space left on device")
