"""The command line in a real terminal: what moves in it, keys, sizes, questions, completion by real shells."""

import os
import signal
import sys
import termios
from pathlib import Path

import pytest

from tests.system.conftest import StartNas
from tests.system.initiator import Initiator
from tests.system.nas import PASSWORD, Nas, free_port, wait_until
from tests.system.peers import require
from tests.system.terminal import Terminal, plain

LUNAPORT = str(Path(sys.executable).with_name("lunaport"))
ENTERED, LEFT = "\x1b[?1049h", "\x1b[?1049l"
HIDDEN, SHOWN = "\x1b[?25l", "\x1b[?25h"


def environment(nas: Nas, folder: Path, **more: str) -> dict[str, str]:
    """The variables of somebody who uses the command."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("LUNAPORT_", "COLUMNS", "LINES"))}
    path = os.pathsep.join([str(Path(LUNAPORT).parent), os.environ.get("PATH", os.defpath)])
    own = {"LUNAPORT_URL": str(nas.client.base_url), "LUNAPORT_PASSWORD": PASSWORD, "HOME": str(folder), "PATH": path}
    return kept | own | {"XDG_CONFIG_HOME": ""} | more


def terminal(nas: Nas, folder: Path, *words: str, width: int = 120, **more: str) -> Terminal:
    """`lunaport` in a terminal."""
    return Terminal([LUNAPORT, *words], environment(nas, folder, **more), folder, width=width)


def check_left(top: Terminal) -> None:
    """The terminal is as it was: its own screen, its cursor, its settings."""
    assert top.settings() == top.before
    assert top.shown.count(ENTERED) == top.shown.count(LEFT) == 1
    assert top.shown.rindex(LEFT) > top.shown.rindex("q quits")
    assert top.shown.rindex(SHOWN) > top.shown.rindex(HIDDEN)


@pytest.mark.parametrize("key", ["q", "\x1b", "\x03", "SIGTERM"])
def test_top_is_watched_and_left(nas: Nas, tmp_path: Path, key: str) -> None:
    name = f"top-{sum(map(ord, key))}"
    share = nas.create(name, size="1M")
    with Initiator(share.host, share.port, target=share.iqn) as initiator:
        assert initiator.ready().status == 0
        with terminal(nas, tmp_path, "top", "--interval", "0.2") as top:
            top.wait_for(share.iqn)
            top.wait_for("COMMANDS/S")
            assert top.settings() != top.before, "keys are taken one by one"
            if key == "SIGTERM":
                top.process.send_signal(signal.SIGTERM)
            else:
                top.type(key)
            assert top.wait() == 0
            check_left(top)
            assert "Traceback" not in top.shown


def test_top_is_sorted_by_keys_and_follows_the_size(nas: Nas, tmp_path: Path) -> None:
    share = nas.create("top-size", size="1M")
    with Initiator(share.host, share.port, target=share.iqn) as initiator:
        assert initiator.ready().status == 0
        with terminal(nas, tmp_path, "top", "--interval", "0.2") as top:
            top.wait_for("b bytes (now)")
            top.type("n")
            top.wait_for("n name (now)")
            since = len(top.shown)
            top.resize(60, 10)
            top.wait_for("…", since=since)
            assert all(len(line) <= 60 for line in plain(top.shown[since:].split("\x1b[H")[-1]).splitlines())
            since = len(top.shown)
            top.resize(160, 30)
            top.wait_for(f"{share.iqn} ", since=since)
            top.type("q")
            assert top.wait() == 0
            check_left(top)


def test_top_waits_for_a_nas_that_comes_back(start_nas: StartNas, tmp_path: Path) -> None:
    nas = start_nas()
    with terminal(nas, tmp_path, "top", "--interval", "0.2") as top:
        top.wait_for("q quits")
        nas.stop()
        top.wait_for("trying again")
        since = len(top.shown)
        nas.start()
        top.wait_for("q quits", since=since)
        top.type("q")
        assert top.wait() == 0
        check_left(top)


def test_top_of_a_nas_that_is_not_there_draws_nothing(nas: Nas, tmp_path: Path) -> None:
    with terminal(nas, tmp_path, "top", LUNAPORT_URL=f"http://127.0.0.1:{free_port()}") as top:
        assert top.wait() == 3
        assert ENTERED not in top.shown
        assert "does not answer" in plain(top.shown)
        assert top.settings() == top.before


def test_what_takes_long_shows_how_far_it_is(nas: Nas, tmp_path: Path) -> None:
    (tmp_path / "terminal.iso").write_bytes(bytes(8 << 20))
    with terminal(nas, tmp_path, "image", "upload", "terminal.iso") as shown:
        shown.wait_for("8.4/8.4 MB" if "MB" in plain(shown.shown) else "8.0/8.0 MiB")
        assert shown.wait() == 0
        assert "terminal.iso" in plain(shown.shown)
    with terminal(nas, tmp_path, "image", "delete", "terminal.iso") as shown:
        shown.wait_for("for good?")
        shown.type("y\r")
        assert shown.wait() == 0
    share = nas.create("terminal-drain", size="1M")
    with Initiator(share.host, share.port, target=share.iqn, timeout_s=30) as initiator:
        assert initiator.ready().status == 0
        with terminal(nas, tmp_path, "target", "drain", "terminal-drain", "--wait", "60") as shown:
            shown.wait_for("Waiting for initiators to leave")
            initiator.close()
            assert shown.wait() == 0
            assert "sessions: 0" in plain(shown.shown)
    with terminal(nas, tmp_path, "target", "list", LUNAPORT_PASSWORD="") as asked:
        asked.wait_for("Password of admin")
        wait_until(lambda: not asked.settings()[3] & termios.ECHO, timeout_s=60, what="a terminal that echoes nothing")
        asked.type(f"{PASSWORD}\r")
        assert asked.wait() == 0
        assert PASSWORD not in asked.shown


def script(nas: Nas, folder: Path, shell: str) -> Path:
    """What `lunaport --show-completion` prints in that shell."""
    path = folder / f"completion.{shell}"
    words = [LUNAPORT, "--show-completion", shell]
    own = environment(nas, folder, _TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION="1")
    with Terminal(words, own, folder) as shown:
        assert shown.wait() == 0
        path.write_text(plain(shown.shown))
    return path


TYPED = {
    "bash": ("--norc", "-i"),
    "zsh": ("-f", "-i"),
    "fish": ("--no-config", "--interactive"),
}


@pytest.mark.peer
@pytest.mark.parametrize("shell", sorted(TYPED))
def test_shells_complete_commands_options_and_targets(nas: Nas, tmp_path: Path, shell: str) -> None:
    program = require(shell)
    nas.create("completed-in-" + shell, size="1M")
    path = script(nas, tmp_path, shell)
    with Terminal([program, *TYPED[shell]], environment(nas, tmp_path, PS1="ready> "), tmp_path) as typing:
        if shell == "zsh":
            typing.type("autoload -Uz compinit && compinit -u -D\r")
        typing.type(f"source {path.name}\recho lo''aded\r")
        typing.wait_for("loaded")
        for typed, completed in (
            ("lunaport initi", "lunaport initiator"),
            ("lunaport target gr", "lunaport target grow "),
            ("lunaport target create --write-th", "--write-through"),
            (f"lunaport target show completed-in-{shell[0]}", f"completed-in-{shell}"),
        ):
            since = len(typing.shown)
            typing.type(f"{typed}\t\t")
            typing.wait_for(completed, since=since)
            typing.type("\x15")  # the line goes
        typing.type("\x15exit\r")
        typing.wait()


@pytest.mark.peer
def test_completion_is_installed_for_the_shell_that_asks(nas: Nas, tmp_path: Path) -> None:
    own = environment(nas, tmp_path, PS1="ready> ")
    with Terminal([require("bash"), "--norc", "-i"], own, tmp_path) as typing:
        typing.type("lunaport --install-completion\r")
        typing.wait_for("completion installed")
        typing.type("exit\r")
        assert typing.wait() == 0
    assert "lunaport" in (tmp_path / ".bashrc").read_text()
    assert (tmp_path / ".bash_completions" / "lunaport.sh").exists()
