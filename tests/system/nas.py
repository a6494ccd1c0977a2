"""The NAS as its users have it: `lunaport serve` in a process of its own, and the NAS API through HTTP."""

import contextlib
import json
import os
import re
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import httpx

from tests.system import secret_search
from tests.system.secret_search import EXAMPLES, search, secrets_in

SHARES = "/index.php/iscsi_shares/api"
SERVICE = "/index.php/iscsi_service/api"
PASSWORD = "only-for-tests"

DATA_PROCESSES = os.environ.get("TEST_DATA_PROCESSES", "")
"""Of every NAS whose test does not say how many; empty: the usual number."""

Json = dict[str, Any]


def free_port(host: str = "127.0.0.1") -> int:
    """A port nobody listens on, outside the range the kernel gives to clients."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    while True:
        port = 10_000 + secrets.randbelow(20_000)
        with socket.socket(family) as probe, contextlib.suppress(OSError):
            probe.bind((host, port))
            return port


BUSY: Final = 4
"""So many times slower may a machine be that does other things too."""


def wait_until(condition: Callable[[], object], *, timeout_s: float, what: str) -> None:
    """Wait until `condition` holds; fails with `what` when it does not within `timeout_s` on an idle machine."""
    end = time.monotonic() + timeout_s * BUSY
    while not condition():
        assert time.monotonic() < end, f"{what}: not within {timeout_s * BUSY} s"
        time.sleep(0.05)


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """A share as the NAS answered it, and where to log in to it."""

    id: int
    iqn: str
    size_bytes: int
    host: str
    port: int

    def url(self, credentials: str = "", *, options: str = "") -> str:
        """The libiscsi URL; `credentials` as user%secret."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"iscsi://{credentials}{'@' * bool(credentials)}{host}:{self.port}/{self.iqn}/0{options}"


