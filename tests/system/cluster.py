"""A cluster's node as a test plays it: persistent reservations by one initiator, and what it may still do."""

import struct

from tests.system.initiator import Initiator
from tests.system.nas import Share
from tests.system.wire import CHECK_CONDITION, GOOD, Result

RESERVATION_CONFLICT = 0x18
REGISTER, RESERVE, RELEASE, CLEAR, PREEMPT, PREEMPT_AND_ABORT = range(6)
REGISTER_AND_IGNORE, REPLACE_LOST = 0x06, 0x08
WRITE_EXCLUSIVE, WRITE_EXCLUSIVE_RO, EXCLUSIVE_ACCESS_RO = 0x01, 0x05, 0x06
APTPL = 0x01
KEY_A, KEY_B, KEY_C, KEY_D = 0xA, 0xB, 0xC, 0xD
RESERVATIONS_PREEMPTED, RESERVATIONS_RELEASED = bytes.fromhex("2A03"), bytes.fromhex("2A04")
REGISTRATIONS_PREEMPTED, INFORMATION_LOST = bytes.fromhex("2A05"), bytes.fromhex("4401")
BUS_DEVICE_RESET = bytes.fromhex("2903")


def connect(share: Share, number: int) -> Initiator:
    """An initiator that is the same I_T nexus whenever it comes back."""
    return Initiator(
        share.host,
        share.port,
        target=share.iqn,
        name=f"iqn.2026-11.test:node{number}",
        isid=bytes((0x80, *bytes(4), 1)),
    )


def reserve_out(
    initiator: Initiator, action: int, key: int, action_key: int = 0, kind: int = 0, flags: int = 0
) -> Result:
    """PERSISTENT RESERVE OUT."""
    cdb = struct.pack(">BBBxxIx", 0x5F, action, kind, 24)
    return initiator.command(cdb, data_out=struct.pack(">QQ4xB3x", key, action_key, flags))


def keys(initiator: Initiator) -> list[int]:
    """READ KEYS."""
    data = _reserve_in(initiator, 0x00)
    return [int.from_bytes(data[at : at + 8], "big") for at in range(8, len(data), 8)]


def generation(initiator: Initiator) -> int:
    """PRGENERATION: it grows with each change of registrations."""
    return int.from_bytes(_reserve_in(initiator, 0x00)[:4], "big")


def reservation(initiator: Initiator) -> tuple[int, int] | None:
    """READ RESERVATION: key and type; None where nobody holds one."""
    data = _reserve_in(initiator, 0x01)
    return (int.from_bytes(data[8:16], "big"), data[21] & 0x0F) if len(data) > 8 else None


def _reserve_in(initiator: Initiator, action: int) -> bytes:
    result = initiator.command(struct.pack(">BB5xHx", 0x5E, action, 4096), data_in=4096)
    assert result.status == GOOD, result
    return result.data


def write(initiator: Initiator) -> Result:
    """WRITE of a block."""
    return initiator.command(bytes.fromhex("2A 00 00000000 00 0001 00"), data_out=b"w" * 512)


def read(initiator: Initiator) -> Result:
    """READ of a block."""
    return initiator.command(bytes.fromhex("28 00 00000000 00 0001 00"), data_in=512)


def code_of(result: Result) -> bytes:
    """The additional sense code of a CHECK CONDITION."""
    assert result.status == CHECK_CONDITION
    return result.sense[12:14]
