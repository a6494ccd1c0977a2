"""Processes that die (200 times in the long form), stand still, or lose their power."""

import os
import secrets
import signal
import time

import httpx

from tests.faults.stage import FailingDisk, Result, Stage
from tests.system.nas import wait_until


def _pause() -> None:
    time.sleep(secrets.randbelow(700) / 1000)


def killed_control(stage: Stage) -> Result:
    """SIGKILL of control: nobody on the wire sees it."""
    nas, rounds = stage.start(), 60 if stage.thorough else 4
    writer = stage.writer(nas.create("killed", size="16M"))
    running = stage.fio(nas.create("fio", size="32M"), rounds * (4 if stage.thorough else 2))
    data, slowest_s = nas.pid("data"), 0.0
    writer.wait_for(20)
    for _ in range(rounds):
        _pause()
        dead, began = nas.kill("control"), time.monotonic()
        wait_until(lambda dead=dead: nas.pid("control") != dead, timeout_s=30, what="a new control process")  # type: ignore[misc]
        nas.wait_healthy(timeout_s=60)
        slowest_s = max(slowest_s, time.monotonic() - began)
    ios = running.finish()
    writer.stop()
    assert writer.record.refused == {}, "the wire noticed"
    assert nas.pid("data") == data
    told = nas.log.read_text().count("process ended and is started again")
    assert told == rounds
    return Result(
        tried=f"{rounds} SIGKILLs",
        saw=f"nothing: {writer.record.count} synchronized writes of one and {ios} of fio, none failed;"
        f" longest pause {writer.record.longest_gap_s:.1f} s",
        told=f"{told} lines in the log; HTTP answered again after {slowest_s:.1f} s at most",
        kept=f"{writer.verify()} blocks right, fio's too",
    )


def killed_data(stage: Stage) -> Result:
    """SIGKILL of data: initiators come back, and what was confirmed is there."""
    nas, rounds = stage.start(), 120 if stage.thorough else 4
    writer = stage.writer(nas.create("killed", size="16M"))
    running = stage.fio(nas.create("fio", size="32M"), rounds * (4 if stage.thorough else 3))
    for _ in range(rounds):
        writer.wait_for(10)
        _pause()
        dead = nas.kill("data")
        wait_until(lambda dead=dead: nas.pid("data") != dead, timeout_s=30, what="a new data process")  # type: ignore[misc]
    writer.wait_for(10)
    ios = running.finish()
    writer.stop()
    stage.told("engine_restarted")
    return Result(
        tried=f"{rounds} SIGKILLs",
        saw=f"a closed connection and logins refused for at most {writer.record.longest_gap_s:.1f} s;"
        f" {writer.record.count} synchronized writes of one, {ios} of fio, which came back by itself",
        told="the events engine_unavailable and engine_restarted, lines in the log",
        kept=f"{writer.verify()} blocks right, fio's too",
    )


def killed_supervisor(stage: Stage) -> Result:
    """SIGKILL of the supervisor: all end, and the next start serves what there was."""
    nas, rounds = stage.start(), 20 if stage.thorough else 2
    writer = stage.writer(nas.create("killed", size="16M"))
    for _ in range(rounds):
        writer.wait_for(10)
        _pause()
        nas.kill("supervisor")
        nas.destroy()
        nas.start()
    writer.wait_for(10)
    writer.stop()
    return Result(
        tried=f"{rounds} SIGKILLs, each with a start after it",
        saw=f"a closed connection, then refused ones until the next start; longest pause"
        f" {writer.record.longest_gap_s:.1f} s; {writer.record.count} synchronized writes",
        told="nothing answers until the next start (systemd starts it at once)",
        kept=f"{writer.verify()} blocks right",
    )


def stopped_control(stage: Stage) -> Result:
    """SIGSTOP of control: the wire goes on; HTTP waits, and answers afterwards."""
    nas, length_s = stage.start(), 30.0 if stage.thorough else 5.0
    writer = stage.writer(nas.create("stopped", size="16M"))
    running = stage.fio(nas.create("fio", size="32M"), round(length_s) + 1)
    control = nas.pid("control")
    writer.wait_for(20)
    os.kill(control, signal.SIGSTOP)
    try:
        before, began = writer.record.count, time.monotonic()
        answered = True
        try:
            nas.client.get("/api/v1/health", timeout=2)
        except httpx.TimeoutException:
            answered = False
        assert not answered
        time.sleep(max(0.0, length_s - (time.monotonic() - began)))
        during = writer.record.count - before
    finally:
        os.kill(control, signal.SIGCONT)
    nas.wait_healthy(timeout_s=60)
    assert during > 10
    assert nas.pid("control") == control
    ios = running.finish()
    writer.stop()
    assert writer.record.refused == {}
    return Result(
        tried=f"{length_s:g} s",
        saw=f"nothing: {during} synchronized writes meanwhile and {ios} of fio, none failed;"
        f" longest pause {writer.record.longest_gap_s:.1f} s",
        told="HTTP does not answer meanwhile, and answers what waited afterwards",
        kept=f"{writer.verify()} blocks right, fio's too",
    )


def lost_power(stage: Stage) -> Result:
    """All processes and everything that was not synchronized are gone at once."""
    nas, rounds = stage.start(), 10 if stage.thorough else 2
    disk = FailingDisk(stage)
    volume = stage.volume(disk.at)
    shares = nas.create("power", size="4M", volume=volume), nas.create("loose", size="1M", volume=volume)
    (disk.flags / "volatile").touch()
    writer, loose = stage.writer(shares[0]), stage.writer(shares[1], loose=True)
    blocks = lost = 0
    for number in range(rounds):
        if number:
            writer, loose = writer.again(), loose.again()
        writer.wait_for(20)
        _pause()
        nas.destroy()
        disk.cut()
        writer.stop()
        loose.stop()
        disk.mount()
        nas.start()
        for share in shares:
            stage.wait_until_served(share)
        blocks, lost = writer.verify(), lost + loose.lost()
    assert lost, "nothing was lost at all: this test proves nothing"
    return Result(
        tried=f"{rounds} losses of power, on a file system that forgets what was not synchronized",
        saw=f"a closed connection; {writer.record.count} synchronized writes in all",
        told="nothing answers until the next start",
        kept=f"{blocks} blocks right; of another disk, where nobody synchronized, {lost} were lost, as they may be",
    )
