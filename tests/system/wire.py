"""The iSCSI wire as the tests' own initiator sees it: headers, digests, and what can go wrong.

Written from RFC 7143 a second time, without a look at `lunaport.iscsi`.
"""

import struct
from dataclasses import dataclass

BHS = struct.Struct(">BBHIQIIIIIIII")
"""Opcode, flags, two bytes of the opcode's own, AHS and data lengths, LUN, task tag, then 32-bit words 5 to 11."""

NOP_OUT, SCSI_COMMAND, TASK_MANAGEMENT, LOGIN, TEXT, DATA_OUT, LOGOUT = 0x00, 0x01, 0x02, 0x03, 0x04, 0x05, 0x06
NOP_IN, SCSI_RESPONSE, TASK_RESPONSE, LOGIN_RESPONSE, TEXT_RESPONSE, DATA_IN = 0x20, 0x21, 0x22, 0x23, 0x24, 0x25
LOGOUT_RESPONSE, R2T, ASYNC, REJECT = 0x26, 0x31, 0x32, 0x3F
IMMEDIATE, FINAL = 0x40, 0x80
NO_TAG = 0xFFFFFFFF
GOOD, CHECK_CONDITION = 0x00, 0x02


def _crc32c_table() -> list[int]:
    table = []
    for byte in range(256):
        value = byte
        for _ in range(8):
            value = value >> 1 ^ 0x82F63B78 if value & 1 else value >> 1
        table.append(value)
    return table


_TABLE = _crc32c_table()


def crc32c(data: bytes) -> bytes:
    """The digest of `data` in the order of the wire (RFC 7143 section 13.1)."""
    value = 0xFFFFFFFF
    for byte in data:
        value = _TABLE[(value ^ byte) & 0xFF] ^ value >> 8
    return struct.pack("<I", value ^ 0xFFFFFFFF)


class InitiatorError(Exception):
    """The target did what a target may not do, or not what was asked."""


class LoginError(InitiatorError):
    """The target refused a login; `status` holds class and detail (RFC 7143 section 11.13.5)."""

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status

    def __str__(self) -> str:
        return f"login refused with status {self.status:#06x}"


class ClosedError(InitiatorError):
    """The target closed the connection."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pdu:
    """A PDU as it came; `words` are the 32-bit words 5 to 11 of its header (StatSN is the first or second of them)."""

    opcode: int
    flags: int
    specific: int
    lun: int
    tag: int
    words: tuple[int, ...]
    data: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What a SCSI command came to."""

    status: int
    data: bytes = b""
    sense: bytes = b""

    @property
    def sense_key(self) -> tuple[int, int, int]:
        """Sense key, additional code and its qualifier, from fixed or descriptor format."""
        if self.sense[0] & 0x7F in (0x72, 0x73):
            return self.sense[1] & 0xF, self.sense[2], self.sense[3]
        return self.sense[2] & 0xF, self.sense[12], self.sense[13]
