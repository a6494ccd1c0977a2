"""What SendTargets is answered with, and where a target has moved to, read (RFC 7143 appendix C, section 13.8)."""

import re
from dataclasses import dataclass
from typing import Final

from lunaport.iscsi.errors import TextError, quoted
from lunaport.iscsi.limits import SEND_TARGETS_BYTES_MAX

PORT: Final = 3260
"""Of an address that does not name one."""
_ADDRESS: Final = re.compile(r"(?:\[([0-9A-Fa-f:.]{2,45})\]|([A-Za-z0-9._-]{1,253}))(?::([0-9]{1,5}))?(?:,[0-9]{1,5})?")


@dataclass(frozen=True, slots=True, kw_only=True)
class DiscoveredTarget:
    """A target and where it can be reached, as `host:port,portal group tag`; no address: where it was asked for."""

    name: str
    addresses: tuple[str, ...] = ()


def parse_send_targets(data: bytes) -> list[DiscoveredTarget]:
    """The targets of an answer in their order. Raises TextError."""
    if len(data) > SEND_TARGETS_BYTES_MAX:
        raise TextError(f"an answer of more than {SEND_TARGETS_BYTES_MAX} bytes")
    found: list[tuple[str, list[str]]] = []
    for piece in data.split(b"\0"):
        if not piece:
            continue
        try:
            key, equals, value = piece.decode().partition("=")
        except UnicodeDecodeError as error:
            raise TextError("text that is not UTF-8") from error
        if key == "TargetName" and equals:
            found.append((value, []))
        elif key == "TargetAddress" and found:
            found[-1][1].append(value)
        else:
            raise TextError(f"{quoted(key)} where TargetName or TargetAddress is due")
    return [DiscoveredTarget(name=name, addresses=tuple(addresses)) for name, addresses in found]


def parse_target_address(text: str) -> tuple[str, int]:
    """Host (IPv6 without brackets) and port of a TargetAddress; a portal group tag is dropped. Raises TextError."""
    match = _ADDRESS.fullmatch(text)
    if match is None or not 1 <= int(match[3] or PORT) <= 65535:
        raise TextError(f"{quoted(text)} is no address of a target")
    return match[1] or match[2], int(match[3] or PORT)
