"""What SendTargets is answered with, read (RFC 7143 appendix C)."""

from dataclasses import dataclass

from lunaport.iscsi.errors import TextError, quoted
from lunaport.iscsi.limits import SEND_TARGETS_BYTES_MAX


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
