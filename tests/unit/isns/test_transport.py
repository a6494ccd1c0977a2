"""Conversations over TCP, and listeners: every wait ends, and every error says what happened."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest

from lunaport.isns import transport
from lunaport.isns.attribute import number, text
from lunaport.isns.calls import Call
from lunaport.isns.client import Account, bring
from lunaport.isns.enums import Function, Tag
from lunaport.isns.errors import AnswerError, FormatError, IsnsError, UnreachableError
from lunaport.isns.message import Message, MessageReader, serialize_message
from lunaport.isns.transport import Connection, Listener, Timeouts, connect
from tests.unit.isns.server import ModelServer, TcpServer
from tests.unit.isns.strategies import entity

pytestmark = pytest.mark.anyio

PATIENT = Timeouts(connect_s=20, answer_s=20, conversation_s=20)
HASTY = Timeouts(connect_s=20, answer_s=0.2, conversation_s=20)
INQUIRY = Message(function=Function.ESI, transaction_id=3, attributes=(number(17, 3260),), from_server=True)


@asynccontextmanager
async def serving(
    spoil: Callable[[bytes], bytes | None] = bytes, timeouts: Timeouts = PATIENT
) -> AsyncIterator[tuple[TcpServer, Connection]]:
    """A server and a connection to it."""
    server = TcpServer(spoil=spoil)
    await server.start()
    connection = await connect("127.0.0.1", server.port, timeouts)
    try:
        yield server, connection
    finally:
        await connection.close()
        await server.stop()


async def test_a_conversation() -> None:
    async with serving() as (server, connection):
        await connection.converse(bring(Account(), entity("a", "b")))
        assert server.model.holds(entity("a", "b"))
        assert (connection.peer, connection.is_local) == ("127.0.0.1", True)


async def test_an_answer_in_many_pieces() -> None:
    async with serving(lambda raw: serialize_message(MessageReader().receive(raw)[0], 4)) as (server, connection):
        await connection.converse(bring(Account(), entity("a")))
        assert server.model.holds(entity("a"))


@pytest.mark.parametrize(
    ("spoil", "error", "reason"),
    [
        (lambda _: None, UnreachableError, r"does not answer within 0.2 s"),
        (lambda raw: raw[:9], UnreachableError, r"does not answer within 0.2 s"),
        (lambda _: b"HTTP/1.1 400 Bad Request\r\n", FormatError, "its version is 18516"),
        (lambda raw: raw * 2, AnswerError, "several messages at once"),
        (
            lambda raw: raw[:8] + b"\xff\xff" + raw[10:],
            AnswerError,
            "0x8001 of transaction 65535 instead of 0x8001 of 1",
        ),
        (
            lambda raw: raw[:2] + b"\x80\x02" + raw[4:],
            AnswerError,
            "function 0x8002 of transaction 1 instead of 0x8001",
        ),
    ],
)
async def test_answers_that_are_none(
    spoil: Callable[[bytes], bytes | None], error: type[IsnsError], reason: str
) -> None:
    account = Account()
    async with serving(spoil, HASTY if error is UnreachableError else PATIENT) as (_, connection):
        with pytest.raises(error, match=reason):
            await connection.converse(bring(account, entity("a")))
    assert not account.is_certain


async def test_a_server_that_hangs_up() -> None:
    async with serving() as (server, connection):
        await asyncio.sleep(0.01)
        await server.stop()
        with pytest.raises(UnreachableError, match=r"closed the connection|the connection broke: Connection reset"):
            await connection.converse(bring(Account(), entity("a")))


async def test_a_server_that_is_slow_for_ever() -> None:
    class Slow(TcpServer):
        async def _respond(self, message: Message, writer: asyncio.StreamWriter) -> None:
            await asyncio.sleep(0.15)
            await super()._respond(message, writer)

    server = Slow()
    await server.start()
    connection = await connect("127.0.0.1", server.port, replace(PATIENT, conversation_s=0.5))
    many = entity(*(f"a-target-with-a-name-{n:04}" for n in range(200)))
    with pytest.raises(UnreachableError, match=r"did not take our registration within 0.5 s"):
        await connection.converse(bring(Account(), many))
    await connection.close()
    await server.stop()


async def test_nobody_listens() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    with pytest.raises(UnreachableError, match=r"^no connection: Connection refused$"):
        await connect("127.0.0.1", port, PATIENT)


async def test_a_name_that_nobody_knows(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    with pytest.raises(UnreachableError, match=r"^no connection: Name or service not known$"):
        await connect("nowhere.example.org", 3205, PATIENT)


async def test_a_name_with_several_addresses_of_which_one_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    async def resolved(_host: str) -> list[str]:
        return ["127.0.0.2", "127.0.0.1"]

    monkeypatch.setattr(transport, "resolve", resolved)
    async with serving() as (server, _):
        connection = await connect("isns.example.org", server.port, PATIENT)
        assert connection.peer == "127.0.0.1"
        await connection.close()


async def test_no_connection_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    async def silent(*_: object, **__: object) -> None:
        await asyncio.sleep(60)

    monkeypatch.setattr(asyncio, "open_connection", silent)
    with pytest.raises(UnreachableError, match=r"no connection within 0.1 s"):
        await connect("192.0.2.1", 3205, replace(PATIENT, connect_s=0.1))


@asynccontextmanager
async def listening() -> AsyncIterator[tuple[Listener, list[tuple[str, Call]]]]:
    """A listener on 127.0.0.1, and what it was told."""
    calls: list[tuple[str, Call]] = []
    listener = Listener(called=lambda peer, call: calls.append((peer, call)))
    await listener.start("127.0.0.1")
    try:
        yield listener, calls
    finally:
        await listener.close()


async def ask(listener: Listener, raw: bytes) -> bytes:
    """What the listener answers before it closes, or is silent."""
    reader, writer = await asyncio.open_connection("127.0.0.1", listener.port)
    writer.write(raw)
    writer.write_eof()
    try:
        return await asyncio.wait_for(reader.read(65536), 2)
    except ConnectionResetError:
        return b""
    finally:
        await end(writer)


async def end(writer: asyncio.StreamWriter) -> None:
    """Close a connection of the test's own."""
    writer.transport.abort()
    with contextlib.suppress(OSError):
        await writer.wait_closed()


