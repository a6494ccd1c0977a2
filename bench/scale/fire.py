"""Control under fire: hundreds of API requests a second, events, sessions and metrics streamed, while a disk is read.

The API's clients are a process of their own (`askers`). On the same machine they take processors that elsewhere they
would not, so they are given the least there is (nice 19).
"""

import json
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from statistics import median
from typing import Final

from tests.system.nas import Share

from bench.scale import loads
from bench.scale.bars import Bar, Figures
from bench.scale.ground import Administrator, in_memory, nas_in
from bench.scale.loads import Load

PER_S: Final = 200
BARS: Final = (
    Bar(says="p99 of reads under fire, against none", figure="fire_p99_ratio", limit=1.3),
    Bar(says="API requests a second that are answered", figure="requests_per_s", limit=PER_S * 0.95, at_least=True),
    Bar(says="API requests that fail", figure="failed_count", limit=0),
)
READ: Final = Load(pattern="randread", block="4k", depth=1)
ROUNDS, SECONDS = 7, 3.0
TARGETS: Final = 20
SETTLE_S: Final = 1.0
"""Until the askers are at their speed."""


def measure() -> Figures:
    """Rounds with and without, in turns."""
    with nas_in(in_memory(), {}) as nas:
        administrator = Administrator(nas)
        shares = [administrator.create(f"scale-{number}") for number in range(TARGETS)]
        read = administrator.create("read", chap=False)
        rounds: list[dict[str, float]] = []
        answered = failed = asked_s = 0.0
        for number in range(ROUNDS):
            one: dict[str, float] = {}
            for state in ("alone", "fire")[:: 1 if number % 2 else -1]:
                if state == "alone":
                    one[state] = p99_us(read)
                    continue
                with asking(administrator, shares) as outcome:
                    time.sleep(SETTLE_S)
                    one[state] = p99_us(read)
                answered += outcome["answered"]
                failed += outcome["failed"]
                asked_s += outcome["seconds"]
            rounds.append(one)
    return {
        "alone_p99_us": median(one["alone"] for one in rounds),
        "fire_p99_us": median(one["fire"] for one in rounds),
        "fire_p99_ratio": median(one["fire"] / one["alone"] for one in rounds),
        "requests_per_s": answered / asked_s,
        "failed_count": failed,
    }


def p99_us(share: Share) -> float:
    """Of reads at depth 1."""
    return loads.p99_us(loads.run(READ, [share.url()], SECONDS))


@contextmanager
def asking(administrator: Administrator, shares: Sequence[Share]) -> Iterator[dict[str, float]]:
    """Askers at work within this block; after it, what became of their requests."""
    given = {
        "url": str(administrator.client.base_url),
        "token": administrator.token,
        "ids": [share.id for share in shares],
        "per_s": PER_S,
    }
    outcome: dict[str, float] = {}
    process = subprocess.Popen(
        ["nice", "-n", "19", sys.executable, "-m", "bench.scale.askers"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        process.stdin.write(json.dumps(given) + "\n")
        process.stdin.flush()
        process.stdout.readline()
        yield outcome
        printed, _ = process.communicate("", timeout=60)
        outcome |= json.loads(printed)
    finally:
        process.kill()
        process.wait()
