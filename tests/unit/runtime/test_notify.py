"""Datagrams to systemd, which is a socket of the test."""

import os
import socket
from pathlib import Path

import pytest

from lunaport.runtime.notify import notify, watchdog_s


@pytest.mark.parametrize("abstract", [False, True])
def test_what_is_said(tmp_path: Path, abstract: bool) -> None:
    path = f"@lunaport-{tmp_path.name}-{id(tmp_path)}" if abstract else str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(f"\0{path[1:]}" if abstract else path)
        systemd.settimeout(5)
        notify("READY=1", "STATUS=serves", environment={"NOTIFY_SOCKET": path})
        assert systemd.recv(100) == b"READY=1\nSTATUS=serves"


def test_nobody_listens(tmp_path: Path) -> None:
    notify("READY=1", environment={})
    notify("READY=1", environment={"NOTIFY_SOCKET": str(tmp_path / "nobody")})


@pytest.mark.parametrize(
    ("limit_us", "pid", "expected_s"),
    [("60000000", "own", 60.0), ("500000", "", 0.5), ("60000000", "1", 0.0), ("", "", 0.0), ("x", "", 0.0)],
)
def test_whether_systemd_watches(limit_us: str, pid: str, expected_s: float) -> None:
    environment = {"WATCHDOG_USEC": limit_us, "WATCHDOG_PID": pid.replace("own", str(os.getpid()))}
    assert watchdog_s({name: value for name, value in environment.items() if value}) == expected_s
