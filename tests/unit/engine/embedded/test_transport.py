"""The connection shell on real sockets: whatever the pieces, the same stream; slow and broken peers."""

import contextlib
import random
import socket
import threading
import time
from collections.abc import Callable

import pytest

from lunaport.engine.embedded.limits import DataLimits
from lunaport.engine.embedded.loop import Loop
from lunaport.engine.embedded.memory import Memory
from lunaport.engine.embedded.pool import OUTPUT_BYTES, RECEIVE_BYTES, BufferPool
from lunaport.engine.embedded.transport import Begun, Transport
from lunaport.iscsi import limits, pdu
from lunaport.iscsi.connection import Connection
from lunaport.iscsi.enums import LoginStatus
from lunaport.iscsi.errors import LoginRefused, TargetElsewhere
from lunaport.iscsi.login import LoginOutcome, LoginPhase, TargetPolicy
from lunaport.iscsi.negotiation import SessionParameters
from tests.unit.iscsi.full_feature import Disk, Echo

PARAMETERS = SessionParameters(
    initial_r2t=False,
    max_recv_data_segment_length=262144,
    peer_max_recv_data_segment_length=262144,
    max_burst_length=1048576,
    first_burst_length=262144,
)


class Side:
    """An owner with one transport, whose login is skipped unless asked for."""

    def __init__(self) -> None:
        self.loop = Loop()
        self.pool = BufferPool()
        self.memory = Memory(DataLimits().memory_mib << 20)
        self.disk = Disk(8 << 20)
        self.ended: list[str] = []
        self.forgotten = False
        self.handed_over: list[tuple[int, Begun]] = []
        self.take: Callable[[], None] = lambda: None
        self.elsewhere = False
        self.client, ours = tcp_pair()
        self.client.settimeout(10)
        self.transport = Transport(self.loop, self.pool, self.memory, self, ours, "peer", "portal")
        self.transport.start()

    def begin_login(self, transport: Transport) -> LoginPhase:
        return LoginPhase(self, random.Random(1).randbytes)

    def begin_session(self, transport: Transport, outcome: LoginOutcome) -> Connection:
        return Connection(outcome, tsih=1, device_server=self.disk, text=Echo(), shell=transport)

    def hand_over(self, transport: Transport, process: int, begun: Begun) -> None:
        self.handed_over.append((process, begun))
        self.loop.call_soon(self.take)

    def end_connection(self, transport: Transport, reason: str) -> None:
        self.ended.append(reason)

    def forget(self, transport: Transport) -> None:
        self.forgotten = True

    def find_target(self, target_name: str, initiator_name: str) -> TargetPolicy:
        if self.elsewhere:
            raise TargetElsewhere(5)
        return TargetPolicy(name=target_name)

    def find_discovery_policy(self, initiator_name: str) -> TargetPolicy:
        return TargetPolicy(name="")

    def admit(self, outcome: LoginOutcome) -> int:
        return 1

    def skip_login(self) -> None:
        transport = self.transport
        transport.login = None
        assert transport.timer is not None
        transport.timer.cancel()
        outcome = LoginOutcome(
            session_type="Normal",
            initiator_name="iqn.2026-11.test:i",
            initiator_alias="",
            target_name="iqn.2026-11.test:t",
            isid=bytes(6),
            tsih=0,
            cid=0,
            parameters=PARAMETERS,
            exp_cmd_sn=1,
            stat_sn=1,
        )
        transport.connection = self.begin_session(transport, outcome)

    def run(self, client: Callable[[socket.socket], None]) -> None:
        """Run `client` in a thread, the loop here, until the client is done and the transport has noticed."""
        failures: list[BaseException] = []

        def work() -> None:
            try:
                client(self.client)
            except BaseException as error:  # noqa: BLE001 - raised again below, in the test's thread
                failures.append(error)
            self.loop.call_from_thread(self.loop.stop)

        thread = threading.Thread(target=work)
        thread.start()
        self.loop.run()
        thread.join()
        self.transport.close("the test is over")
        self.client.close()
        self.loop.close()
        if failures:
            raise failures[0]


