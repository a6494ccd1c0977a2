"""The two targets that are compared: each on a file of its own, of equal size and content, in the page cache."""

import os
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.system.nas import Nas, free_port, session_pids
from tests.system.peers import CACHE

TICKS_PER_S = os.sysconf("SC_CLK_TCK")
BLOCK = bytes(range(256)) * 4096


@dataclass(frozen=True, slots=True, kw_only=True)
class Contestant:
    """A target that runs."""

    name: str
    url: str
    pids: Callable[[], list[int]]

    def cpu_s(self) -> float:
        """CPU time of all its processes so far, user and system."""
        total = 0
        for pid in self.pids():
            fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
            total += int(fields[11]) + int(fields[12])
        return total / TICKS_PER_S


def fill(path: Path, size_bytes: int) -> None:
    """Write every block of a file, so that reads find data and writes find room; then let the disk rest."""
    with path.open("r+b" if path.exists() else "wb") as file:
        for _ in range(size_bytes // len(BLOCK)):
            file.write(BLOCK)
        file.flush()
        os.fsync(file.fileno())


@contextmanager
def lunaport(directory: Path, size_bytes: int) -> Iterator[Contestant]:
    """Lunaport, as `lunaport serve` starts it."""
    nas = Nas(directory / "lunaport")
    try:
        nas.start()
        share = nas.create("bench", size=str(size_bytes))
        fill(nas.file_of(share), size_bytes)
        yield Contestant(name="lunaport", url=share.url(), pids=lambda: list(nas.pids()))
        nas.stop()
    finally:
        nas.destroy()
        nas.client.close()


@contextmanager
def tgtd(directory: Path, size_bytes: int) -> Iterator[Contestant]:
    """tgtd, with the settings it comes with."""
    port, file = free_port(), directory / "tgtd.img"
    fill(file, size_bytes)
    programs = CACHE / "tgt" / "usr" / "sbin"
    environment = os.environ | {"TGT_IPC_SOCKET": str(directory / "tgtd.socket")}
    with (directory / "tgtd.log").open("wb") as log:
        process = subprocess.Popen(
            [str(programs / "tgtd"), "-f", "--iscsi", f"portal=127.0.0.1:{port}"],
            stdout=log,
            stderr=log,
            env=environment,
            start_new_session=True,
        )

    def tgtadm(*words: str) -> bool:
        command = [str(programs / "tgtadm"), "--lld", "iscsi", "--op", *words]
        return subprocess.run(command, env=environment, capture_output=True, check=False).returncode == 0

    name = "iqn.2026-11.test.lunaport:tgtd"
    try:
        end = time.monotonic() + 10
        while not tgtadm("new", "--mode", "target", "--tid", "1", "--targetname", name):
            if time.monotonic() > end:
                raise RuntimeError(f"tgtd does not start:\n{(directory / 'tgtd.log').read_text()}")
            time.sleep(0.2)
        if not tgtadm("new", "--mode", "logicalunit", "--tid", "1", "--lun", "1", "--backing-store", str(file)):
            raise RuntimeError("tgtd does not take its file")
        if not tgtadm("bind", "--mode", "target", "--tid", "1", "--initiator-address", "ALL"):
            raise RuntimeError("tgtd does not open its target")
        url = f"iscsi://127.0.0.1:{port}/{name}/1"
        yield Contestant(name="tgtd", url=url, pids=lambda: session_pids(process.pid))
    finally:
        process.kill()  # it ignores SIGTERM while it has targets
        process.wait()
