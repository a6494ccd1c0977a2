"""Data-out: bounds on what waits, aborts in every state."""

import pytest

from lunaport.blockdev.filters import DelayFilter
from lunaport.blockdev.memory import MemoryDevice
from lunaport.scsi import data_out
from lunaport.scsi.enums import Status

from .support import SIZE, Bench, FakeTask

WRITE_2_AT_0 = "2A 00 00000000 00 0002 00"
WRITE_SAME_2_AT_0 = "41 00 00000000 00 0002 00"


def slow_bench() -> Bench:
    return Bench(DelayFilter(MemoryDevice(SIZE), lambda: None))


def content(bench: Bench) -> bytes:
    buffer = memoryview(bytearray(1024))
    bench.device.read(0, [buffer])
    return bytes(buffer)


@pytest.mark.parametrize(("bound", "status"), [(1023, 0x28), (1024, 0x00), (1025, 0x00)])
def test_what_waits_for_a_slow_disk_is_bounded(monkeypatch: pytest.MonkeyPatch, bound: int, status: int) -> None:
    monkeypatch.setattr(data_out, "WAITING_BYTES_MAX", bound)
    for immediate in (None, 0):
        bench = slow_bench()
        task = bench.start(WRITE_2_AT_0, data_out=b"x" * 1024, immediate=immediate, piece=512)
        while task.waits_for_data:
            task.deliver()
        bench.background.drain()
        assert task.status == status
        assert (bench.unit.task_set, bench.unit.waiting_bytes) == ({}, 0)


