"""Optical drives: their commands, byte by byte, and what of them disks do not have."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lunaport.blockdev.memory import MemoryDevice
from lunaport.scsi.commands import COMMANDS, OPTICAL_COMMANDS, ROWS
from lunaport.scsi.enums import DeviceType, Opcode, Status
from lunaport.scsi.logical_unit import LogicalUnit
from lunaport.scsi.mode_pages import Modes
from lunaport.scsi.optical_drive import (
    CD_BLOCKS_MAX,
    OpticalDrive,
    empty_medium,
    insert_medium,
    msf,
    profile_of,
    remove_medium,
)
from lunaport.scsi.optical_enums import OpticalOpcode, Profile
from lunaport.scsi.ordering import Ordering
from lunaport.scsi.target import ScsiTarget

from .support import UUID, Bench, FakeTask

SECTOR = 2048
SECTORS = 300
TEST_UNIT_READY = "00 00 00 00 00 00"
EVENT = "4A 01 00 00 10 00 00 0008 00"
CONFIGURATION = "46 00 0000 00 00 00 0200 00"
MEDIUM_CHANGED = (6, 0x2800)
NO_MEDIUM, TRAY_OPEN = (2, 0x3A01), (2, 0x3A02)


class Large(MemoryDevice):
    """Says that it is a DVD, and holds no more than a CD."""

    @property
    def size_bytes(self) -> int:
        return (CD_BLOCKS_MAX + 1) * SECTOR


class Drive(Bench):
    """A target with a drive at LUN 0."""

    def __init__(self, *, loaded: bool = True, removable: bool = True) -> None:
        super().__init__()
        self.memory = MemoryDevice(SECTORS * SECTOR)
        for sector in range(SECTORS):
            self.memory.write(sector * SECTOR, [memoryview(sector.to_bytes(2) * 1024)])
        self.kept: list[bool] = []
        self.unit = LogicalUnit(
            self.memory if loaded else empty_medium(),
            self.background,
            uuid=UUID,
            serial="S1",
            block_size_bytes=SECTOR,
            physical_block_size_bytes=SECTOR,
            product="CD-ROM",
            thin=False,
            read_only=True,
            removable=removable,
            default_modes=Modes(write_cache=False),
            keep_ejected=lambda ejected: self.kept.append(ejected()),
            drive=OpticalDrive(has_medium=loaded),
        )
        self.target = ScsiTarget({0: self.unit})
        self.nexus = self.target.attach("iqn.2026-01.example:host,i,0x000000000001")
        self.other = self.target.attach("iqn.2026-01.example:other,i,0x000000000002")

    def dvd(self) -> None:
        """Put a DVD in."""
        insert_medium(self.unit, Large(SECTOR))
        for nexus in (self.nexus, self.other):
            nexus.take_attention(self.unit)
            assert self.unit.drive is not None
            self.unit.drive.take_event(nexus)


def sense(task: FakeTask) -> tuple[int, int]:
    return (task.sense_key, task.sense_code) if task.status == Status.CHECK_CONDITION else (0, 0)


def test_the_table_says_which_device_has_which_command() -> None:
    assert {row.opcode for row in COMMANDS.rows} == set(Opcode)
    shared = {row.opcode for row in COMMANDS.rows if DeviceType.CDROM in row.devices}
    assert {row.opcode for row in OPTICAL_COMMANDS.rows} == set(OpticalOpcode) | shared
    assert set(COMMANDS.rows) | set(OPTICAL_COMMANDS.rows) == set(ROWS)


@pytest.mark.parametrize("opcode", range(256))
def test_neither_answers_the_others_commands(opcode: int) -> None:
    cdb = bytes((opcode,)) + bytes(15)
    is_disks = opcode in {row.opcode for row in COMMANDS.rows}
    is_drives = opcode in {row.opcode for row in OPTICAL_COMMANDS.rows}
    for bench, has in ((Bench(removable=True), is_disks), (Drive(), is_drives)):
        task = bench.start(cdb, expected_length=4096)
        assert (sense(task) == (5, 0x2000)) == (not has)


def test_supported_operation_codes() -> None:
    drive = Drive()
    data = drive.run("A3 0C 00 00 0000 00001000 00 00").data
    codes = {data[4 + offset] for offset in range(0, int.from_bytes(data[:4]), 8)}
    assert codes == {row.opcode for row in OPTICAL_COMMANDS.rows}
    usage = drive.run("A3 0C 01 43 0000 00000100 00 00").data
    assert usage == bytes.fromhex("00 03 000A 43 02 0F 00 00 00 FF FF FF C0")
    assert drive.run("A3 0C 01 2A 0000 00000100 00 00").data[1] == 1, "no writes"
    assert Bench().run("A3 0C 01 43 0000 00000100 00 00").data[1] == 1


def test_inquiry() -> None:
    drive = Drive()
    data = drive.run("12 00 00 00 60 00").data
    assert data[:8] == bytes.fromhex("05 80 06 12 5B 00 00 02")
    assert data[8:32] == b"LUNAPORTCD-ROM          "
    assert data[58:66] == bytes.fromhex("00A0 0961 0460 04E0")
    assert drive.run("12 01 00 00 60 00").data == bytes.fromhex("05 00 0006 00 80 83 86 87 88")
    assert drive.run("12 01 80 00 60 00").data == bytes.fromhex("05 80 0002") + b"S1"
    assert sense(drive.run("12 01 B0 00 60 00")) == (5, 0x2400)


def test_capacity_and_reading() -> None:
    drive = Drive()
    assert drive.run("25" + "00" * 9).data == struct.pack(">II", SECTORS - 1, SECTOR)
    for cdb in (
        "28 00 00000007 00 0002 00",
        "A8 00 00000007 00000002 00 00",
        "BE 00 00000007 000002 10 00 00",
        "BE 08 00000007 000002 10 00 00",
        "B9 00 00 000207 000209 10 00 00",
    ):
        assert drive.run(cdb).data == b"\0\7" * 1024 + b"\0\x08" * 1024, cdb
    for cdb in ("28 00 0000012C 00 0001 00", "BE 00 0000012C 000001 10 00 00", "2B 00 0000012C 00000000"):
        assert sense(drive.run(cdb)) == (5, 0x2100)
    assert drive.run("2B 00 0000012B 00000000").status == 0
    assert sense(drive.run("2A 00 00000000 00 0001 00", data_out=bytes(SECTOR))) == (5, 0x2000)


@pytest.mark.parametrize(
    ("cdb", "code", "field"),
    [
        ("BE 04 00000000 000001 10 00 00", 0x6400, None),  # CD-DA
        ("BE 00 00000000 000001 F8 00 00", 0x2400, (9, None)),  # raw sectors
        ("BE 00 00000000 000001 12 00 00", 0x2400, (9, None)),  # C2 errors
        ("BE 00 00000000 000001 10 01 00", 0x2400, (10, 2)),  # a subchannel
        ("B9 00 00 000300 000200 10 00 00", 0x2400, (6, None)),
        ("B9 00 00 003C00 003D00 10 00 00", 0x2400, (4, None)),
        ("B9 00 00 00004B 000100 10 00 00", 0x2400, (5, None)),
        ("B9 00 00 000000 000200 10 00 00", 0x2100, None),
        ("43 00 03 00 00 00 00 0004 00", 0x2400, (2, 3)),
        ("43 00 00 00 00 00 02 0004 00", 0x2400, (6, None)),
        ("43 00 02 00 00 00 02 0004 00", 0x2400, (6, None)),
        ("46 03 0000 00 00 00 0008 00", 0x2400, (1, 1)),
        ("4A 00 00 00 10 00 00 0008 00", 0x2400, (1, 0)),
        ("51 01 00 00 00 00 00 0022 00", 0x2400, (1, 2)),
        ("52 00 0000012C 00 0024 00", 0x2100, None),
        ("52 01 00000002 00 0024 00", 0x2400, (2, None)),
        ("52 03 00000001 00 0024 00", 0x2400, (1, 1)),
        ("AD 00 00000000 00 00 0800 00 00", 0x3002, None),
        ("AD 01 00000000 00 00 0800 00 00", 0x2400, (1, 3)),
        ("B6 00 00 00 00 00 00 00 00 001D 00", 0x2400, (9, None)),
        ("A4 00 00 00 00 00 00 00 0008 00 00", 0x2000, (0, None)),  # REPORT KEY
        ("A3 00 00 00 00 00 00 00 0008 00 00", 0x2400, (1, 4)),  # SEND KEY
        ("28 01 00000000 00 0001 00", 0x2400, (1, 0)),
    ],
)  # fmt: skip
def test_what_is_refused(cdb: str, code: int, field: tuple[int, int | None] | None) -> None:
    task = Drive().run(cdb, data_out=bytes(29) if cdb.startswith("B6") else None)
    assert sense(task) == (5, code)
    if field is not None:
        assert task.field_pointer == field


def test_the_order_of_a_drives_commands_is_that_of_its_own_table() -> None:
    drive = Drive()
    for cdb, ordering in (
        ("BE 00 00000000 000001 10 00 00", Ordering.READS),
        ("B9 00 00 00 02 00 00 00 03 10 00 00", Ordering.READS),
        ("28 00 00000000 00 0001 00", Ordering.READS),
        ("8A 00 0000000000000000 00000001 00 00", Ordering.APART),
    ):
        task = FakeTask(bytes.fromhex(cdb).ljust(16, b"\0"))
        assert drive.nexus.ordering_of(drive.unit, task) is ordering


def test_nothing_to_read_is_no_error() -> None:
    drive = Drive()
    assert drive.run("BE 00 00000000 000000 10 00 00").status == 0
    assert drive.run("BE 00 00000000 000001 00 00 00").status == 0
    assert drive.run("BB 00 FFFF FFFF 00 00 00 00 00 00").status == 0
    assert drive.run("B6 00 00 00 00 00 00 00 00 0000 00").status == 0
    assert drive.run("B6 00 00 00 00 00 00 00 00 001C 00", data_out=bytes(28)).status == 0


def test_toc() -> None:
    drive = Drive()
    whole = "0012 01 01  00 14 01 00 00000000  00 14 AA 00 0000012C"
    assert drive.run("43 00 00 00 00 00 00 0100 00").data == bytes.fromhex(whole)
    assert drive.run("43 00 00 00 00 00 01 0100 00").data == bytes.fromhex(whole)
    assert drive.run("43 00 00 00 00 00 AA 0100 00").data == bytes.fromhex("000A 01 01  00 14 AA 00 0000012C")
    in_time = "0012 01 01  00 14 01 00 00000200  00 14 AA 00 00000600"
    assert drive.run("43 02 00 00 00 00 00 0100 00").data == bytes.fromhex(in_time)
    sessions = bytes.fromhex("000A 01 01  00 14 01 00 00000000")
    assert drive.run("43 00 01 00 00 00 00 0100 00").data == sessions
    assert drive.run("43 00 00 00 00 00 00 0100 40").data == sessions, "as SFF-8020 asked"
    full = (
        "002E 01 01"
        "01 14 00 A0 000000 00 010000"  # first track
        "01 14 00 A1 000000 00 010000"  # last track
        "01 14 00 A2 000000 00 000600"  # lead-out
        "01 14 00 01 000000 00 000200"
    )
    assert drive.run("43 00 02 00 00 00 00 0100 00").data == bytes.fromhex(full)
    assert drive.run("43 00 00 00 00 00 00 0004 00").data == bytes.fromhex("0012 01 01")


@given(st.integers(0, 0xFFFFFFFF))
def test_time(lba: int) -> None:
    minute, second, frame = msf(lba)
    assert second < 60
    assert frame < 75
    assert (minute * 60 + second) * 75 + frame == lba + 150 or minute == 0xFF


def features(data: bytes) -> dict[int, tuple[int, bytes]]:
    assert int.from_bytes(data[:4]) == len(data) - 4
    found, position = {}, 8
    while position < len(data):
        code, flags, length = struct.unpack_from(">HBB", data, position)
        assert length % 4 == 0
        found[code] = (flags, data[position + 4 : position + 4 + length])
        position += 4 + length
    return found


def test_configuration() -> None:
    drive = Drive()
    data = drive.run(CONFIGURATION).data
    assert data[6:8] == bytes.fromhex("0008")
    found = features(data)
    assert list(found) == [0, 1, 2, 3, 0x10, 0x1D, 0x1E, 0x1F, 0x100, 0x105, 0x108]
    assert found[0] == (0x03, bytes.fromhex("00100000 00080100"))
    assert found[1] == (0x0B, bytes.fromhex("00000001 03000000"))
    assert found[3][1] == bytes.fromhex("39000000")
    assert found[0x10] == (0x01, bytes.fromhex("00000800 0001 01 00"))
    assert found[0x1E][0] & 1
    assert not found[0x1F][0] & 1
    assert found[0x108][1] == b"S1  "
    current = features(drive.run("46 01 0000 00 00 00 0200 00").data)
    assert set(found) - set(current) == {0x1F}
    assert list(features(drive.run("46 02 001E 00 00 00 0200 00").data)) == [0x1E]
    assert list(features(drive.run("46 02 0021 00 00 00 0200 00").data)) == []
    assert list(features(drive.run("46 00 0100 00 00 00 0200 00").data)) == [0x100, 0x105, 0x108]
    drive.dvd()
    data = drive.run(CONFIGURATION).data
    assert data[6:8] == bytes.fromhex("0010")
    assert features(data)[0x10][1] == bytes.fromhex("00000800 0010 01 00")
    assert features(data)[0x1F][0] & 1
    data = Drive(loaded=False).run(CONFIGURATION).data
    assert data[6:8] == bytes(2)
    assert not features(data)[0x10][0] & 1


def test_disc_and_track_information() -> None:
    drive = Drive()
    disc = drive.run("51 00 00 00 00 00 00 0100 00").data
    assert disc == bytes.fromhex("0020 0E 01 01 01 01 20 00 000000 00000000 FFFFFFFF FFFFFFFF") + bytes(10)
    for cdb in ("52 00 00000000 00 0100 00", "52 01 00000001 00 0100 00", "52 02 00000001 00 0100 00"):
        track = drive.run(cdb).data
        assert len(track) == 36
        assert track[:8] == bytes.fromhex("0022 01 01 00 04 01 00")
        assert track[24:28] == SECTORS.to_bytes(4)


def test_disc_structure() -> None:
    drive = Drive()
    drive.dvd()
    data = drive.run("AD 00 00000000 00 00 0900 00 00").data
    assert len(data) == 2052
    assert data[:20] == bytes.fromhex("0802 0000 01 0F 01 00 00030000") + (0x030000 + CD_BLOCKS_MAX).to_bytes(
        4
    ) + bytes(4)
    assert drive.run("AD 00 00000000 00 01 0900 00 00").data == bytes.fromhex("0006 0000 00000000")
    listed = drive.run("AD 00 00000000 00 FF 0900 00 00").data
    assert listed == bytes.fromhex("000E 0000 00 40 0804 01 40 0008 04 40 0804")
    assert sense(drive.run("AD 00 00000000 00 05 0900 00 00")) == (5, 0x2400)
    assert sense(drive.run("AD 00 00000000 01 00 0900 00 00")) == (5, 0x2400)
    assert sense(drive.run("BE 00 00000000 000001 10 00 00")) == (5, 0x6400), "there is no mode 1 on a DVD"


def test_mode_pages() -> None:
    drive = Drive()
    data = drive.run("1A 00 3F 00 FF 00").data
    assert data[:4] == bytes((len(data) - 1, 0, 0, 0))
    assert [data[4], data[16], data[28], data[40], data[52]] == [0x01, 0x0A, 0x1A, 0x1D, 0x2A]
    capabilities = drive.run("5A 00 2A 00 00 00 00 0100 00").data
    assert capabilities[:8] == bytes.fromhex("001C 00 00 00 00 0000")
    assert capabilities[8:16] == bytes.fromhex("2A 14 08 00 40 00 29 00")
    drive.run("1E 00 00 00 01 00")
    assert drive.run("5A 00 2A 00 00 00 00 0100 00").data[14] == 0x2B, "locked"
    assert sense(drive.run("1A 00 08 00 FF 00")) == (5, 0x2400), "there is no cache"
    select = bytes(4) + data[4:16]
    assert drive.run("15 10 00 00 10 00", data_out=select).status == 0
    changed = bytes(4) + data[4:7] + b"\x05" + data[8:16]
    assert sense(drive.run("15 10 00 00 10 00", data_out=changed)) == (5, 0x2600)


def test_an_empty_drive() -> None:
    drive = Drive(loaded=False)
    for cdb in (TEST_UNIT_READY, "25" + "00" * 9, "28 00 00000000 00 0001 00", "43 00 00 00 00 00 00 0100 00"):
        assert sense(drive.run(cdb)) == NO_MEDIUM
    assert drive.run("03 00 00 00 12 00").data[12:14] == bytes.fromhex("3A01")
    for cdb in ("12 00 00 00 24 00", CONFIGURATION, EVENT, "1A 00 3F 00 FF 00", "BD 00 00 00 00 00 00 00 0008 00 00"):
        assert drive.run(cdb).status == 0
    assert drive.run("1B 00 00 00 03 00").status == 0, "the tray is closed, and nothing is in it"
    assert sense(drive.run(TEST_UNIT_READY)) == NO_MEDIUM


def test_another_medium() -> None:
    drive = Drive()
    drive.run("1E 00 00 00 01 00")
    insert_medium(drive.unit, MemoryDevice(2 * SECTOR))
    for nexus in (drive.nexus, drive.other):
        # Events come, and the attention stays.
        assert drive.run(EVENT, nexus=nexus).data == bytes.fromhex("0006 04 56 02 02 00 00")
        assert drive.run(EVENT, nexus=nexus).data == bytes.fromhex("0006 04 56 00 02 00 00")
        assert sense(drive.run(TEST_UNIT_READY, nexus=nexus)) == MEDIUM_CHANGED
        assert drive.run("25" + "00" * 9, nexus=nexus).data == struct.pack(">II", 1, SECTOR)
    remove_medium(drive.unit)
    assert drive.run(EVENT).data == bytes.fromhex("0006 04 56 03 00 00 00")
    assert sense(drive.run(TEST_UNIT_READY)) == NO_MEDIUM
    assert profile_of(drive.unit) is Profile.NONE


def test_events_of_several_classes() -> None:
    drive = Drive()
    everything = "4A 01 00 00 7E 00 00 0008 00"
    assert drive.run(everything).data == bytes.fromhex("0006 01 56 00 00 00 00")
    remove_medium(drive.unit)
    assert drive.run("4A 01 00 00 7E 00 00 0004 00").data == bytes.fromhex("0006 01 56"), "no room: it stays"
    assert drive.run(everything).data == bytes.fromhex("0006 04 56 03 00 00 00")
    assert drive.run("4A 01 00 00 04 00 00 0008 00").data == bytes.fromhex("0006 02 56 00 01 00 00")
    assert drive.run("4A 01 00 00 40 00 00 0008 00").data == bytes.fromhex("0006 06 56 00 00 00 00")
    assert drive.run("4A 01 00 00 28 00 00 0008 00").data == bytes.fromhex("0002 80 56"), "classes there are not"


def test_an_initiator_ejects_and_loads() -> None:
    drive = Drive()
    drive.run("1E 00 00 00 01 00", nexus=drive.other)
    assert sense(drive.run("1B 00 00 00 02 00")) == (5, 0x5302)
    drive.run("1E 00 00 00 00 00", nexus=drive.other)
    assert drive.run("1B 00 00 00 02 00").status == 0
    assert drive.kept == [True]
    assert sense(drive.run(TEST_UNIT_READY)) == TRAY_OPEN
    assert drive.run(EVENT, nexus=drive.other).data == bytes.fromhex("0006 04 56 03 01 00 00")
    assert drive.run("BD 00 00 00 00 00 00 00 0008 00 00").data == bytes.fromhex("00 10 00 00 00 00 0000")
    assert drive.run("1B 00 00 00 02 00").status == 0
    assert drive.run("1B 01 00 00 03 00").status == 0
    drive.background.drain()
    assert drive.kept == [True, False], "each move once"
    assert drive.run(TEST_UNIT_READY).status == 0, "who loaded it knows"
    assert sense(drive.run(TEST_UNIT_READY, nexus=drive.other)) == MEDIUM_CHANGED
    assert drive.run("28 00 00000007 00 0001 00").data[:2] == b"\0\7"


def test_a_removable_disk_keeps_what_was_done_with_it() -> None:
    bench = Bench(removable=True)
    kept: list[bool] = []
    bench.unit.keep_ejected = lambda ejected: kept.append(ejected())
    for cdb in ("1B 00 00 00 02 00", "1B 00 00 00 02 00", "1B 00 00 00 03 00"):
        assert bench.run(cdb).status == 0
    assert kept == [True, False]


def test_an_initiator_that_goes_takes_its_events_along() -> None:
    drive = Drive()
    remove_medium(drive.unit)
    drive.other.close(lambda: None)
    assert drive.unit.drive is not None
    assert list(drive.unit.drive._events) == [drive.nexus]


def test_a_drive_is_no_place_to_copy_to() -> None:
    from lunaport.scsi.copy_domain import _unit_of
    from lunaport.scsi.inquiry import naa_designator

    assert _unit_of(Drive().nexus, naa_designator(UUID)) is None
    assert _unit_of(Bench().nexus, naa_designator(UUID)) is not None


@given(st.sampled_from(sorted(OpticalOpcode)), st.binary(min_size=15, max_size=15), st.booleans())
def test_any_command_ends_once_with_a_status(opcode: int, rest: bytes, loaded: bool) -> None:
    """Whatever the fields, there is one answer, and a check condition has its sense data."""
    drive = Drive(loaded=loaded)
    length = {0: 6, 1: 10, 2: 10, 4: 16, 5: 12}[opcode >> 5]
    cdb = (bytes((opcode,)) + rest)[:length]
    task = drive.start(cdb, expected_length=4096, data_out=b"")
    drive.background.drain()
    assert task.status in (Status.GOOD, Status.CHECK_CONDITION) or task.waits_for_data
    assert (task.status == Status.CHECK_CONDITION) == bool(task.sense)
