"""Ports, and host[:port] with IPv4, IPv6 in brackets, or a host name. Nothing is resolved here."""

import ipaddress
import re
from dataclasses import dataclass
from typing import Final

from lunaport.model.errors import Fault, InvalidError, invalid

ISCSI_PORT: Final = 3260
"""IANA: iscsi-target."""
ISNS_PORT: Final = 3205
"""IANA: isns."""
PORT_MAX: Final = 65535
HOST_CHARS_MAX: Final = 253

_DIGITS = re.compile(r"[0-9]{1,5}")
_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_HOST = re.compile(rf"{_LABEL}(?:\.{_LABEL})*\.?")
_NUMERIC = re.compile(r"[0-9.]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class HostPort:
    """A host, without brackets, and a port."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def is_loopback(host: str) -> bool:
    """Whether what is said to this host stays on this machine; a name other than localhost may lead anywhere."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def parse_port(value: str | int) -> int:
    """A TCP port, 1 to 65535. Raises InvalidError at `port`."""
    text = str(value) if isinstance(value, int) and abs(value) <= 10**9 else value
    if isinstance(text, str) and _DIGITS.fullmatch(text) and 1 <= int(text) <= PORT_MAX:
        return int(text)
    shown = repr(text) if isinstance(text, str) and len(text) <= 32 else "the value"
    raise invalid(
        Fault.PORT_INVALID,
        f"{shown} is not a TCP port; right would be 1 to {PORT_MAX}, or empty for {ISCSI_PORT}",
        "port",
    )


def _refuse(text: str, reason: str) -> InvalidError:
    shown = repr(text) if len(text) <= HOST_CHARS_MAX else f"a text of {len(text)} characters"
    return invalid(
        Fault.ISNS_ADDRESS_INVALID,
        f"{shown} {reason}; right would be 192.0.2.7, 192.0.2.7:3205, [2001:db8::7]:3205 or nas.example.org",
    )


def parse_host_port(text: str, default_port: int) -> HostPort:
    """`host`, `host:port`, `[v6]`, `[v6]:port` or a bare IPv6 address. Raises InvalidError."""
    if len(text) > HOST_CHARS_MAX + 8:
        raise _refuse(text, "is not an address")
    bracketed = text.startswith("[")
    if bracketed:
        host, closing, rest = text[1:].partition("]")
        if not closing or (rest and not rest.startswith(":")):
            raise _refuse(text, "is not an address")
        port_text = rest[1:] if rest else None
    elif text.count(":") > 1:
        host, port_text = text, None
    else:
        host, colon, after = text.partition(":")
        port_text = after if colon else None
    return HostPort(host=_host(host, text, v6=bracketed or ":" in host), port=_port(port_text, text, default_port))


def _port(port_text: str | None, text: str, default_port: int) -> int:
    if port_text is None:
        return default_port
    if not _DIGITS.fullmatch(port_text) or not 1 <= int(port_text) <= PORT_MAX:
        raise _refuse(text, f"has no port from 1 to {PORT_MAX} after its colon")
    return int(port_text)


def _host(host: str, text: str, *, v6: bool) -> str:
    if v6 or _NUMERIC.fullmatch(host):
        try:
            address = ipaddress.ip_address(host)
        except ValueError:
            raise _refuse(text, "is not an IP address") from None
        if v6 and address.version != 6:
            raise _refuse(text, "has no IPv6 address in its brackets")
        return str(address)
    if len(host) > HOST_CHARS_MAX or _HOST.fullmatch(host) is None:
        raise _refuse(text, "is not a host name")
    return host.rstrip(".").lower()
