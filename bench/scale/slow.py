"""One LUN whose disk answers after 200 ms, then not at all: what others notice of it, and whether it can be left.

The others lie on a volume of their own, in memory. The slow one's is a FUSE file system (`slow_disk`).
"""

import asyncio
import shutil
import subprocess
import sys
import time
from collections.abc import Awaitable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from statistics import median
from typing import Final

from tests.system.nas import Nas, Share, wait_until

from bench.scale import loads
from bench.scale.bars import Bar, Figures
from bench.scale.ground import Administrator, in_memory, log_in, nas_in, settle
from bench.scale.loads import Load
from lunaport.initiator import (
    CommandRequest,
    ConnectionEndedError,
    InitiatorError,
    ManagementResult,
    Session,
    lun_field,
)
from lunaport.initiator.cdb import read_blocks
from lunaport.iscsi.enums import TaskFunction, TaskResponse

BARS: Final = (
    Bar(says="p99 of reads on another LUN beside one that takes 200 ms", figure="slow_p99_ratio", limit=2),
    Bar(says="p99 of reads on another LUN beside one that hangs", figure="hanging_p99_ratio", limit=2),
    Bar(says="ABORT TASK of a command that hangs", figure="abort_s", limit=5, unit="s"),
    Bar(says="LOGICAL UNIT RESET of the LUN that hangs", figure="reset_s", limit=5, unit="s"),
    Bar(says="logout of a session whose commands hang", figure="logout_s", limit=5, unit="s"),
    Bar(says="login and logout on the LUN that hangs", figure="login_s", limit=5, unit="s"),
    Bar(says="commands that the LUN does not answer once its disk is back", figure="unanswered_count", limit=0),
)
READ: Final = Load(pattern="randread", block="4k", depth=4)
OTHER: Final = Load(pattern="randrw", block="4k", depth=32)
ROUNDS, SECONDS = 5, 2.0
HANGING: Final = 8
"""Commands that hang."""
GIVE_UP_S: Final = 20.0
SETTLE_S: Final = 0.2
"""Until a command is where it hangs."""
READ_ONE: Final = CommandRequest(cdb=read_blocks(0, 8), lun=lun_field(0), read_length=4096)


class Disk:
    """The slow file system, mounted."""

    def __init__(self, folder: Path) -> None:
        self.root, self.at, self.flags = (folder / name for name in ("slow-root", "slow", "slow-flags"))
        for each in (self.root, self.at, self.flags):
            each.mkdir()
        words = [sys.executable, "-m", "bench.scale.slow_disk", *map(str, (self.root, self.at, self.flags))]
        self.process = subprocess.Popen(words, stdin=subprocess.DEVNULL)
        wait_until(self.at.is_mount, timeout_s=30, what="the slow disk")

    @contextmanager
    def being(self, how: str) -> Iterator[None]:
        """It is `slow`, or does `hang`, within this block."""
        (self.flags / how).touch()
        try:
            yield
        finally:
            (self.flags / how).unlink()

    def close(self) -> None:
        """Let nothing hang any more, and go."""
        for flag in self.flags.iterdir():
            flag.unlink()
        subprocess.run(["fusermount3", "-u", "-z", str(self.at)], check=False)
        self.process.kill()
        self.process.wait()


def measure() -> Figures:
    """All of it. Raises RuntimeError where there is no FUSE."""
    if shutil.which("fusermount3") is None or not Path("/dev/fuse").exists():
        raise RuntimeError("a slow disk needs fuse3 and /dev/fuse")
    with nas_in(in_memory(), {}) as nas:
        disk = Disk(nas.data_dir.parent)
        try:
            return beside(nas, disk)
        finally:
            disk.close()


