"""The CDBs for reading and writing."""

import pytest

from lunaport.initiator import InitiatorError
from lunaport.initiator.cdb import block_bytes_of, read_blocks, read_capacity, write_blocks


def test_short_and_long_transfers() -> None:
    assert read_blocks(0x01020304, 0xFFFF) == bytes.fromhex("28 00 01020304 00 ffff 00")
    assert write_blocks(1, 2) == bytes.fromhex("2a 00 00000001 00 0002 00")
    assert read_blocks(0, 0x10000) == bytes.fromhex("88 00 0000000000000000 00010000 00 00")
    assert write_blocks(1 << 32, 1) == bytes.fromhex("8a 00 0000000100000000 00000001 00 00")
    assert read_capacity() == bytes.fromhex("25 00 00000000 00 0000 00")


@pytest.mark.parametrize("capacity", [b"", bytes(8), bytes(7)])
def test_a_capacity_that_tells_nothing(capacity: bytes) -> None:
    assert block_bytes_of(bytes.fromhex("000000ff 00001000")) == 4096
    with pytest.raises(InitiatorError):
        block_bytes_of(capacity)
