"""Bad input on the wire: the peer gets what RFC 7143 says, nobody else notices, and memory stays bounded."""

import contextlib
import secrets
import socket
import struct
import time
from collections.abc import Iterator

import pytest

from tests.system.conftest import StartNas
from tests.system.initiator import Initiator
from tests.system.nas import Nas, Share, resident_bytes
from tests.system.wire import (
    FINAL,
    IMMEDIATE,
    LOGIN,
    LOGIN_RESPONSE,
    NO_TAG,
    REJECT,
    SCSI_COMMAND,
    ClosedError,
    LoginError,
)

LOGIN_TIMEOUT_S = 15
GARBAGE = {
    "random": secrets.token_bytes(4096),
    "zeros": bytes(4096),
    "ones": b"\xff" * 4096,
    "http": b"GET / HTTP/1.1\r\nHost: nas\r\n\r\n".ljust(256),
    "tls": bytes.fromhex("160301020001fc030300") + bytes(600),
    "a command first": struct.pack(">BBHIQI28x", SCSI_COMMAND, FINAL, 0, 0, 0, 1),
    "a login of 16 MB": struct.pack(">BBHIQI28x", LOGIN | IMMEDIATE, 0x87, 0, 0xFFFFFF, 0, 1),
    "a login with AHS": struct.pack(">BBHIQI28x", LOGIN | IMMEDIATE, 0x87, 0, 0xFF000000, 0, 1) + bytes(2000),
    "a login of no keys": struct.pack(">BBHIQI28x", LOGIN | IMMEDIATE, 0x87, 0, 0, 0, 1),
    "a login of noise": struct.pack(">BBHIQI28x", LOGIN | IMMEDIATE, 0x87, 0, 512, 0, 1) + secrets.token_bytes(512),
    "a response": struct.pack(">BBHIQI28x", LOGIN_RESPONSE, 0x87, 0, 0, 0, 1),
    "another version": struct.pack(">BBHIQI28x", LOGIN | IMMEDIATE, 0x87, 0x0505, 0, 0, 1),
}


@pytest.fixture
def share(nas: Nas) -> Share:
    """A share for one test."""
    return nas.create(f"wire-{secrets.token_hex(4)}")


@pytest.fixture
def bystander(share: Share) -> Iterator[Initiator]:
    """A session that works before, and must work after, whatever the test does."""
    with Initiator(share.host, share.port, target=share.iqn, name="iqn.2026-11.test:bystander") as initiator:
        initiator.write(0, b"bystander".ljust(512))
        yield initiator
        assert initiator.read(0, 1) == b"bystander".ljust(512)
        assert initiator.asyncs == []


def until_closed(connection: socket.socket) -> bytes:
    """All that the target says before it closes; raises TimeoutError when it does not."""
    said = b""
    with contextlib.suppress(ConnectionError):
        while part := connection.recv(65536):
            said += part
    return said


@pytest.mark.parametrize("kind", GARBAGE)
@pytest.mark.usefixtures("bystander")
def test_garbage_instead_of_a_login(share: Share, kind: str) -> None:
    with socket.create_connection((share.host, share.port), timeout=LOGIN_TIMEOUT_S + 5) as connection:
        with contextlib.suppress(ConnectionError):
            connection.sendall(GARBAGE[kind])
            connection.shutdown(socket.SHUT_WR)
        said = until_closed(connection)
    assert len(said) < 4096
    if said:
        assert said[0] & 0x3F in (LOGIN_RESPONSE, REJECT)
        assert said[0] & 0x3F == REJECT or said[36] != 0, "a login that succeeded"


