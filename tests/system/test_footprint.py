"""What an idle NAS costs."""

import time
from pathlib import Path

import pytest

from tests.system.conftest import StartNas
from tests.system.nas import Nas, resident_bytes, wait_until

IDLE_BYTES_MAX = 200 << 20
DATA_PROCESS_BYTES_MAX = 45 << 20
"""Of each data process beside the first."""


def idle_bytes_max(nas: Nas) -> int:
    """What an idle NAS may take, with the data processes that it has by now."""
    return IDLE_BYTES_MAX + DATA_PROCESS_BYTES_MAX * sum(role.startswith("data-") for role in nas.pids().values())


def cpu_seconds(pids: list[int]) -> float:
    """CPU time these processes have used, in seconds."""
    return sum(time_of(pid) for pid in pids)


def time_of(pid: int) -> float:
    """CPU time of one process, user and system, in seconds."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / 100


def is_quiet(nas: Nas) -> bool:
    """Whether no process is being started any more."""
    before = cpu_seconds(list(nas.pids()))
    time.sleep(1)
    return cpu_seconds(list(nas.pids())) - before < 0.1


@pytest.mark.alone
def test_an_idle_nas_is_small_and_quiet(start_nas: StartNas) -> None:
    nas = start_nas()
    assert sorted(nas.pids().values()) == ["control", "data", "supervisor"], "no process that nobody needs"
    for number in range(5):
        nas.create(f"idle-{number}")
    wait_until(lambda: is_quiet(nas), timeout_s=60, what="the start of the processes that are needed")
    pids = list(nas.pids())
    sizes = {f"{role} {pid}": resident_bytes(pid) for pid, role in nas.pids().items()}
    assert sum(sizes.values()) < idle_bytes_max(nas), {name: size >> 20 for name, size in sizes.items()}
    before = cpu_seconds(pids)
    time.sleep(3)
    assert cpu_seconds(pids) - before < 0.3, "an idle NAS must not spin"


def test_five_hundred_shares_start_and_fit(start_nas: StartNas) -> None:
    nas = start_nas()
    for number in range(500):
        nas.create(f"many-{number}", size="1M")
    nas.stop()
    nas.start()
    assert len(nas.shares()) == 500
    assert sum(map(resident_bytes, nas.pids())) < idle_bytes_max(nas) + (100 << 20)
