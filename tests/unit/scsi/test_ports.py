"""REPORT TARGET PORT GROUPS."""

from .support import Bench

GROUP = "80 01 0001 00 00 00 01 0000 0001"


def test_one_group_is_active_and_optimized() -> None:
    assert Bench().run("A3 0A 00000000 000000FF 00 00").data == bytes.fromhex("0000000C" + GROUP)


def test_the_extended_form() -> None:
    assert Bench().run("A3 2A 00000000 000000FF 00 00").data == bytes.fromhex("00000010 10 00 0000" + GROUP)


def test_another_form_is_refused() -> None:
    assert Bench().run("A3 4A 00000000 000000FF 00 00").field_pointer == (1, 7)