@pytest.mark.usefixtures("bystander")
def test_logins_that_never_end_are_ended(share: Share) -> None:
    """One peer says nothing, one stops in its first header, one stops in the text, one stays in the security stage."""
    with contextlib.ExitStack() as stack:
        silent, header, text, stage = (Initiator(share.host, share.port, target=share.iqn) for _ in range(4))
        for initiator in (silent, header, text, stage):
            initiator.connect()
            stack.callback(initiator.close)
        began = time.monotonic()
        header.sock.sendall(bytes([LOGIN | IMMEDIATE, 0x87]) + bytes(20))
        text.sock.sendall(struct.pack(">BBHIQI28x", LOGIN | IMMEDIATE, 0x87, 0, 400, 0, 1) + b"InitiatorName=iqn.")
        keys = {"InitiatorName": stage.name, "TargetName": share.iqn, "SessionType": "Normal", "AuthMethod": "None"}
        stage.exchange(1, keys, stage=0, next_stage=None)
        for initiator in (silent, header, text, stage):
            initiator.sock.settimeout(LOGIN_TIMEOUT_S + 5)
            until_closed(initiator.sock)
        assert time.monotonic() - began < LOGIN_TIMEOUT_S + 5


@pytest.mark.usefixtures("bystander")
def test_a_login_in_endless_steps_is_ended(share: Share) -> None:
    with contextlib.closing(Initiator(share.host, share.port, target=share.iqn)) as initiator:
        initiator.connect()
        keys = {"InitiatorName": initiator.name, "TargetName": share.iqn, "SessionType": "Normal", "AuthMethod": "None"}
        initiator.exchange(1, keys, stage=0, next_stage=None)
        with pytest.raises((LoginError, ClosedError, ConnectionError)):
            for _ in range(1000):
                initiator.exchange(1, {}, stage=0, next_stage=None)


@pytest.mark.usefixtures("bystander")
def test_an_unknown_target_is_not_found(share: Share) -> None:
    with pytest.raises(LoginError) as refused, Initiator(share.host, share.port, target=share.iqn + "x"):
        pass
    assert refused.value.status == 0x0203