@dataclass(slots=True)
class Nas:
    """A NAS on its own ports and data directory. Start it before use; stop it after."""

    data_dir: Path
    hosts: tuple[str, ...] = ("127.0.0.1",)
    http_port: int = field(default_factory=free_port)
    port: int = 0
    options: tuple[str, ...] = ()
    """More of the command line of `lunaport serve`."""
    settings: dict[str, str] = field(default_factory=dict)
    """Variables of the environment."""
    client: httpx.Client = field(init=False)
    process: subprocess.Popen[bytes] | None = None
    secrets_given: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        secret_search.places.append(self.data_dir)
        self.port = self.port or free_port(self.hosts[0])
        self.client = httpx.Client(
            base_url=f"http://127.0.0.1:{self.http_port}",
            auth=("admin", PASSWORD),
            timeout=30,
            trust_env=False,
            event_hooks={"request": [self._remember_secrets], "response": [self._check_answer]},
        )

    @property
    def log(self) -> Path:
        """All that the NAS has printed, over all its starts."""
        return self.data_dir.with_suffix(".log")

    def command(self) -> list[str]:
        """The command line that starts it."""
        words = [str(Path(sys.executable).with_name("lunaport")), "serve", "--data-dir", str(self.data_dir)]
        words += ["--http", f"127.0.0.1:{self.http_port}"]
        for host in self.hosts:
            words += ["--portal", f"[{host}]:{self.port}" if ":" in host else f"{host}:{self.port}"]
        return [*words, *self.options]

    def start(self) -> None:
        """Start it and wait until it answers."""
        environment = {key: value for key, value in os.environ.items() if not key.startswith("LUNAPORT_")}
        if DATA_PROCESSES:
            environment["LUNAPORT_DATA_PROCESSES"] = DATA_PROCESSES
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                self.command(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=environment | self.settings | {"LUNAPORT_ADMIN_PASSWORD": PASSWORD},
                start_new_session=True,
            )
        self.wait_healthy(timeout_s=60)

    def healthy(self) -> bool:
        """Whether the NAS says that all of it works."""
        try:
            return self.client.get("/api/v1/health").status_code == 200
        except httpx.TransportError:
            return False

    def wait_healthy(self, *, timeout_s: float) -> None:
        """Wait until it is healthy, or show what it printed."""

        def answers() -> bool:
            assert self.process is not None
            assert self.process.poll() is None, f"the NAS ended:\n{self.log_tail()}"
            return self.healthy()

        try:
            wait_until(answers, timeout_s=timeout_s, what="health")
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.log_tail()}") from error

    def log_tail(self) -> str:
        """The end of what it printed."""
        return self.log.read_text(errors="replace")[-4000:]

    def pids(self) -> dict[int, str]:
        """Every process of the NAS, by its role: supervisor, control, data, data-1 ..."""
        assert self.process is not None
        return {pid: role_of(command_line(pid)) for pid in session_pids(self.process.pid)}

    def data_pid(self, share: Share) -> int:
        """The data process that serves a share: the one that has its file open."""
        path = self.file_of(share)
        for pid, role in self.pids().items():
            if role.startswith("data") and path in open_files(pid):
                return pid
        raise AssertionError(f"nobody serves {share.iqn}")

    def pid(self, role: str) -> int:
        """The process with this role; waits for it where it is being started."""
        found: list[int] = []

        def there() -> bool:
            found[:] = [pid for pid, its_role in self.pids().items() if its_role == role]
            return len(found) == 1

        wait_until(there, timeout_s=10, what=f"one {role} process (there are {self.pids()})")
        return found[0]

    def kill(self, role: str) -> int:
        """SIGKILL to the process with this role; returns the pid it had."""
        pid = self.pid(role)
        os.kill(pid, signal.SIGKILL)
        return pid

    def stop(self) -> None:
        """SIGTERM, as make and systemd do; everything must be gone soon, and the log must be clean."""
        if self.process is None:
            return
        process, self.process = self.process, None
        process.terminate()
        try:
            code = process.wait(20)
        except subprocess.TimeoutExpired:
            kill_session(process.pid)
            raise AssertionError(f"SIGTERM did not end the NAS:\n{self.log_tail()}") from None
        left = {pid: command_line(pid) for pid in session_pids(process.pid)}
        kill_session(process.pid)
        assert not left, f"processes left after the NAS ended: {left}"
        assert code == 0, f"the NAS ended with {code}:\n{self.log_tail()}"
        self.check_log()

    def check_log(self) -> None:
        """Nothing unexpected was raised, every process ended when it was told to, and no secret was printed."""
        text = self.log.read_text(errors="replace")
        assert "Traceback" not in text, f"{text[text.index('Traceback') - 500 :][:4000]}"
        assert "did not end in time" not in text, self.log_tail()
        search(text, self.secrets_given | {PASSWORD}, "the log")
        secret_search.search_folder(self.data_dir, self.secrets_given | {PASSWORD})

    def _remember_secrets(self, request: httpx.Request) -> None:
        with contextlib.suppress(ValueError, RecursionError, httpx.RequestNotRead):
            self.secrets_given.update(secret_search.remember(secrets_in(json.loads(request.content))))

    def _check_answer(self, response: httpx.Response) -> None:
        """No answer holds a secret; the one that tells a token tells no other."""
        if response.headers.get("content-type", "").startswith("text/event-stream"):
            return
        text = response.read().decode(errors="replace")
        documented = EXAMPLES if response.request.url.path == "/api/v1/openapi.json" else frozenset[str]()
        secrets = (self.secrets_given | {PASSWORD}) - documented
        search(text, secrets, f"the answer to {response.request.method} {response.request.url}")
        if response.request.method == "POST" and response.request.url.path == "/api/v1/tokens" and response.is_success:
            self.secrets_given |= secret_search.remember({response.json()["token"]})

    def destroy(self) -> None:
        """End it by force, after a test that failed or that killed it on purpose."""
        if self.process is not None:
            kill_session(self.process.pid)
            self.process.wait()
            self.process = None

    # The NAS API

    def call(self, method: str, body: object | None = None, *, path: str = SHARES) -> httpx.Response:
        """One call, as it is answered."""
        return self.client.request(method, path, json=body)

    def answer(self, method: str, body: object | None = None, *, path: str = SHARES) -> Any:
        """The JSON of a call that must succeed."""
        response = self.call(method, body, path=path)
        assert response.status_code == 200, (
            f"{method} {path}: {response.status_code} {response.text}\n{self.log_tail()}"
        )
        return response.json()

    def create(self, name: str, *, size: str = "64M", **fields: object) -> Share:
        """Create a share; fields with `_` for `-`."""
        body = {"target": name, "size": size} | {key.replace("_", "-"): value for key, value in fields.items()}
        return self.share(self.answer("POST", body))

    def share(self, answer: Json) -> Share:
        """The share in an answer."""
        size = int(answer["size"])
        return Share(id=answer["id"], iqn=answer["target"], size_bytes=size, host=self.hosts[0], port=self.port)

    def edit(self, share: Share, **fields: object) -> Json:
        """PUT with these fields."""
        body = {"id": share.id} | {key.replace("_", "-"): value for key, value in fields.items()}
        answer: Json = self.answer("PUT", body)
        return answer

    def delete(self, share: Share) -> None:
        """DELETE by id."""
        self.answer("DELETE", {"id": share.id})

    def shares(self) -> list[Json]:
        """All shares."""
        shares: list[Json] = self.answer("GET")
        return shares

    def edit_service(self, **fields: object) -> httpx.Response:
        """PUT of the service object, as it is answered."""
        return self.call("PUT", {key.replace("_", "-"): value for key, value in fields.items()}, path=SERVICE)

    def sessions(self, share: Share) -> list[Json]:
        """What API v1 says about the sessions of a share."""
        answer = self.answer("GET", path="/api/v1/sessions")
        rows = answer["items"] if isinstance(answer, dict) else answer
        return [row for row in rows if row["target"] == share.iqn]

    # Its disk

    def files(self) -> list[Path]:
        """The files behind the shares."""
        return sorted(path for path in self.data_dir.glob("**/luns/*") if path.is_file())

    def trash(self) -> list[Path]:
        """The files of deleted shares."""
        return sorted(path for path in self.data_dir.glob("**/trash/*") if path.is_file())

    def file_of(self, share: Share) -> Path:
        """The file behind a share: the one that has its own, unusual, size."""
        found = [path for path in self.files() if path.stat().st_size == share.size_bytes]
        assert len(found) == 1, f"{len(found)} files of {share.size_bytes} bytes: give the share a size of its own"
        return found[0]


