"""READ CAPACITY, byte by byte."""

from lunaport.blockdev.filters import Filter
from lunaport.scsi.enums import Status

from .support import Bench


class Huge(Filter):
    @property
    def size_bytes(self) -> int:
        return 3 << 41


def test_read_capacity_10() -> None:
    assert Bench().run("25 00 00000000 0000 00 00").data == bytes.fromhex("000007FF 00000200")
    assert Bench(block_size_bytes=4096).run("25 00 00000000 0000 00 00").data == bytes.fromhex("000000FF 00001000")


def test_read_capacity_10_of_more_than_it_can_say() -> None:
    bench = Bench(Huge(Bench().memory))
    assert bench.run("25 00 00000000 0000 00 00").data == bytes.fromhex("FFFFFFFF 00000200")
    assert bench.run("9E 10 0000000000000000 00000020 00 00").data[:8] == bytes.fromhex("00000002FFFFFFFF")


def test_read_capacity_16() -> None:
    assert Bench().run("9E 10 0000000000000000 00000020 00 00").data == bytes.fromhex(
        "00000000000007FF"  # the last LBA
        "00000200"  # block length
        "00"  # no protection
        "03"  # 8 logical blocks in a physical one
        "C000"  # LBPME, LBPRZ, aligned at LBA 0
    ) + bytes(16)


def test_read_capacity_16_of_a_thick_unit_is_cut() -> None:
    assert Bench(thin=False, block_size_bytes=4096).run("9E 10 0000000000000000 00000010 00 00").data == bytes.fromhex(
        "00000000000000FF 00001000 00 00 0000"
    )


def test_fields_that_are_obsolete() -> None:
    for cdb in ("25 00 00000001 0000 00 00", "25 00 00000000 0000 01 00", "9E 10 0000000000000000 00000020 01 00"):
        task = Bench().run(cdb)
        assert (task.status, task.sense_code) == (Status.CHECK_CONDITION, 0x2400)
