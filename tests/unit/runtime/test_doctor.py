"""`lunaport doctor`: every check finds what it is for, and says what to do."""

import datetime as dt
import fcntl
import json
import os
import socket
import sqlite3
import time
from contextlib import closing
from pathlib import Path

import pytest
from typer.testing import CliRunner

from lunaport.runtime.certificate import make_certificate
from lunaport.runtime.doctor import certificate, files, system
from lunaport.runtime.doctor.configuration import Configuration, read_configuration
from lunaport.runtime.doctor.findings import Finding, State
from lunaport.runtime.doctor.ports import check_ports
from lunaport.runtime.main import app
from lunaport.runtime.settings import Settings, load_settings
from lunaport.store.store import open_store
from tests.unit.engine.embedded.test_portals import free_port

pytestmark = pytest.mark.anyio


def states(findings: list[Finding]) -> list[State]:
    """In order."""
    for finding in findings:
        assert bool(finding.help) == (finding.state is not State.OK), finding
    return [finding.state for finding in findings]


async def make_database(folder: Path) -> None:
    store = await open_store(folder, random_bytes=os.urandom)
    await store.close()


def test_a_machine_on_which_nothing_is_yet(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        words = [
            "doctor",
            "--data-dir",
            str(tmp_path / "data"),
            "--http",
            f"127.0.0.1:{free_port()}",
            "--portal",
            f"127.0.0.1:{port}",
        ]
        result = CliRunner().invoke(app, [*words, "--json"])
        assert result.exit_code == 1, result.output
        answer = json.loads(result.output)
        assert answer["ok"] is False
        (wrong,) = [each for each in answer["findings"] if each["state"] == "error"]
        assert wrong["check"] == "iSCSI"
        assert "in use" in wrong["text"]
        assert str(port) in wrong["help"]
    result = CliRunner().invoke(app, words)
    assert result.exit_code == 0, result.output
    assert "iSCSI: 127.0.0.1" in result.output
    assert not (tmp_path / "data").exists(), "it changes nothing"


def test_wrong_settings() -> None:
    result = CliRunner().invoke(app, ["doctor", "--portal", "nowhere:x"])
    assert result.exit_code == 2


async def test_a_whole_database_is_read(tmp_path: Path) -> None:
    await make_database(tmp_path)
    with closing(sqlite3.connect(tmp_path / "lunaport.db")) as connection, connection:
        connection.execute(
            "INSERT INTO volume (name, path, overcommit_factor, revision) VALUES ('fast', '/fast', 1, 1)"
        )
        connection.execute("UPDATE service SET enabled = 0, port = 860")
    configuration, findings = read_configuration(tmp_path)
    assert states(list(findings)) == [State.OK]
    assert configuration.volumes == {"default": tmp_path / "volumes" / "default", "fast": Path("/fast")}
    assert (configuration.enabled, configuration.port, configuration.newest_entry) == (False, 860, 0.0)


async def test_databases_that_cannot_be_used(tmp_path: Path) -> None:
    await make_database(tmp_path)
    path = tmp_path / "lunaport.db"
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE alembic_version SET version_num = 'of tomorrow'")
    (finding,) = read_configuration(tmp_path)[1]
    assert (finding.state, finding.help) == (State.ERROR, "run that version, or a later one")
    path.write_bytes(b"garbage" * 1000)
    (finding,) = read_configuration(tmp_path)[1]
    assert finding.state is State.ERROR
    assert "--set-aside-database" in finding.help
    (tmp_path / "secret.key").unlink()
    (finding,) = read_configuration(tmp_path)[1]
    assert "secret.key" in finding.text


def test_files_of_no_share_are_told_and_left(tmp_path: Path) -> None:
    assert list(files.check_strays("fast", tmp_path, frozenset())) == []
    (tmp_path / "luns").mkdir()
    names = [f"{number}.img" for number in range(5)]
    for each in [*names, "0.img.reservations"]:
        (tmp_path / "luns" / each).touch()
    assert list(files.check_strays("fast", tmp_path, frozenset(names))) == []
    assert list(files.check_strays("fast", tmp_path, None)) == []
    (finding,) = files.check_strays("fast", tmp_path, frozenset({"0.img"}))
    assert finding.state is State.WARNING
    assert finding.text == f"4 files in {tmp_path / 'luns'} belong to no share: 1.img, 2.img, 3.img, ..."
    assert len(list((tmp_path / "luns").iterdir())) == 6


def test_whether_it_runs(tmp_path: Path) -> None:
    assert not files.is_running(tmp_path)
    with (tmp_path / "lock").open("w") as lock:
        assert not files.is_running(tmp_path)
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert files.is_running(tmp_path)


def test_a_data_directory_that_others_may_read(tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    key = tmp_path / "secret.key"
    key.write_bytes(bytes(32))
    key.chmod(0o644)
    first = next(files.check_data_directory(tmp_path))
    assert (first.state, first.help) == (State.WARNING, f"chmod go= {key}")
    key.chmod(0o600)
    assert next(files.check_data_directory(tmp_path)).state is State.OK


def test_a_data_directory_that_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "data").touch()
    assert states(list(files.check_data_directory(tmp_path / "data"))) == [State.ERROR]


def test_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.statvfs(tmp_path)

    def with_free(share: float) -> list[State]:
        fields = list(real)
        fields[4] = int(real.f_blocks * share)
        monkeypatch.setattr(os, "statvfs", lambda _: os.statvfs_result(fields))
        return states(list(files._check_room("volume a", tmp_path)))

    assert with_free(0.5) == [State.OK]
    assert with_free(0.05) == [State.WARNING]
    assert with_free(0.0) == [State.ERROR]


def test_a_volume_that_is_not_there(tmp_path: Path) -> None:
    assert states(list(files.check_volume("fast", tmp_path / "fast"))) == [State.ERROR]
    assert State.ERROR not in states(list(files.check_volume("default", tmp_path / "default")))


def test_what_a_file_system_lacks_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def cannot(fd: int) -> bool:
        raise OSError("no")

    monkeypatch.setattr(files, "_FEATURES", (("holes", "space stays taken", cannot), ("locks", "x", lambda _: True)))
    last = list(files.check_volume("default", tmp_path))[-1]
    assert last.state is State.WARNING
    assert last.text == "its file system lacks holes: space stays taken"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("now", "newest", "synchronized", "state"),
    [
        (1_800_000_000.0, 0.0, True, State.OK),
        (1_800_000_000.0, 0.0, None, State.OK),
        (1_800_000_000.0, 0.0, False, State.WARNING),
        (1_800_000_000.0, 1_800_086_400.0, True, State.WARNING),
        (0.0, 0.0, True, State.ERROR),
    ],
)
def test_clocks(now: float, newest: float, synchronized: bool | None, state: State) -> None:
    found = list(system.check_clock(newest, clock=lambda: now, synchronized=lambda: synchronized))
    assert states(found) == [state]


