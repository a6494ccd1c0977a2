"""A small Linux in QEMU, so that the kernel's iSCSI initiator can be tested without touching the kernel of the host.

The guest script travels through QEMU's firmware configuration, so a new test needs no new image. The functions of
`common.sh` stand before it. The script asks the host to act with a line `STEP name`, and waits until the host has
answered with a line of its own; what it runs by `run` is found by `parse_runs`. Always emulated
(tcg): /dev/kvm is there on some machines and then hangs. The guest reaches 127.9.0.0/16 of the host and nothing else.
"""

import os
import re
import selectors
import shlex
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from tests.system.peers import CACHE, require, require_file

HOST = "127.9.0.1"
"""The host's loopback under an address that the guest routes to it."""
SCRIPTS = Path(__file__).parent
COMMON = SCRIPTS / "common.sh"
KERNEL_OPTIONS = "console=ttyS0 quiet panic=-1 no_timer_check"
"""Its check of the timer takes a host that is busy for broken hardware, and panics."""


class GuestError(AssertionError):
    """The guest failed, or did not get there in time; the message ends with its console."""


@dataclass(frozen=True, slots=True)
class Run:
    """What a command in the guest did."""

    code: int
    text: str


def parse_runs(console: str) -> dict[str, Run]:
    """Every command that the guest ran by `run`, by its name."""
    found = re.findall(r"^<<< (\S+)\n(.*?)^>>> (\d+)$", console, re.MULTILINE | re.DOTALL)
    return {name: Run(int(code), text) for name, text, code in found}


@dataclass(slots=True)
class Guest:
    """A running guest. Use it as a context: leaving ends it."""

    script: Path
    variables: Mapping[str, str]
    """What the script finds as shell variables."""
    directory: Path
    image: Path = CACHE / "vm"
    """The folder with its kernel and its file system."""
    more_files: Path | None = None
    """A cpio archive whose files are laid over those of the image."""
    memory_mib: int = 512
    forwards: Mapping[int, int] = field(default_factory=dict)
    """Ports of the host's 127.0.0.1 that lead to ports of the guest."""
    console: list[str] = field(default_factory=list)
    process: subprocess.Popen[bytes] = field(init=False)
    _unread: bytes = b""

    def __enter__(self) -> Self:
        given = "".join(f"{name}={shlex.quote(value)}\n" for name, value in self.variables.items())
        script = self.directory / "guest.sh"
        script.write_text(given + COMMON.read_text() + self.script.read_text())
        kernel, files = (require_file(self.image / name) for name in ("vmlinuz", "initramfs.cpio"))
        if self.more_files is not None:
            both = self.directory / "initramfs.cpio"
            both.write_bytes(files.read_bytes() + self.more_files.read_bytes())
            files = both
        forwards = "".join(f",hostfwd=tcp:127.0.0.1:{ours}-10.0.2.15:{its}" for ours, its in self.forwards.items())
        self.process = subprocess.Popen(
            [
                require("qemu-system-x86_64"),
                *("-M", "q35", "-accel", "tcg", "-cpu", "max", "-m", str(self.memory_mib)),
                *("-nodefaults", "-nographic", "-no-reboot", "-serial", "stdio"),
                *("-kernel", str(kernel), "-initrd", str(files), "-append", KERNEL_OPTIONS),
                *("-fw_cfg", f"name=opt/guest,file={script}"),
                *("-netdev", f"user,id=n0,ipv6=off{forwards}", "-device", "virtio-net-pci,romfile=,netdev=n0"),
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout):
            assert pipe is not None
            pipe.close()

    def wait_for_step(self, name: str, *, timeout_s: float = 60) -> str:
        """Wait until the guest asks for this step; returns what else stands on its line."""
        line = self._wait_for(f"STEP {name}", timeout_s)
        return line.removeprefix(f"STEP {name}").strip()

    def answer(self, text: str = "") -> None:
        """Let a guest that waits in a step go on."""
        assert self.process.stdin is not None
        self.process.stdin.write(text.encode() + b"\n")
        self.process.stdin.flush()

    def finish(self, *, timeout_s: float = 60) -> str:
        """Wait for the end of the guest script, which must succeed; returns the whole console."""
        line = self._wait_for("GUEST EXIT", timeout_s)
        if line != "GUEST EXIT 0":
            raise GuestError(self._told(line))
        return "\n".join(self.console)

    def _wait_for(self, start: str, timeout_s: float) -> str:
        end = time.monotonic() + timeout_s
        while True:
            line = self._line(end)
            if line is None:
                raise GuestError(self._told(f"no line {start!r} within {timeout_s} s"))
            self.console.append(line)
            if line.startswith(start):
                return line
            if line.startswith("GUEST EXIT"):
                raise GuestError(self._told(f"{line} before {start!r}"))

    def _line(self, end: float) -> str | None:
        """The next console line; None when the time is up or the machine has ended."""
        assert self.process.stdout is not None
        with selectors.DefaultSelector() as selector:
            selector.register(self.process.stdout, selectors.EVENT_READ)
            while b"\n" not in self._unread:
                if not selector.select(max(0.0, end - time.monotonic())):
                    return None
                part = os.read(self.process.stdout.fileno(), 65536)
                if not part:
                    return None
                self._unread += part
        line, _, self._unread = self._unread.partition(b"\n")
        return line.decode(errors="replace").strip("\r")

    def _told(self, what: str) -> str:
        return "\n".join([what, *self.console[-60:]])
