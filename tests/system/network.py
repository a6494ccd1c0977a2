"""A network of a test's own: its addresses and ports are nobody else's, and nothing leaves it."""

import ctypes
import os
import shutil
import subprocess
import threading
from collections.abc import Callable
from typing import TypeVar

import pytest

from tests.system.peers import missing

CLONE_NEWNET = 0x40000000
PATH = "/usr/sbin:/sbin:/usr/bin:/bin"

Result = TypeVar("Result")


def ip(*words: str) -> None:
    """The command ip."""
    subprocess.run(["ip", *words], check=True, env={"PATH": PATH})


def in_own_network(work: Callable[[], Result]) -> Result:
    """Run `work` where only the loopback interface is. Needs root; skips without.

    A network belongs to a thread and to the processes it starts, so `work` runs in a thread of its own.
    """
    if shutil.which("ip", path=PATH) is None:
        missing("iproute2 is not installed")
    results: list[Result] = []
    failures: list[BaseException] = []

    def run() -> None:
        try:
            if ctypes.CDLL(None, use_errno=True).unshare(CLONE_NEWNET) != 0:
                pytest.skip(f"no network of its own can be made: {os.strerror(ctypes.get_errno())}")
            ip("link", "set", "lo", "up")
            results.append(work())
        except BaseException as failure:  # noqa: BLE001 - it is raised where the caller waits
            failures.append(failure)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    if failures:
        raise failures[0]
    return results[0]
