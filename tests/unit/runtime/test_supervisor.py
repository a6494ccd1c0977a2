"""The supervisor with real child processes."""

import json
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from lunaport.runtime import supervisor
from lunaport.runtime.holdings import (
    SupervisorError,
    listen_control,
    listen_http,
    lock_data_directory,
    make_pair,
)
from lunaport.runtime.supervisor import EXIT_CONFIGURATION, Child, Supervisor, data_children


@pytest.fixture(autouse=True)
def signals_as_before() -> Iterator[None]:
    numbers = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
    before = [signal.getsignal(number) for number in numbers]
    yield
    for number, handler in zip(numbers, before, strict=True):
        signal.signal(number, handler)


def python(code: str) -> list[str]:
    return [sys.executable, "-S", "-c", code]


def append_line(path: Path) -> str:
    return f"open({str(path)!r}, 'a').write('started\\n')"


def lines(path: Path) -> int:
    return path.read_text().count("\n") if path.exists() else 0


def when(condition: object, then: object) -> threading.Thread:
    assert callable(condition)
    assert callable(then)

    def wait() -> None:
        deadline = time.monotonic() + 20
        while not condition() and time.monotonic() < deadline:
            time.sleep(0.01)
        then()

    thread = threading.Thread(target=wait)
    thread.start()
    return thread


