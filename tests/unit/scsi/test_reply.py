"""Work in the background and how it ends."""

import pytest

from lunaport.blockdev.device import DeviceError, DeviceFault
from lunaport.scsi.enums import Status
from lunaport.scsi.reply import conclude, run, send
from lunaport.scsi.sense import ScsiError, lba_out_of_range

from .support import Bench, FakeTask


def task_of(bench: Bench) -> FakeTask:
    task = FakeTask(b"", expected_length=100)
    task.immediate = memoryview(b"")
    return task


def test_send_cuts() -> None:
    task = task_of(Bench())
    send(task, b"abcdef", 4)
    assert task.data == b"abcd"


@pytest.mark.parametrize(
    ("error", "code"),
    [(DeviceError(DeviceFault.NO_SPACE, ""), 0x2707), (ScsiError(lba_out_of_range()), 0x2100)],
)
def test_errors_of_work(error: DeviceError | ScsiError, code: int) -> None:
    bench = Bench()
    task = task_of(bench)

    def work() -> None:
        raise error

    run(bench.nexus, bench.unit, task, work)
    assert list(bench.unit.task_set) == [task]
    bench.background.drain()
    assert (task.status, task.sense_code, bench.unit.task_set) == (Status.CHECK_CONDITION, code, {})


def test_a_mistake_of_ours_is_answered_and_goes_on() -> None:
    bench = Bench()
    task = task_of(bench)

    def work() -> None:
        raise RuntimeError("a bug")

    run(bench.nexus, bench.unit, task, work)
    with pytest.raises(RuntimeError, match="a bug"):
        bench.background.drain()
    assert (task.sense_code, bench.unit.task_set) == (0x4400, {})


def test_an_aborted_task_hears_of_no_error() -> None:
    bench = Bench()
    task = task_of(bench)
    task.aborted = True
    conclude(bench.unit, task, RuntimeError("whatever"))
    assert task.status == Status.TASK_ABORTED
