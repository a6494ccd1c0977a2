"""The supervisor: starts control and data, starts again whichever dies or hangs, ends all when told to.

It holds what must outlive them: the lock on the data directory, the HTTP sockets (requests wait in their queue while
control restarts), the sockets on which data hears control, and the lines between the data processes (logins wait in
them while one restarts). It serves nothing itself and knows no desired state. A data process beside the first is
started when control first connects to its socket.
"""

import contextlib
import os
import resource
import selectors
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import msgspec
import structlog

from lunaport.runtime import logs
from lunaport.runtime.heartbeat import BEAT_S
from lunaport.runtime.holdings import (
    HTTP_PORT,
    HTTPS_PORT,
    SupervisorError,
    http_url,
    is_local,
    listen_control,
    listen_http,
    lock_data_directory,
    make_pair,
)
from lunaport.runtime.notify import notify, watchdog_s

log = structlog.get_logger()

STOP_TIMEOUT_S: Final = 8.0
HEALTHY_AFTER_S: Final = 2.0
"""A process that lived this long is started again at once; one that did not waits longer each time."""
RESTART_PAUSE_S_MAX: Final = 5.0
LATE_S: Final = 3 * BEAT_S
"""A supervisor that looks so late was stopped or had no processor itself: nobody's silence of that time counts."""
LAST_WORDS_S: Final = 2.0
"""How long a process that hangs has to write down where, before SIGKILL."""
PATIENCE_DOUBLINGS_MAX: Final = 4
EXIT_CONFIGURATION: Final = 78
"""Exit code of a process that cannot work with what it was given: starting it again would not help (sysexits.h)."""


@dataclass(slots=True)
class Child:
    """A process that shall run; with `wanted`, once somebody connects to that socket."""

    name: str
    command: Sequence[str] | Callable[[], Sequence[str]]
    pass_fds: Sequence[int]
    silence_s: float = 0.0
    """For how long it may give no sign of life; 0: for ever. Doubled each time it hung: a slow disk is no reason to
    be killed over and over."""
    wanted: socket.socket | None = None
    process: subprocess.Popen[bytes] | None = None
    line: socket.socket | None = None
    """The other end of its standard input: what it reads ends when we do, and it says here that it lives."""
    heard: float = 0.0
    hung: int = 0
    doomed: float | None = None
    pidfd: int = -1
    started: float = 0.0
    due: float | None = None
    pause_s: float = 0.0
    restarts: int = 0

    def start(self, now: float) -> None:
        """Start it in a process group of its own: Ctrl-C is for the supervisor."""
        command = self.command() if callable(self.command) else self.command
        self.line, theirs = socket.socketpair()
        with theirs:
            self.process = subprocess.Popen(  # noqa: S603 - the command is our own interpreter and module
                command, stdin=theirs.fileno(), pass_fds=self.pass_fds, process_group=0
            )
        self.line.setblocking(False)
        self.pidfd = os.pidfd_open(self.process.pid)
        self.started = self.heard = now
        self.due = self.doomed = None

    def ended(self, now: float) -> int:
        """Take note of its end; it is due again after a pause that grows while it dies young. Returns its exit code."""
        assert self.process is not None
        code = self.process.wait()
        if self.line is not None:
            self.line.close()
            self.line = None
        os.close(self.pidfd)
        self.process = None
        young = now - self.started < HEALTHY_AFTER_S
        self.pause_s = min(max(0.1, self.pause_s * 2), RESTART_PAUSE_S_MAX) if young else 0.0
        self.due = now + (self.pause_s if young and self.pause_s > 0.1 else 0.0)
        return code

    def hear(self, now: float) -> bool:
        """Take a sign of life; False when there will be no more."""
        assert self.line is not None
        try:
            said = self.line.recv(64)
        except BlockingIOError:
            return True
        except OSError:
            said = b""
        if said:
            self.heard = now
        return bool(said)

    def hangs(self, now: float) -> bool:
        """Whether it was silent for too long."""
        patience_s = self.silence_s * 2 ** min(self.hung, PATIENCE_DOUBLINGS_MAX)
        return bool(self.silence_s) and self.process is not None and now - self.heard > patience_s


