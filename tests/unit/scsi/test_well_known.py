"""The REPORT LUNS well known logical unit."""

import pytest

from lunaport.scsi.enums import Status

from .support import Bench, FakeTask

LUN = 0xC101 << 48


def run(cdb: str, bench: Bench | None = None) -> FakeTask:
    return (bench or Bench()).run(cdb, lun=LUN)


def test_it_says_what_it_is() -> None:
    data = run("12 00 00 00 FF 00").data
    assert data[:8] == bytes.fromhex("1E 00 06 12 5B 00 00 02")  # a well known unit, SPC-4
    assert data[8:32] == b"LUNAPORTREPORT LUNS     "
    assert run("12 01 00 00 FF 00").data == bytes.fromhex("1E 00 0002 00 83")
    designators = run("12 01 83 00 FF 00").data
    assert designators[:4] == bytes((0x1E, 0x83, 0, len(designators) - 4))
    assert b"iqn.2026-01.example:disk\0" in designators


def test_it_is_ready_and_has_nothing_to_say() -> None:
    assert run("00 00 00 00 00 00").status == Status.GOOD
    assert run("03 00 00 00 FF 00").data[2:4] == bytes(2)


def test_nothing_of_other_units_is_in_its_way() -> None:
    bench = Bench()
    bench.unit.reset(lambda: None)
    bench.run("16 00 00 00 00 00", nexus=bench.other)
    assert run("A0 00 01 000000 00000010 00 00", bench).status == Status.GOOD


@pytest.mark.parametrize(
    ("cdb", "code"),
    [
        ("28 00 00000000 00 0001 00", 0x2000),
        ("12 01 80 00 FF 00", 0x2400),
        ("12 00 01 00 FF 00", 0x2400),
        ("12 02 00 00 FF 00", 0x2400),
        ("FF 00 00 00 00 00", 0x2000),
    ],
)
def test_refuses(cdb: str, code: int) -> None:
    assert run(cdb).sense_code == code
