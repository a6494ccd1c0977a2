"""The addresses of the interfaces."""

import ipaddress
import struct
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lunaport.runtime.addresses import interface_addresses, parse_addresses, usable


def attribute(kind: int, value: bytes) -> bytes:
    return struct.pack("=HH", 4 + len(value), kind) + value + bytes(-len(value) % 4)


def message(*attributes: bytes, kind: int = 20, flags: int = 0) -> bytes:
    body = struct.pack("=BBBBI", 2, 24, flags, 0, 1) + b"".join(attributes)
    return struct.pack("=IHHII", 16 + len(body), kind, 2, 1, 0) + body


DONE = struct.pack("=IHHII", 20, 3, 2, 1, 0) + bytes(4)
V4 = ipaddress.ip_address("192.0.2.1")
V6 = ipaddress.ip_address("2001:db8::1")
OTHER = ipaddress.ip_address("192.0.2.2")


def test_addresses_of_a_datagram() -> None:
    data = message(attribute(1, OTHER.packed), attribute(2, V4.packed)) + message(attribute(1, V6.packed))
    assert parse_addresses(data) == ([V4, V6], False)
    assert parse_addresses(data + DONE + data) == ([V4, V6], True)


@pytest.mark.parametrize("flag", [0x01, 0x08, 0x20, 0x40])
def test_addresses_that_cannot_be_used_now(flag: int) -> None:
    assert parse_addresses(message(attribute(1, V6.packed), flags=flag)) == ([], False)
    wide = attribute(8, flag.to_bytes(4, sys.byteorder))
    assert parse_addresses(message(attribute(1, V6.packed), wide)) == ([], False)
    lasting = attribute(8, (0x80).to_bytes(4, sys.byteorder))
    assert parse_addresses(message(attribute(1, V6.packed), lasting)) == ([V6], False)


def test_an_error_ends_it() -> None:
    assert parse_addresses(message(kind=2) + message(attribute(1, V4.packed))) == ([], True)


@given(st.binary(max_size=200))
def test_any_datagram_is_read(data: bytes) -> None:
    for datagram in (data, message(data), message(attribute(2, V4.packed), data)):
        found, _ = parse_addresses(datagram)
        assert len(found) <= len(datagram) / 16


def test_loopback_and_link_local_are_left_out_unless_there_is_nothing_else() -> None:
    loopback = [ipaddress.ip_address("127.0.0.1"), ipaddress.ip_address("::1")]
    local = [ipaddress.ip_address("fe80::1"), ipaddress.ip_address("169.254.0.1")]
    assert usable([*loopback, V6, *local, V4, V4]) == ("192.0.2.1", "2001:db8::1")
    assert usable([*reversed(loopback), *local]) == ("127.0.0.1", "::1")
    assert usable([]) == ()


def test_this_machine_has_addresses() -> None:
    found = interface_addresses()
    assert found
    assert len(found) == len(set(found))