@dataclass(slots=True)
class Supervisor:
    """The loop that watches the children."""

    children: list[Child]
    selector: selectors.BaseSelector = field(default_factory=selectors.DefaultSelector)
    stopping: bool = False
    exit_code: int = 0
    looked: float = 0.0
    systemd_due: float = 0.0

    def run(self) -> int:
        """Run until told to stop; returns the exit code."""
        signals_read, signals_write = socket.socketpair()
        for sock in (signals_read, signals_write):
            sock.setblocking(False)
        signal.set_wakeup_fd(signals_write.fileno())
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, lambda *_: None)
        self.selector.register(signals_read, selectors.EVENT_READ, None)
        self.looked = time.monotonic()
        for child in self.children:
            if child.wanted is None:
                self._start(child)
            else:
                self.selector.register(child.wanted, selectors.EVENT_READ, child)
        while not self.stopping:
            for key, _ in self.selector.select(self._timeout_s()):
                if key.data is None:
                    signals_read.recv(64)
                    self.stopping = True
                elif key.fileobj is key.data.line:
                    self._hear(key.data)
                elif key.fileobj is key.data.wanted:
                    self.selector.unregister(key.data.wanted)
                    key.data.wanted = None
                    self._start(key.data)
                else:
                    self._ended(key.data)
            for child in self.children:
                if child.due is not None and child.due <= time.monotonic() and not self.stopping:
                    self._start(child)
            self._look(time.monotonic())
        notify("STOPPING=1")
        self._stop_all(signals_read)
        signal.set_wakeup_fd(-1)
        signals_read.close()
        signals_write.close()
        self.selector.close()
        return self.exit_code

    def _start(self, child: Child) -> None:
        child.start(time.monotonic())
        assert child.line is not None
        self.selector.register(child.pidfd, selectors.EVENT_READ, child)
        self.selector.register(child.line, selectors.EVENT_READ, child)

    def _hear(self, child: Child) -> None:
        assert child.line is not None
        if not child.hear(time.monotonic()):
            self.selector.unregister(child.line)

    def _forget(self, child: Child) -> None:
        """It has ended: nothing more comes of it."""
        self.selector.unregister(child.pidfd)
        with contextlib.suppress(KeyError):  # its line may have ended before
            self.selector.unregister(child.line or -1)

    def _look(self, now: float) -> None:
        """See who hangs, and tell systemd that we do not."""
        late, self.looked = now - self.looked > LATE_S, now
        for child in self.children:
            if late:
                child.heard = now
            if child.doomed is None and child.hangs(now):
                child.doomed = now + LAST_WORDS_S
                child.hung += 1
                log.error("process hangs and is killed", process=child.name, silent_s=round(now - child.heard))
                self._signal(child, signal.SIGABRT)
            elif child.doomed is not None and child.doomed <= now:
                self._signal(child, signal.SIGKILL)
        if now >= self.systemd_due and watchdog_s():
            notify("WATCHDOG=1")
            self.systemd_due = now + watchdog_s() / 3

    def _signal(self, child: Child, number: signal.Signals) -> None:
        if child.process is not None:
            child.process.send_signal(number)

    def _ended(self, child: Child) -> None:
        self._forget(child)
        code = child.ended(time.monotonic())
        if code == EXIT_CONFIGURATION and not child.restarts:
            self.stopping = True
            self.exit_code = EXIT_CONFIGURATION
        else:
            # What worked once goes on being tried: while control cannot start, the disks are served all the same.
            child.restarts += 1
            log.error("process ended and is started again", process=child.name, exit_code=code)

    def _timeout_s(self) -> float | None:
        now = time.monotonic()
        due = [child.due for child in self.children if child.due is not None]
        if any(child.silence_s for child in self.children):
            due.append(now + BEAT_S)
        if watchdog_s():
            due.append(self.systemd_due)
        return max(0.0, min(due) - now) if due else None

    def _stop_all(self, signals_read: socket.socket) -> None:
        """SIGTERM to all, SIGKILL to those that do not end in time, or at a second signal."""
        for child in self.children:
            if child.wanted is not None:
                self.selector.unregister(child.wanted)
        running = [child for child in self.children if child.process is not None]
        for child in running:
            assert child.process is not None
            child.process.terminate()
        deadline = time.monotonic() + STOP_TIMEOUT_S
        while running and time.monotonic() < deadline:
            for key, _ in self.selector.select(max(0.0, deadline - time.monotonic())):
                if key.data is None:
                    signals_read.recv(64)
                    deadline = 0.0
                elif key.fileobj is key.data.line:
                    self._hear(key.data)
                else:
                    self._forget(key.data)
                    key.data.ended(time.monotonic())
                    running.remove(key.data)
        for child in running:
            assert child.process is not None
            log.error("process did not end in time and is killed", process=child.name)
            child.process.kill()
            child.ended(time.monotonic())


class SupervisorOptions(msgspec.Struct, kw_only=True, frozen=True):
    """The settings, as `lunaport serve` found them (`runtime.settings` says what they mean)."""

    data_dir: str
    http: tuple[str, ...]
    https: tuple[str, ...] = ()
    https_certificate: str = ""
    https_key: str = ""
    plain_http: bool = False
    portals: tuple[str, ...]
    log_level: str = "info"
    log_format: str = "text"
    iqn_prefix: str
    trash_days: float
    audit_days: float
    http_requests_per_s: float
    data_silence_s: float
    control_silence_s: float
    limits: dict[str, int] = {}
    """For the data process, which knows what they mean."""
    set_aside_database: bool = False
    data_processes: int = 1


