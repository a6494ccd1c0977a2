"""READ BUFFER and WRITE BUFFER: what one nexus wrote comes back to it."""

import pytest

from lunaport.scsi.enums import Status

from .support import Bench

WRITE, READ = "3B 0A 00 000000 {:06X} 00", "3C 0A 00 000000 000FFF 00"


@pytest.mark.parametrize("immediate", [None, 0])
def test_echo(immediate: int | None) -> None:
    bench = Bench()
    assert bench.run(WRITE.format(100), data_out=b"m" * 100, immediate=immediate).status == Status.GOOD
    assert bench.run(WRITE.format(50), nexus=bench.other, data_out=b"t" * 50).status == Status.GOOD
    assert bench.run(READ).data == b"m" * 100
    assert bench.run(READ, nexus=bench.other).data == b"t" * 50


def test_nothing_to_read_before_the_first_write() -> None:
    assert Bench().run(READ).sense_code == 0x2C00


def test_descriptors() -> None:
    assert Bench().run("3C 0B 00 000000 0000FF 00").data == bytes.fromhex("01 00 1000")
    assert Bench().run("3C 03 00 000000 0000FF 00").data == bytes(4)


@pytest.mark.parametrize(
    ("cdb", "pointer"),
    [
        ("3B 05 00 000000 000010 00", (1, 4)),  # microcode
        ("3C 02 00 000000 000010 00", (1, 4)),  # a buffer there is not
        ("3B 0A 00 000000 001001 00", (6, None)),  # larger than the echo buffer
    ],
)
def test_refuses(cdb: str, pointer: tuple[int, int | None]) -> None:
    assert Bench().run(cdb, data_out=bytes(16)).field_pointer == pointer


def test_a_nexus_that_is_gone_leaves_no_buffer() -> None:
    bench = Bench()
    bench.run(WRITE.format(4), data_out=b"mine")
    bench.nexus.close(lambda: None)
    assert not bench.unit.echo
