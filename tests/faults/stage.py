"""What every fault needs: a NAS of its own, initiators that write to it, and an administrator who listens."""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import httpx
import pytest

from tests.faults.workload import Writer
from tests.system.initiator import Initiator
from tests.system.nas import Nas, Share, wait_until
from tests.system.peers import fio, missing
from tests.system.test_load import errors
from tests.system.wire import InitiatorError

VOLUMES = "/api/v1/volumes"
FIO_SIZE = "32M"
READ_BACK_BYTES = 1 << 20
TOLD_TO_END = 128
"""Exit code of fio after a signal."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What became of a fault, for the table."""

    tried: str
    saw: str
    """By initiators."""
    told: str
    """To the administrator."""
    kept: str
    """Of what was confirmed."""


class Listener(threading.Thread):
    """Remembers every event that the NAS tells, over restarts."""

    def __init__(self, nas: Nas) -> None:
        super().__init__(daemon=True)
        self.nas = nas
        self.kinds: list[str] = []
        self.enough = threading.Event()

    def run(self) -> None:
        """Listen until told to stop."""
        last = ""
        with httpx.Client(base_url=self.nas.client.base_url, auth=self.nas.client.auth, trust_env=False) as client:
            while not self.enough.is_set():
                with contextlib.suppress(httpx.HTTPError):
                    headers = {"Last-Event-ID": last} if last else {}
                    with client.stream("GET", "/api/v1/events", headers=headers, timeout=20) as stream:
                        for line in stream.iter_lines():
                            field, _, value = line.partition(": ")
                            last = value if field == "id" else last
                            if field == "event":
                                self.kinds.append(value)
                            if self.enough.is_set():
                                return
                self.enough.wait(0.1)


class Stage:
    """One fault's surroundings. `thorough`: the long form."""

    def __init__(self, folder: Path, *, thorough: bool) -> None:
        self.folder = folder
        self.thorough = thorough
        self.nas = Nas(folder / "nas")
        self.listener: Listener | None = None
        self.undo = contextlib.ExitStack()
        self._seeds = count(1)

    def start(self, **settings: str) -> Nas:
        """The NAS, with these variables of the environment."""
        self.nas.settings |= settings
        self.nas.start()
        self.listener = Listener(self.nas)
        self.listener.start()
        time.sleep(0.2)
        return self.nas

    def writer(self, share: Share, *, loose: bool = False) -> Writer:
        """A writer at work; a loose one synchronizes nothing."""
        number = next(self._seeds)
        writer = Writer(share, seed=number, name=f"writer{number}", loose=loose)
        writer.start()
        self.undo.callback(writer.enough.set)
        return writer

    def fio(self, volume: str = "default") -> "Fio":
        """fio at work on a share of its own: it writes and verifies until `finish`."""
        running = Fio(self.nas, self.nas.create("fio", size=FIO_SIZE, volume=volume))
        self.undo.callback(running.process.kill)
        # It comes back by itself once it has a session, and not before.
        wait_until(lambda: self.nas.sessions(running.share), timeout_s=60, what="fio's login")
        return running

    def told(self, kind: str, *, timeout_s: float = 20) -> str:
        """Wait until an event of this kind was told."""
        assert self.listener is not None
        kinds = self.listener.kinds
        wait_until(lambda: kind in kinds, timeout_s=timeout_s, what=f"the event {kind} (told: {kinds[-20:]})")
        return kind

    def problems(self) -> list[str]:
        """What the NAS says does not work: kind and reason."""
        return [
            f"{each['kind']}: {each['reason']}" for each in self.nas.answer("GET", path="/api/v1/problems")["items"]
        ]

    def wait_for_problem(self, text: str, *, timeout_s: float = 20) -> str:
        """Wait until a problem with this text is told; returns it. Health says the same."""
        found: list[str] = []

        def there() -> bool:
            found[:] = [each for each in self.problems() if text in each]
            return bool(found)

        wait_until(there, timeout_s=timeout_s, what=f"the problem {text!r}")
        assert self.nas.answer("GET", path="/api/v1/health")["status"] == "degraded"
        return found[0]

    def wait_for_no_problem(self, kind: str, *, timeout_s: float = 20) -> None:
        """Wait until no problem of this kind is left."""
        wait_until(
            lambda: not any(each.startswith(f"{kind}:") for each in self.problems()),
            timeout_s=timeout_s,
            what=f"the end of the problem {kind}",
        )

    def volume(self, path: Path, name: str = "other") -> str:
        """A volume at this place."""
        body = {"name": name, "path": str(path), "overcommit_factor": 100}
        response = self.nas.client.post(VOLUMES, json=body)
        assert response.status_code == 201, response.text
        return name

    def mount_memory(self, at: Path, size: str) -> Path:
        """A small file system in memory."""
        at.mkdir(parents=True, exist_ok=True)
        done = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "lunaport-fault", at], capture_output=True)
        if done.returncode:
            pytest.skip(f"a file system cannot be mounted here: {done.stderr.decode().strip()}")
        self.undo.callback(lambda: subprocess.run(["umount", "-l", at], check=False))
        return at

    def wait_until_served(self, share: Share) -> None:
        """Wait until the share takes logins and has its disk."""

        def served() -> bool:
            try:
                with Initiator(share.host, share.port, share.iqn) as initiator:
                    return initiator.capacity_bytes() == share.size_bytes
            except (InitiatorError, OSError):
                return False

        wait_until(served, timeout_s=15, what="the disk")

    def close(self) -> None:
        """End everything; the log must be clean."""
        if self.listener is not None:
            self.listener.enough.set()
        try:
            self.nas.stop()
        finally:
            self.nas.destroy()
            self.undo.close()
            self.nas.client.close()


