"""The IP addresses of this machine's interfaces, as the kernel tells them by rtnetlink (RFC 3549). Needs no rights.

Left out is what initiators elsewhere cannot use: link-local and loopback addresses, temporary and deprecated ones, and
those that are not usable yet or any more. Where nothing is left, loopback addresses are given.
"""

import ipaddress
import socket
import struct
import sys
from typing import Final

_MESSAGE: Final = struct.Struct("=IHHII")
"""nlmsghdr: length, type, flags, sequence, port."""
_ADDRESS: Final = struct.Struct("=BBBBI")
"""ifaddrmsg: family, prefix length, flags, scope, interface."""
_ATTRIBUTE: Final = struct.Struct("=HH")
_RTM_GETADDR: Final = 22
_RTM_NEWADDR: Final = 20
_NLMSG_ERROR: Final = 2
_NLMSG_DONE: Final = 3
_NLM_F_REQUEST_DUMP: Final = 0x301
_IFA_ADDRESS: Final = 1
_IFA_LOCAL: Final = 2
_IFA_FLAGS: Final = 8
_FLAGS_UNUSABLE: Final = 0x01 | 0x08 | 0x20 | 0x40
"""Temporary, failed, deprecated, tentative."""
_RECEIVE_BYTES: Final = 1 << 16
_RECEIVES_MAX: Final = 256
_TIMEOUT_S: Final = 1.0
ADDRESSES_MAX: Final = 1024


def interface_addresses() -> tuple[str, ...]:
    """The addresses, IPv4 first, each family in the kernel's order. Raises OSError."""
    found: list[ipaddress.IPv4Address | ipaddress.IPv6Address] = []
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, socket.NETLINK_ROUTE) as sock:
        sock.settimeout(_TIMEOUT_S)
        size = _MESSAGE.size + _ADDRESS.size
        sock.send(_MESSAGE.pack(size, _RTM_GETADDR, _NLM_F_REQUEST_DUMP, 1, 0) + _ADDRESS.pack(0, 0, 0, 0, 0))
        for _ in range(_RECEIVES_MAX):
            addresses, is_done = parse_addresses(sock.recv(_RECEIVE_BYTES))
            found += addresses
            if is_done:
                break
    return usable(found)


def usable(found: list[ipaddress.IPv4Address | ipaddress.IPv6Address]) -> tuple[str, ...]:
    """Of these addresses those that others can use; else the loopback ones."""
    unique = sorted(dict.fromkeys(found), key=lambda each: each.version)[:ADDRESSES_MAX]
    reachable = [each for each in unique if not (each.is_loopback or each.is_link_local or each.is_unspecified)]
    return tuple(str(each) for each in reachable or [each for each in unique if each.is_loopback])


def parse_addresses(data: bytes) -> tuple[list[ipaddress.IPv4Address | ipaddress.IPv6Address], bool]:
    """The usable addresses in one datagram of the kernel, and whether it is the last."""
    found: list[ipaddress.IPv4Address | ipaddress.IPv6Address] = []
    at = 0
    while at + _MESSAGE.size <= len(data):
        length, kind, _, _, _ = _MESSAGE.unpack_from(data, at)
        if kind in (_NLMSG_ERROR, _NLMSG_DONE) or length < _MESSAGE.size:
            return found, True
        if kind == _RTM_NEWADDR and length >= _MESSAGE.size + _ADDRESS.size:
            address = _parse_address(data[at + _MESSAGE.size : at + length])
            if address is not None:
                found.append(address)
        at += (length + 3) & ~3
    return found, False


def _parse_address(data: bytes) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    _, _, flags, _, _ = _ADDRESS.unpack_from(data)
    values: dict[int, bytes] = {}
    at = _ADDRESS.size
    while at + _ATTRIBUTE.size <= len(data):
        length, kind = _ATTRIBUTE.unpack_from(data, at)
        if length < _ATTRIBUTE.size:
            break
        values[kind] = data[at + _ATTRIBUTE.size : at + length]
        at += (length + 3) & ~3
    if _IFA_FLAGS in values and len(values[_IFA_FLAGS]) == 4:
        flags = int.from_bytes(values[_IFA_FLAGS], sys.byteorder)
    # On a point-to-point link IFA_ADDRESS is the other end.
    raw = values.get(_IFA_LOCAL, values.get(_IFA_ADDRESS, b""))
    if flags & _FLAGS_UNUSABLE or len(raw) not in (4, 16):
        return None
    return ipaddress.ip_address(raw)
