"""Real initiators as commands. A missing one skips its test with the reason, and fails it where CI is set."""

import os
import shutil
import subprocess
from pathlib import Path
from typing import NoReturn

import pytest

ROOT = Path(__file__).parents[2]
CACHE = ROOT / ".cache"
PATH_OF_ADMINISTRATORS = os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/sbin", "/sbin"])
SEARCH = os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/sbin", "/sbin", str(CACHE / "fio")])


def require(name: str) -> str:
    """The path of a peer's command."""
    path = shutil.which(name, path=SEARCH)
    if path is None:
        missing(f"{name} is not installed")
    return path


def require_file(path: Path) -> Path:
    """A file that `make peers` builds."""
    if not path.exists():
        missing(f"{path.relative_to(ROOT)} is not built")
    return path


def missing(reason: str) -> NoReturn:
    """Skip the test, or fail it where CI is set."""
    reason += ": `make peers` as root"
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)


def run(
    *words: str | Path, environment: dict[str, str] | None = None, timeout_s: float = 60
) -> subprocess.CompletedProcess[str]:
    """Run a peer to its end; nothing of it is raised."""
    name, *arguments = words
    return subprocess.run(
        [require(str(name)), *map(str, arguments)],
        env={"PATH": SEARCH, "LC_ALL": "C", "HOME": "/nonexistent"} | (environment or {}),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=timeout_s,
        check=False,
    )


def output_of(*words: str | Path, environment: dict[str, str] | None = None, timeout_s: float = 60) -> str:
    """What a peer prints; it must succeed."""
    done = run(*words, environment=environment, timeout_s=timeout_s)
    assert done.returncode == 0, (
        f"{' '.join(map(str, words))}\nended with {done.returncode}:\n{done.stdout}{done.stderr}"
    )
    return done.stdout


def fio_filename(url: str) -> str:
    """A URL as fio wants a file name: fio splits names at colons."""
    return url.replace(":", "\\:")


def fio(url: str, *options: str) -> list[str]:
    """The command line of fio with its libiscsi engine on one URL."""
    name = f"--filename={fio_filename(url)}"
    return [require("fio"), "--name=job", "--ioengine=libiscsi", "--thread", "--verify_state_save=0", name, *options]
