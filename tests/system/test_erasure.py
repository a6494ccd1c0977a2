"""SANITIZE and FORMAT UNIT on a real NAS: over the death of its processes, over a restart, over deletion."""

import time

from tests.system.conftest import StartNas
from tests.system.initiator import Initiator
from tests.system.nas import Nas, Share, wait_until
from tests.system.wire import CHECK_CONDITION

IN_PROGRESS = (0x02, 0x04, 0x1B)
FORMAT_IN_PROGRESS = (0x02, 0x04, 0x04)
BLOCK_ERASE = bytes.fromhex("48 02 00 00 00 00 00 00 00 00")
READY_TIMEOUT_S = 60


def log_in(share: Share) -> Initiator:
    return Initiator(share.host, share.port, target=share.iqn, timeout_s=READY_TIMEOUT_S)


def overwrite(initiator: Initiator, pattern: bytes, *, immediate: bool = True, passes: int = 1) -> int:
    parameters = bytes((passes, 0)) + len(pattern).to_bytes(2, "big") + pattern
    cdb = bytes((0x48, 0x81 if immediate else 0x01, 0, 0, 0, 0, 0)) + len(parameters).to_bytes(2, "big") + b"\0"
    return initiator.command(cdb, data_out=parameters).status


def progress(initiator: Initiator) -> int | None:
    """Of 65536; None when the disk is ready."""
    result = initiator.ready()
    if not result.status:
        return None
    assert result.sense_key == IN_PROGRESS, result.sense.hex()
    assert result.sense[15] == 0x80
    return int.from_bytes(result.sense[16:18], "big")


def wait_ready(initiator: Initiator) -> None:
    wait_until(lambda: progress(initiator) is None, timeout_s=READY_TIMEOUT_S, what="end of the erasure")


def test_overwriting_goes_on_after_every_process_was_killed(start_nas: StartNas) -> None:
    nas = start_nas()
    share = nas.create("wiped", size="2G")
    file = nas.file_of(share)
    with log_in(share) as initiator:
        initiator.write(0, b"secret".ljust(512))
        initiator.write((2 << 21) - 1, b"secret too".ljust(512))
        assert overwrite(initiator, b"\x5a") == 0
        assert file.with_name(f"{file.name}.erasing").exists(), "put down before it was answered"
        assert progress(initiator) is not None
        wait_until(lambda: progress(initiator) not in (0, None), timeout_s=20, what="progress")
    nas.kill("data")
    nas.wait_healthy(timeout_s=10)
    with log_in(share) as initiator:
        assert progress(initiator) is not None
        time.sleep(0.3)
    nas.destroy()
    nas.start()
    with log_in(share) as initiator:
        assert progress(initiator) is not None
        result = initiator.command(bytes.fromhex("28 00 00000000 00 0001 00"), data_in=512)
        assert (result.status, result.sense_key) == (CHECK_CONDITION, IN_PROGRESS)
        wait_ready(initiator)
        for lba in (0, 1 << 20, (2 << 21) - 1):
            assert initiator.read(lba, 1) == b"\x5a" * 512
        assert not file.with_name(f"{file.name}.erasing").exists()
        assert initiator.command(BLOCK_ERASE).status == 0
    assert file.stat().st_blocks == 0
    nas.stop()


def test_block_erase_gives_the_space_back_and_the_disk_is_empty(nas: Nas) -> None:
    share = nas.create("erased", size="45M")
    file = nas.file_of(share)
    with log_in(share) as initiator:
        initiator.write(8, b"x" * 1_048_576)
        assert file.stat().st_blocks
        assert initiator.command(BLOCK_ERASE).status == 0
        assert file.stat().st_blocks == 0
        assert initiator.read(8, 2048) == bytes(1_048_576)


def test_format_unit(nas: Nas) -> None:
    share = nas.create("formatted", size="46M")
    with log_in(share) as initiator:
        initiator.write(8, b"x" * 4096)
        assert initiator.command(bytes.fromhex("04 10 00 00 00 00"), data_out=bytes.fromhex("00 82 0000")).status == 0
        while (result := initiator.ready()).status:
            assert result.sense_key == FORMAT_IN_PROGRESS
        assert initiator.read(8, 8) == bytes(4096)


def test_a_disk_that_is_deleted_while_it_is_overwritten_takes_that_along(nas: Nas) -> None:
    share = nas.create("deleted-midway", size="1500M")
    file = nas.file_of(share)
    with log_in(share) as initiator:
        assert overwrite(initiator, b"\1", passes=31) == 0
        nas.delete(share)
    (gone,) = [path for path in nas.trash() if path.stat().st_size == share.size_bytes]
    assert gone.with_name(f"{gone.name}.erasing").exists()
    assert not list(file.parent.glob(f"{file.name}*"))
    gone.write_bytes(b"")


def test_other_disks_go_on_meanwhile(nas: Nas) -> None:
    busy, other = nas.create("busy-erasing", size="1G"), nas.create("other-goes-on", size="47M")
    with log_in(busy) as eraser, log_in(other) as initiator:
        assert overwrite(eraser, b"\2") == 0
        initiator.write(0, b"meanwhile".ljust(512))
        assert initiator.read(0, 1) == b"meanwhile".ljust(512)
        wait_ready(eraser)
        assert eraser.command(BLOCK_ERASE).status == 0