def role_of(command: str) -> str:
    """The role of a process with this command line."""
    if "lunaport.runtime.data" in command:
        number = re.search(r'"number":(\d+)', command)
        return f"data-{number[1]}" if number and number[1] != "0" else "data"
    return "control" if "lunaport.runtime.control" in command else "supervisor"


def open_files(pid: int) -> set[Path]:
    """What a process has open; nothing when it is gone."""
    found = set()
    with contextlib.suppress(OSError):
        for entry in Path(f"/proc/{pid}/fd").iterdir():
            with contextlib.suppress(OSError):
                found.add(entry.readlink())
    return found


def command_line(pid: int) -> str:
    """The command line of a process; empty when it is gone."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
    except OSError:
        return ""


def session_pids(session: int) -> list[int]:
    """The living processes of a session (of setsid), however deep: what the NAS started keeps its session."""
    return [pid for pid, its_session, state in _processes() if its_session == session and state != "Z"]


def _processes() -> Iterator[tuple[int, int, str]]:
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                stat = (entry / "stat").read_text()
                fields = stat[stat.rindex(")") + 2 :].split()
                yield int(entry.name), int(fields[3]), fields[0]


def kill_session(session: int) -> None:
    """SIGKILL to every process of a session."""
    for pid in session_pids(session):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def resident_bytes(pid: int) -> int:
    """The proportional set size of a process: memory that several share counts once over all of them."""
    match = re.search(r"^Pss:\s+(\d+) kB", Path(f"/proc/{pid}/smaps_rollup").read_text(), re.MULTILINE)
    assert match
    return int(match[1]) * 1024
