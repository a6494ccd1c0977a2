"""A volume that gets full: initiators are told before, writes that do not fit fail as they should, the rest goes on."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.system.conftest import StartNas
from tests.system.initiator import Initiator
from tests.system.nas import Nas, wait_until

MIB = 1 << 20
VOLUME_MIB = 24
SCARCE = (6, 0x38, 0x07)
NO_SPACE = (7, 0x27, 0x07)
TEST_UNIT_READY = bytes(6)
UNMAP_ALL = bytes.fromhex("0016 0010 00000000 0000000000000000 0000F000 00000000")
DEALLOCATED, ANCHORED = 1, 2
PROVISIONING_LOG = bytes.fromhex("4D 00 4C 00 00 0000 00FF 00")


@pytest.fixture
def volume(tmp_path: Path) -> Iterator[Path]:
    """A file system of its own, in memory."""
    if os.geteuid() != 0:
        pytest.skip("mounting a file system needs root")
    path = tmp_path / "small"
    path.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={VOLUME_MIB}m", "tmpfs", str(path)], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip(f"mounting is not allowed here: {mounted.stderr.decode().strip()}")
    yield path
    subprocess.run(["umount", "--lazy", str(path)], check=True)


def write(session: Initiator, lun: int, mib: int) -> tuple[int, int, int] | None:
    """Write the MiB at this place; the sense it got."""
    cdb = bytes.fromhex("2A 00") + (mib * 2048).to_bytes(4) + bytes.fromhex("00 0800 00")
    result = session.command(cdb, lun=lun, data_out=b"x" * MIB)
    return result.sense_key if result.status else None


def attention(session: Initiator, lun: int) -> tuple[int, int, int] | None:
    result = session.command(TEST_UNIT_READY, lun=lun)
    return result.sense_key if result.status else None


def test_a_thin_volume_that_gets_full(start_nas: StartNas, volume: Path) -> None:
    nas = start_nas()
    body: dict[str, Any] = {"name": "small", "path": str(volume), "low_space_percent": 40}
    assert nas.client.post("/api/v1/volumes", json=body).status_code == 201
    luns = [{"lun": number, "size_bytes": 30 * MIB, "volume": "small"} for number in (0, 1)]
    target = nas.client.post("/api/v1/targets", json={"name": "small", "luns": luns}).json()
    other = nas.create("beside-the-full-one")
    with (
        Initiator(nas.hosts[0], nas.port, target=target["name"]) as session,
        Initiator(nas.hosts[0], nas.port, target=other.iqn) as beside,
    ):
        assert [write(session, 0, mib) for mib in range(16)] == [None] * 16
        wait_until(lambda: attention(session, 0) == SCARCE, timeout_s=15, what="the warning")
        assert attention(session, 0) is None
        assert attention(session, 1) == SCARCE, "every thin disk of the volume is told"
        log = session.command(PROVISIONING_LOG, data_in=255).data
        assert int.from_bytes(log[8:12]) <= VOLUME_MIB - 16
        assert int.from_bytes(log[20:24]) == 16
        found = [write(session, 1, mib) for mib in range(12)]
        assert set(found) == {None, NO_SPACE}
        assert session.read(0, 8), "what is there can be read"
        assert write(beside, 0, 0) is None, "disks elsewhere go on"
        unmap = session.command(bytes.fromhex("42 00 00 00 00 00 00 0018 00"), data_out=UNMAP_ALL)
        assert unmap.status == 0
        assert write(session, 1, 11) is None, "space that is given back is there for the others"


def test_space_that_is_anchored_is_there(start_nas: StartNas) -> None:
    """UNMAP with ANCHOR takes space on the file system, which stays over a restart; UNMAP gives it back."""
    nas = start_nas()
    share = nas.create("anchored", size="64M")
    whole = bytes.fromhex("0016 0010 00000000 0000000000000000 00020000 00000000")
    with Initiator(share.host, share.port, target=share.iqn) as session:
        if not session.command(bytes.fromhex("12 01 B2 00 08 00"), data_in=8).data[5] & 0x02:
            pytest.skip("the file system does not tell anchored space")
        assert session.command(bytes.fromhex("42 01 00 00 00 00 00 0018 00"), data_out=whole).status == 0
        assert status_of_block_0(session) == (0x20000, ANCHORED)
        assert used_bytes(nas) >= 64 * MIB
        assert write(session, 0, 5) is None
        assert status_of_block_0(session) == (5 * 2048, ANCHORED)
    nas.kill("data")
    nas.wait_healthy(timeout_s=20)
    with Initiator(share.host, share.port, target=share.iqn) as session:
        assert status_of_block_0(session) == (5 * 2048, ANCHORED)
        assert session.read(5 * 2048, 1) == b"x" * 512
        assert session.command(bytes.fromhex("42 00 00 00 00 00 00 0018 00"), data_out=whole).status == 0
        assert status_of_block_0(session) == (0x20000, DEALLOCATED)
        assert used_bytes(nas) < MIB


def status_of_block_0(session: Initiator) -> tuple[int, int]:
    """What GET LBA STATUS tells of the first run: its blocks and their provisioning status."""
    data = session.command(bytes.fromhex("9E 12 0000000000000000 00000018 00 00"), data_in=24).data
    return int.from_bytes(data[16:20]), data[20]


def used_bytes(nas: Nas) -> int:
    """What the file of the only disk takes of the file system."""
    (file,) = (path for path in nas.files() if path.suffix == ".img")
    return file.stat().st_blocks * 512
