"""How the NAS grows: targets made and told, sessions taken in, what a read costs among them: `python -m bench.scale`.

The files of the targets are thin, so nothing of a disk is measured. Sessions log in with CHAP and stay; the client is
Python too and shares the processors, so logins a second are the least that the NAS does.
"""

import argparse
import asyncio
import json
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any, Final

import httpx
from tests.system.nas import Nas, Share

from lunaport.initiator import Session, connect
from lunaport.iscsi.initiator_options import ChapOptions, Options

USER, SECRET = "alice", "alice-secret-1"
TARGETS, SESSIONS = 2000, 2000
LOGINS_AT_ONCE: Final = 16
READS: Final = 4000
SAMPLE: Final = 20
"""Calls that stand for one."""

Figures = dict[str, float]


def milliseconds(call: Callable[[], object]) -> float:
    """How long a call takes."""
    begin = time.perf_counter()
    call()
    return (time.perf_counter() - begin) * 1000


def percentile(values: Sequence[float], part: float) -> float:
    """The value below which this part lies."""
    return sorted(values)[min(len(values) - 1, int(len(values) * part))]


def own_kib(pid: int) -> int:
    """Memory of a process, shared pages by their part."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("Pss:"))


class Targets:
    """Making, telling and starting with many targets."""

    def __init__(self, nas: Nas) -> None:
        self.nas = nas
        token = nas.call("POST", {"name": "scale", "role": "admin", "days": 1}, path="/api/v1/tokens").json()
        self.client = httpx.Client(
            base_url=nas.client.base_url,
            headers={"Authorization": f"Bearer {token['token']}"},
            timeout=60,
            trust_env=False,
        )

    def call(self, method: str, path: str, body: object | None = None) -> Any:
        """The answer to a call that must succeed."""
        response = self.client.request(method, path, json=body)
        response.raise_for_status()
        return response.json()

    def create(self, name: str) -> Share:
        """A share with CHAP."""
        chap = {"enabled": True, "username": USER, "password": SECRET}
        body = {"target": name, "size": "64M", "one-way-chap": chap}
        return self.nas.share(self.call("POST", "/index.php/iscsi_shares/api", body))

    def measure(self, count: int) -> tuple[list[Share], Figures]:
        """Make so many; then tell them in every way."""
        shares: list[Share] = []
        took = [milliseconds(lambda: shares.append(self.create(f"scale-{len(shares)}"))) for _ in range(count)]
        shares_of_nas, page = "/index.php/iscsi_shares/api", "/api/v1/targets?limit=100"
        figures = {
            "create_10th_ms": median(took[5 : 5 + SAMPLE]),
            "create_last_ms": median(took[-SAMPLE:]),
            "get_all_ms": median(milliseconds(lambda: self.call("GET", shares_of_nas)) for _ in range(5)),
            "get_page_ms": median(milliseconds(lambda: self.call("GET", page)) for _ in range(SAMPLE)),
            "change_one_ms": median(
                milliseconds(partial(self.call, "PUT", shares_of_nas, {"id": share.id, "data-digest": True}))
                for share in shares[:SAMPLE]
            ),
        }
        return shares, figures

    def restart_s(self, shares: Sequence[Share]) -> float:
        """How long a start takes until discovery names every target."""
        self.nas.stop()
        begin = time.perf_counter()
        self.nas.start()
        while asyncio.run(told(shares[0])) < len(shares):
            time.sleep(0.02)
        return time.perf_counter() - begin


async def log_in(share: Share, number: int) -> Session:
    """A session of an initiator of its own."""
    options = Options(
        initiator_name=f"iqn.2026-11.test.lunaport:i{number}",
        target_name=share.iqn,
        chap=ChapOptions(user=USER, secret=SECRET.encode()),
        isid=b"\x80" + number.to_bytes(5, "big"),
    )
    return await connect(share.host, share.port, options)


async def read_p99_us(session: Session) -> float:
    """The 99th percentile of 4 KiB reads one after the other."""
    await session.read(0, 0, 8)
    took = []
    for number in range(READS):
        begin = time.perf_counter()
        await session.read(0, number % 1000 * 8, 8)
        took.append((time.perf_counter() - begin) * 1e6)
    return percentile(took, 0.99)


async def told(share: Share) -> int:
    """How many targets discovery names to someone who proves his secret."""
    options = Options(
        initiator_name="iqn.2026-11.test.lunaport:asks", chap=ChapOptions(user=USER, secret=SECRET.encode())
    )
    async with await connect(share.host, share.port, options) as session:
        return len(await session.send_targets("All"))


async def sessions(nas: Nas, shares: Sequence[Share], count: int) -> Figures:
    """Log in so many, and read through one of them, before and after."""
    figures: Figures = {"targets_told": await told(shares[0])}
    async with AsyncExitStack() as stack:

        async def keep(number: int) -> Session:
            session = await log_in(shares[number % len(shares)], number)
            stack.push_async_callback(session.close)
            return session

        one = await keep(0)
        figures["read_alone_p99_us"] = await read_p99_us(one)
        pids = [pid for pid, role in nas.pids().items() if role.startswith("data")]
        before = sum(map(own_kib, pids))
        begin = time.perf_counter()
        await in_groups([partial(keep, number) for number in range(1, count)])
        figures["logins_per_s"] = (count - 1) / (time.perf_counter() - begin)
        figures["session_kib"] = (sum(map(own_kib, pids)) - before) / (count - 1)
        figures["read_among_p99_us"] = await read_p99_us(one)
    return figures


async def in_groups(jobs: Sequence[Callable[[], Awaitable[object]]]) -> None:
    """Do all of it, some at once."""
    waiting = list(jobs)

    async def work() -> None:
        while waiting:
            await waiting.pop()()

    async with asyncio.TaskGroup() as group:
        for _ in range(LOGINS_AT_ONCE):
            group.create_task(work())


def main() -> None:
    """Measure, print, keep."""
    parser = argparse.ArgumentParser(prog="python -m bench.scale", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--targets", type=int, default=TARGETS)
    parser.add_argument("--sessions", type=int, default=SESSIONS)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="lunaport-scale-") as directory:
        settings = {"LUNAPORT_SESSIONS": "8192", "LUNAPORT_ADDRESS_CONNECTIONS": "8192"}
        nas = Nas(Path(directory) / "nas", settings=settings)
        try:
            nas.start()
            targets = Targets(nas)
            shares, figures = targets.measure(options.targets)
            figures["start_s"] = targets.restart_s(shares)
            figures |= asyncio.run(sessions(nas, shares, options.sessions))
            nas.stop()
        finally:
            nas.destroy()
            nas.client.close()
    for name, value in figures.items():
        print(f"{name:20}{value:10.2f}")
    now = datetime.now(UTC)
    results = Path(__file__).parent / "results"
    results.mkdir(exist_ok=True)
    path = results / f"{now:%Y-%m-%d-%H%M%S}-scale.json"
    path.write_text(json.dumps({"targets": options.targets, "sessions": options.sessions} | figures, indent=1) + "\n")
    print(path)


if __name__ == "__main__":
    main()
