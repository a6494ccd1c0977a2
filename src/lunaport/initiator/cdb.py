"""The CDBs that reading and writing blocks take (SBC-4 5.13 to 5.15, 5.40 to 5.42). Nothing else of SCSI is here."""

import struct
from typing import Final

from lunaport.initiator.errors import InitiatorError

READ_CAPACITY_BYTES: Final = 8
TEN: Final = struct.Struct(">BBIBHB")
SIXTEEN: Final = struct.Struct(">BBQIBB")


def read_blocks(lba: int, blocks: int) -> bytes:
    """READ(10), or READ(16) where that is too short."""
    return _transfer(0x28, 0x88, lba, blocks)


def write_blocks(lba: int, blocks: int) -> bytes:
    """WRITE(10), or WRITE(16) where that is too short."""
    return _transfer(0x2A, 0x8A, lba, blocks)


def read_capacity() -> bytes:
    """READ CAPACITY(10)."""
    return TEN.pack(0x25, 0, 0, 0, 0, 0)


def block_bytes_of(capacity: bytes) -> int:
    """The block length that READ CAPACITY(10) gave. Raises InitiatorError."""
    block_bytes = int.from_bytes(capacity[4:8], "big")
    if len(capacity) < READ_CAPACITY_BYTES or not block_bytes:
        raise InitiatorError("the logical unit does not tell how long its blocks are")
    return block_bytes


def _transfer(ten: int, sixteen: int, lba: int, blocks: int) -> bytes:
    if lba <= 0xFFFFFFFF and blocks <= 0xFFFF:
        return TEN.pack(ten, 0, lba, 0, blocks, 0)
    return SIXTEEN.pack(sixteen, 0, lba, blocks, 0, 0)
