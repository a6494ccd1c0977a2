"""Files and disks that fail under a share."""

import os
import time

from tests.faults.stage import FailingDisk, Result, Stage, fill
from tests.faults.workload import Writer
from tests.system.nas import Share

MIB = 1 << 20
NO_SPACE = "sense 7/27/07"
READ_ONLY = "sense 7/27/00"
WRITE_ERROR = "sense 3/0C/00"
READ_ERROR = "sense 3/11/00"


def _restart(stage: Stage, share: Share) -> None:
    stage.nas.stop()
    stage.nas.start()
    stage.wait_until_served(share)


def _refused(writer: Writer, *allowed: str) -> str:
    """What the writer saw; nothing else than what is allowed."""
    unexpected = writer.record.refused.keys() - set(allowed)
    assert not unexpected, writer.record.refused
    return writer.seen()


def full(stage: Stage) -> Result:
    """The volume has no space left, and then has some again."""
    nas = stage.start()
    memory = stage.mount_memory(stage.folder / "small", "24M")
    share = nas.create("full", size="16M", volume=stage.volume(memory))
    writer, running = stage.writer(share), stage.fio()
    writer.wait_for(20)
    ballast = memory / "ballast"
    fill(ballast)
    writer.wait_for_refusal()
    problem = stage.wait_for_problem("no space")
    stage.told("disk_error")
    ballast.unlink()
    writer.wait_for(20)
    writer.stop()
    seen = _refused(writer, NO_SPACE)
    ios = running.finish()
    return Result(
        tried="a volume filled by somebody else, and emptied again",
        saw=f"{seen} (data protect, space allocation failed); writes went on in the same session afterwards;"
        f" on another disk: {ios}, none failed",
        told=f"problem {problem}; event disk_error",
        kept=f"{writer.verify()} blocks right",
    )


def truncated(stage: Stage) -> Result:
    """Somebody cuts the file while it is served."""
    nas = stage.start()
    share = nas.create("cut", size="17M")
    path = nas.file_of(share)
    writer, running = stage.writer(share), stage.fio()
    writer.wait_for(20)
    half = share.size_bytes // 2
    os.truncate(path, half)
    cut_at = writer.version
    writer.wait_for_refusal()
    problem = stage.wait_for_problem("cut")
    stage.told("disk_failed")
    writer.stop()
    seen = _refused(writer, WRITE_ERROR)
    ios = running.finish()
    after = [block for block, version in writer.record.confirmed.items() if version > cut_at + 1]
    record = writer.record
    # What lay behind the cut is gone, and nobody can bring it back: the rest has to be there, and what came later.
    record.confirmed = {
        block: version
        for block, version in record.confirmed.items()
        if (block + 1) * 4096 <= half or version > cut_at + 1
    }
    kept = writer.verify()
    nas.stop()
    os.truncate(path, half)
    nas.start()
    stage.wait_for_problem("was cut")
    os.truncate(path, share.size_bytes)
    stage.wait_until_served(share)
    stage.wait_for_no_problem("disk")
    return Result(
        tried="a file cut to its half, and made whole again",
        saw=f"{seen} (medium error) for all writes; reads of what is left work; on another disk: {ios}, none failed",
        told=f"problem {problem}; event disk_failed; when it was whole again it was served again by itself",
        kept=f"{kept} blocks before the cut right; {len(after)} writes confirmed after it",
    )


def removed(stage: Stage) -> Result:
    """Somebody removes the file while it is served."""
    nas = stage.start()
    share = nas.create("removed", size="18M")
    path = nas.file_of(share)
    writer, running = stage.writer(share), stage.fio()
    writer.wait_for(20)
    path.unlink()
    gone_at = writer.record.count
    writer.wait_for_refusal()
    problem = stage.wait_for_problem("removed")
    stage.told("disk_failed")
    writer.stop()
    seen = _refused(writer, WRITE_ERROR)
    ios = running.finish()
    confirmed = writer.record.count - gone_at
    assert confirmed <= 1, f"{confirmed} writes were confirmed into a file that nobody has"
    kept = writer.verify()
    return Result(
        tried="a file removed",
        saw=f"{seen} (medium error) for all writes; reads work as long as the NAS runs;"
        f" on another disk: {ios}, none failed",
        told=f"problem {problem}; event disk_failed",
        kept=f"{kept} blocks can still be read; no write was confirmed once it was gone",
    )


def read_only(stage: Stage) -> Result:
    """The file system turns read-only, as ext4 does at errors, and is mounted anew."""
    nas = stage.start()
    disk = FailingDisk(stage)
    share = nas.create("frozen", size="4M", volume=stage.volume(disk.at))
    writer, running = stage.writer(share), stage.fio()
    writer.wait_for(20)
    with disk.failing("erofs"):
        writer.wait_for_refusal()
        problem = stage.wait_for_problem("read only")
        stage.told("disk_error")
    writer.wait_for(20)
    writer.stop()
    seen = _refused(writer, READ_ONLY)
    ios = running.finish()
    return Result(
        tried="a file system that turns read-only and back",
        saw=f"{seen} (data protect, write protected); writes went on in the same session afterwards;"
        f" on another disk: {ios}, none failed",
        told=f"problem {problem}; event disk_error",
        kept=f"{writer.verify()} blocks right",
    )