async def test_a_listener_answers_calls() -> None:
    async with listening() as (listener, calls):
        raw = await ask(listener, serialize_message(INQUIRY))
        assert MessageReader().receive(raw) == [
            Message(function=0x800D, transaction_id=3, attributes=INQUIRY.attributes, status=0)
        ]
        assert calls == [("127.0.0.1", Call(function=Function.ESI))]
        attributes = (text(Tag.ISCSI_NAME, "to"), text(Tag.ISCSI_NAME, "about"))
        await ask(listener, serialize_message(Message(function=8, transaction_id=1, attributes=attributes)))
        assert calls[1:] == [("127.0.0.1", Call(function=Function.SCN, names=frozenset({"about"})))]


@pytest.mark.parametrize("raw", [b"GET / HTTP/1.1\r\n\r\n", bytes(100), b"\0\1\0\x0d\xff\xfc\x48\0\0\0\0\0", b""])
async def test_a_listener_ends_what_is_no_call(raw: bytes) -> None:
    async with listening() as (listener, calls):
        assert await ask(listener, raw) == b""
        assert calls == []
        assert await ask(listener, serialize_message(INQUIRY))


async def test_a_listener_does_not_wait_for_the_silent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transport, "CALL_IDLE_TIMEOUT_S", 0.1)
    async with listening() as (listener, _):
        reader, writer = await asyncio.open_connection("127.0.0.1", listener.port)
        with contextlib.suppress(ConnectionResetError):
            assert await asyncio.wait_for(reader.read(1), 2) == b""
        await end(writer)


async def test_open_connections_do_not_keep_others_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transport, "CALLS_MAX", 3)
    async with listening() as (listener, _):
        held = [await asyncio.open_connection("127.0.0.1", listener.port) for _ in range(8)]
        await asyncio.sleep(0.05)
        assert await ask(listener, serialize_message(INQUIRY))
        for _, writer in held:
            await end(writer)


async def test_a_closed_listener_does_not_listen() -> None:
    async with listening() as (listener, _):
        await listener.close()
        with pytest.raises(OSError, match=r"refused|Connect call failed"):
            await asyncio.open_connection("127.0.0.1", listener.port)


def test_the_model_is_strict() -> None:
    assert ModelServer().holds(entity())
    assert not ModelServer().holds(entity("a"))
