"""Thousands of targets: making them, telling them, changing one of them, starting with them.

Files lie on a disk: what is synchronized in a creation is synchronized here too.
"""

import asyncio
import time
from collections.abc import Sequence
from functools import partial
from statistics import median
from typing import Final

from tests.system.nas import SHARES, Share, wait_until

from bench.scale.bars import Bar, Figures
from bench.scale.ground import Administrator, log_in, nas_in, told
from bench.scale.measure import milliseconds

BARS: Final = (
    Bar(says="creating the last of the targets", figure="create_last_ms", limit=30, unit="ms"),
    Bar(says="... against the 10th", figure="create_ratio", limit=1.5),
    Bar(says="GET of all shares", figure="get_all_ms", limit=300, unit="ms"),
    Bar(says="a page of targets, API v1", figure="get_page_ms", limit=30, unit="ms"),
    Bar(says="from the start of the program to all targets on the wire", figure="start_s", limit=5, unit="s"),
    Bar(says="targets that SendTargets leaves out", figure="untold_count", limit=0),
    Bar(says="other targets whose sessions notice that one is changed", figure="disturbed_count", limit=0),
)
SAMPLE: Final = 20
"""Calls that stand for one."""
PAGE: Final = "/api/v1/targets?limit=100"


def measure(count: int) -> Figures:
    """Make so many; then tell and change them, and start anew."""
    with nas_in(None, {}) as nas:
        administrator = Administrator(nas)
        call = administrator.call
        shares: list[Share] = []
        took = [milliseconds(lambda: shares.append(administrator.create(f"scale-{len(shares)}"))) for _ in range(count)]
        figures: Figures = {"create_10th_ms": median(took[5 : 5 + SAMPLE]), "create_last_ms": median(took[-SAMPLE:])}
        figures |= {
            "create_ratio": figures["create_last_ms"] / figures["create_10th_ms"],
            "get_all_ms": median(milliseconds(lambda: call("GET", SHARES)) for _ in range(5)),
            "get_page_ms": median(milliseconds(lambda: call("GET", PAGE)) for _ in range(SAMPLE)),
        }
        figures |= asyncio.run(change(administrator, shares))
        figures["untold_count"] = count - asyncio.run(told(shares[0]))
        nas.stop()
        begin = time.perf_counter()
        nas.start()
        wait_until(lambda: asyncio.run(told(shares[0])) == count, timeout_s=120, what="all targets on the wire")
        figures["start_s"] = time.perf_counter() - begin
    return figures


async def change(administrator: Administrator, shares: Sequence[Share]) -> Figures:
    """Change some targets, one at a time, under sessions of others: those go on, and are told nothing."""
    changed, others = shares[:SAMPLE], shares[-SAMPLE:]
    sessions = [await log_in(share, number) for number, share in enumerate(others)]
    for session in sessions:
        await session.read(0, 0, 8)
    took = []
    for share in changed:
        body = {"id": share.id, "data-digest": True}
        took.append(await asyncio.to_thread(milliseconds, partial(administrator.call, "PUT", SHARES, body)))
    disturbed = 0
    for session in sessions:
        try:
            async with asyncio.timeout(0.1):
                await session.next_notice()
            disturbed += 1
        except TimeoutError:
            # A unit attention would end this with CHECK CONDITION, which raises.
            await session.read(0, 0, 8)
        await session.close()
    return {"change_one_ms": median(took), "disturbed_count": disturbed}
