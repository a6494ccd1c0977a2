"""The control process: when it says that it is ready, how it ends, and what it does not start with."""

import json
import logging
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
import structlog

from lunaport.runtime.control import EXIT_UNUSABLE, ControlConfig, parse_config, run
from tests.unit.api.http import NEW, PASSWORD, SHARES
from tests.unit.service.engine_double import EngineDouble

ROOT = Path(__file__).parents[3]


class Control:
    """A control process and its HTTP socket, which outlives it."""

    def __init__(self, data_dir: Path) -> None:
        self.data_dir = data_dir
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self.socket.getsockname()[1]}"
        self.process: subprocess.Popen[str] | None = None

    def start(self, password: str = PASSWORD) -> subprocess.Popen[str]:
        """Start it."""
        options = {
            "data_dir": str(self.data_dir),
            "http_fds": {"http": [self.socket.fileno()]},
            "http_urls": [self.url],
            "engine_sockets": ["unused"],
            "portals": ["127.0.0.1:3260", "[::1]:3261"],
        }
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.unit.runtime.control_process", json.dumps(options)],
            cwd=ROOT,
            env={**os.environ, "LUNAPORT_ADMIN_PASSWORD": password},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            pass_fds=[self.socket.fileno()],
            text=True,
        )
        return self.process

    def ready(self) -> str:
        """What it prints until it is ready."""
        assert self.process is not None
        assert self.process.stdout is not None
        printed = ""
        while "Lunaport is ready" not in printed:
            line = self.process.stdout.readline()
            assert line, (self.process.communicate(timeout=10), printed)
            printed += line
        return printed

    def ended(self) -> tuple[int, str]:
        """Its exit code and what it logged."""
        assert self.process is not None
        assert self.process.stderr is not None
        # Not by communicate(): that closes its standard input, which ends it too.
        code = self.process.wait(timeout=60)
        return code, self.process.stderr.read()

    def close(self) -> None:
        """End everything."""
        if self.process is not None:
            self.process.kill()
            self.process.wait(timeout=10)
            for pipe in (self.process.stdin, self.process.stdout, self.process.stderr):
                if pipe is not None:
                    pipe.close()
        self.socket.close()


@pytest.fixture
def control(tmp_path: Path) -> Iterator[Control]:
    made = Control(tmp_path / "data")
    yield made
    made.close()


def test_first_start_restart_and_end(control: Control) -> None:
    process = control.start(password="")
    printed = control.ready()
    found = re.search(r"User: admin   Password: (\S{16,})", printed)
    assert found
    assert f"Lunaport is ready: {control.url}   user: admin   iSCSI: 127.0.0.1:3260, [::1]:3261" in printed
    with httpx.Client(base_url=control.url, auth=("admin", found[1]), trust_env=False) as client:
        assert client.get("/api/v1/health").status_code == 200
        assert client.post(SHARES, json=NEW).status_code == 200
        assert (control.data_dir / "secret.key").stat().st_mode & 0o777 == 0o600
        assert (control.data_dir / "lunaport.db").stat().st_mode & 0o077 == 0
        # The client keeps its connection open: that must not hold the end up.
        process.send_signal(signal.SIGTERM)
        assert control.ended()[0] == 0


def test_the_password_of_the_environment_is_not_printed(control: Control) -> None:
    control.start(password="from-outside-1")
    assert "from-outside-1" not in control.ready()
    response = httpx.get(f"{control.url}{SHARES}", auth=("admin", "from-outside-1"), trust_env=False)
    assert response.status_code == 200
    assert control.process is not None
    assert control.process.stdin is not None
    control.process.stdin.close()
    code, logged = control.ended()
    assert (code, "from-outside-1" in logged) == (0, False), logged


@pytest.fixture(autouse=True)
def restored() -> Iterator[None]:
    """The process as it was, afterwards."""
    root = logging.getLogger()
    handlers, level, mask = root.handlers[:], root.level, os.umask(0o022)
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()
    os.umask(mask)


def config(data_dir: Path) -> ControlConfig:
    return ControlConfig(data_dir=data_dir, http_fds={}, http_urls=(), engine_sockets=("",), portals=("127.0.0.1",))


def test_what_a_restart_cannot_mend_has_its_own_exit_code(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "secret.key").write_text("ab" * 32 + "\n")
    (tmp_path / "lunaport.db").write_bytes(b"no database" * 100)
    assert run(config(tmp_path), lambda *_: EngineDouble(), PASSWORD) == EXIT_UNUSABLE
    logged = capsys.readouterr().err
    assert "cannot start: cannot use the database" in logged
    assert "Traceback" not in logged


def test_a_password_that_cannot_be_one(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(config(tmp_path), lambda *_: EngineDouble(), "short") == EXIT_UNUSABLE
    assert "LUNAPORT_ADMIN_PASSWORD: password: is not usable" in capsys.readouterr().err


def test_a_directory_that_cannot_be_made(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").touch()
    assert run(config(tmp_path / "file"), lambda *_: EngineDouble(), PASSWORD) == EXIT_UNUSABLE
    assert "cannot make the data directory" in capsys.readouterr().err


def test_a_certificate_that_cannot_be_used(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    listening = socket.create_server(("127.0.0.1", 0)).detach()
    given = ControlConfig(
        data_dir=tmp_path,
        http_fds={"https": [listening]},
        http_urls=(),
        engine_sockets=("",),
        portals=("127.0.0.1",),
        https_certificate="/nowhere/c.pem",
        https_key="/nowhere/k.pem",
    )
    assert run(given, lambda *_: EngineDouble(), PASSWORD) == EXIT_UNUSABLE
    os.close(listening)
    assert "cannot serve HTTPS: there is no file /nowhere/c.pem" in capsys.readouterr().err


def test_options() -> None:
    text = (
        '{"data_dir": "/x", "http_fds": {"http": [3]}, "http_urls": ["u"], "engine_sockets": ["s"], "portals": ["p"]}'
    )
    assert parse_config(text) == ControlConfig(
        data_dir=Path("/x"), http_fds={"http": [3]}, http_urls=("u",), engine_sockets=("s",), portals=("p",)
    )
