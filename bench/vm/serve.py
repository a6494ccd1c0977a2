"""A data process of Lunaport with one target, in the guest: `python3 serve.py FILE PORT`. It runs until it is killed.

The control process, the database and the web page are left out: they do nothing while disks are read, and under
emulation they take a minute to start.
"""

import asyncio
import json
import socket
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

from lunaport.engine.embedded.client import EmbeddedEngine
from lunaport.engine.interface import DesiredState, EngineUnavailableError, LunSpec, PortalSpec, TargetSpec

NAME = "iqn.2026-11.test.lunaport:lunaport"
SOCKET = "/run/data.sock"
TRIES = 60
"""Each of five seconds."""


def begin(listening: socket.socket) -> "subprocess.Popen[bytes]":
    """Start the process; the end of its standard input would end it."""
    options = json.dumps({"control_fd": listening.fileno(), "log_level": "warning"})
    words = [sys.executable, "-m", "lunaport.runtime.data", options]
    return subprocess.Popen(words, stdin=subprocess.PIPE, pass_fds=[listening.fileno()])


async def tell(desired: DesiredState) -> None:
    """Say what to serve, as soon as somebody listens."""
    engine = EmbeddedEngine(SOCKET)
    for _ in range(TRIES):
        with suppress(EngineUnavailableError):  # it takes its time
            await engine.start(desired)
            return


def main(file: Path, port: int) -> None:
    """Start it, tell it what to serve, say so, and wait."""
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(SOCKET)
        listening.listen()
        process = begin(listening)
    lun = LunSpec(lun=0, uuid="0" * 31 + "1", path=str(file), size_bytes=file.stat().st_size)
    desired = DesiredState(
        portals=(PortalSpec(host="0.0.0.0", port=port),),  # noqa: S104 - the guest's network is QEMU's own
        targets=(TargetSpec(name=NAME, luns=(lun,)),),
    )
    asyncio.run(tell(desired))
    print(f"lunaport serves port {port}", flush=True)
    process.wait()


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
