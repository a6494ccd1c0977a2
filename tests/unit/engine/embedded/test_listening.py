"""Listening sockets, and addresses that are not there."""

import socket

import pytest

from lunaport.engine.embedded.listening import AbsentError, is_there, listen
from lunaport.engine.interface import PortalError, PortalSpec


@pytest.mark.parametrize(
    ("host", "reason"),
    [("192.0.2.99", "no such address"), ("2001:db8::99", "no such address"), ("fe80::9%none9", "no such interface")],
)
def test_an_address_that_is_not_there_is_no_mistake(host: str, reason: str) -> None:
    with pytest.raises(AbsentError, match=reason):
        listen(PortalSpec(host=host, port=3260), host)


def test_a_port_that_is_taken_is_one() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(PortalError, match="another program listens") as refused:
            listen(PortalSpec(host="127.0.0.1", port=port), "127.0.0.1")
    assert not isinstance(refused.value, AbsentError)


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "::"])
def test_an_address_that_is_there(host: str) -> None:
    with listen(PortalSpec(host=host, port=0), host) as sock:
        assert is_there(sock)


class Elsewhere(socket.socket):
    """A socket that says it has an address which this machine does not have."""

    def getsockname(self) -> tuple[str, int]:
        return ("192.0.2.99", 3260)


def test_an_address_that_is_gone() -> None:
    with Elsewhere() as sock:
        assert not is_there(sock)
