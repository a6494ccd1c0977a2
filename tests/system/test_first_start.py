"""`make run` and an installed Lunaport, from nothing to a first answer, and how they end."""

import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import httpx
import pytest
from manual.blocks import blocks, fits

from tests.system.nas import SHARES, free_port, kill_session, session_pids, wait_until
from tests.system.peers import ROOT


@contextmanager
def running(words: list[str], log: Path, **environment: str) -> Iterator[subprocess.Popen[bytes]]:
    """A command in a session of its own; nothing of it is left afterwards."""
    clean = {key: value for key, value in os.environ.items() if not key.startswith(("LUNAPORT_", "MAKE", "MFLAGS"))}
    with log.open("wb") as output:
        process = subprocess.Popen(
            words,
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            env=clean | environment,
            start_new_session=True,
        )
    try:
        yield process
    finally:
        kill_session(process.pid)
        process.wait()


def answers(http_port: int, password: str) -> int:
    """The status of a GET of the shares; 0 when nobody listens."""
    try:
        return httpx.get(f"http://127.0.0.1:{http_port}{SHARES}", auth=("admin", password), trust_env=False).status_code
    except httpx.TransportError:
        return 0


def says(log: Path, text: str) -> bool:
    """Whether a log holds this text."""
    return text in log.read_text()


def serve(directory: Path, http_port: int) -> str:
    """The options of a start on free ports."""
    return f"--data-dir {directory} --http 127.0.0.1:{http_port} --portal 127.0.0.1:{free_port()}"


@pytest.mark.parametrize("stop", [signal.SIGTERM, signal.SIGINT])
def test_make_run_tells_the_first_password_once_and_stops_cleanly(tmp_path: Path, stop: signal.Signals) -> None:
    if shutil.which("make") is None:
        pytest.skip("make is not installed")
    http_port = free_port()
    make = ["make", "--no-print-directory", "run", f"SERVE={serve(tmp_path / 'data', http_port)}"]
    password = ""
    for start in (1, 2):
        log = tmp_path / f"start{start}.log"
        with running(make, log) as process:
            wait_until(lambda: answers(http_port, ""), timeout_s=60, what="an answer")
            wait_until(partial(says, log, f":{http_port}"), timeout_s=10, what="the address")
            printed = re.search(r"Password: (\S+)", log.read_text())
            if start == 1:
                assert printed, log.read_text()
                assert "admin" in log.read_text()
                shown = next(block.text for block in blocks(ROOT / "docs" / "first-share.md") if block.kind == "text")
                for line in shown.replace(":8080", f":{http_port}").replace("127.0.0.1:3260", "...").splitlines():
                    assert any(fits(line, each) for each in log.read_text().splitlines()), line
                password = printed[1]
            else:
                assert password not in log.read_text()
            assert answers(http_port, password) == 200
            if stop == signal.SIGINT:
                os.killpg(process.pid, stop)  # what a terminal does at Ctrl-C
            else:
                process.send_signal(stop)
            process.wait(15)
            assert session_pids(process.pid) == []
            assert "Traceback" not in log.read_text()


def test_an_installed_lunaport_runs_without_its_source(tmp_path: Path) -> None:
    """The package holds all that it needs: the migrations, the documentation page."""
    source, target = tmp_path / "source", tmp_path / "target"
    source.mkdir()
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    shutil.copytree(ROOT / "src", source / "src", ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--disable-pip-version-check"]
    subprocess.run([*pip, "--target", target, source], check=True)
    http_port = free_port()
    program = [sys.executable, str(target / "bin" / "lunaport"), "serve"]
    words = [*program, *serve(tmp_path / "data", http_port).split()]
    log = tmp_path / "log"
    with running(words, log, PYTHONPATH=str(target), LUNAPORT_ADMIN_PASSWORD="chosen-before") as process:
        wait_until(lambda: answers(http_port, "chosen-before") == 200, timeout_s=30, what="an answer")
        page = httpx.get(f"http://127.0.0.1:{http_port}/api/docs", auth=("admin", "chosen-before"), trust_env=False)
        assert page.status_code == 200
        process.terminate()
        assert process.wait(15) == 0, log.read_text()


def test_a_data_directory_is_used_once(tmp_path: Path) -> None:
    """Two on one directory would write over each other: the second must say so and leave the first alone."""
    program = [str(Path(sys.executable).with_name("lunaport")), "serve"]
    ports = free_port(), free_port()
    first = [*program, *serve(tmp_path / "data", ports[0]).split()]
    second = [*program, *serve(tmp_path / "data", ports[1]).split()]
    with running(first, tmp_path / "first.log", LUNAPORT_ADMIN_PASSWORD="chosen-before") as process:
        wait_until(lambda: answers(ports[0], "chosen-before") == 200, timeout_s=30, what="an answer")
        with running(second, tmp_path / "second.log", LUNAPORT_ADMIN_PASSWORD="chosen-before") as other:
            assert other.wait(15) != 0
            assert str(tmp_path / "data") in (tmp_path / "second.log").read_text().replace("\n", "")
        assert answers(ports[0], "chosen-before") == 200
        assert process.poll() is None


def test_a_taken_http_port_is_told(tmp_path: Path) -> None:
    program = [str(Path(sys.executable).with_name("lunaport")), "serve"]
    ports = free_port(), free_port()
    with running([*program, *serve(tmp_path / "one", ports[0]).split()], tmp_path / "one.log") as process:
        wait_until(lambda: answers(ports[0], ""), timeout_s=30, what="an answer")
        with running([*program, *serve(tmp_path / "two", ports[0]).split()], tmp_path / "two.log") as other:
            assert other.wait(15) != 0
            text = (tmp_path / "two.log").read_text()
            assert str(ports[0]) in text
            assert "Traceback" not in text
        assert process.poll() is None
