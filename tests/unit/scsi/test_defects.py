"""READ DEFECT DATA: there are lists, and nothing is in them."""

import pytest

from .support import Bench


@pytest.mark.parametrize(
    ("cdb", "data"),
    [
        ("37 00 1D 00 00 00 00 00FF 00", "00 1D 0000"),
        ("37 00 00 00 00 00 00 0002 00", "00 00"),
        ("B7 18 00000000 000000FF 00 00", "00 18 0000 00000000"),
    ],
)
def test_lists_are_empty(cdb: str, data: str) -> None:
    assert Bench().run(cdb).data == bytes.fromhex(data)
