"""What an idle NAS costs."""

import time
from pathlib import Path

import pytest

from tests.system.conftest import StartNas
from tests.system.nas import resident_bytes

IDLE_BYTES_MAX = 200 << 20


def cpu_seconds(pids: list[int]) -> float:
    """CPU time these processes have used, in seconds."""
    return sum(time_of(pid) for pid in pids)


def time_of(pid: int) -> float:
    """CPU time of one process, user and system, in seconds."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / 100


@pytest.mark.alone
def test_an_idle_nas_is_small_and_quiet(start_nas: StartNas) -> None:
    nas = start_nas()
    for number in range(5):
        nas.create(f"idle-{number}")
    pids = list(nas.pids())
    assert len(pids) >= 3, "supervisor, control and data"
    sizes = {f"{role} {pid}": resident_bytes(pid) for pid, role in nas.pids().items()}
    assert sum(sizes.values()) < IDLE_BYTES_MAX, {name: size >> 20 for name, size in sizes.items()}
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
    assert sum(map(resident_bytes, nas.pids())) < IDLE_BYTES_MAX + (100 << 20)
