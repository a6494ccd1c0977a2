"""Host names."""

import asyncio
import socket
import threading

import pytest

from lunaport.isns.resolve import resolve

pytestmark = pytest.mark.anyio


async def test_an_address_is_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "getaddrinfo", None)
    assert await resolve("192.0.2.1") == ["192.0.2.1"]
    assert await resolve("2001:DB8::1") == ["2001:db8::1"]


async def test_a_name_has_its_addresses_once_each(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = [(2, 1, 6, "", (address, 0)) for address in ("192.0.2.1", "192.0.2.2", "192.0.2.1")]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: answers)
    assert await resolve("nas.example.org") == ["192.0.2.1", "192.0.2.2"]


@pytest.mark.parametrize("error", [socket.gaierror(-2, "Name or service not known"), UnicodeError("too long")])
async def test_a_name_that_is_none(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    def fail(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(socket, "getaddrinfo", fail)
    with pytest.raises(OSError, match=r"not known|cannot be a host name"):
        await resolve("nas.example.org")


async def test_nobody_waits_for_a_resolver_that_hangs(monkeypatch: pytest.MonkeyPatch) -> None:
    answer = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: [answer.wait(30)][:0])
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(resolve("nas.example.org"), 0.05)
    assert any(thread.name == "isns-resolve" and thread.daemon for thread in threading.enumerate())
    answer.set()
    await asyncio.sleep(0.05)
