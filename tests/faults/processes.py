"""Processes that die (each 200 times in the long form), stand still, hang, or lose their power."""

import os
import secrets
import signal
import time

import httpx

from tests.faults.administrator import Administrator
from tests.faults.stage import FailingDisk, Result, Stage
from tests.system.nas import wait_until

KILLS = 200


def _pause() -> None:
    time.sleep(secrets.randbelow(700) / 1000)


def killed_control(stage: Stage) -> Result:
    """SIGKILL of control while it makes changes: nobody on the wire sees it, and what was answered is there."""
    nas, rounds = stage.start(), KILLS if stage.thorough else 4
    writer, running = stage.writer(nas.create("killed", size="16M")), stage.fio()
    administrator = Administrator(nas)
    administrator.start()
    stage.undo.callback(administrator.enough.set)
    data, slowest_s = nas.pid("data"), 0.0
    writer.wait_for(20)
    for _ in range(rounds):
        _pause()
        dead, began = nas.kill("control"), time.monotonic()
        wait_until(lambda dead=dead: nas.pid("control") != dead, timeout_s=30, what="a new control process")  # type: ignore[misc]
        nas.wait_healthy(timeout_s=60)
        slowest_s = max(slowest_s, time.monotonic() - began)
    administrator.stop()
    ios = running.finish()
    writer.stop()
    assert writer.record.refused == {}, "the wire noticed"
    assert nas.pid("data") == data
    told = nas.log.read_text().count("process ended and is started again")
    assert told == rounds
    changes = administrator.verify({"killed", "fio"})
    return Result(
        tried=f"{rounds} SIGKILLs, while disks were made, grown and deleted",
        saw=f"nothing: {writer.record.count} synchronized writes of one and {ios}, none failed;"
        f" longest pause {writer.record.longest_gap_s:.1f} s",
        told=f"{told} lines in the log; HTTP answered again after {slowest_s:.1f} s at most",
        kept=f"{writer.verify()} blocks right, fio's too; {changes}",
    )


def killed_data(stage: Stage) -> Result:
    """SIGKILL of data: initiators come back, and what was confirmed is there."""
    nas, rounds = stage.start(), KILLS if stage.thorough else 4
    writer, running = stage.writer(nas.create("killed", size="16M")), stage.fio()
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
        f" {writer.record.count} synchronized writes of one, {ios}, which came back by itself",
        told="the events engine_unavailable and engine_restarted, lines in the log",
        kept=f"{writer.verify()} blocks right, fio's too",
    )


def killed_supervisor(stage: Stage) -> Result:
    """SIGKILL of the supervisor: all end, and the next start serves what there was."""
    nas, rounds = stage.start(), KILLS if stage.thorough else 2
    writer, running = stage.writer(nas.create("killed", size="16M")), stage.fio()
    for _ in range(rounds):
        writer.wait_for(10)
        _pause()
        nas.kill("supervisor")
        nas.destroy()
        nas.start()
    writer.wait_for(10)
    ios = running.finish()
    writer.stop()
    return Result(
        tried=f"{rounds} SIGKILLs, each with a start after it",
        saw=f"a closed connection, then refused ones until the next start; longest pause"
        f" {writer.record.longest_gap_s:.1f} s; {writer.record.count} synchronized writes, and {ios}",
        told="nothing answers until the next start (systemd starts it at once)",
        kept=f"{writer.verify()} blocks right, fio's too",
    )


def stopped_control(stage: Stage) -> Result:
    """SIGSTOP of control: the wire goes on; HTTP waits, and answers afterwards."""
    nas, length_s = stage.start(), 30.0 if stage.thorough else 5.0
    writer, running = stage.writer(nas.create("stopped", size="16M")), stage.fio()
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
        saw=f"nothing: {during} synchronized writes meanwhile and {ios}, none failed;"
        f" longest pause {writer.record.longest_gap_s:.1f} s",
        told="HTTP does not answer meanwhile, and answers what waited afterwards",
        kept=f"{writer.verify()} blocks right, fio's too",
    )


def hung_control(stage: Stage) -> Result:
    """Control does not come round any more: it is killed, and nobody on the wire sees it."""
    silence_s = 30 if stage.thorough else 6
    nas = stage.start(LUNAPORT_CONTROL_SILENCE_S=str(silence_s))
    writer, running = stage.writer(nas.create("hung", size="16M")), stage.fio()
    writer.wait_for(20)
    _hang(stage, "control")
    writer.wait_for(20)
    ios = running.finish()
    writer.stop()
    assert writer.record.refused == {}
    return Result(
        tried=f"SIGSTOP of control for good; it may be silent for {silence_s} s",
        saw=f"nothing: {writer.record.count} synchronized writes and {ios}, none failed",
        told="a line in the log (process hangs and is killed); HTTP answered again after it",
        kept=f"{writer.verify()} blocks right, fio's too",
    )


def hung_data(stage: Stage) -> Result:
    """Data does not come round any more: it is killed, and initiators come back to the next one."""
    silence_s = 60 if stage.thorough else 6
    nas = stage.start(LUNAPORT_DATA_SILENCE_S=str(silence_s))
    writer, running = stage.writer(nas.create("hung", size="16M")), stage.fio()
    writer.wait_for(20)
    _hang(stage, "data")
    writer.wait_for(20, timeout_s=120)
    stage.told("engine_restarted", timeout_s=60)
    ios = running.finish()
    writer.stop()
    return Result(
        tried=f"SIGSTOP of data for good; it may be silent for {silence_s} s",
        saw=f"no answer, then a closed connection; longest pause {writer.record.longest_gap_s:.0f} s;"
        f" {writer.record.count} synchronized writes, and {ios}, which came back by itself",
        told="a line in the log (process hangs and is killed), the events engine_unavailable and engine_restarted",
        kept=f"{writer.verify()} blocks right, fio's too",
    )


def _hang(stage: Stage, role: str) -> None:
    nas = stage.nas
    hung = nas.pid(role)
    os.kill(hung, signal.SIGSTOP)
    wait_until(lambda: nas.pid(role) != hung, timeout_s=180, what=f"another {role} process")
    nas.wait_healthy(timeout_s=60)
    assert "process hangs and is killed" in nas.log.read_text()


def lost_power(stage: Stage) -> Result:
    """All processes and everything that was not synchronized are gone at once."""
    nas, rounds = stage.start(), 10 if stage.thorough else 2
    disk = FailingDisk(stage)
    volume = stage.volume(disk.at)
    shares = nas.create("power", size="4M", volume=volume), nas.create("loose", size="1M", volume=volume)
    (disk.flags / "volatile").touch()
    writer, loose, running = stage.writer(shares[0]), stage.writer(shares[1], loose=True), stage.fio()
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
    ios = running.finish()
    assert lost, "nothing was lost at all: this test proves nothing"
    return Result(
        tried=f"{rounds} losses of power, on a file system that forgets what was not synchronized",
        saw=f"a closed connection; {writer.record.count} synchronized writes in all, and {ios} on a disk elsewhere",
        told="nothing answers until the next start",
        kept=f"{blocks} blocks right; of another disk, where nobody synchronized, {lost} were lost, as they may be",
    )