def failing_reads(stage: Stage) -> Result:
    """EIO on read."""
    nas = stage.start()
    disk = FailingDisk(stage)
    share = nas.create("unreadable", size="4M", volume=stage.volume(disk.at))
    writer, running = stage.writer(share), stage.fio()
    writer.wait_for(20)
    writer.stop()
    reader = Writer(share, name="reader")
    with disk.failing("eio-read"):
        with reader.log_in() as initiator:
            for block in list(writer.record.confirmed)[:5]:
                try:
                    initiator.read(block * 8, 8)
                except Exception as error:  # noqa: BLE001 - the writer's own words are wanted
                    reader._note(error)
        problem = stage.wait_for_problem("medium read")
        stage.told("disk_error")
    seen = _refused(reader, READ_ERROR)
    ios = running.finish()
    return Result(
        tried="EIO on read, 5 reads",
        saw=f"{seen} (medium error, unrecovered read error); afterwards reads work;"
        f" on another disk: {ios}, none failed",
        told=f"problem {problem}; event disk_error",
        kept=f"{writer.verify()} blocks right",
    )


def failing_writes(stage: Stage) -> Result:
    """EIO on write."""
    nas = stage.start()
    disk = FailingDisk(stage)
    share = nas.create("unwritable", size="4M", volume=stage.volume(disk.at))
    writer, running = stage.writer(share), stage.fio()
    writer.wait_for(20)
    with disk.failing("eio-write"):
        writer.wait_for_refusal()
        problem = stage.wait_for_problem("medium write")
        stage.told("disk_error")
    writer.wait_for(20)
    writer.stop()
    seen = _refused(writer, WRITE_ERROR)
    ios = running.finish()
    return Result(
        tried="EIO on write",
        saw=f"{seen} (medium error, write error); afterwards writes went on in the same session;"
        f" on another disk: {ios}, none failed",
        told=f"problem {problem}; event disk_error",
        kept=f"{writer.verify()} blocks right",
    )


def failing_flushes(stage: Stage) -> Result:
    """EIO on fsync, and as the kernel does it: what could not be saved is forgotten."""
    nas = stage.start()
    disk = FailingDisk(stage)
    share = nas.create("unflushable", size="4M", volume=stage.volume(disk.at))
    (disk.flags / "volatile").touch()
    writer, running = stage.writer(share), stage.fio()
    writer.wait_for(20)
    with disk.failing("eio-fsync"):
        writer.wait_for_refusal()
    stage.told("disk_failed")
    problem = stage.wait_for_problem("Input/output error")
    count = writer.record.count
    time.sleep(1)
    assert writer.record.count == count, "a flush that failed was made a success of"
    writer.stop()
    seen = _refused(writer, WRITE_ERROR)
    ios = running.finish()
    _restart(stage, share)
    kept = writer.verify()
    again = writer.again()
    again.wait_for(20)
    again.stop()
    return Result(
        tried="EIO on one fsync",
        saw=f"{seen} (medium error) for every write from then on, until the NAS was restarted;"
        f" on another disk: {ios}, none failed",
        told=f"problem {problem}; event disk_failed",
        kept=f"{kept} blocks right after the restart",
    )


def stalled(stage: Stage) -> Result:
    """A disk that does not answer for some seconds holds up nobody else."""
    nas = stage.start()
    disk = FailingDisk(stage)
    slow, other = nas.create("slow", size="4M", volume=stage.volume(disk.at)), nas.create("quick", size="5M")
    stuck, quick, running = stage.writer(slow), stage.writer(other), stage.fio()
    stuck.wait_for(10)
    assert disk.process is not None
    length_s = 30.0 if stage.thorough else 3.0
    os.kill(disk.process.pid, 19)
    try:
        before, began = quick.record.count, time.monotonic()
        time.sleep(length_s)
        during = quick.record.count - before
        problem = stage.wait_for_problem("has not answered") if stage.thorough else ""
    finally:
        os.kill(disk.process.pid, 18)
    stuck.wait_for(20)
    took = time.monotonic() - began
    stuck.stop()
    quick.stop()
    ios = running.finish()
    assert during > 10, f"{during} writes of another disk in {length_s} s"
    return Result(
        tried=f"a disk's file system that does not answer for {length_s:g} s",
        saw=f"of this disk: no answer for {stuck.record.longest_gap_s:.0f} s ({stuck.seen()} besides);"
        f" of another one: {during} synchronized writes meanwhile, longest pause {quick.record.longest_gap_s:.1f} s,"
        f" and {ios}, none failed",
        told=f"problem {problem}" if problem else f"nothing: it was over after {took:.0f} s",
        kept=f"{stuck.verify() + quick.verify()} blocks right, fio's too",
    )
