"""Addresses as text, and which of ours a peer can use. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address


@dataclass(frozen=True, slots=True, kw_only=True)
class Listening:
    """An address that is listened on, in its portal group; the host may be a wildcard."""

    host: str
    port: int
    group: int = 1


def format_address(host: str, port: int) -> str:
    """host:port, IPv6 in brackets."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def parse_address(text: str) -> tuple[str, int]:
    """What `format_address` made: host without brackets, and port."""
    host, _, port = text.rpartition(":")
    return host.strip("[]"), int(port)


def peer_address(text: str) -> IPv4Address | IPv6Address:
    """The address in what `format_address` made, without its scope."""
    return ip_address(parse_address(text)[0].partition("%")[0])


def is_numeric(host: str) -> bool:
    """Whether a host is an address and no name."""
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


def reachable(listening: Iterable[Listening], reached: tuple[str, int]) -> list[Listening]:
    """Those of the addresses we listen on that a peer can use which came to `reached`, the one it came to first.

    A wildcard is the address that the peer came to, within that address's family. A loopback address means another
    machine to everyone who came over another interface, so it is left out for them. So is an IPv6 link-local address
    on another link than the peer's. Scopes (`%eth0`) are names of ours and not told.
    """
    host, _ = reached
    found: dict[tuple[str, int], Listening] = {}
    came_to = ip_address(host)
    for each in listening:
        address = ip_address(each.host)
        if address.is_unspecified:
            if address.version != came_to.version:
                continue
            address = came_to
        if address.is_loopback and not came_to.is_loopback:
            continue
        if isinstance(address, IPv6Address) and address.is_link_local and not _same_link(address, came_to):
            continue
        told = str(address).partition("%")[0]
        found.setdefault((told, each.port), Listening(host=told, port=each.port, group=each.group))
    first = (str(came_to).partition("%")[0], reached[1])
    return sorted(found.values(), key=lambda each: (each.host, each.port) != first)


def _same_link(address: IPv6Address, came_to: IPv4Address | IPv6Address) -> bool:
    return isinstance(came_to, IPv6Address) and came_to.is_link_local and came_to.scope_id == address.scope_id
