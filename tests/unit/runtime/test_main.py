"""The command `lunaport serve`: its options become settings, and it becomes the supervisor, which stays light."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from lunaport.runtime.main import app
from lunaport.runtime.settings import load_settings


class Became(Exception):  # noqa: N818 - not an error: the end of the process as it was
    """What the process would have become."""


@pytest.fixture(autouse=True)
def no_exec(monkeypatch: pytest.MonkeyPatch) -> None:
    """The process stays what it is."""

    def execv(path: str, words: list[str]) -> None:
        raise Became(path, words)

    monkeypatch.setattr(os, "execv", execv)


def became(*words: str) -> dict[str, Any]:
    """The options that the supervisor gets."""
    result = CliRunner().invoke(app, ["serve", *words])
    assert isinstance(result.exception, Became), result.output
    path, (python, flag, module, options) = result.exception.args
    assert (path, python, flag, module) == (sys.executable, sys.executable, "-m", "lunaport.runtime.supervisor")
    decoded: dict[str, Any] = json.loads(options)
    return decoded


def test_options(tmp_path: Path) -> None:
    options = became(
        "--data-dir", str(tmp_path), "--http", "127.0.0.1:1", "--portal", "127.0.0.1", "--portal", "[::1]:2",
        "--log-level", "debug", "--log-format", "json",
        "--data-processes", "3",
        "--https", "::1", "--https-certificate", "/c.pem", "--https-key", "/k.pem", "--plain-http",
    )  # fmt: skip
    assert options == {
        "data_dir": str(tmp_path),
        "http": ["127.0.0.1:1"],
        "https": ["[::1]:8443"],
        "https_certificate": "/c.pem",
        "https_key": "/k.pem",
        "plain_http": True,
        "portals": ["127.0.0.1:3260", "[::1]:2"],
        "log_level": "debug",
        "log_format": "json",
        "iqn_prefix": "iqn.2026-11.io.lunaport",
        "trash_days": 14,
        "audit_days": 365,
        "http_requests_per_s": 200,
        "data_silence_s": 60,
        "control_silence_s": 120,
        "limits": load_settings({"data_processes": 3}).limits,
        "data_processes": 3,
        "set_aside_database": False,
    }


def test_a_relative_directory_becomes_absolute() -> None:
    assert became("--data-dir", "var")["data_dir"] == str(Path("var").absolute())


def test_a_wrong_option() -> None:
    result = CliRunner().invoke(app, ["serve", "--http", "x:y"])
    assert result.exit_code == 2
    assert "lunaport: http: 'x:y' has no port" in result.output


def test_a_missing_file(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["serve", "--config", str(tmp_path / "missing.toml")])
    assert result.exit_code == 2
    assert "there is no file" in result.output


def test_the_supervisor_stays_light() -> None:
    code = (
        "import sys, lunaport.runtime.supervisor;"
        "heavy = ('fastapi', 'sqlalchemy', 'alembic', 'uvicorn', 'argon2', 'pydantic', 'typer');"
        "print([name for name in heavy if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