def test_the_kernel_is_asked_about_its_clock() -> None:
    assert system.is_synchronized() in (True, False, None)
    assert abs(time.time() - time.clock_gettime(time.CLOCK_REALTIME)) < 60


@pytest.mark.parametrize(("hard", "state"), [(1024, State.WARNING), (4096 + 512, State.OK), (-1, State.OK)])
def test_limits(hard: int, state: State, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("resource.getrlimit", lambda _: (hard, hard))
    assert states(list(system.check_limits(Settings()))) == [state]


def test_users() -> None:
    assert states(list(system.check_user(lambda: 0))) == [State.WARNING]
    assert states(list(system.check_user(lambda: 1000))) == [State.OK]


def test_a_certificate_and_its_end(tmp_path: Path) -> None:
    settings = load_settings({"data_dir": tmp_path, "https": ("127.0.0.1:8443",)})
    now = dt.datetime(2026, 12, 1, tzinfo=dt.UTC)
    assert states(list(certificate.check_certificate(settings, now))) == [State.OK]
    make_certificate(tmp_path / "https", ["localhost"], now)

    def after(days: int) -> list[State]:
        return states(list(certificate.check_certificate(settings, now + dt.timedelta(days=days))))

    assert after(0) == after(3619) == [State.OK]
    assert after(3621) == [State.WARNING]
    assert after(3651) == after(-2) == [State.ERROR]
    (tmp_path / "https" / "key.pem").write_text("none")
    assert after(0) == [State.ERROR]
    assert list(certificate.check_certificate(Settings())) == []


def test_a_service_that_is_off(tmp_path: Path) -> None:
    settings = load_settings({"data_dir": tmp_path, "http": (f"127.0.0.1:{free_port()}",)})
    found = list(check_ports(settings, Configuration(enabled=False), running=False))
    assert states(found) == [State.OK, State.WARNING]


def test_an_address_of_somebody_else() -> None:
    settings = load_settings({"portal": ("192.0.2.1",), "http": (f"127.0.0.1:{free_port()}",)})
    (finding,) = [each for each in check_ports(settings, Configuration(), running=False) if each.check == "iSCSI"]
    assert (finding.state, "ip address" in finding.help) == (State.ERROR, True)
