"""What docs/install.md puts in place: the systemd unit and its sandbox, the container, an ordinary user."""

import re
import shutil
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from lunaport.runtime.settings import Settings, load_settings
from tests.system.initiator import Initiator
from tests.system.nas import Nas
from tests.system.network import in_own_network
from tests.system.peers import PATH_OF_ADMINISTRATORS, ROOT, missing

PACKAGING = ROOT / "packaging"
NOBODY = 65534
CONFINE = """
import ctypes, os, sys
libc = ctypes.CDLL(None)
assert libc.prctl(38, 1, 0, 0, 0) == 0  # PR_SET_NO_NEW_PRIVS
libc.prctl(65, 1, 0, 0, 0)  # PR_SET_MDWE, where the kernel knows it: no memory is both written and run
os.execv(sys.argv[1], sys.argv[1:])
"""


def systemd(*words: str | Path) -> str:
    """What a tool of systemd prints; it must succeed."""
    program = shutil.which(str(words[0]), path=PATH_OF_ADMINISTRATORS)
    if program is None:
        missing(f"{words[0]} is not installed")
    done = subprocess.run([program, *words[1:]], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


@pytest.fixture
def unit(tmp_path: Path) -> Path:
    """The unit, with a program that is there."""
    text = (PACKAGING / "lunaport.service").read_text()
    assert "/opt/lunaport/bin/lunaport" in text
    path = tmp_path / "lunaport.service"
    path.write_text(text.replace("/opt/lunaport/bin/lunaport", "/bin/true"))
    return path


def test_the_unit_is_right_and_its_sandbox_tight(unit: Path) -> None:
    assert systemd("systemd-analyze", "verify", unit).strip() == ""
    printed = systemd("systemd-analyze", "security", "--offline=true", "--no-pager", unit)
    exposure = re.search(r"Overall exposure level for \S+: ([\d.]+)", printed)
    assert exposure, printed
    told = re.search(r"rates its exposure ([\d.]+) of 10", (ROOT / "docs" / "install.md").read_text())
    assert told, "docs/install.md says how far it is exposed"
    assert float(exposure[1]) <= float(told[1])


def test_its_user_and_its_folders() -> None:
    systemd("systemd-sysusers", "--dry-run", PACKAGING / "lunaport.sysusers")
    for line in (PACKAGING / "lunaport.tmpfiles").read_text().splitlines():
        assert line.startswith("#") or re.fullmatch(r"d /etc/lunaport 0750 root lunaport -", line)


def test_its_settings_are_settings() -> None:
    text = (PACKAGING / "lunaport.toml").read_text()
    assert load_settings({}, PACKAGING / "lunaport.toml").data_dir == Path("/var/lib/lunaport")
    with tempfile.NamedTemporaryFile("w", suffix=".toml") as file:
        file.write(re.sub(r"^#(\w+ = )", r"\1", text, flags=re.MULTILINE))
        file.flush()
        settings = load_settings({}, Path(file.name))
    assert len(settings.https) == len(settings.portal) == 2


def test_the_container_is_made_of_what_there_is(monkeypatch: pytest.MonkeyPatch) -> None:
    known = {
        "FROM", "WORKDIR", "COPY", "RUN", "ENV", "USER", "VOLUME", "EXPOSE", "STOPSIGNAL", "HEALTHCHECK", "ENTRYPOINT",
        "CMD",
    }  # fmt: skip
    lines = [line for line in (PACKAGING / "Containerfile").read_text().splitlines() if line and line[0] != "#"]
    for word, _, rest in (line.partition(" ") for line in lines):
        assert word in known, word
        if word == "COPY" and not rest.startswith("--from"):
            for source in rest.split()[:-1]:
                assert (ROOT / source).exists(), source
        if word == "ENV":
            name, _, value = rest.partition("=")
            assert name.removeprefix("LUNAPORT_").lower() in Settings.model_fields, name
            monkeypatch.setenv(name, value)
    settings = load_settings({})
    assert settings.https == ("0.0.0.0:8443",)
    assert lines[-1] == 'CMD ["serve"]'
    user = next(index for index, line in enumerate(lines) if line.startswith("USER"))
    assert not any(line.startswith("RUN") for line in lines[user:]), "nothing but the NAS runs as its user"


class Confined(Nas):
    """A NAS without any right but that to low ports, and as nobody where that user can read the program."""

    def command(self) -> list[str]:
        setpriv = ["setpriv", "--bounding-set=-all,+net_bind_service", "--no-new-privs"]
        setpriv += ["--inh-caps=-all,+net_bind_service", "--ambient-caps=-all,+net_bind_service"]
        confine = [sys.executable, "-c", CONFINE]
        nobody = [*setpriv, f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", *confine]
        words = super().command()
        tried = subprocess.run([*nobody, words[0], "--version"], capture_output=True, check=False)
        return [*(nobody if tried.returncode == 0 else [*setpriv, *confine]), *words]


def serve_confined(folder: Path) -> None:
    """Serve on low ports, and tell systemd."""
    nas = Confined(folder / "data", http_port=80, port=860)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as told:
        told.bind(str(folder / "notify"))
        (folder / "notify").chmod(0o666)
        told.settimeout(20)
        nas.settings["NOTIFY_SOCKET"] = str(folder / "notify")
        try:
            nas.start()
            assert told.recv(200) == b"READY=1\nSTATUS=iSCSI: 127.0.0.1:860"
            share = nas.create("confined", size="16M")
            with Initiator(share.host, share.port, share.iqn) as initiator:
                initiator.write(0, b"confined".ljust(512), fua=True)
                assert initiator.read(0, 1) == b"confined".ljust(512)
            nas.stop()
            assert told.recv(200) == b"STOPPING=1"
        finally:
            nas.destroy()
            nas.client.close()


def test_an_ordinary_user_serves_on_low_ports() -> None:
    if shutil.which("setpriv", path=PATH_OF_ADMINISTRATORS) is None:
        pytest.skip("setpriv (util-linux) is not installed")
    with tempfile.TemporaryDirectory(prefix="lunaport-") as name:
        folder = Path(name)
        folder.chmod(0o777)
        in_own_network(lambda: serve_confined(folder))
