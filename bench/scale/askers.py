"""Clients of the API: `python -m bench.scale.askers`. A line on standard input says what to ask; its end ends them.

They ask so many times a second, however long answers take, and listen to events besides. A line is printed when they
begin, and in the end what became of the requests.
"""

import asyncio
import json
import sys
import time
from collections.abc import Mapping
from typing import Any, Final

import httpx
from tests.system.nas import SERVICE, SHARES

GETS: Final = (SHARES, "/api/v1/targets?limit=100", "/api/v1/health", "/api/v1/sessions", SERVICE)
"""Asked for in turns; every tenth request changes a share."""
STATISTICS_S: Final = 1.0
"""How often metrics and sessions are looked at besides, as Prometheus and the page do."""
TICK_S: Final = 0.005
UNDER_WAY_MAX: Final = 256
"""Requests; a NAS that falls behind further than this is not asked more."""


class Askers:
    """What is asked, and what came of it."""

    def __init__(self, client: httpx.AsyncClient, ids: list[int], per_s: float) -> None:
        self.client = client
        self.ids = ids
        self.per_s = per_s
        self.answered = self.failed = 0
        self.under_way: set[asyncio.Task[None]] = set()

    async def ask(self, number: int) -> None:
        """One request."""
        try:
            if number % 10:
                response = await self.client.get(GETS[number % len(GETS)])
            else:
                body = {"id": self.ids[number // 10 % len(self.ids)], "data-digest": number % 20 == 0}
                response = await self.client.put(SHARES, json=body)
        except httpx.HTTPError:
            self.failed += 1
        else:
            self.answered += response.is_success
            self.failed += not response.is_success

    async def ask_on(self, enough: asyncio.Event) -> float:
        """Ask until it is enough; returns how many seconds."""
        begin, number = time.monotonic(), 0
        while not enough.is_set():
            due = int((time.monotonic() - begin) * self.per_s)
            for each in range(number, due):
                if len(self.under_way) < UNDER_WAY_MAX:
                    task = asyncio.create_task(self.ask(each))
                    self.under_way.add(task)
                    task.add_done_callback(self.under_way.discard)
            number = due
            await asyncio.sleep(TICK_S)
        took = time.monotonic() - begin
        await asyncio.gather(*self.under_way)
        return took

    async def listen(self) -> None:
        """To events."""
        async with self.client.stream("GET", "/api/v1/events", timeout=None) as stream:
            async for _ in stream.aiter_lines():
                pass

    async def look(self) -> None:
        """At statistics."""
        while True:
            for path in ("/metrics", "/api/v1/sessions"):
                await self.client.get(path)
            await asyncio.sleep(STATISTICS_S)


async def main(given: Mapping[str, Any]) -> dict[str, float]:
    """Ask until standard input ends."""
    limits = httpx.Limits(max_connections=64)
    headers = {"Authorization": f"Bearer {given['token']}"}
    async with httpx.AsyncClient(
        base_url=given["url"], headers=headers, limits=limits, timeout=30, trust_env=False
    ) as client:
        askers = Askers(client, given["ids"], given["per_s"])
        besides = [asyncio.create_task(askers.listen()), asyncio.create_task(askers.look())]
        enough = asyncio.Event()
        ending = asyncio.create_task(asyncio.to_thread(sys.stdin.read))
        ending.add_done_callback(lambda _: enough.set())
        print("asking", flush=True)
        seconds = await askers.ask_on(enough)
        for task in besides:
            task.cancel()
        await asyncio.gather(*besides, return_exceptions=True)
    return {"answered": askers.answered, "failed": askers.failed, "seconds": seconds}


if __name__ == "__main__":
    print(json.dumps(asyncio.run(main(json.loads(sys.stdin.readline())))))
