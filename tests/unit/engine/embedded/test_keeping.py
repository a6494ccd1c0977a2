"""What is kept for commands that wait: counted, bounded, and never in the way of what they wait for."""

import socket
from collections.abc import Iterator

import pytest

from lunaport.engine.embedded.limits import CONNECTION_BYTES_MAX
from lunaport.iscsi.connection import Connection

from .test_transport import Side


@pytest.fixture
def side() -> Iterator[Side]:
    made = Side()
    made.skip_login()
    made.client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
    yield made
    made.run(lambda sock: None)
    assert made.memory.used == 0


def connection_of(side: Side) -> Connection:
    assert side.transport.connection is not None
    return side.transport.connection


def test_only_while_memory_is_not_scarce(side: Side) -> None:
    transport, connection = side.transport, connection_of(side)
    half = side.memory.bytes_max // 2
    assert transport.keep(connection, half)
    assert transport.keep(connection, 1)
    assert not transport.keep(connection, 1)
    transport.drop(connection, 1)
    assert transport.keep(connection, 1)
    transport.drop(connection, half + 1)
    assert not transport.keep(connection, side.memory.bytes_max + 1)
    assert side.memory.used == 0


def test_the_connection_is_read_on_whatever_is_kept(side: Side) -> None:
    transport, connection = side.transport, connection_of(side)
    assert transport.keep(connection, 2 * CONNECTION_BYTES_MAX)
    assert transport.hold(connection, 4096, crowded=False)
    assert (transport.over_share, connection.blocked) == (False, False)
    assert transport.hold(connection, 4096, crowded=True)
    assert transport.over_share
    transport.release(connection, 8192)
    assert not transport.over_share
    assert side.memory.has_room(transport.held_bytes - transport.deferred_bytes, 1 << 20)
    transport.drop(connection, 2 * CONNECTION_BYTES_MAX)
