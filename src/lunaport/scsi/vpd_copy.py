"""VPD page 8Fh, Third-party Copy (SPC-4 7.8.17, SBC-3 6.6.6): what copies there are, and their bounds."""

import struct
from collections.abc import Iterable, Mapping

from lunaport.scsi.enums import CopyIn, CopyOut, Opcode
from lunaport.scsi.limits import (
    COPIES_PER_UNIT_MAX,
    COPY_LIST_BYTES_MAX,
    COPY_SEGMENT_BYTES_MAX,
    COPY_SEGMENTS_MAX,
    COPY_TARGETS_MAX,
    TOKEN_BYTES_MAX,
    TOKEN_OPTIMAL_BYTES,
    TOKEN_RANGES_MAX,
    TOKEN_TIMEOUT_S,
    TOKEN_TIMEOUT_S_MAX,
)

_HEADER = struct.Struct(">HH")
_ROD_LIMITS = struct.Struct(">6xHIIQQ")
_PARAMETERS = struct.Struct(">4xHHII12x")
_TOKEN_FEATURES = struct.Struct(">B11xIII18xH")
_BLOCK_ROD = struct.Struct(">BxH2xHQQQQ8x")
_ROD_TYPES = struct.Struct(">2xH")
_ROD_TYPE = struct.Struct(">IBxH56x")
_GENERAL = struct.Struct(">IIIBB18x")

_TYPE_ROD_LIMITS, _TYPE_COMMANDS, _TYPE_PARAMETERS, _TYPE_DESCRIPTORS = 0x0000, 0x0001, 0x0004, 0x0008
_TYPE_TOKEN_FEATURES, _TYPE_ROD_TYPES, _TYPE_GENERAL = 0x0106, 0x0108, 0x8001
_ROD_TYPE_CHANGE_VULNERABLE, _ROD_TYPE_ZEROS = 0x00800001, 0xFFFF0001
_TOKEN_IN, _TOKEN_OUT = 0x02, 0x01
_PREFERRED = 0x0001
_GRANULARITY = 9
_COMMANDS: Mapping[int, Iterable[int]] = {Opcode.THIRD_PARTY_COPY_OUT: CopyOut, Opcode.THIRD_PARTY_COPY_IN: CopyIn}


DESCRIPTORS = (0x02, 0xE4)
"""The descriptors of EXTENDED COPY that there are: block device to block device, and identification."""


def third_party_copy_page(shift: int) -> bytes:
    """The page without its header, for blocks of 2^`shift` bytes."""
    commands = b"".join(bytes((opcode, len(list(actions)), *actions)) for opcode, actions in _COMMANDS.items())
    types = bytes(DESCRIPTORS)
    rod_types = (
        _ROD_TYPE.pack(_ROD_TYPE_CHANGE_VULNERABLE, _TOKEN_IN | _TOKEN_OUT, _PREFERRED)
        + _ROD_TYPE.pack(_ROD_TYPE_ZEROS, _TOKEN_IN, 0)
    )  # fmt: skip
    block_rod = _BLOCK_ROD.pack(
        0,
        _BLOCK_ROD.size - 4,
        0,
        TOKEN_BYTES_MAX,
        TOKEN_OPTIMAL_BYTES,
        TOKEN_OPTIMAL_BYTES,
        TOKEN_OPTIMAL_BYTES,
    )
    return b"".join(
        (
            _descriptor(
                _TYPE_ROD_LIMITS,
                _ROD_LIMITS.pack(
                    TOKEN_RANGES_MAX,
                    TOKEN_TIMEOUT_S_MAX,
                    TOKEN_TIMEOUT_S,
                    TOKEN_BYTES_MAX >> shift,
                    TOKEN_OPTIMAL_BYTES >> shift,
                ),
            ),
            _descriptor(_TYPE_COMMANDS, bytes((len(commands),)) + commands),
            _descriptor(
                _TYPE_PARAMETERS, _PARAMETERS.pack(COPY_TARGETS_MAX, COPY_SEGMENTS_MAX, COPY_LIST_BYTES_MAX, 0)
            ),
            _descriptor(_TYPE_DESCRIPTORS, bytes((len(types),)) + types),
            _descriptor(
                _TYPE_TOKEN_FEATURES,
                _TOKEN_FEATURES.pack(
                    0,  # tokens of other copy managers: no
                    0,
                    TOKEN_TIMEOUT_S_MAX,
                    TOKEN_TIMEOUT_S_MAX,
                    len(block_rod),
                )
                + block_rod,
            ),
            _descriptor(_TYPE_ROD_TYPES, _ROD_TYPES.pack(len(rod_types)) + rod_types),
            _descriptor(
                _TYPE_GENERAL,
                _GENERAL.pack(COPIES_PER_UNIT_MAX, COPIES_PER_UNIT_MAX, COPY_SEGMENT_BYTES_MAX, _GRANULARITY, 0),
            ),
        )
    )


def _descriptor(kind: int, data: bytes) -> bytes:
    """A third-party copy descriptor, filled up to whole words."""
    data += bytes(-len(data) % 4)
    return _HEADER.pack(kind, len(data)) + data