def tcp_pair() -> tuple[socket.socket, socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        client = socket.create_connection(server.getsockname())
        ours, _ = server.accept()
        return client, ours


def receive_pdu(sock: socket.socket) -> tuple[bytes, bytes]:
    def exactly(count: int) -> bytes:
        data = bytearray()
        while len(data) < count:
            part = sock.recv(count - len(data))
            if not part:
                raise EOFError
            data += part
        return bytes(data)

    header = exactly(48)
    length = int.from_bytes(header[5:8], "big")
    return header, exactly(pdu.pad4(length))[:length]


def write(number: int, lba: int, data: bytes) -> bytes:
    return pdu.ScsiCommand(
        flags=0xA0,
        initiator_task_tag=number,
        expected_length=len(data),
        cmd_sn=number,
        exp_stat_sn=0,
        cdb=bytes([0x2A, 0]) + lba.to_bytes(4, "big") + b"\0" + (len(data) // 512).to_bytes(2, "big") + bytes(7),
        data=data,
    ).serialize()


def read(number: int, lba: int, blocks: int) -> bytes:
    return pdu.ScsiCommand(
        flags=0xC0,
        initiator_task_tag=number,
        expected_length=blocks * 512,
        cmd_sn=number,
        exp_stat_sn=0,
        cdb=bytes([0x28, 0]) + lba.to_bytes(4, "big") + b"\0" + blocks.to_bytes(2, "big") + bytes(7),
    ).serialize()


@pytest.mark.parametrize("seed", range(6))
def test_writes_of_any_size_in_pieces_of_any_size(seed: int) -> None:
    side = Side()
    side.skip_login()
    chance = random.Random(seed)
    sizes = [chance.choice([512, 4096, 8192, 65536, 261632, 262144]) for _ in range(40)]
    blocks = [chance.randbytes(size) for size in sizes]
    expected = bytearray(len(side.disk.data))
    stream = bytearray()
    for number, data in enumerate(blocks, start=1):
        lba = chance.randrange((len(expected) - len(data)) // 512)
        expected[lba * 512 : lba * 512 + len(data)] = data
        stream += write(number, lba, data)

    def client(sock: socket.socket) -> None:
        at = 0
        while at < len(stream):
            size = chance.choice([1, 47, 48, 1000, 8192, 60000, 400000, 2000000])
            sock.sendall(stream[at : at + size])
            at += size
        for _ in blocks:
            header, _ = receive_pdu(sock)
            assert pdu.parse_scsi_response(header, b"").status == 0

    side.run(client)
    assert side.disk.data == expected
    assert side.ended in ([], ["the test is over"])


@pytest.mark.parametrize("first_comes_last", [False, True])
def test_a_peer_that_does_not_read_is_not_read_from(first_comes_last: bool) -> None:
    """Nor is what came before its turn handled meanwhile, or lost."""
    side = Side()
    side.skip_login()
    side.client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
    side.disk.data[:] = random.Random(1).randbytes(len(side.disk.data))
    count, blocks = 100, 2048
    held: list[int] = []

    def client(sock: socket.socket) -> None:
        numbers = [*range(2, count + 1), 1] if first_comes_last else range(1, count + 1)
        sock.sendall(b"".join(read(number, 0, blocks) for number in numbers))
        threading.Event().wait(0.3)
        held.append(sum(output.filled - output.sent for output in side.transport.pending))
        for _ in range(count):
            gathered = b""
            while len(gathered) < blocks * 512:
                _, data = receive_pdu(sock)
                gathered += data
            assert gathered == side.disk.data[: blocks * 512]

    side.run(client)
    assert held[0] < 3 * OUTPUT_BYTES
    assert not side.transport.pending


def test_an_idle_connection_holds_no_buffers() -> None:
    side = Side()
    side.skip_login()

    def client(sock: socket.socket) -> None:
        sock.sendall(write(1, 0, bytes(4096)))
        receive_pdu(sock)
        sock.sendall(read(2, 0, 8)[:30])
        threading.Event().wait(0.05)

    side.run(client)
    assert len(side.pool.receive) == 1
    assert len(side.pool.outputs) == 1


def test_garbage_instead_of_a_login_ends_the_connection() -> None:
    side = Side()

    def client(sock: socket.socket) -> None:
        sock.sendall(b"GET / HTTP/1.1\r\nHost: nas\r\nUser-Agent: a browser\r\n\r\n")
        with contextlib.suppress(ConnectionResetError):
            while sock.recv(4096):
                pass

    side.run(client)
    assert len(side.ended) == 1


@pytest.mark.parametrize(("late_s", "ended"), [(-1.0, False), (0.0, True), (1.0, True)])
def test_a_login_has_its_time_and_no_more(late_s: float, ended: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [1000.0]
    monkeypatch.setattr("lunaport.engine.embedded.loop.monotonic", lambda: clock[0])
    side = Side()
    clock[0] += limits.LOGIN_TIMEOUT_S + late_s
    side.loop.call_soon(side.loop.stop)
    side.loop.run()
    assert bool(side.ended) is ended
    side.transport.close("the test is over")
    side.client.close()
    side.loop.close()


def test_a_login_that_never_comes_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "LOGIN_TIMEOUT_S", 0.05)
    side = Side()

    def client(sock: socket.socket) -> None:
        assert sock.recv(1) == b""

    side.run(client)
    assert "no login within" in side.ended[0]


def test_a_real_login_then_a_command_in_the_same_piece() -> None:
    side = Side()
    text = b"InitiatorName=iqn.2026-11.test:i\0TargetName=iqn.2026-11.test:t\0SessionType=Normal\0"
    login = pdu.LoginRequest(
        transit=True,
        current_stage=1,
        next_stage=3,
        isid=bytes(6),
        initiator_task_tag=1,
        cmd_sn=1,
        data=text,
    ).serialize()

    def client(sock: socket.socket) -> None:
        sock.sendall(login + read(1, 0, 1))
        header, data = receive_pdu(sock)
        assert pdu.parse_login_response(header, data).status == 0
        header, data = receive_pdu(sock)
        assert pdu.parse_data_in(header, data).data == bytes(512)
        sock.sendall(pdu.LogoutRequest(reason=0, initiator_task_tag=3, cid=0, cmd_sn=2, exp_stat_sn=0).serialize())
        header, data = receive_pdu(sock)
        assert pdu.parse_logout_response(header).response == 0
        assert sock.recv(1) == b""

    side.run(client)
    assert side.ended == ["logout"]


def test_a_mistake_of_ours_ends_its_connection_only(monkeypatch: pytest.MonkeyPatch) -> None:
    side = Side()
    side.skip_login()
    monkeypatch.setattr(side.disk, "fill", None)

    def client(sock: socket.socket) -> None:
        sock.sendall(read(1, 0, 1))
        assert sock.recv(1) == b""

    side.run(client)
    assert side.ended == ["internal error"]


def test_what_a_connection_holds_is_counted_and_given_back() -> None:
    """Half a PDU, output that is not taken, a command out of order; and nothing when it is over."""
    side = Side()
    side.skip_login()
    side.client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
    held: list[int] = []

    def note() -> None:
        threading.Event().wait(0.1)
        held.append(side.memory.used)

    def client(sock: socket.socket) -> None:
        note()
        long = write(1, 0, bytes(262144))
        sock.sendall(long[:100_000])
        note()
        sock.sendall(long[100_000:])
        receive_pdu(sock)
        note()
        sock.sendall(write(3, 0, bytes(4096)))
        note()
        sock.sendall(read(2, 0, 1))
        receive_pdu(sock)
        receive_pdu(sock)
        note()
        sock.sendall(b"".join(read(number, 0, 2048) for number in range(4, 40)))
        note()

    side.run(client)
    assert held[0] == held[2] == held[4] == 0
    assert held[1] == RECEIVE_BYTES
    assert held[3] == 4096 + 48
    assert 2 * OUTPUT_BYTES <= held[5] <= 2 * OUTPUT_BYTES + RECEIVE_BYTES
    assert side.memory.used == 0
    assert side.forgotten


def test_where_memory_is_scarce_half_a_pdu_takes_no_more_than_its_length() -> None:
    side = Side()
    side.skip_login()
    side.memory.change(side.memory.bytes_max // 2 + 1)
    before = side.memory.used
    held: list[int] = []

    def client(sock: socket.socket) -> None:
        long = write(1, 0, bytes(range(256)) * 1024)
        sock.sendall(long[:100_000])
        threading.Event().wait(0.1)
        held.append(side.memory.used - before)
        sock.sendall(long[100_000:])
        header, _ = receive_pdu(sock)
        assert pdu.parse_scsi_response(header, b"").status == 0

    side.run(client)
    assert held == [262144 + 48]
    assert side.disk.data[:262144] == bytes(range(256)) * 1024


def test_who_is_halted_is_not_read_from_but_may_finish_what_it_began() -> None:
    side = Side()
    side.skip_login()
    commands: list[int] = []

    def on_loop(call: Callable[[], None]) -> None:
        side.loop.call_from_thread(call)
        threading.Event().wait(0.1)
        assert side.transport.connection is not None
        commands.append(side.transport.connection.commands)

    def client(sock: socket.socket) -> None:
        long = write(1, 0, bytes(262144))
        sock.sendall(long[:100_000])
        on_loop(side.transport.halt)
        sock.sendall(long[100_000:] + read(2, 0, 1))
        receive_pdu(sock)
        on_loop(lambda: None)
        on_loop(side.transport.go_on)
        receive_pdu(sock)

    side.run(client)
    assert commands == [0, 1, 2]


def test_a_connection_beyond_its_share_waits_until_its_disk_has_caught_up() -> None:
    side = Side()
    side.skip_login()
    transport = side.transport
    share = side.memory.share()
    seen: list[tuple[bool, int]] = []

    def note() -> None:
        connection = transport.connection
        assert connection is not None
        seen.append((transport.over_share, connection.commands))

    def step(size_bytes: int) -> Callable[[], None]:
        def call() -> None:
            connection = transport.connection
            assert connection is not None
            if size_bytes > 0:
                assert transport.hold(connection, size_bytes, crowded=False)
            else:
                transport.release(connection, -size_bytes)

        return call

    def client(sock: socket.socket) -> None:
        for number, size_bytes in enumerate((share // 2, share, -share), start=1):
            side.loop.call_from_thread(step(size_bytes))
            threading.Event().wait(0.05)
            sock.sendall(read(number, 0, 1))
            threading.Event().wait(0.05)
            side.loop.call_from_thread(note)
        for _ in range(3):
            receive_pdu(sock)

    side.run(client)
    assert seen == [(False, 1), (True, 1), (False, 3)]


def test_what_is_deferred_happens_unless_the_connection_ends() -> None:
    side = Side()
    side.skip_login()
    transport, connection = side.transport, side.transport.connection
    assert connection is not None
    called: list[str] = []
    kept = threading.Event()

    def keep() -> None:
        called.append("kept")
        kept.set()

    def client(_sock: socket.socket) -> None:
        def first() -> None:
            transport.defer(connection, keep)
            assert called == [], "not while something else happens"

        def second() -> None:
            transport.defer(connection, lambda: called.append("of a connection that ends"))
            transport.end("over")

        side.loop.call_from_thread(first)
        assert kept.wait(10)
        side.loop.call_from_thread(second)

    side.run(client)
    assert called == ["kept"]


def login_request(*, continues: bool = False, text: bytes = b"", transit: bool = True) -> bytes:
    whole = b"InitiatorName=iqn.2026-11.test:i\0TargetName=iqn.2026-11.test:t\0SessionType=Normal\0"
    return pdu.LoginRequest(
        transit=transit,
        continues=continues,
        current_stage=1,
        next_stage=3 if transit else 0,
        isid=bytes(6),
        initiator_task_tag=1,
        cmd_sn=1,
        data=text or whole,
    ).serialize()


def test_a_login_that_is_half_done_holds_no_memory() -> None:
    """Thousands of them would otherwise keep the sessions waiting."""
    side = Side()

    def client(sock: socket.socket) -> None:
        sock.sendall(login_request(transit=False))
        receive_pdu(sock)
        assert side.memory.used == 0
        sock.sendall(login_request(transit=False)[:60])

    side.run(client)
    assert side.memory.used == 0


def test_a_login_that_is_refused_holds_no_memory_while_it_is_read() -> None:
    side = Side()

    def client(sock: socket.socket) -> None:
        sock.sendall(login_request(text=b"TargetName=iqn.2026-11.test:t\0"))
        header, data = receive_pdu(sock)
        assert pdu.parse_login_response(header, data).status == LoginStatus.MISSING_PARAMETER
        assert sock.recv(1) == b""
        assert side.memory.used == 0

    side.run(client)


@pytest.mark.parametrize("taken", [True, False])
def test_a_login_to_a_target_elsewhere_goes_there_with_all_that_came(taken: bool) -> None:
    side = Side()
    side.elsewhere = True
    kept: list[socket.socket] = []

    def take() -> None:
        if taken:
            kept.append(side.transport.sock.dup())
            side.transport.let_go()
        else:
            side.transport.refuse(LoginRefused(LoginStatus.SERVICE_UNAVAILABLE, "busy"))

    side.take = take
    first = login_request(continues=True, transit=False, text=b"InitiatorName=iqn.2026")
    rest = login_request(text=b"-11.test:i\0TargetName=iqn.2026-11.test:t\0")

    def client(sock: socket.socket) -> None:
        sock.sendall(first)
        header, data = receive_pdu(sock)
        assert pdu.parse_login_response(header, data).status == 0
        sock.sendall(rest + b"more")
        if taken:
            while not kept:
                time.sleep(0.001)
            kept[0].sendall(b"from the other process")
            assert sock.recv(100) == b"from the other process"
        else:
            header, data = receive_pdu(sock)
            assert pdu.parse_login_response(header, data).status == LoginStatus.SERVICE_UNAVAILABLE
            assert sock.recv(1) == b""

    side.run(client)
    [(process, begun)] = side.handed_over
    assert (process, begun.received, begun.answered_count) == (5, first + rest + b"more", 1)
    assert side.memory.used == 0
    assert side.ended == ([] if taken else ["busy"])
    for each in kept:
        each.close()


def test_an_initiator_that_goes_away_while_its_login_waits_is_noticed() -> None:
    side = Side()
    side.elsewhere = True

    def client(sock: socket.socket) -> None:
        sock.sendall(login_request())
        while not side.handed_over:
            time.sleep(0.001)
        sock.shutdown(socket.SHUT_WR)
        while not side.ended:
            time.sleep(0.001)

    side.run(client)
    assert side.forgotten


def test_a_login_that_began_elsewhere_goes_on_and_is_not_answered_again() -> None:
    side = Side()
    first = login_request(continues=True, transit=False, text=b"InitiatorName=iqn.2026")
    rest = login_request(text=b"-11.test:i\0TargetName=iqn.2026-11.test:t\0")
    side.transport.timer.cancel()  # type: ignore[union-attr]
    side.loop.unregister(side.transport.fd)
    side.transport.start(Begun(first + rest[:50], 1, side.loop.now() + 10))

    def client(sock: socket.socket) -> None:
        sock.sendall(rest[50:])
        header, data = receive_pdu(sock)
        response = pdu.parse_login_response(header, data)
        assert (response.transit, response.stat_sn) == (True, 1)

    side.run(client)


@pytest.mark.parametrize(("left_s", "ended"), [(0.5, False), (0.0, True), (-1.0, True)])
def test_a_login_that_began_elsewhere_has_the_time_that_is_left(
    left_s: float, ended: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = [1000.0]
    monkeypatch.setattr("lunaport.engine.embedded.loop.monotonic", lambda: clock[0])
    side = Side()
    side.transport.timer.cancel()  # type: ignore[union-attr]
    side.loop.unregister(side.transport.fd)
    side.transport.start(Begun(b"", 0, clock[0] + left_s))
    side.loop.call_soon(side.loop.stop)
    side.loop.run()
    assert bool(side.ended) is ended
    side.transport.close("the test is over")
    side.client.close()
    side.loop.close()
