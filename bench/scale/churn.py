"""All that comes and goes, again and again: logins, logouts, broken connections, shares, I/O, aborts, resets.

Afterwards the processes of the NAS hold what they held before: memory and descriptors are compared at rest, after a
first while in which caches and rings fill. A sample every few seconds tells a steady rise from a step.
"""

import asyncio
import random
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final

import httpx
from tests.system.nas import SHARES, Nas, Share

from bench.scale.bars import Bar, Figures
from bench.scale.ground import MANY, Administrator, in_memory, kind_of, log_in, nas_in, settle
from bench.scale.measure import descriptors, pss_kib, slope_per_hour
from bench.scale.writers import under_way
from lunaport.initiator import CommandRequest, InitiatorError, Session, lun_field
from lunaport.initiator.cdb import read_blocks, write_blocks
from lunaport.iscsi.enums import TaskFunction, TaskResponse

ROLES: Final = ("supervisor", "control", "data")
BARS: Final = (
    *(
        Bar(says=f"memory ({role}) after the churn, against before", figure=f"{role}_ratio", limit=1.1)
        for role in ROLES
    ),
    *(Bar(says=f"files it has open more than before: {role}", figure=f"{role}_files_more", limit=0) for role in ROLES),
    Bar(says="sessions that are left", figure="sessions_left", limit=0),
    Bar(says="bytes of data under way that are left", figure="under_way_left", limit=0),
    Bar(says="answers that were wrong", figure="wrong_count", limit=0),
)
WARM_UP_S: Final = 60.0
"""A part of the churn at most, and no more than this."""
SAMPLE_S: Final = 5.0
REST_S: Final = 5.0
"""Sessions that were cut off end, threads finish."""
LASTING: Final = 8
"""Shares that stay."""
BLOCK, BLOCKS = 4096, 4096
"""How long they are, and how many of them are written."""
TIMEOUT_S: Final = 60.0
SHOWN_MAX: Final = 20


@dataclass(slots=True)
class Churn:
    """One NAS under churn."""

    nas: Nas
    administrator: Administrator
    shares: Sequence[Share]
    reset: Share
    """Whose commands are aborted: the others on it would be left without an answer."""
    chance: random.Random
    done: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)
    number: int = 0
    block: int = 0

    async def api(self, method: str, path: str, body: object | None = None) -> httpx.Response:
        """A call of the API, whatever its answer is."""
        self.done["requests"] += 1
        return await asyncio.to_thread(self.administrator.client.request, method, path, json=body)

    async def session(self, share: Share) -> Session:
        """A session of a new initiator."""
        self.number += 1
        self.done["logins"] += 1
        return await log_in(share, self.number)

    async def come_and_go(self) -> None:
        """Log in, read and write a little, log out; or break off, now and then within a PDU."""
        session = await self.session(self.chance.choice(self.shares))
        await settle(session)
        for _ in range(self.chance.randrange(1, 8)):
            await self.write_and_read(session)
        way = self.chance.randrange(4)
        if way == 0:
            session.send_raw(bytes(self.chance.randrange(1, 48)))
            await asyncio.sleep(0)
        if way > 1:
            await session.logout()
            self.done["logouts"] += 1
        await session.close()

    async def write_and_read(self, session: Session) -> None:
        """A block; nobody else writes to this one meanwhile, so it reads back as it was written."""
        self.block = (self.block + 1) % BLOCKS
        block, data = self.block, self.chance.randbytes(BLOCK)
        await session.write(0, block * 8, data)
        back = await session.read(0, block * 8, 8)
        self.done["reads and writes"] += 2
        if back != data:
            self.wrong.append(f"block {block} reads back otherwise")

    async def abort(self) -> None:
        """Many commands under way, some of which are aborted in one way or another."""
        session = await self.session(self.reset)
        await settle(session)
        requests = [
            CommandRequest(cdb=read_blocks(8 * each, 512), lun=lun_field(0), read_length=512 * 512)
            if each % 2
            else CommandRequest(cdb=write_blocks(8 * 5000, 512), lun=lun_field(0), data_out=bytes(512 * 512))
            for each in range(16)
        ]
        commands = [session.submit(request) for request in requests]
        function = self.chance.choice(
            [TaskFunction.ABORT_TASK, TaskFunction.ABORT_TASK_SET, TaskFunction.LOGICAL_UNIT_RESET]
        )
        chosen = commands[self.chance.randrange(16)]
        named = function is TaskFunction.ABORT_TASK
        answer = await session.manage(
            function,
            **({"referenced_task_tag": chosen.initiator_task_tag, "ref_cmd_sn": chosen.cmd_sn} if named else {}),
        )
        self.done["task management"] += 1
        if answer.response not in (TaskResponse.FUNCTION_COMPLETE, TaskResponse.TASK_DOES_NOT_EXIST):
            self.wrong.append(f"{function.name} is answered {answer.response}")
        if self.chance.randrange(2):
            await asyncio.gather(*(command.result for command in commands), return_exceptions=True)
            await session.logout()
        await session.close()

    async def make_and_delete(self) -> None:
        """A share that is used and deleted, with a session or without."""
        self.number += 1
        name = f"passing-{self.number}"
        share = await asyncio.to_thread(self.administrator.create, name, size="16M")
        self.done["creations"] += 1
        session = await self.session(share)
        await settle(session)
        await self.write_and_read(session)
        if self.chance.randrange(2):
            await session.logout()
            await session.close()
        deletion = asyncio.create_task(self.api("DELETE", SHARES, {"id": share.id}))
        if not session.ended:
            # It is asked to log out; one that does not is cut off after a while.
            with suppress(TimeoutError, InitiatorError):
                async with asyncio.timeout(1):
                    await session.next_notice()
                    await session.logout()
            await session.close()
        if (await deletion).status_code != 200:
            self.wrong.append(f"the deletion of {name} is answered {deletion.result().status_code}")
        self.done["deletions"] += 1

    async def look(self) -> None:
        """At everything, and change a share."""
        for path in (SHARES, "/api/v1/targets", "/api/v1/sessions", "/metrics", "/api/v1/health"):
            if (await self.api("GET", path)).status_code != 200:
                self.wrong.append(f"GET {path}")
        body = {"id": self.chance.choice(self.shares).id, "data-digest": bool(self.chance.randrange(2))}
        await self.api("PUT", SHARES, body)
        await asyncio.sleep(0.2)

    async def run(self, seconds: float, sample: Callable[[], None]) -> None:
        """Everything at once, for so long."""
        end = time.monotonic() + seconds

        async def again(work: Callable[[], Awaitable[None]]) -> None:
            while time.monotonic() < end:
                try:
                    async with asyncio.timeout(TIMEOUT_S):
                        await work()
                except (InitiatorError, OSError) as error:
                    # A reset by one of the others ends no session, and nothing else is expected to.
                    self.wrong.append(f"{work.__name__}: {error!r}")
                except TimeoutError:
                    self.wrong.append(f"{work.__name__}: not within {TIMEOUT_S:.0f} s")

        async def look_on() -> None:
            while time.monotonic() < end:
                sample()
                await asyncio.sleep(SAMPLE_S)

        works = [self.come_and_go, self.come_and_go, self.abort, self.make_and_delete, self.look]
        await asyncio.gather(look_on(), *map(again, works))


