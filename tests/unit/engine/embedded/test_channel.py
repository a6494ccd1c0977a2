"""Messages between data processes, with the connections that go with them."""

import socket
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lunaport.engine.embedded import channel
from lunaport.engine.embedded.channel import (
    CONNECTIONS_PER_MESSAGE_MAX,
    MESSAGE_BYTES_MAX,
    Channel,
    Ended,
    HandOver,
    Hello,
    Message,
    Present,
    TooLongError,
    Welcome,
    parse,
    serialize,
)
from lunaport.engine.embedded.loop import Loop
from lunaport.engine.embedded.transport import LOGIN_RECEIVE_BYTES
from lunaport.iscsi import limits
from lunaport.runtime.holdings import make_pair

NUMBER = (1 << 63) - 1
HOST = "[" + "f" * 39 + "%" + "i" * 15 + "]"


def hand_over(**changes: object) -> HandOver:
    given: dict[str, object] = {
        "number": NUMBER, "address": f"{HOST}:65535", "portal": f"{HOST}:65535", "portal_group": 65535,
        "received": b"\0\xff", "answered_count": 3, "until": 1.5, "sessions_elsewhere": 32768,
    }  # fmt: skip
    return HandOver(**{**given, **changes})  # type: ignore[arg-type]


class Ends:
    """Both ends, on one loop."""

    def __init__(self) -> None:
        self.loop = Loop()
        self.got: list[tuple[Message, socket.socket | None]] = []
        mine, theirs = make_pair()
        self.near = Channel(self.loop, mine, lambda *_: None)
        self.far = Channel(self.loop, theirs, lambda message, sock: self.got.append((message, sock)))

    def turn(self) -> None:
        """Whatever is ready."""
        for _ in range(3):
            for fd, mask in self.loop.epoll.poll(0.01):
                self.loop.handlers[fd](mask)


@pytest.fixture
def ends() -> Iterator[Ends]:
    made = Ends()
    yield made
    made.near.close()
    made.far.close()
    made.loop.close()


@pytest.mark.parametrize(
    "message", [hand_over(), Hello(), Welcome(), Present([(1, "::1"), (NUMBER, "1.2.3.4")]), Ended([1, NUMBER])]
)
def test_what_is_said_is_heard(ends: Ends, message: Message) -> None:
    ends.near.send(message)
    ends.far.listen()
    ends.turn()
    assert ends.got == [(message, None)]


@given(st.binary(max_size=400))
def test_what_is_no_message_is_none(data: bytes) -> None:
    found = parse(data)
    assert found is None or serialize(found)


def test_what_is_no_message_is_passed_over(ends: Ends, capsys: pytest.CaptureFixture[str]) -> None:
    ends.near.sock.send(b"\xc1nonsense")
    ends.near.send(Hello())
    ends.far.listen()
    ends.turn()
    assert ends.got == [(Hello(), None)]
    assert "no message" in capsys.readouterr().out


def test_a_connection_goes_with_its_message(ends: Ends) -> None:
    server = socket.create_server(("127.0.0.1", 0))
    client = socket.create_connection(server.getsockname())
    accepted, _ = server.accept()
    sent: list[str] = []
    ends.near.send(hand_over(), accepted, lambda: sent.append("sent"))
    assert sent == ["sent"]
    accepted.close()
    ends.far.listen()
    ends.turn()
    [(message, sock)] = ends.got
    assert isinstance(message, HandOver)
    assert sock is not None
    assert not sock.getblocking() or sock.gettimeout() is None
    assert not sock.get_inheritable()
    sock.sendall(b"from there")
    assert client.recv(100) == b"from there"
    for each in (sock, client, server):
        each.close()


def test_nothing_is_received_before_it_listens(ends: Ends) -> None:
    ends.near.send(Hello())
    ends.turn()
    assert not ends.got
    ends.far.listen()
    ends.turn()
    assert ends.got == [(Hello(), None)]


def test_what_the_line_does_not_take_waits_in_order_and_may_be_taken_back(ends: Ends) -> None:
    sent: list[int] = []
    parcels = []
    number = 0
    while len(ends.near.unsent) < 5:
        parcels.append(ends.near.send(hand_over(number=number), None, lambda n=number: sent.append(n)))  # type: ignore[misc]
        number += 1
        assert number < 10_000, "the line is bounded"
    assert sent == list(range(number - 5))
    ends.near.take_back(parcels[-3])
    ends.near.take_back(parcels[0])  # it has gone: nothing to take back
    ends.far.listen()
    while ends.near.unsent:
        ends.turn()
    ends.turn()
    left = [each for each in range(number) if each != number - 3]
    while len(ends.got) < len(left):
        ends.turn()
    assert sent == left
    assert [message.number for message, _ in ends.got if isinstance(message, HandOver)] == left


def test_a_system_that_is_short_of_something_is_tried_again(ends: Ends, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(channel, "RETRY_S", 0)

    class Short:
        """A socket for which there is no memory, once."""

        def __init__(self, sock: socket.socket) -> None:
            self.sock = sock
            self.calls = 0

        def fileno(self) -> int:
            return self.sock.fileno()

        def close(self) -> None:
            self.sock.close()

        def sendmsg(self, buffers: list[bytes], ancillary: list[object]) -> int:
            self.calls += 1
            if self.calls < 3:
                raise OSError(105, "No buffer space available")
            return self.sock.sendmsg(buffers, ancillary)  # type: ignore[arg-type]

    ends.near.sock = Short(ends.near.sock)  # type: ignore[assignment]
    ends.near.send(Hello())
    ends.near.send(Welcome())
    assert len(ends.near.unsent) == 2
    ends.loop._run_timers()
    assert not ends.near.unsent
    ends.far.listen()
    ends.turn()
    assert [message for message, _ in ends.got] == [Hello(), Welcome()]


def test_the_longest_message_fits_and_one_byte_more_does_not() -> None:
    empty = len(serialize(hand_over(received=b"")))
    room = MESSAGE_BYTES_MAX - empty - 4  # the length of a long byte string takes more than that of an empty one
    fits = next(size for size in range(room + 8, 0, -1) if len_of(size) <= MESSAGE_BYTES_MAX)
    assert len(serialize(hand_over(received=bytes(fits)))) == MESSAGE_BYTES_MAX
    with pytest.raises(TooLongError):
        serialize(hand_over(received=bytes(fits + 1)))


def len_of(size: int) -> int:
    try:
        return len(serialize(hand_over(received=bytes(size))))
    except TooLongError:
        return MESSAGE_BYTES_MAX + 1


def test_every_legal_first_request_fits() -> None:
    """As long as a login may be before it has named its target, and what may have come behind it."""
    headers = limits.LOGIN_PDUS_MAX * (limits.BHS_BYTES + 3)
    assert (
        len_of(headers + limits.TEXT_REQUEST_BYTES_MAX + limits.LOGIN_DATA_SEGMENT_BYTES_MAX + LOGIN_RECEIVE_BYTES)
        <= MESSAGE_BYTES_MAX
    )
    assert len(serialize(Present([(NUMBER, HOST)] * CONNECTIONS_PER_MESSAGE_MAX))) <= MESSAGE_BYTES_MAX
    assert len(serialize(Ended([NUMBER] * CONNECTIONS_PER_MESSAGE_MAX))) <= MESSAGE_BYTES_MAX
