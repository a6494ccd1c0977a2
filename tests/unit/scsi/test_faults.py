"""Errors from below: each reaches the initiator as the right sense, on that unit only, and is over when it is over."""

import os
from pathlib import Path

import pytest

from lunaport.blockdev.device import BlockDevice, DeviceFault
from lunaport.blockdev.filters import DelayFilter, FaultFilter, FaultRule, Operation
from lunaport.blockdev.memory import MemoryDevice
from lunaport.scsi.enums import Status
from lunaport.scsi.logical_unit import LogicalUnit
from lunaport.storage.file import open_file

from .support import SIZE, Bench, FakeTask

SENSE = {
    DeviceFault.MEDIUM_READ: (0x3, 0x1100),  # unrecovered read error
    DeviceFault.MEDIUM_WRITE: (0x3, 0x0C00),  # write error
    DeviceFault.NO_SPACE: (0x7, 0x2707),  # space allocation failed write protect
    DeviceFault.READ_ONLY: (0x7, 0x2700),  # write protected
    DeviceFault.GONE: (0x4, 0x0800),  # logical unit communication failure
    DeviceFault.FLUSH_FAILED: (0x3, 0x0C00),
}
BLOCK = bytes(512)
UNMAP = bytes.fromhex("0016 0010 00000000 0000000000000000 00000008 00000000")
COMMANDS: list[tuple[str, Operation, str, bytes]] = [
    ("READ", "read", "28 00 00000000 00 0001 00", b""),
    ("READ with FUA", "read", "28 08 00000000 00 0001 00", b""),
    ("READ with FUA", "flush", "28 08 00000000 00 0001 00", b""),
    ("VERIFY", "read", "2F 00 00000000 00 0001 00", b""),
    ("VERIFY of data", "read", "2F 02 00000000 00 0001 00", BLOCK),
    ("PRE-FETCH", "read", "34 00 00000000 00 0001 00", b""),
    ("WRITE", "write", "2A 00 00000000 00 0001 00", BLOCK),
    ("WRITE with FUA", "flush", "2A 08 00000000 00 0001 00", BLOCK),
    ("WRITE AND VERIFY", "write", "2E 00 00000000 00 0001 00", BLOCK),
    ("WRITE AND VERIFY", "read", "2E 02 00000000 00 0001 00", BLOCK),
    ("WRITE SAME", "write", "41 00 00000000 00 0001 00", b"x" * 512),
    ("WRITE SAME of zeros", "write_zeroes", "41 00 00000000 00 0001 00", BLOCK),
    ("WRITE SAME with UNMAP", "unmap", "41 08 00000000 00 0008 00", BLOCK),
    ("UNMAP", "unmap", "42 00 00000000 00 0018 00", UNMAP),
    ("ORWRITE", "read", "8B 00 0000000000000000 00000001 00 00", BLOCK),
    ("ORWRITE", "write", "8B 00 0000000000000000 00000001 00 00", BLOCK),
    ("COMPARE AND WRITE", "read", "89 00 0000000000000000 000000 01 00 00", 2 * BLOCK),
    ("COMPARE AND WRITE", "write", "89 00 0000000000000000 000000 01 00 00", 2 * BLOCK),
    ("WRITE ATOMIC", "write", "9C 00 0000000000000000 0000 0001 00 00", BLOCK),
    ("SYNCHRONIZE CACHE", "flush", "35 00 00000000 00 0000 00", b""),
]


def two(device: BlockDevice) -> Bench:
    """A bad disk at LUN 0, a good one at LUN 1."""
    bench = Bench(device)
    good = LogicalUnit(MemoryDevice(SIZE), bench.background, uuid="1" * 32, serial="good")
    bench.target.set_units({0: bench.unit, 1: good})
    bench.run("A0 00 00 000000 00000100 00 00")
    return bench


def run(bench: Bench, cdb: str, data: bytes, lun: int = 0) -> FakeTask:
    return bench.run(cdb, lun=lun << 48, data_out=data or None, expected_length=512)


@pytest.mark.parametrize("slow", [False, True])
@pytest.mark.parametrize("fault", list(DeviceFault))
@pytest.mark.parametrize(("name", "operation", "cdb", "data"), COMMANDS)
def test_every_fault_of_every_command(
    name: str, operation: Operation, cdb: str, data: bytes, fault: DeviceFault, slow: bool
) -> None:
    bad = FaultFilter(MemoryDevice(SIZE), FaultRule(operation=operation, fault=fault))
    bench = two(DelayFilter(bad, lambda: None) if slow else bad)
    for _ in range(2):
        task = run(bench, cdb, data)
        assert (task.status, task.sense_key, task.sense_code) == (Status.CHECK_CONDITION, *SENSE[fault]), name
        assert run(bench, cdb, data, lun=1).status in (Status.GOOD, Status.CONDITION_MET)
    bad.clear()
    assert run(bench, cdb, data).status in (Status.GOOD, Status.CONDITION_MET)


def test_a_file_that_somebody_cut_is_an_error_where_it_ends(tmp_path: Path) -> None:
    path = tmp_path / "disk"
    path.write_bytes(b"x" * SIZE)
    device = open_file(str(path), lambda: 0.0)
    bench = two(device)
    os.truncate(path, SIZE // 2)
    assert run(bench, "28 00 00000000 00 0001 00", b"").data == b"x" * 512
    task = run(bench, f"28 00 {SIZE // 512 - 1:08X} 00 0001 00", b"")
    assert (task.sense_key, task.sense_code) == SENSE[DeviceFault.MEDIUM_READ]
    assert run(bench, f"28 00 {SIZE // 512 - 1:08X} 00 0001 00", b"", lun=1).status == Status.GOOD
    device.close()


def test_a_file_whose_name_is_gone_is_served_on_and_one_that_is_closed_is_gone(tmp_path: Path) -> None:
    path = tmp_path / "disk"
    path.write_bytes(b"x" * SIZE)
    device = open_file(str(path), lambda: 0.0)
    bench = two(device)
    path.unlink()
    assert run(bench, "2A 00 00000000 00 0001 00", b"y" * 512).status == Status.GOOD
    assert run(bench, "28 00 00000000 00 0001 00", b"").data == b"y" * 512
    device.close()
    task = run(bench, "28 00 00000000 00 0001 00", b"")
    assert (task.sense_key, task.sense_code) == SENSE[DeviceFault.GONE]
    assert run(bench, "28 00 00000000 00 0001 00", b"", lun=1).status == Status.GOOD