@dataclass(frozen=True, slots=True)
class Sample:
    """What a process holds at one moment."""

    role: str
    at_s: float
    pss_kib: int
    files: int


def look_at(nas: Nas, at_s: float) -> list[Sample]:
    """All processes; those that serve initiators together."""
    pids: dict[str, list[int]] = {}
    for pid, role in nas.pids().items():
        pids.setdefault(kind_of(role), []).append(pid)
    return [Sample(kind, at_s, sum(map(pss_kib, of)), sum(map(descriptors, of))) for kind, of in pids.items()]


def at_rest(nas: Nas) -> dict[str, Sample]:
    """The processes by role, when what was left has ended."""
    time.sleep(REST_S)
    return {sample.role: sample for sample in look_at(nas, 0.0)}


def measure(minutes: float, keep: list[Sample]) -> Figures:
    """Churn for so long; `keep` takes the samples."""
    with nas_in(in_memory(), MANY) as nas:
        administrator = Administrator(nas)
        *shares, reset = [administrator.create(f"scale-{number}") for number in range(LASTING)]
        churn = Churn(nas, administrator, shares, reset, random.Random(1))
        seconds = minutes * 60
        begin = time.monotonic()

        def sample() -> None:
            keep.extend(look_at(nas, time.monotonic() - begin))

        asyncio.run(churn.run(min(WARM_UP_S, seconds / 4), sample))
        before = at_rest(nas)
        warm = len(keep)
        asyncio.run(churn.run(seconds - min(WARM_UP_S, seconds / 4), sample))
        after = at_rest(nas)
        figures = growth(before, after, keep[warm:])
        held = under_way(administrator.client.get("/metrics").text)
        figures |= {
            "sessions_left": len(administrator.call("GET", "/api/v1/sessions")["items"]),
            "under_way_left": held["bytes"],
            "wrong_count": len(churn.wrong),
        }
        figures |= {f"{what.replace(' ', '_')}_count": count for what, count in churn.done.items()}
        for sentence in churn.wrong[:SHOWN_MAX]:
            print(f"wrong: {sentence}")
        return figures


def growth(before: Mapping[str, Sample], after: Mapping[str, Sample], samples: Sequence[Sample]) -> Figures:
    """Each process at rest, after the churn against before; and how fast it rose in the second half of the churn."""
    figures: Figures = {}
    for role in before:
        of_role = [sample for sample in samples if sample.role == role]
        half = [(sample.at_s, float(sample.pss_kib)) for sample in of_role[len(of_role) // 2 :]]
        figures |= {
            f"{role}_before_kib": before[role].pss_kib,
            f"{role}_after_kib": after[role].pss_kib,
            f"{role}_ratio": after[role].pss_kib / before[role].pss_kib,
            f"{role}_files_before": before[role].files,
            f"{role}_files_after": after[role].files,
            f"{role}_files_more": after[role].files - before[role].files,
        }
        if len(half) > 1:
            figures[f"{role}_rise_kib_per_hour"] = slope_per_hour(half)
    return figures
