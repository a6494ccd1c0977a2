"""LOG SENSE, byte by byte."""

import pytest

from lunaport.scsi.enums import Status

from .support import Bench


@pytest.mark.parametrize(
    ("cdb", "data"),
    [
        ("4D 00 40 00 00 0000 00FF 00", "80 00 0003 00 0C 2F"),
        ("4D 00 40 FF 00 0000 00FF 00", "C0 FF 0008 0000 0C00 2F00 00FF"),
        ("4D 00 6F 00 00 0000 00FF 00", "AF 00 0008 0000 03 04 0000FF00"),
        ("4D 00 40 00 00 0000 0002 00", "80 00"),
    ],
)
def test_pages(cdb: str, data: str) -> None:
    assert Bench().run(cdb).data == bytes.fromhex(data)


def test_space_of_a_thin_unit() -> None:
    bench = Bench()
    bench.memory.write(0, [memoryview(b"x" * (1 << 20))])
    bench.memory.grow(4 << 20)
    assert bench.run("4D 00 4C 00 00 0000 00FF 00").data == bytes.fromhex(
        "8C 00 0018 0001 03 08 00000003 02 000000 0002 03 08 00000001 01 000000"
    )
    assert bench.run("4D 00 4C 00 00 0002 00FF 00").data == bytes.fromhex("8C 00 000C 0002 03 08 00000001 01 000000")


def test_a_thick_unit_has_no_page_of_it() -> None:
    assert Bench(thin=False).run("4D 00 40 00 00 0000 00FF 00").data == bytes.fromhex("80 00 0002 00 2F")
    assert Bench(thin=False).run("4D 00 4C 00 00 0000 00FF 00").field_pointer == (2, 5)


@pytest.mark.parametrize(
    ("cdb", "pointer"),
    [
        ("4D 00 4D 00 00 0000 00FF 00", (2, 5)),
        ("4D 00 6F 01 00 0000 00FF 00", (3, None)),
        ("4D 00 6F 00 00 0001 00FF 00", (5, None)),
        ("4D 00 4C 00 00 0003 00FF 00", (5, None)),
        ("4D 01 40 00 00 0000 00FF 00", (1, 0)),  # nothing can be saved
    ],
)
def test_refuses(cdb: str, pointer: tuple[int, int | None]) -> None:
    task = Bench().run(cdb)
    assert (task.status, task.field_pointer) == (Status.CHECK_CONDITION, pointer)