def run(options: SupervisorOptions) -> int:
    """Run the NAS until SIGTERM or Ctrl-C; returns the exit code. Raises SupervisorError when it cannot start."""
    data_dir = Path(options.data_dir)
    lock_fd = lock_data_directory(data_dir)
    # Plain HTTP beyond this machine only leads to HTTPS, unless it is asked for.
    leading = [each for each in options.http if options.https and not options.plain_http and not is_local(each)]
    sockets = {
        "http": [listen_http(address, HTTP_PORT) for address in options.http if address not in leading],
        "https": [listen_http(address, HTTPS_PORT) for address in options.https],
        "redirect": [listen_http(address, HTTP_PORT) for address in leading],
    }
    http_sockets = [sock for group in sockets.values() for sock in group]
    directory_fd = os.open(data_dir, os.O_RDONLY | os.O_DIRECTORY)
    # Through the descriptor the paths are short whatever the data directory's is (sun_path holds 108 bytes).
    folder = f"/proc/self/fd/{directory_fd}"
    names = [f"data-{number}.sock" if number else "data.sock" for number in range(options.data_processes)]
    control_sockets = [listen_control(f"{folder}/{name}") for name in names]
    lines = {number: make_pair() for number in range(1, options.data_processes)}
    logging = {"log_level": options.log_level, "log_format": options.log_format}
    data = data_children(control_sockets, lines, {"limits": options.limits, **logging}, options.data_silence_s)
    control = {
        "data_dir": options.data_dir,
        "http_fds": {scheme: [sock.fileno() for sock in group] for scheme, group in sockets.items()},
        "http_urls": [http_url(sock, scheme) for scheme in ("https", "http") for sock in sockets[scheme]],
        "https_certificate": options.https_certificate,
        "https_key": options.https_key,
        "engine_sockets": [f"{folder}/{name}" for name in names],
        "portals": options.portals,
        "iqn_prefix": options.iqn_prefix,
        "trash_days": options.trash_days,
        "audit_days": options.audit_days,
        "http_requests_per_s": options.http_requests_per_s,
        "set_aside_database": options.set_aside_database,
        **logging,
    }

    def control_command() -> list[str]:
        running = [number for number, child in enumerate(data) if child.wanted is None]
        return command("control", control | {"engine_running": running})

    http_fds = [sock.fileno() for sock in http_sockets]
    # Their memory holds secrets: a core file would too.
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    children = [*data, Child("control", control_command, [directory_fd, *http_fds], options.control_silence_s)]
    supervisor = Supervisor(children)
    try:
        return supervisor.run()
    finally:
        for name in names:
            with contextlib.suppress(OSError):  # the next start replaces it
                Path(data_dir, name).unlink()
        for sock in (*control_sockets, *http_sockets, *(end for pair in lines.values() for end in pair)):
            sock.close()
        os.close(directory_fd)
        os.close(lock_fd)


def data_children(
    control_sockets: Sequence[socket.socket],
    lines: Mapping[int, tuple[socket.socket, socket.socket]],
    options: Mapping[str, object],
    silence_s: float,
) -> list[Child]:
    """The data processes. `lines`: both ends of the line between process 0 and each other."""
    children = []
    for number, sock in enumerate(control_sockets):
        ends = {0: lines[number][1]} if number else {other: pair[0] for other, pair in lines.items()}
        place = {
            "number": number,
            "count": len(control_sockets),
            "lines": {other: end.fileno() for other, end in ends.items()},
        }
        children.append(
            Child(
                f"data-{number}" if number else "data",
                command("data", {"control_fd": sock.fileno(), **place, **options}),
                [sock.fileno(), *(end.fileno() for end in ends.values())],
                silence_s,
                wanted=sock if number else None,
            )
        )
    return children


def command(process: str, options: Mapping[str, object]) -> list[str]:
    """The command line of a child. Ended because it hangs, it writes down where (faulthandler)."""
    return [
        sys.executable,
        "-X",
        "faulthandler",
        "-m",
        f"lunaport.runtime.{process}",
        msgspec.json.encode(options).decode(),
    ]


def main() -> None:
    """The entry of `python -m lunaport.runtime.supervisor OPTIONS`."""
    options = msgspec.json.decode(sys.argv[1], type=SupervisorOptions)
    logs.configure(options.log_level, options.log_format)
    try:
        sys.exit(run(options))
    except SupervisorError as error:
        sys.stderr.write(f"lunaport: {error}\n")
        sys.exit(1)


if __name__ == "__main__":
    main()