@pytest.mark.usefixtures("bystander")
@pytest.mark.parametrize("excess", [1, 0xFFFFFF])
def test_a_pdu_longer_than_negotiated(share: Share, excess: int) -> None:
    """RFC 7143 section 7.8: a protocol error; the connection may end, with or without a Reject before."""
    with Initiator(share.host, share.port, target=share.iqn) as initiator:
        limit = int(initiator.negotiated["MaxRecvDataSegmentLength"])
        length = min(limit + excess, 0xFFFFFF)
        cdb = struct.unpack(">IIII", struct.pack(">BBQIBB", 0x8A, 0, 0, length // 512, 0, 0))
        header = struct.pack(
            ">BBHIQI7I",
            SCSI_COMMAND,
            FINAL | 0x20,
            0,
            length,
            0,
            99,
            length,
            initiator.cmd_sn,
            initiator.exp_stat_sn,
            *cdb,
        )
        with contextlib.suppress(ConnectionError):
            initiator.sock.sendall(header + b"\xee" * length)
        said = until_closed(initiator.sock)
        assert not said or said[0] & 0x3F == REJECT


def test_more_immediate_data_than_the_first_burst(share: Share, bystander: Initiator) -> None:
    with Initiator(share.host, share.port, target=share.iqn, offers={"FirstBurstLength": "512"}) as initiator:
        assert initiator.negotiated["FirstBurstLength"] == "512"
        cdb = struct.unpack(">IIII", struct.pack(">BBQIBB", 0x8A, 0, 0, 2, 0, 0))
        with contextlib.suppress(ConnectionError, ClosedError):
            initiator.send(
                SCSI_COMMAND,
                flags=FINAL | 0x20,
                tag=99,
                words=(1024, initiator.cmd_sn, initiator.exp_stat_sn, *cdb),
                data=b"\xee" * 1024,
            )
            answer = initiator.receive()
            assert answer.opcode == REJECT or answer.specific & 0xFF == 0x02
    assert bystander.read(0, 1) == b"bystander".ljust(512)


def test_a_connection_that_stops_in_the_middle_of_a_pdu(share: Share, bystander: Initiator) -> None:
    bystander.write(64, b"\x11" * 65536)
    with Initiator(share.host, share.port, target=share.iqn) as header:
        header.sock.sendall(bytes(20))
    with Initiator(share.host, share.port, target=share.iqn) as data:
        cdb = struct.unpack(">IIII", struct.pack(">BBQIBB", 0x8A, 0, 64, 64, 0, 0))
        start = struct.pack(
            ">BBHIQI7I", SCSI_COMMAND, FINAL | 0x20, 0, 32768, 0, 99, 32768, data.cmd_sn, data.exp_stat_sn, *cdb
        )
        data.sock.sendall(start + b"\xee" * 1000)
    with Initiator(share.host, share.port, target=share.iqn) as waiting:
        waiting.send(
            SCSI_COMMAND,
            flags=FINAL | 0x20,
            tag=99,
            words=(32768, waiting.cmd_sn, waiting.exp_stat_sn, *cdb),
        )
        waiting.receive()
    time.sleep(0.3)
    assert bystander.read(128, 64) == b"\x11" * 32768, "the rest of the write never came"
    bystander.write(64, b"\x22" * 65536)
    assert bystander.read(64, 128) == b"\x22" * 65536


@pytest.mark.usefixtures("bystander")
@pytest.mark.parametrize("opcode", [0x07, 0x1C, 0x20, 0x3F, LOGIN])
def test_an_opcode_that_is_none_in_a_session(share: Share, opcode: int) -> None:
    with Initiator(share.host, share.port, target=share.iqn) as initiator:
        initiator.send(opcode | IMMEDIATE, tag=99, words=(NO_TAG, initiator.cmd_sn, initiator.exp_stat_sn))
        with contextlib.suppress(ClosedError):
            assert initiator.receive().opcode == REJECT


@pytest.mark.usefixtures("bystander")
def test_noise_in_a_session(share: Share) -> None:
    for _ in range(20):
        with Initiator(share.host, share.port, target=share.iqn, timeout_s=10) as initiator:
            with contextlib.suppress(ConnectionError):
                initiator.sock.sendall(secrets.token_bytes(4096))
                initiator.sock.shutdown(socket.SHUT_WR)
            until_closed(initiator.sock)


@pytest.mark.alone
def test_five_hundred_idle_connections(start_nas: StartNas) -> None:
    nas = start_nas()
    share = nas.create("crowded")
    data = nas.pid("data")
    with Initiator(share.host, share.port, target=share.iqn) as bystander, contextlib.ExitStack() as stack:
        bystander.write(0, b"bystander".ljust(512))
        before = resident_bytes(data)
        crowd = [stack.enter_context(socket.create_connection((share.host, share.port))) for _ in range(500)]
        crowd[0].settimeout(LOGIN_TIMEOUT_S + 5)
        began = time.monotonic()
        for _ in range(100):
            assert bystander.read(0, 1) == b"bystander".ljust(512)
        assert time.monotonic() - began < 10
        with Initiator(share.host, share.port, target=share.iqn) as newcomer:
            assert newcomer.ready().status == 0
        assert resident_bytes(data) - before < 64 << 20
        assert nas.healthy()
        until_closed(crowd[0])
        assert bystander.ready().status == 0


def test_five_hundred_idle_sessions(start_nas: StartNas) -> None:
    nas = start_nas()
    share = nas.create("crowded-sessions")
    data = nas.pid("data")
    before = resident_bytes(data)
    with contextlib.ExitStack() as stack:
        for number in range(500):
            name = f"iqn.2026-11.test:idle-{number}"
            stack.enter_context(Initiator(share.host, share.port, target=share.iqn, name=name))
        assert resident_bytes(data) - before < 128 << 20
        with Initiator(share.host, share.port, target=share.iqn) as initiator:
            initiator.write(0, b"room for one more".ljust(512))
            assert initiator.read(0, 1) == b"room for one more".ljust(512)
        assert len(nas.sessions(share)) >= 100