def test_a_child_that_dies_is_started_again_and_all_end_on_sigterm(tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    child = Child("x", python(f"{append_line(mark)}; import time; time.sleep(60)"), [])
    watching = Supervisor([child])

    def kill() -> None:
        assert child.process is not None
        child.process.kill()

    # A quick child writes before whoever started it knows its number.
    killer = when(lambda: lines(mark) == 1 and child.process is not None, kill)
    stopper = when(lambda: lines(mark) == 2, lambda: os.kill(os.getpid(), signal.SIGTERM))
    assert watching.run() == 0
    killer.join()
    stopper.join()
    assert lines(mark) == 2
    assert child.process is None


def test_a_child_that_cannot_work_ends_the_nas(tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    hopeless = Child("x", python(f"{append_line(mark)}; raise SystemExit({EXIT_CONFIGURATION})"), [])
    other = Child("y", python("import time; time.sleep(60)"), [])
    assert Supervisor([hopeless, other]).run() == EXIT_CONFIGURATION
    assert lines(mark) == 1
    assert other.process is None


def test_a_child_that_worked_once_is_tried_again_however_hopeless(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Control cannot open its database after it was killed: the disks go on being served."""
    monkeypatch.setattr(supervisor, "RESTART_PAUSE_S_MAX", 0.05)
    mark = tmp_path / "mark"
    code = (
        f"import os; {append_line(mark)}; os.kill(os.getpid(), 9) if open({str(mark)!r}).read() == 'started\\n' else 0"
    )
    child = Child("control", python(f"{code}; raise SystemExit({EXIT_CONFIGURATION})"), [])
    other = Child("data", python("import time; time.sleep(60)"), [])
    alive: list[bool] = []

    def stop() -> None:
        alive.append(other.process is not None)
        os.kill(os.getpid(), signal.SIGTERM)

    stopper = when(lambda: lines(mark) == 4, stop)
    assert Supervisor([child, other]).run() == 0
    stopper.join()
    assert alive == [True]


def test_a_child_that_ignores_sigterm_is_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervisor, "STOP_TIMEOUT_S", 0.2)
    mark = tmp_path / "mark"
    code = f"import signal, time; signal.signal(15, signal.SIG_IGN); {append_line(mark)}; time.sleep(60)"
    child = Child("x", python(code), [])
    stopper = when(lambda: lines(mark) == 1, lambda: os.kill(os.getpid(), signal.SIGINT))
    assert Supervisor([child]).run() == 0
    stopper.join()
    assert child.process is None


def test_a_child_that_dies_young_waits_longer_each_time() -> None:
    child = Child("x", python("pass"), [])
    pauses = []
    for _ in range(9):
        child.start(now=100.0)
        assert child.process is not None
        child.process.wait()
        child.ended(now=100.1)
        assert child.due is not None
        pauses.append(round(child.due - 100.1, 3))
    assert pauses == [0, 0.2, 0.4, 0.8, 1.6, 3.2, 5, 5, 5]
    child.start(now=200.0)
    child.ended(now=300.0)
    assert child.due == 300.0


def test_children_see_the_end_of_their_input_when_the_supervisor_is_gone() -> None:
    child = Child("x", python("import sys; sys.stdin.read(); sys.exit(7)"), [])
    child.start(now=0)
    assert child.process is not None
    assert child.line is not None
    child.line.close()
    assert child.ended(now=0) == 7


BEATS = (
    "import socket, time; line = socket.socket(fileno=0)\nfor _ in range({count}): line.send(b'.'); time.sleep(0.05)"
)


def test_one_that_hangs_is_killed_and_started_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first one falls silent after some signs of life; the other goes on giving them."""
    monkeypatch.setattr(supervisor, "BEAT_S", 0.05)
    monkeypatch.setattr(supervisor, "LATE_S", 60.0)
    monkeypatch.setattr(supervisor, "LAST_WORDS_S", 0.2)
    mark, deaf = tmp_path / "mark", "import signal; signal.signal(6, signal.SIG_IGN)"
    silent = f"{append_line(mark)}; {deaf}\n{BEATS.format(count=10)}\ntime.sleep(60)"
    hung = Child("x", python(silent), [], silence_s=2.0)
    lively = Child("y", python(BEATS.format(count=10_000)), [], silence_s=30.0)
    stopper = when(lambda: lines(mark) == 2, lambda: os.kill(os.getpid(), signal.SIGTERM))
    watching = Supervisor([hung, lively])
    assert watching.run() == 0
    stopper.join()
    assert (hung.hung, hung.restarts) == (1, 1)
    assert (lively.hung, lively.restarts) == (0, 0)


def test_patience_doubles_to_its_maximum() -> None:
    child = Child("x", python("import time; time.sleep(60)"), [], silence_s=10.0)
    child.start(now=100.0)
    try:
        for number, patience_s in enumerate([10, 20, 40, 80, 160, 160]):
            child.hung = number
            assert not child.hangs(100.0 + patience_s)
            assert child.hangs(100.1 + patience_s)
        child.silence_s = 0
        assert not child.hangs(1e9), "it may be silent for ever"
    finally:
        assert child.process is not None
        child.process.kill()
        child.ended(now=101.0)
    child.silence_s = 10.0
    assert not child.hangs(1e9), "who does not run does not hang"


def test_a_supervisor_that_was_stopped_blames_nobody() -> None:
    child = Child("x", python("import time; time.sleep(60)"), [], silence_s=10.0)
    watching = Supervisor([child])
    child.start(now=100.0)
    watching.looked = 100.0
    try:
        watching._look(10_000.0)
        assert (child.hung, child.heard) == (0, 10_000.0)
        for late_s in range(1, 11):
            watching._look(10_000.0 + late_s)
        assert child.hung == 0
        watching._look(10_010.5)
        assert (child.hung, child.doomed) == (1, 10_010.5 + supervisor.LAST_WORDS_S)
    finally:
        assert child.process is not None
        child.process.kill()
        child.ended(now=10_011.0)
        watching.selector.close()


def test_systemd_is_told_that_the_supervisor_lives(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(str(tmp_path / "notify"))
        systemd.settimeout(20)
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        monkeypatch.setenv("WATCHDOG_USEC", "300000")
        monkeypatch.setenv("WATCHDOG_PID", str(os.getpid()))
        told: list[bytes] = []

        def stop() -> None:
            told.extend(systemd.recv(100) for _ in range(3))
            os.kill(os.getpid(), signal.SIGTERM)

        stopper = threading.Thread(target=stop)
        stopper.start()
        assert Supervisor([Child("x", python("import time; time.sleep(60)"), [])]).run() == 0
        stopper.join()
    assert told == [b"WATCHDOG=1"] * 3


def test_one_nas_a_data_directory(tmp_path: Path) -> None:
    fd = lock_data_directory(tmp_path / "a" / "b")
    assert (tmp_path / "a" / "b").stat().st_mode & 0o777 == 0o700
    with pytest.raises(SupervisorError, match="another Lunaport"):
        lock_data_directory(tmp_path / "a" / "b")
    os.close(fd)
    os.close(lock_data_directory(tmp_path / "a" / "b"))


def test_a_data_directory_that_cannot_be() -> None:
    with pytest.raises(SupervisorError, match="cannot be used"):
        lock_data_directory(Path("/proc/none"))


def test_an_http_port_that_is_taken() -> None:
    other = socket.create_server(("127.0.0.1", 0))
    with other, pytest.raises(SupervisorError, match="another program listens there"):
        listen_http(f"127.0.0.1:{other.getsockname()[1]}", 8080)


def test_the_control_socket_is_private_and_replaces_one_left_behind(tmp_path: Path) -> None:
    path = tmp_path / "data.sock"
    listen_control(str(path)).close()
    sock = listen_control(str(path))
    assert path.stat().st_mode & 0o777 == 0o600
    sock.close()


def test_a_child_that_is_not_wanted_yet_starts_when_somebody_connects(tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    path = str(tmp_path / "data-1.sock")
    with listen_control(path) as wanted:
        code = f"{append_line(mark)}; import time; time.sleep(60)"
        first = Child("data", python("import time; time.sleep(60)"), [])
        second = Child("data-1", python(code), [], wanted=wanted)
        third = Child("data-2", python(code), [], wanted=wanted)
        third.wanted = listen_control(str(tmp_path / "data-2.sock"))
        client = socket.socket(socket.AF_UNIX)
        connecter = when(lambda: first.process is not None, lambda: client.connect(path))
        seen: list[bool] = []

        def kill() -> None:
            seen.append(second.process is not None and second.wanted is None)
            assert second.process is not None
            second.process.kill()

        killer = when(lambda: lines(mark) == 1 and second.process is not None, kill)
        stopper = when(lambda: lines(mark) == 2, lambda: os.kill(os.getpid(), signal.SIGTERM))
        assert Supervisor([first, second, third]).run() == 0
        for thread in (connecter, killer, stopper):
            thread.join()
        client.close()
        assert seen == [True]
        assert third.process is None, "nobody wanted it"
        assert third.started == 0.0
        third.wanted.close()


def test_a_command_is_made_anew_for_each_start() -> None:
    exits = iter([3, 4])
    child = Child("x", lambda: python(f"raise SystemExit({next(exits)})"), [])
    for code in (3, 4):
        child.start(now=0)
        assert child.ended(now=0) == code


def test_every_data_process_has_a_line_to_the_first() -> None:
    sockets = [socket.socket(socket.AF_UNIX) for _ in range(3)]
    lines_ = {number: make_pair() for number in (1, 2)}
    children = data_children(sockets, lines_, {"log_level": "info"}, 60)
    assert [child.name for child in children] == ["data", "data-1", "data-2"]
    assert [child.wanted for child in children] == [None, *sockets[1:]]
    assert {child.silence_s for child in children} == {60}
    ends = {number: (pair[0].fileno(), pair[1].fileno()) for number, pair in lines_.items()}
    assert [set(child.pass_fds) for child in children] == [
        {sockets[0].fileno(), ends[1][0], ends[2][0]},
        {sockets[1].fileno(), ends[1][1]},
        {sockets[2].fileno(), ends[2][1]},
    ]
    commands = [json.loads(list(child.command)[-1]) for child in children if not callable(child.command)]
    assert [each["number"] for each in commands] == [0, 1, 2]
    assert {each["count"] for each in commands} == {3}
    assert commands[0]["lines"] == {"1": ends[1][0], "2": ends[2][0]}
    for sock in (*sockets, *(end for pair in lines_.values() for end in pair)):
        sock.close()
