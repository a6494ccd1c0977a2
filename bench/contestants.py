"""The targets that are compared: each on a file of its own, of equal size and content, in the page cache."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.system.nas import Nas, free_port, session_pids
from tests.system.peers import CACHE

TICKS_PER_S = os.sysconf("SC_CLK_TCK")
BLOCK = bytes(range(256)) * 4096
START_TIMEOUT_S = 10.0
DIGESTS_BYTES = 512 << 20
"""A share with digests uses them with every initiator that can: it is one of its own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Contestant:
    """A target that runs. `digest_url`: where it uses header and data digests; empty: it does not."""

    name: str
    url: str
    file: Path
    pids: Callable[[], list[int]]
    digest_url: str = ""

    def cpu_s(self) -> float:
        """CPU time of all its processes so far, user and system."""
        total = 0
        for pid in self.pids():
            fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
            total += int(fields[11]) + int(fields[12])
        return total / TICKS_PER_S

    def cool(self) -> None:
        """Take its file out of the page cache."""
        with self.file.open("rb") as file:
            os.fsync(file.fileno())
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def fill(path: Path, size_bytes: int) -> None:
    """Write every block of a file, so that reads find data and writes find room; then let the disk rest."""
    with path.open("r+b" if path.exists() else "wb") as file:
        for _ in range(size_bytes // len(BLOCK)):
            file.write(BLOCK)
        file.flush()
        os.fsync(file.fileno())


@contextmanager
def lunaport(directory: Path, size_bytes: int) -> Iterator[Contestant]:
    """Lunaport, as `lunaport serve` starts it; a second share has digests."""
    nas = Nas(directory / "lunaport")
    try:
        nas.start()
        share = nas.create("bench", size=str(size_bytes))
        with_digests = nas.create("digests", size=str(DIGESTS_BYTES), header_digest=True, data_digest=True)
        fill(nas.file_of(share), size_bytes)
        fill(nas.file_of(with_digests), DIGESTS_BYTES)
        yield Contestant(
            name="lunaport",
            url=share.url(),
            file=nas.file_of(share),
            pids=lambda: list(nas.pids()),
            digest_url=with_digests.url(),
        )
        nas.stop()
    finally:
        nas.destroy()
        nas.client.close()


@contextmanager
def tgtd(directory: Path, size_bytes: int) -> Iterator[Contestant]:
    """tgtd, with the settings it comes with; a second target on the same file has digests."""
    port, file = free_port(), directory / "tgtd.img"
    fill(file, size_bytes)
    programs = CACHE / "peers" / "usr" / "sbin"
    environment = os.environ | {"TGT_IPC_SOCKET": str(directory / "tgtd.socket")}
    names = {tid: f"iqn.2026-11.test.lunaport:tgtd{tid}" for tid in (1, 2)}

    def tgtadm(*words: str) -> bool:
        command = [str(programs / "tgtadm"), "--lld", "iscsi", "--op", *words]
        return subprocess.run(command, env=environment, capture_output=True, check=False).returncode == 0

    command = [str(programs / "tgtd"), "-f", "--iscsi", f"portal=127.0.0.1:{port}"]
    with process(command, directory / "tgtd.log", environment) as pid:
        wait(lambda: tgtadm("new", "--mode", "target", "--tid", "1", "--targetname", names[1]), directory / "tgtd.log")
        done = tgtadm("new", "--mode", "target", "--tid", "2", "--targetname", names[2])
        for tid in names:
            unit = ("--mode", "logicalunit", "--tid", str(tid), "--lun", "1", "--backing-store", str(file))
            done = done and tgtadm("new", *unit)
            done = done and tgtadm("bind", "--mode", "target", "--tid", str(tid), "--initiator-address", "ALL")
        for key in ("HeaderDigest", "DataDigest"):
            done = done and tgtadm("update", "--mode", "target", "--tid", "2", "--name", key, "--value", "CRC32C")
        if not done:
            raise RuntimeError(f"tgtd does not take its targets:\n{(directory / 'tgtd.log').read_text()}")
        url, digest_url = (f"iscsi://127.0.0.1:{port}/{name}/1" for name in names.values())
        yield Contestant(name="tgtd", url=url, file=file, pids=lambda: session_pids(pid), digest_url=digest_url)


@contextmanager
def floor(directory: Path, size_bytes: int) -> Iterator[Contestant]:
    """A loop in C around the system calls that no target can do without (`floor.c`)."""
    port, file = free_port(), directory / "floor.img"
    fill(file, size_bytes)
    command = [sys.executable, "-m", "bench.floor", str(port), str(file), str(CACHE / "peers" / "floor.so")]
    with process(command, directory / "floor.log", dict(os.environ)) as pid:
        wait(lambda: listens(port), directory / "floor.log")
        yield Contestant(
            name="floor",
            url=f"iscsi://127.0.0.1:{port}/iqn.2026-11.test.lunaport:floor/0",
            file=file,
            pids=lambda: [pid],
        )


ISTGT = """\
[Global]
  NodeBase "iqn.2026-11.test.lunaport"
  PidFile {directory}/istgt.pid
  AuthFile {directory}/istgt.auth
  MediaDirectory {directory}
  Timeout 30
  NopInInterval 20
  DiscoveryAuthMethod None
  MaxSessions 32
  MaxConnections 8
  FirstBurstLength 262144
  MaxBurstLength 1048576
  MaxRecvDataSegmentLength 262144
  InitialR2T Yes
  ImmediateData Yes
[UnitControl]
  AuthMethod None
[PortalGroup1]
  Portal DA1 127.0.0.1:{port}
[InitiatorGroup1]
  InitiatorName "ALL"
  Netmask 127.0.0.0/8
[LogicalUnit1]
  TargetName istgt
  Mapping PortalGroup1 InitiatorGroup1
  AuthMethod None
  UnitType Disk
  QueueDepth 64
  LUN0 Storage {file} {size_bytes}
"""


@contextmanager
def istgt(directory: Path, size_bytes: int) -> Iterator[Contestant]:
    """istgt, a C target with a thread for each connection and one for each unit; its example's settings."""
    port, file = free_port(), directory / "istgt.img"
    fill(file, size_bytes)
    settings = directory / "istgt.conf"
    settings.write_text(ISTGT.format(directory=directory, port=port, file=file, size_bytes=size_bytes))
    (directory / "istgt.auth").touch(mode=0o600)
    command = [str(CACHE / "peers" / "usr" / "sbin" / "istgt"), "-D", "-c", str(settings)]
    with process(command, directory / "istgt.log", dict(os.environ)) as pid:
        wait(lambda: listens(port), directory / "istgt.log")
        url = f"iscsi://127.0.0.1:{port}/iqn.2026-11.test.lunaport:istgt/0"
        yield Contestant(name="istgt", url=url, file=file, pids=lambda: [pid])


CONTESTANTS = {"lunaport": lunaport, "tgtd": tgtd, "floor": floor, "istgt": istgt}


@contextmanager
def process(command: list[str], log: Path, environment: dict[str, str]) -> Iterator[int]:
    """A program in a session of its own, its output in a file; killed at the end (tgtd ignores SIGTERM)."""
    with log.open("wb") as output:
        running = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, env=environment, start_new_session=True
        )
    try:
        yield running.pid
    finally:
        running.kill()
        running.wait()


def wait(ready: Callable[[], bool], log: Path) -> None:
    """Wait until a program is there. Raises RuntimeError with what it said."""
    end = time.monotonic() + START_TIMEOUT_S
    while not ready():
        if time.monotonic() > end:
            raise RuntimeError(f"it does not start:\n{log.read_text(errors='replace')}")
        time.sleep(0.2)


def listens(port: int) -> bool:
    """Whether something listens on a port of 127.0.0.1."""
    wanted = f"0100007F:{port:04X} 00000000:0000 0A"
    return any(wanted in line for line in Path("/proc/net/tcp").read_text().splitlines())
