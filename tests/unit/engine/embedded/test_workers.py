"""Worker threads of a disk: results come to the loop, and closing waits for all who use the disk."""

from lunaport.blockdev.device import DeviceError, DeviceFault
from lunaport.engine.embedded.loop import Loop
from lunaport.engine.embedded.workers import Workers


def test_work_is_done_elsewhere_and_its_failure_told() -> None:
    loop = Loop()
    workers = Workers(loop, "test")
    told: list[BaseException | None] = []

    def fail() -> None:
        raise ValueError("bad")

    def done(error: BaseException | None) -> None:
        told.append(error)
        if len(told) == 2:
            loop.stop()

    workers.submit(lambda: None, done)
    workers.submit(fail, done)
    loop.run()
    assert {type(error) for error in told} == {type(None), ValueError}
    workers.close(lambda: told.append(None))
    assert len(told) == 3
    loop.close()


def test_closing_waits_for_work_and_for_those_who_hold_the_disk() -> None:
    loop = Loop()
    workers = Workers(loop, "test")
    told: list[str] = []
    workers.hold()
    workers.submit(lambda: None, lambda _: loop.stop())
    workers.close(lambda: told.append("idle"))
    loop.run()
    assert told == []
    workers.release()
    assert told == ["idle"]
    loop.close()


def test_what_comes_after_closing_is_told_that_the_disk_is_gone() -> None:
    loop = Loop()
    workers = Workers(loop, "test")
    workers.close(lambda: None)
    told: list[BaseException | None] = []

    def done(error: BaseException | None) -> None:
        told.append(error)
        loop.stop()

    workers.submit(lambda: told.append(None), done)
    loop.run()
    [error] = told
    assert isinstance(error, DeviceError)
    assert error.fault is DeviceFault.GONE
    loop.close()