def test_all_writes_of_a_unit_count_together(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(data_out, "WAITING_BYTES_MAX", 1024)
    bench = slow_bench()
    first = bench.start(WRITE_2_AT_0, data_out=b"x" * 1024)
    second = bench.start(WRITE_2_AT_0, data_out=b"y" * 1024)
    assert second.status == Status.TASK_SET_FULL
    bench.background.drain()
    assert first.status == Status.GOOD
    assert bench.run(WRITE_2_AT_0, data_out=b"z" * 1024).status == Status.GOOD
    assert content(bench) == b"z" * 1024


def test_a_write_without_memory_to_wait_in_is_tried_again_later() -> None:
    bench = slow_bench()
    task = FakeTask(bytes.fromhex(WRITE_2_AT_0), data_out=b"x" * 1024)
    task.has_memory = False
    bench.nexus.execute(task)
    assert task.status == Status.TASK_SET_FULL
    assert (bench.unit.task_set, bench.unit.waiting_bytes) == ({}, 0)


@pytest.mark.parametrize(("bound", "crowded"), [(1023, True), (1024, False), (1025, False)])
def test_where_much_waits_for_a_unit_its_initiators_are_slowed_down(
    monkeypatch: pytest.MonkeyPatch, bound: int, crowded: bool
) -> None:
    monkeypatch.setattr(data_out, "CROWDED_BYTES", bound)
    bench = slow_bench()
    task = bench.start(WRITE_2_AT_0, data_out=b"x" * 1024)
    assert (task.held, task.crowded) == (1024, crowded)
    bench.background.drain()
    assert (task.held, task.status) == (0, Status.GOOD)


def abort(bench: Bench, task: FakeTask) -> list[str]:
    done: list[str] = []
    assert bench.nexus.abort_task(0, task, lambda: done.append("done"))
    return done


@pytest.mark.parametrize("cdb", [WRITE_2_AT_0, "2A 08 00000000 00 0002 00", "2F 02 00000000 00 0002 00"])
def test_abort_while_data_is_on_its_way(cdb: str) -> None:
    bench = Bench()
    task = bench.start(cdb, data_out=bytes(1024), immediate=0, piece=512)
    task.deliver()
    assert abort(bench, task) == ["done"]
    assert (task.status, bench.unit.task_set, bench.background.queue) == (Status.TASK_ABORTED, {}, [])


@pytest.mark.parametrize("cdb", [WRITE_SAME_2_AT_0, "42 00 00000000 00 0018 00", "2F 06 00000000 00 0002 00"])
def test_abort_of_a_collecting_command(cdb: str) -> None:
    bench = Bench()
    task = bench.start(cdb, data_out=b"x" * 512, immediate=0)
    assert task.waits_for_data
    assert abort(bench, task) == ["done"]
    assert (task.status, bench.unit.task_set, bench.background.queue) == (Status.TASK_ABORTED, {}, [])
    assert content(bench) == bytes(1024)


def test_abort_is_answered_after_the_last_stale_write() -> None:
    bench = slow_bench()
    task = bench.start(WRITE_2_AT_0, data_out=b"x" * 1024, immediate=0, piece=512)
    task.deliver()
    let_go = bench.background.hang()
    task.deliver()
    done = abort(bench, task)
    assert (done, task.finishes, task.held, bench.unit.waiting_bytes) == ([], 0, 512, 512)
    let_go()
    assert (done, task.status) == (["done"], Status.TASK_ABORTED)
    bench.background.drain()
    assert content(bench) == b"x" * 512 + bytes(512), "the piece that was not begun is dropped"
    assert (task.held, bench.unit.waiting_bytes, bench.unit.task_set, task.left) == (0, 0, {}, [])


def test_a_write_whose_pieces_are_not_begun_is_aborted_at_once() -> None:
    bench = slow_bench()
    task = bench.start(WRITE_2_AT_0, data_out=b"x" * 1024)
    assert abort(bench, task) == ["done"]
    assert (task.status, task.held, bench.unit.waiting_bytes) == (Status.TASK_ABORTED, 0, 0)
    later = bench.start(WRITE_2_AT_0, data_out=b"y" * 1024)
    bench.background.drain()
    assert (later.status, content(bench), bench.unit.strays) == (Status.GOOD, b"y" * 1024, set())


@pytest.mark.parametrize(
    "cdb", ["28 00 00000000 00 0002 00", "35 00 00000000 00 0000 00", "8F 00" + "00" * 11 + "02 00 00"]
)
def test_what_only_looks_is_aborted_while_its_disk_hangs(cdb: str) -> None:
    bench = slow_bench()
    task = bench.start(cdb, expected_length=1024)
    let_go = bench.background.hang()
    assert abort(bench, task) == ["done"]
    assert (task.status, task.left, bench.unit.task_set) == (Status.TASK_ABORTED, [True], {})
    ended: list[str] = []
    bench.unit.when_ended(lambda: ended.append("ended"))
    assert ended == [], "its thread still uses the device"
    let_go()
    assert (ended, task.left, bench.unit.strays) == (["ended"], [True, True], set())


@pytest.mark.parametrize("compares", [False, True])
def test_a_compare_of_what_came_is_aborted_while_its_disk_hangs(compares: bool) -> None:
    bench = slow_bench()
    task = bench.start("2F 02 00000000 00 0002 00", data_out=bytes(1024), immediate=0, piece=512)
    task.deliver()
    if compares:
        task.deliver()
    let_go = bench.background.hang()
    assert abort(bench, task) == ["done"]
    ended: list[str] = []
    bench.unit.when_ended(lambda: ended.append("ended"))
    assert (task.status, ended) == (Status.TASK_ABORTED, [])
    let_go()
    bench.background.drain()
    assert (ended, bench.unit.strays, task.held, bench.unit.waiting_bytes) == (["ended"], set(), 0, 0)


@pytest.mark.parametrize(
    ("cdb", "data"),
    [(WRITE_SAME_2_AT_0, b"x" * 512), ("28 00 00000000 00 0002 00", b""), ("35 00 00000000 00 0000 00", b"")],
)
def test_work_of_an_aborted_task_is_not_begun(cdb: str, data: bytes) -> None:
    bench = slow_bench()
    task = bench.start(cdb, data_out=data, expected_length=512)
    assert abort(bench, task) == ["done"]
    assert (task.status, bench.unit.task_set) == (Status.TASK_ABORTED, {})
    bench.background.drain()
    assert content(bench) == bytes(1024)


@pytest.mark.parametrize(
    ("cdb", "data"),
    [(WRITE_SAME_2_AT_0, b"x" * 512), ("9C 00" + "00" * 10 + "0001 00 00", b"x" * 512), ("1B 00 00 00 00 00", b"")],
)
def test_what_changes_something_and_has_begun_is_waited_for(cdb: str, data: bytes) -> None:
    bench = slow_bench()
    task = bench.start(cdb, data_out=data)
    let_go = bench.background.hang()
    done = abort(bench, task)
    assert (done, task.finishes) == ([], 0)
    let_go()
    assert (done, task.status, task.left) == (["done"], Status.TASK_ABORTED, [])


def test_abort_between_the_write_and_its_flush() -> None:
    bench = Bench()
    task = bench.start("2A 08 00000000 00 0002 00", data_out=b"x" * 1024)
    done = abort(bench, task)
    bench.background.drain()
    assert (done, task.status) == (["done"], Status.TASK_ABORTED)


def test_a_mistake_of_ours_is_answered_and_seen() -> None:
    class Broken(MemoryDevice):
        def write_now(self, offset: int, buffers: object) -> int:
            return 0

        def write(self, offset: int, buffers: object) -> None:
            raise RuntimeError("a bug")

    bench = Bench(Broken(SIZE))
    task = bench.start(WRITE_2_AT_0, data_out=b"x" * 1024)
    with pytest.raises(RuntimeError, match="a bug"):
        bench.background.drain()
    assert (task.sense_key, task.sense_code, bench.unit.task_set) == (4, 0x4400, {})


def test_a_collected_list_may_be_wrong() -> None:
    task = Bench().run("42 00 00000000 00 0018 00", data_out=bytes(4), immediate=0)
    assert (task.status, task.sense_code) == (Status.CHECK_CONDITION, 0x1A00)


@pytest.mark.parametrize("aborted", [False, True])
def test_what_is_gathered_counts_until_the_command_has_ended(aborted: bool) -> None:
    bench = Bench()
    task = bench.start("9C 00 0000000000000000 0000 0010 00 00", data_out=b"a" * 8192, immediate=0, piece=4096)
    assert (task.held, bench.unit.waiting_bytes) == (8192, 8192)
    while task.waits_for_data:
        task.deliver()
    assert (task.held, bench.unit.waiting_bytes) == (8192, 8192)  # a worker thread has it
    if aborted:
        task.abort()
    bench.background.drain()
    assert (task.held, bench.unit.waiting_bytes, bench.unit.gathered) == (0, 0, {})


def test_what_there_is_no_memory_to_gather_is_told_to_come_again() -> None:
    bench = Bench()
    task = FakeTask(bytes.fromhex("15 10 00 00 10 00"), data_out=bytes(16), immediate=0)
    task.has_memory = False
    bench.nexus.execute(task)
    assert (task.status, bench.unit.waiting_bytes) == (Status.TASK_SET_FULL, 0)


def test_a_parameter_list_is_let_go_of_at_once() -> None:
    bench = Bench()
    task = bench.run("15 10 00 00 04 00", data_out=bytes(4), immediate=0)
    assert (task.status, task.held) == (Status.GOOD, 0)
