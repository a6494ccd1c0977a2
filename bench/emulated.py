"""LIO, the kernel's target, and Lunaport in one virtual machine, with fio outside as the client of both.

LIO lives in a kernel, and nobody's kernel is touched for a benchmark. The machine is emulated (tcg), so everything in
it is slow, both alike: the ratio is what counts. `vm/build.sh` makes the image; Lunaport is added as it is now.
"""

import compileall
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from tests.system.nas import free_port
from tests.system.peers import CACHE, ROOT
from tests.vm.machine import Guest

from bench.contestants import Contestant

IMAGE: Final = CACHE / "bench-vm"
SCRIPTS: Final = Path(__file__).parent / "vm"
MIB: Final = 256
"""Of each target's file, which lies in the guest's memory."""
MEMORY_MIB: Final = 1536
START_TIMEOUT_S: Final = 600.0
LIO_PORT, LUNAPORT_PORT = 3260, 3261
"""In the guest; see `vm/guest.sh`."""


def pack_source(directory: Path) -> Path:
    """An archive with Lunaport as it is, compiled, at /opt/lunaport."""
    files = directory / "files"
    place = files / "opt" / "lunaport"
    shutil.copytree(ROOT / "src" / "lunaport", place / "lunaport", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(SCRIPTS / "serve.py", place)
    compileall.compile_dir(place, quiet=2, stripdir=str(files))
    names = "\n".join(str(path.relative_to(files)) for path in sorted(files.rglob("*")))
    archive = directory / "source.cpio"
    with archive.open("wb") as output:
        command = ["cpio", "--create", "--format=newc", "--quiet"]
        subprocess.run(command, cwd=files, input=names.encode(), stdout=output, check=True)
    shutil.rmtree(files)
    return archive


@contextmanager
def both(directory: Path) -> Iterator[dict[str, Contestant]]:
    """The machine with both of them, serving. CPU time is that of the whole emulation."""
    ports = {"lio": free_port(), "lunaport": free_port()}
    guest = Guest(
        SCRIPTS / "guest.sh",
        {"MIB": str(MIB)},
        directory,
        image=IMAGE,
        more_files=pack_source(directory),
        memory_mib=MEMORY_MIB,
        forwards={ports["lio"]: LIO_PORT, ports["lunaport"]: LUNAPORT_PORT},
    )
    with guest:
        guest.wait_for_step("READY", timeout_s=START_TIMEOUT_S)
        yield {
            name: Contestant(
                name=name,
                url=f"iscsi://127.0.0.1:{port}/iqn.2026-11.test.lunaport:{name}/0",
                file=directory / "in-the-guest",
                pids=lambda: [guest.process.pid],
            )
            for name, port in ports.items()
        }