class Fio:
    """fio with libiscsi: it reads back what it wrote all along, and comes back by itself when it loses its session."""

    def __init__(self, nas: Nas, share: Share) -> None:
        self.nas = nas
        self.share = share
        command = fio(
            share.url(),
            "--rw=randwrite", "--bs=4k", f"--size={share.size_bytes}", "--time_based", "--runtime=86400",
            "--verify=crc32c", "--verify_fatal=1", "--verify_backlog=64", "--output-format=json",
        )  # fmt: skip
        self.process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            restore_signals=False,  # a connection that the NAS has closed is an error for libiscsi, and no SIGPIPE
        )

    def finish(self) -> str:
        """End it: no error, and every block it read back was right; returns how much it did."""
        assert self.process.poll() is None, f"it ended with {self.process.poll()}: {self.process.communicate()[0]}"
        wait_until(self._has_read_back, timeout_s=60, what="something that fio reads back")
        self.process.send_signal(signal.SIGINT)
        printed, _ = self.process.communicate(timeout=120)
        assert self.process.returncode in (0, TOLD_TO_END), printed[-3000:]
        assert errors(printed) == 0
        job = json.loads(printed[printed.index("{") :])["jobs"][0]
        written, verified = int(job["write"]["total_ios"]), int(job["read"]["total_ios"])
        assert verified > 0, f"{written} writes, and nothing was read back"
        return f"{written} writes of fio, {verified} of them read back"

    def _has_read_back(self) -> bool:
        try:
            return any(session["bytes_read"] > READ_BACK_BYTES for session in self.nas.sessions(self.share))
        except httpx.TransportError:
            return True  # nobody tells; what fio prints at its end does


class FailingDisk:
    """A mounted file system that fails as told (`tests.faults.disk`)."""

    def __init__(self, stage: Stage) -> None:
        self.root, self.at, self.flags = (stage.folder / name for name in ("root", "disk", "flags"))
        for folder in (self.root, self.at, self.flags):
            folder.mkdir()
        if shutil.which("fusermount3") is None:
            missing("fuse3 is not installed")
        if not Path("/dev/fuse").exists():
            pytest.skip("/dev/fuse is not there: this kernel, or this container, has no FUSE")
        self.process: subprocess.Popen[bytes] | None = None
        self.mount()
        stage.undo.callback(self.cut)

    def mount(self) -> None:
        """Begin to serve."""
        words = [sys.executable, "-m", "tests.faults.disk", *map(str, (self.root, self.at, self.flags))]
        self.process = subprocess.Popen(words, stdin=subprocess.DEVNULL)
        wait_until(self.at.is_mount, timeout_s=10, what="the failing disk")

    def cut(self) -> None:
        """Power is lost: what was not saved is gone."""
        if self.process is not None:
            self.process.send_signal(signal.SIGKILL)
            self.process.wait()
            self.process = None
            subprocess.run(["umount", "-l", self.at], check=False, stderr=subprocess.DEVNULL)

    @contextlib.contextmanager
    def failing(self, flag: str) -> Iterator[None]:
        """The fault is there within this block."""
        (self.flags / flag).touch()
        try:
            yield
        finally:
            (self.flags / flag).unlink(missing_ok=True)


def fill(path: Path) -> None:
    """A file that takes all the space there is, to the last byte."""
    fd = os.open(path, os.O_WRONLY | os.O_CREAT)
    try:
        for size in (65536, 4096, 1):
            with contextlib.suppress(OSError):
                while True:
                    os.write(fd, bytes(size))
    finally:
        os.close(fd)


Fault = Callable[[Stage], Result]
