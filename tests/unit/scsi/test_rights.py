"""What an initiator may do with a target: read only, and some of its LUNs only."""

import pytest

from lunaport.blockdev.memory import MemoryDevice
from lunaport.scsi.command import Command
from lunaport.scsi.commands import COMMANDS
from lunaport.scsi.enums import SenseKey, Status
from lunaport.scsi.logical_unit import LogicalUnit
from lunaport.scsi.rights import ALL_RIGHTS, Rights

from .support import SIZE, UUID, Bench, FakeTask

READER = Rights(read_only=True)
READ = "28 00 00000000 00 0001 00"
WRITE = "2A 00 00000000 00 0001 00"
BLOCK = b"x" * 512
MODE_SENSE_6, MODE_SENSE_10 = "1A 00 3F 00 FF 00", "5A 00 3F 00 00 00 00 00FF 00"
REPORT_LUNS = "A0 00 00 000000 00000100 00 00"
TEST_UNIT_READY = "00 00 00 00 00 00"
LUN_1 = 1 << 48
WRITES = "0A 2A AA 8A 2E AE 8E 89 8B 9C 41 93 42 04 48/01 48/02 48/03 83/11 15 55"
"""MODE SELECT is among them: it could write-protect the disk for all."""
OTHERS = (
    "00 03 08 12 16 17 1A 1B 25 28 2F 35 56 57 5A 88 8F 91 A0 A8 AF 9E/10 A3/0C 48/1F 83/00 83/01 83/10 83/1C"
    " 1E 34 37 3B 3C 4D 90 9E/12 A3/0A A3/0D B7"
)
GROUPS = {0x5E, 0x5F, 0x84}
"""Operation codes of which no service action writes to the medium."""


def name_of(row: Command) -> str:
    return f"{row.opcode:02X}" if row.service_action is None else f"{row.opcode:02X}/{row.service_action:02X}"


def test_every_command_is_known_to_write_or_not() -> None:
    """A command that is new belongs into one of the lists, and has `writes` or not. A copy looks at rights itself."""
    rows = [row for row in COMMANDS.rows if row.opcode not in GROUPS or row.writes]
    assert {name_of(row) for row in rows if row.writes} == set(WRITES.split())
    assert {name_of(row) for row in rows if not row.writes} == set(OTHERS.split())


def refused(task: FakeTask) -> bool:
    return (task.status, task.sense_key, task.sense_code) == (Status.CHECK_CONDITION, SenseKey.DATA_PROTECT, 0x2700)


@pytest.mark.parametrize("row", [row for row in COMMANDS.rows if row.writes], ids=name_of)
def test_a_reader_cannot_write(row: Command) -> None:
    bench = Bench()
    bench.nexus.set_rights(READER)
    bench.run(TEST_UNIT_READY)
    cdb = bytes([row.opcode, row.service_action or 0]).ljust(16, b"\0")
    assert refused(bench.run(cdb, data_out=BLOCK))
    assert bench.run(READ).data == bytes(512)


def test_a_reader_reads_and_others_write() -> None:
    bench = Bench()
    bench.nexus.set_rights(READER)
    bench.run(TEST_UNIT_READY)
    assert bench.run(WRITE, nexus=bench.other, data_out=BLOCK).status == Status.GOOD
    assert bench.run(READ).data == BLOCK
    assert refused(bench.run(WRITE, data_out=bytes(512)))
    assert bench.run(READ).data == BLOCK


def test_a_reader_cannot_write_on_the_careful_way_either() -> None:
    bench = Bench()
    bench.nexus.set_rights(READER)
    bench.run(TEST_UNIT_READY)
    bench.run("16 00 00 00 00 00")
    assert refused(bench.run(bytes.fromhex(WRITE) + bytes(22), data_out=BLOCK)), "a long CDB"


def test_the_disk_says_that_it_is_write_protected() -> None:
    bench = Bench()
    bench.nexus.set_rights(READER)
    assert bench.run(TEST_UNIT_READY).sense_code == 0x2A01
    assert bench.run(MODE_SENSE_6).data[2] & 0x80
    assert bench.run(MODE_SENSE_10).data[3] & 0x80
    assert not bench.run(MODE_SENSE_6, nexus=bench.other).data[2] & 0x80
    bench.nexus.set_rights(ALL_RIGHTS)
    assert bench.run(TEST_UNIT_READY).sense_code == 0x2A01
    assert bench.run(WRITE, data_out=BLOCK).status == Status.GOOD


class TwoLuns(Bench):
    """A bench with a second unit, at LUN 1."""

    def __init__(self) -> None:
        super().__init__()
        self.second = LogicalUnit(MemoryDevice(SIZE), self.background, uuid=UUID[::-1], serial=UUID[::-1])
        self.target.set_units({0: self.unit, 1: self.second})
        for nexus in (self.nexus, self.other):
            for lun in (0, LUN_1):
                self.run(TEST_UNIT_READY, nexus=nexus, lun=lun)


def test_a_lun_that_is_not_seen_is_none() -> None:
    bench = TwoLuns()
    bench.nexus.set_rights(Rights(luns=frozenset({1})))
    assert bench.run(TEST_UNIT_READY).sense_code == 0x2500
    assert bench.run(READ, nexus=bench.other).status == Status.GOOD
    assert bench.run(REPORT_LUNS, lun=LUN_1).data[:16] == bytes([0, 0, 0, 8, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0])
    assert bench.run("12 00 00 00 FF 00").data[0] == 0x7F, "no device at this LUN"
    done: list[str] = []
    assert not bench.nexus.reset_unit(0, lambda: done.append("reset"))
    assert bench.nexus.reset_unit(LUN_1, lambda: done.append("reset"))
    assert done == ["reset"]


def test_who_sees_other_luns_than_before_is_told() -> None:
    bench = TwoLuns()
    bench.nexus.set_rights(Rights(luns=frozenset({0})))
    assert bench.run(TEST_UNIT_READY).sense_code == 0x3F0E
    bench.nexus.set_rights(ALL_RIGHTS)
    assert [bench.run(TEST_UNIT_READY, lun=lun).sense_code for lun in (0, LUN_1)] == [0x3F0E, 0x3F0E]
    assert bench.run(TEST_UNIT_READY, nexus=bench.other).status == Status.GOOD


def test_what_is_under_way_on_a_lun_that_goes_out_of_sight_ends() -> None:
    bench = TwoLuns()
    bench.run("16 00 00 00 00 00")
    task = bench.start(WRITE, expected_length=512, data_out=BLOCK, immediate=0)
    bench.nexus.set_rights(Rights(luns=frozenset({1})))
    assert task.aborted
    assert bench.unit.holder is None
    assert not bench.unit.task_set
    assert bench.run(WRITE, nexus=bench.other, data_out=BLOCK).status == Status.GOOD


def test_rights_are_there_from_the_login_on() -> None:
    bench = Bench()
    nexus = bench.target.attach("iqn.2026-01.example:third,i,0x000000000003", rights=READER)
    assert refused(bench.run(WRITE, nexus=nexus, data_out=BLOCK))
    hidden = bench.target.attach("iqn.2026-01.example:fourth,i,0x000000000004", rights=Rights(luns=frozenset()))
    assert bench.run(TEST_UNIT_READY, nexus=hidden).sense_code == 0x2500
