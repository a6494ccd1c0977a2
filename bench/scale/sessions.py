"""Thousands of sessions that are logged in with CHAP: how quickly they come, what each costs, what a read costs among
them.

A read among them is compared with one on a second NAS that has no other session, in turns.
"""

import asyncio
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack
from functools import partial
from statistics import median
from typing import Final

from tests.system.nas import Share

from bench.jobs import Job, run
from bench.scale.bars import Bar, Figures
from bench.scale.ground import MANY, Administrator, data_pids, in_groups, in_memory, log_in, nas_in
from bench.scale.measure import cpu_s, pss_kib

BARS: Final = (
    Bar(says="memory of the data processes for each session", figure="session_kib", limit=100, unit="KiB"),
    Bar(says="logins with CHAP a second", figure="logins_per_s", limit=400, at_least=True),
    Bar(says="p99 of a 4 KiB read on one of them, against one alone", figure="read_p99_ratio", limit=1.3),
)
TARGETS: Final = 100
READ: Final = Job(pattern="randread", block="4k", depth=1)
ROUNDS, SECONDS = 7, 1.5


def measure(count: int) -> Figures:
    """Log in so many, and read through one more."""
    with nas_in(in_memory(), MANY) as nas, nas_in(in_memory(), MANY) as quiet:
        administrator = Administrator(nas)
        shares = [administrator.create(f"scale-{number}") for number in range(TARGETS)]
        read = {
            "alone": Administrator(quiet).create("read", chap=False),
            "among": administrator.create("read", chap=False),
        }
        urls = {name: share.url() for name, share in read.items()}
        return asyncio.run(among(data_pids(nas), shares, urls, count))


async def among(pids: Sequence[int], shares: Sequence[Share], urls: dict[str, str], count: int) -> Figures:
    """The figures. `urls`: where to read `among` them, and `alone`."""
    figures: Figures = {}
    async with AsyncExitStack() as stack:

        async def keep(number: int) -> None:
            session = await log_in(shares[number % len(shares)], number)
            stack.push_async_callback(session.close)

        await keep(0)
        memory, cpu, begin = sum(map(pss_kib, pids)), sum(map(cpu_s, pids)), time.perf_counter()
        await in_groups([partial(keep, number) for number in range(1, count)])
        figures["logins_per_s"] = (count - 1) / (time.perf_counter() - begin)
        figures["login_cpu_ms"] = (sum(map(cpu_s, pids)) - cpu) * 1000 / (count - 1)
        figures["session_kib"] = (sum(map(pss_kib, pids)) - memory) / (count - 1)
        rounds = []
        for number in range(ROUNDS):
            # Who is first changes, so that a machine that slows down favours nobody.
            order = sorted(urls, reverse=bool(number % 2))
            rounds.append(
                {name: (await asyncio.to_thread(run, READ, urls[name], seconds=SECONDS)).p99_us for name in order}
            )
    for name in ("alone", "among"):
        figures[f"read_{name}_p99_us"] = median(one[name] for one in rounds)
    figures["read_p99_ratio"] = median(one["among"] / one["alone"] for one in rounds)
    return figures
