"""Datagrams to systemd, which is a socket of the test."""

import socket
from pathlib import Path

import pytest

from lunaport.runtime.notify import notify


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