def beside(nas: Nas, disk: Disk) -> Figures:
    """The figures."""
    administrator = Administrator(nas)
    body = {"name": "slow", "path": str(disk.at), "overcommit_factor": 100}
    administrator.call("POST", "/api/v1/volumes", body)
    quick = administrator.create("quick", size="64M", chap=False)
    slow = administrator.create("slow", size="65M", chap=False, volume="slow")
    figures: Figures = {}
    rounds: list[dict[str, float]] = []
    for number in range(ROUNDS):
        one: dict[str, float] = {}
        for state in ("alone", "slow")[:: 1 if number % 2 else -1]:
            one[state] = p99_alone(quick) if state == "alone" else p99_beside_slow(quick, slow, disk)
        rounds.append(one)
    figures["alone_p99_us"] = median(one["alone"] for one in rounds)
    figures["slow_p99_us"] = median(one["slow"] for one in rounds)
    figures["slow_p99_ratio"] = median(one["slow"] / one["alone"] for one in rounds)
    return figures | asyncio.run(hanging(quick, slow, disk))


def p99_alone(quick: Share) -> float:
    """Nobody else does anything."""
    return loads.p99_us(loads.run(READ, [quick.url()], SECONDS))


def p99_beside_slow(quick: Share, slow: Share, disk: Disk) -> float:
    """The slow LUN has all that it can take to do."""
    with disk.being("slow"):
        other = loads.start(OTHER, [slow.url()], SECONDS + 1)
        time.sleep(0.5)
        found = p99_alone(quick)
        jobs = loads.finish(other, SECONDS + 1)
    if loads.errors(jobs):
        raise RuntimeError("a disk that is slow made commands fail")
    return found


async def hanging(quick: Share, slow: Share, disk: Disk) -> Figures:
    """Commands hang, are aborted, reset and left; in the end the disk comes back."""
    figures: Figures = {}
    leaving, staying = await log_in(slow, 1, chap=False), await log_in(slow, 2, chap=False)
    for session in (leaving, staying):
        await session.read(0, 0, 8)
    rounds = []
    for number in range(ROUNDS):
        alone = await asyncio.to_thread(p99_alone, quick)
        with disk.being("hang"):
            under_way = [staying.submit(READ_ONE).result for _ in range(HANGING)]
            await asyncio.sleep(SETTLE_S)
            rounds.append(await asyncio.to_thread(p99_alone, quick) / alone)
            if number == ROUNDS - 1:
                figures |= await leave(leaving, staying, slow)
        async with asyncio.timeout(GIVE_UP_S):
            ended = await asyncio.gather(*under_way, return_exceptions=True)
        figures["unanswered_count"] = sum(isinstance(each, ConnectionEndedError) for each in ended)
    figures["hanging_p99_ratio"] = median(rounds)
    async with asyncio.timeout(GIVE_UP_S):
        await settle(staying)
        await staying.read(0, 0, 8)
    await staying.close()
    return figures


async def leave(leaving: Session, staying: Session, slow: Share) -> Figures:
    """Abort one command, log out with one under way, log in anew, reset the LUN: each while its disk hangs."""
    figures: Figures = {}
    command = staying.submit(READ_ONE)
    await asyncio.sleep(SETTLE_S)

    async def abort() -> None:
        answer = await staying.manage(
            TaskFunction.ABORT_TASK, referenced_task_tag=command.initiator_task_tag, ref_cmd_sn=command.cmd_sn
        )
        complete(answer)

    figures["abort_s"] = await seconds(abort())
    left = leaving.submit(READ_ONE)
    await asyncio.sleep(SETTLE_S)
    figures["logout_s"] = await seconds(leaving.logout())
    await leaving.close()
    with suppress(InitiatorError):
        await left.wait()

    async def come_and_go() -> None:
        session = await log_in(slow, 3, chap=False)
        await session.logout()
        await session.close()

    figures["login_s"] = await seconds(come_and_go())

    async def reset() -> None:
        complete(await staying.manage(TaskFunction.LOGICAL_UNIT_RESET))

    figures["reset_s"] = await seconds(reset())
    return figures


def complete(answer: ManagementResult) -> None:
    """Raises RuntimeError where the function was not carried out."""
    if answer.response != TaskResponse.FUNCTION_COMPLETE:
        raise RuntimeError(f"task management is answered {answer.response}")


async def seconds(work: Awaitable[object]) -> float:
    """How long it takes; GIVE_UP_S where it takes longer."""
    begin = time.perf_counter()
    with suppress(TimeoutError):
        async with asyncio.timeout(GIVE_UP_S):
            await work
    return time.perf_counter() - begin
