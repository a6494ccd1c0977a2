"""REPORT LUNS and REPORT SUPPORTED OPERATION CODES."""

import pytest

from lunaport.scsi.commands import COMMANDS
from lunaport.scsi.enums import Status

from .support import Bench

LUNS = ["0000000000000000", "0007000000000000", "412C000000000000"]
WELL_KNOWN = "C101000000000000"
ALL_COMMANDS = "A3 0C 00 00 0000 00010000 00 00"


@pytest.mark.parametrize("lun", [0, 9, 0xC101])
@pytest.mark.parametrize(("select", "luns"), [("00", LUNS), ("01", [WELL_KNOWN]), ("02", [*LUNS, WELL_KNOWN])])
def test_report_luns(select: str, luns: list[str], lun: int) -> None:
    bench = Bench()
    bench.target.set_units({0: bench.unit, 7: bench.unit, 300: bench.unit})
    data = bench.run(f"A0 00 {select} 000000 00000100 00 00", lun=lun << 48).data
    assert data == (8 * len(luns)).to_bytes(4) + bytes(4) + bytes.fromhex("".join(luns))


def test_report_luns_cuts_but_says_the_whole_length() -> None:
    bench = Bench()
    bench.target.set_units({0: bench.unit, 7: bench.unit})
    assert bench.run("A0 00 00 000000 00000010 00 00").data == bytes.fromhex("00000010 00000000 0000000000000000")


def test_report_luns_from_a_lun_that_does_not_exist() -> None:
    bench = Bench()
    task = bench.run("A0 00 00 000000 00000010 00 00", lun=9 << 48)
    assert task.data == bytes.fromhex("00000008 00000000 0000000000000000")


@pytest.mark.parametrize(
    ("cdb", "pointer"),
    [
        ("A0 00 03 000000 00000100 00 00", (2, None)),
        ("A0 00 00 000000 0000000F 00 00", (6, None)),
        ("A0 00 00 010000 00000100 00 00", (3, 0)),
    ],
)
def test_report_luns_refuses(cdb: str, pointer: tuple[int, int | None]) -> None:
    task = Bench().run(cdb)
    assert (task.sense_code, task.field_pointer) == (0x2400, pointer)


PLAIN = [row for row in COMMANDS.rows if not row.encrypted_only and not row.removable_only]
"""What a unit has that is not encrypted and whose medium stays in."""


def test_all_commands() -> None:
    data = Bench().run(ALL_COMMANDS).data
    assert int.from_bytes(data[:4]) == len(data) - 4 == 8 * len(PLAIN)
    descriptors = [data[start : start + 8] for start in range(4, len(data), 8)]
    assert descriptors[0] == bytes.fromhex("00 00 0000 00 00 0006")
    assert bytes.fromhex("9E 00 0010 00 01 0010") in descriptors
    assert bytes.fromhex("42 00 0000 00 00 000A") in descriptors


def test_all_commands_with_timeouts() -> None:
    data = Bench().run("A3 0C 80 00 0000 00010000 00 00").data
    assert int.from_bytes(data[:4]) == len(data) - 4 == 20 * len(PLAIN)
    assert data[4:24] == bytes.fromhex("00 00 0000 00 02 0006 000A 00 00 00000000 0000001E")


def test_a_thick_unit_has_no_unmap() -> None:
    bench = Bench(thin=False)
    data = bench.run(ALL_COMMANDS).data
    assert 0x42 not in {data[start] for start in range(4, len(data), 8)}
    assert bench.run("A3 0C 01 42 0000 00010000 00 00").data == bytes.fromhex("00 01 0000")


@pytest.mark.parametrize(
    ("cdb", "data"),
    [
        ("A3 0C 01 28 0000 00010000 00 00", "00 03 000A 2818FFFFFFFF00FFFF00"),
        ("A3 0C 81 28 0000 00010000 00 00", "00 83 000A 2818FFFFFFFF00FFFF00 000A 00 00 00000000 0000001E"),
        ("A3 0C 01 29 0000 00010000 00 00", "00 01 0000"),
        ("A3 0C 02 9E 0010 00010000 00 00", "00 03 0010 9E10 0000000000000000 FFFFFFFF 0000"),
        ("A3 0C 02 9E 0012 00010000 00 00", "00 03 0010 9E12 FFFFFFFFFFFFFFFF FFFFFFFF 0000"),
        ("A3 0C 02 9E 0011 00010000 00 00", "00 01 0000"),
        ("A3 0C 03 9E 0010 00010000 00 00", "00 03 0010 9E10 0000000000000000 FFFFFFFF 0000"),
        ("A3 0C 03 28 0000 00010000 00 00", "00 03 000A 2818FFFFFFFF00FFFF00"),
        ("A3 0C 03 28 0001 00010000 00 00", "00 01 0000"),
        ("A3 0C 03 FF 0000 00010000 00 00", "00 01 0000"),
        ("A3 0C 01 28 0000 00000003 00 00", "00 03 00"),
    ],
)
def test_one_command(cdb: str, data: str) -> None:
    assert Bench().run(cdb).data == bytes.fromhex(data)


@pytest.mark.parametrize(
    "cdb",
    [
        "A3 0C 01 9E 0000 00010000 00 00",  # has service actions
        "A3 0C 02 28 0000 00010000 00 00",  # has none
        "A3 0C 04 28 0000 00010000 00 00",  # reserved
    ],
)
def test_one_command_refuses(cdb: str) -> None:
    task = Bench().run(cdb)
    assert (task.status, task.sense_code, task.field_pointer) == (Status.CHECK_CONDITION, 0x2400, (2, 2))


@pytest.mark.parametrize(("flags", "data"), [("00", "DA000000"), ("80", "DA00000C" + "00" * 12)])
def test_task_management_functions(flags: str, data: str) -> None:
    assert Bench().run(f"A3 0D {flags} 000000 00000100 00 00").data == bytes.fromhex(data)
    assert Bench().run(f"A3 0D {flags} 000000 00000003 00 00").field_pointer == (6, None)
