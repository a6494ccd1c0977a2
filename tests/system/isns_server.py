"""Debian's isnsd as a plain process, asked with isnsadm, a client that is not ours. Its database is in memory."""

import contextlib
import re
import socket
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path

from tests.system.nas import free_port
from tests.system.peers import output_of, require

START_TIMEOUT_S = 15

_CONFIGURATION = """\
SourceName = iqn.2026-11.test:isnsd
BindAddress = {host}:{port}
ControlSocket = {directory}/control
PIDFile = {directory}/pid
Security = 0
SLPRegister = 0
DefaultDiscoveryDomain = 1
RegistrationPeriod = {period}
ESIMinInterval = 1s
ESIMaxInterval = {esi_interval}
ESIRetries = 2
SCNTimeout = 3s
SCNRetries = 2
Network.ConnectTimeout = 3s
Network.ReconnectTimeout = 1s
"""
_CLIENT = """\
SourceName = iqn.2026-11.test:admin
ServerAddress = {host}:{port}
Security = 0
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """What the server has: each list with its repetitions, so that nothing can be there twice unseen."""

    names: list[str]
    portals: list[str]
    groups: list[tuple[str, str, int]]
    """Target, portal, tag."""
    entities: list[str]


EMPTY = Listing(names=[], portals=[], groups=[], entities=[])


@dataclass(slots=True)
class IsnsServer:
    """One isnsd. Start it before use; stop it after."""

    directory: Path
    host: str = "127.0.0.1"
    port: int = field(default_factory=free_port)
    period: str = "1h"
    esi_interval: str = "10m"
    process: subprocess.Popen[bytes] | None = None

    @property
    def address(self) -> str:
        """As the service object takes it."""
        return f"{self.host}:{self.port}"

    def start(self) -> None:
        """Start it with an empty database, and wait until it takes connections."""
        self.directory.mkdir(exist_ok=True)
        given = {
            "host": self.host,
            "port": self.port,
            "directory": self.directory,
            "period": self.period,
            "esi_interval": self.esi_interval,
        }
        (self.directory / "isnsd.conf").write_text(_CONFIGURATION.format(**given))
        (self.directory / "isnsadm.conf").write_text(_CLIENT.format(**given))
        with (self.directory / "log").open("ab") as log:
            self.process = subprocess.Popen(
                [require("isnsd"), "-4", "-f", "-c", str(self.directory / "isnsd.conf")],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        end = time.monotonic() + START_TIMEOUT_S
        while not self._answers():
            assert self.process.poll() is None, (self.directory / "log").read_text()
            assert time.monotonic() < end, "isnsd does not answer"
            time.sleep(0.05)

    def _answers(self) -> bool:
        with contextlib.suppress(OSError):
            socket.create_connection((self.host, self.port), timeout=1).close()
            return True
        return False

    def stop(self) -> None:
        """End it; what it knew is gone."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None

    def ask(self, what: str) -> str:
        """The output of isnsadm --list."""
        return output_of("isnsadm", "-c", self.directory / "isnsadm.conf", "--list", what)

    def listing(self) -> Listing:
        """What it has now, in order."""
        portals = self.ask("portals")
        groups = self.ask("portal-groups")
        return Listing(
            names=sorted(re.findall(r'iSCSI name = "(.*)"', self.ask("nodes"))),
            portals=sorted(
                f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
                for host, port in re.findall(r"Portal IP address = (\S+)\n.*Portal TCP/UDP port = (\d+)/tcp", portals)
            ),
            groups=sorted(
                (name, f"[{host}]:{port}" if ":" in host else f"{host}:{port}", int(tag))
                for name, host, port, tag in re.findall(
                    r'group name = "(.*)"\n.*group address = (\S+)\n.*group port = (\d+)/tcp\n.*group tag = (\d+)',
                    groups,
                )
            ),
            entities=sorted(re.findall(r'Entity identifier = "(.*)"', self.ask("entities"))),
        )
