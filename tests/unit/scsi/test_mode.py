"""MODE SENSE, byte by byte."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from .support import Bench

CACHING = "08 12 04" + "00" * 17  # WCE
CONTROL = "0A 0A 02 10 00000000 FFFF 0000"  # GLTSD, unrestricted reordering, busy timeout without a limit
EXCEPTIONS = "1C 0A 08" + "00" * 9  # DEXCPT
ALL = CACHING + CONTROL + EXCEPTIONS
BLOCKS = "00000800 00000200"


@pytest.mark.parametrize(
    ("cdb", "data"),
    [
        ("1A 08 08 00 FF 00", "17 00 10 00" + CACHING),
        ("1A 00 08 00 FF 00", "1F 00 10 08" + BLOCKS + CACHING),
        ("1A 00 0A 00 FF 00", "17 00 10 08" + BLOCKS + CONTROL),
        ("1A 08 1C FF FF 00", "0F 00 10 00" + EXCEPTIONS),
        ("1A 08 3F 00 FF 00", "2F 00 10 00" + ALL),
        ("1A 08 3F FF FF 00", "2F 00 10 00" + ALL),
        ("1A 08 88 00 FF 00", "17 00 10 00" + CACHING),  # default
        ("1A 08 7F 00 FF 00", "2F 00 10 00 0812" + "00" * 18 + "0A0A" + "00" * 10 + "1C0A" + "00" * 10),  # changeable
        ("1A 08 08 00 06 00", "17 00 10 00 08 12"),
        ("5A 08 08 00 000000 00FF 00", "001A 00 10 00 00 0000" + CACHING),
        ("5A 00 08 00 000000 00FF 00", "0022 00 10 00 00 0008" + BLOCKS + CACHING),
        ("5A 10 08 00 000000 00FF 00", "002A 00 10 01 00 0010 0000000000000800 00000000 00000200" + CACHING),
        ("5A 18 3F 00 000000 0004 00", "0032 00 10"),
    ],
)
def test_data(cdb: str, data: str) -> None:
    assert Bench().run(cdb).data == bytes.fromhex(data)


@pytest.mark.parametrize(
    ("cdb", "code", "pointer"),
    [
        ("1A 00 09 00 FF 00", 0x2400, (2, 5)),  # no such page
        ("5A 00 08 01 000000 00FF 00", 0x2400, (3, None)),  # no such subpage
        ("1A 10 08 00 FF 00", 0x2400, (1, 4)),  # LLBAA in the 6-byte command
        ("5A 00 C8 00 000000 00FF 00", 0x3900, None),  # saved values
    ],
)
def test_refuses(cdb: str, code: int, pointer: tuple[int, int | None] | None) -> None:
    task = Bench().run(cdb)
    assert task.sense_code == code
    if pointer is not None:
        assert task.field_pointer == pointer


@given(st.integers(0, 0x18), st.integers(0, 255), st.integers(0, 255), st.integers(0, 65535))
def test_lengths_always_agree(flags: int, page: int, subpage: int, allocation: int) -> None:
    task = Bench().run(bytes([0x5A, flags, page, subpage, 0, 0, 0]) + allocation.to_bytes(2) + b"\0")
    if task.status == 0 and len(task.data) >= 8:
        length = int.from_bytes(task.data[:2]) + 2
        assert len(task.data) == min(allocation, length)
        position = 8 + int.from_bytes(task.data[6:8])
        while position < len(task.data):
            position += 2 + task.data[position + 1] if position + 1 < len(task.data) else 2
        if allocation >= length:
            assert position == length
