"""What initiators may take of a running NAS: connections, sessions, memory. Beyond that they wait or are refused."""

import contextlib
import socket
import struct
import time
from collections.abc import Iterator

import pytest

from tests.system.conftest import StartNas
from tests.system.initiator import Initiator
from tests.system.nas import Share, resident_bytes, wait_until
from tests.system.wire import FINAL, SCSI_COMMAND, ClosedError, LoginError

OUT_OF_RESOURCES = 0x0302
MIB = 1 << 20
BIG = {"MaxRecvDataSegmentLength": "262144", "FirstBurstLength": "262144", "MaxBurstLength": "1048576"}


def log_in(share: Share, number: int = 0, *, name: str = "i", **offers: str) -> Initiator:
    initiator = Initiator(
        share.host, share.port, target=share.iqn, name=f"iqn.2026-11.test:{name}-{number}", offers=offers
    )
    return initiator.__enter__()


def refused(share: Share, number: int = 0, *, name: str = "i") -> int:
    with pytest.raises(LoginError) as error:
        log_in(share, number, name=name)
    return error.value.status


@contextlib.contextmanager
def crowd(*initiators: Initiator) -> Iterator[None]:
    """These sessions end without a word at the end."""
    try:
        yield
    finally:
        for initiator in initiators:
            initiator.close()


def test_sessions_of_a_target_of_an_initiator_and_in_all(start_nas: StartNas) -> None:
    nas = start_nas(settings={"sessions": 5, "target_sessions": 3, "initiator_sessions": 2})
    a, b = nas.create("a"), nas.create("b", size="65M")
    first = [log_in(a), log_in(a)]
    with crowd(*first):
        assert refused(a) == OUT_OF_RESOURCES, "the initiator has two sessions"
        first.append(log_in(a, 1))
        assert refused(a, 2) == OUT_OF_RESOURCES, "the target has three"
        second = [log_in(b, 1), log_in(b, 2)]
        with crowd(*second):
            assert refused(b, 3) == OUT_OF_RESOURCES, "the NAS has five"
            assert all(session.ready().status == 0 for session in first + second)
        wait_until(lambda: len(nas.sessions(b)) == 0, timeout_s=5, what="the end of two sessions")
        log_in(b, 3).close()
        first[2].close()
    text = nas.log.read_text()
    for reason in (
        "the initiator has 2 sessions with this target already",
        "the target has 3 sessions already",
        "there are 5 sessions already",
    ):
        assert text.count(reason) == 1


def test_connections_of_an_address(start_nas: StartNas) -> None:
    nas = start_nas(settings={"address_connections": 4})
    share = nas.create("a")
    sessions = [log_in(share, number) for number in range(3)]
    with crowd(*sessions):
        silent = socket.create_connection((share.host, share.port), timeout=5)
        with silent:
            fourth = log_in(share, 3)
            assert silent.recv(1) == b"", "who did not log in makes room"
        with crowd(fourth):
            for _ in range(200):
                with pytest.raises((ClosedError, ConnectionError)):
                    log_in(share, 4)
            elsewhere = socket.create_connection((share.host, share.port), timeout=5, source_address=("127.0.0.9", 0))
            elsewhere.settimeout(0.3)
            with elsewhere, pytest.raises(TimeoutError):
                elsewhere.recv(1)  # it is taken, and waits for a login
            assert all(session.ready().status == 0 for session in [*sessions, fourth])
    assert nas.log.read_text().count("there are 4 connections from this address already") == 1, "200 times, logged once"


def test_strangers_crowd_out_each_other_and_nobody_else(start_nas: StartNas) -> None:
    """More connections than may wait for a login, from one address; another one's login goes on meanwhile."""
    nas = start_nas()
    share = nas.create("a")
    with contextlib.ExitStack() as stack:
        neighbour = stack.enter_context(
            socket.create_connection((share.host, share.port), source_address=("127.0.0.9", 0))
        )
        strangers = [
            stack.enter_context(socket.create_connection((share.host, share.port), timeout=5)) for _ in range(257)
        ]
        assert strangers[0].recv(1) == b""
        for other in (strangers[1], strangers[-1], neighbour):
            other.settimeout(0.2)
            with pytest.raises(TimeoutError):
                other.recv(1)
        log_in(share).close()


def half_a_write(initiator: Initiator) -> None:
    """A WRITE with 256 KiB of immediate data, of which the last byte does not come."""
    cdb = struct.unpack(">IIII", struct.pack(">BBQIBB", 0x8A, 0, 0, 512, 0, 0))
    start = struct.pack(
        ">BBHIQI7I",
        SCSI_COMMAND,
        FINAL | 0x20,
        0,
        262144,
        0,
        99,
        262144,
        initiator.cmd_sn,
        initiator.exp_stat_sn,
        *cdb,
    )
    initiator.sock.sendall(start + bytes(262143))


def reads(initiator: Initiator, count: int, size_bytes: int) -> None:
    """Reads whose data nobody takes."""
    with contextlib.suppress(OSError):
        for number in range(count):
            cdb = struct.unpack(">IIII", struct.pack(">BBQIBB", 0x88, 0, 0, size_bytes // 512, 0, 0))
            initiator.send(
                SCSI_COMMAND,
                flags=FINAL | 0x40,
                tag=1000 + number,
                words=(size_bytes, initiator.cmd_sn + number, initiator.exp_stat_sn, *cdb),
            )


def out_of_order(initiator: Initiator) -> None:
    """A megabyte of commands behind one that does not come."""
    cdb = struct.unpack(">IIII", struct.pack(">BBQIBB", 0x8A, 0, 0, 512, 0, 0))
    with contextlib.suppress(OSError):
        for number in range(1, 4):
            initiator.send(
                SCSI_COMMAND,
                flags=FINAL | 0x20,
                tag=99 + number,
                words=(262144, initiator.cmd_sn + number, initiator.exp_stat_sn, *cdb),
                data=bytes(262144),
            )


ATTACKS = {
    "half a write": half_a_write,
    "short reads": lambda initiator: reads(initiator, 128, 65536),
    "reads of a megabyte": lambda initiator: reads(initiator, 128, MIB),
    "reads of eight megabytes": lambda initiator: reads(initiator, 128, 8 * MIB),
    "commands out of order": out_of_order,
}


@pytest.mark.parametrize("attack", ATTACKS)
def test_memory_stays_within_what_is_set(start_nas: StartNas, attack: str) -> None:
    """300 sessions that take as much as they can and give nothing back; whoever behaves goes on."""
    nas = start_nas(settings={"memory_mib": 64})
    share, other = nas.create("attacked", size="64M"), nas.create("other", size="65M")
    fill(share)
    data = nas.pid("data")
    with contextlib.ExitStack() as stack:
        bystander = stack.enter_context(contextlib.closing(log_in(other, name="bystander")))
        bystander.sock.settimeout(60)
        bystander.write(0, b"bystander".ljust(512))
        crowd = [stack.enter_context(contextlib.closing(log_in(share, n, **BIG))) for n in range(300)]
        before = most = resident_bytes(data)
        for number, initiator in enumerate(crowd):
            initiator.sock.settimeout(0.01)
            with contextlib.suppress(OSError):
                ATTACKS[attack](initiator)
            if number % 20 == 0:
                most = max(most, resident_bytes(data))
        slowest = 0.0
        until = time.monotonic() + 5
        while time.monotonic() < until:
            began = time.monotonic()
            assert bystander.read(0, 1) == b"bystander".ljust(512)
            slowest = max(slowest, time.monotonic() - began)
            most = max(most, resident_bytes(data))
            time.sleep(0.05)
        assert most - before < 64 * MIB + 48 * MIB, f"{(most - before) >> 20} MiB"
        assert slowest < 10
    wait_until(lambda: len(nas.sessions(share)) == 0, timeout_s=30, what="the end of the crowd")
    with contextlib.closing(log_in(share)) as newcomer:
        newcomer.write(0, b"as before".ljust(512))
        assert newcomer.read(0, 1) == b"as before".ljust(512)


def fill(share: Share) -> None:
    """Write something everywhere, so that reads read data."""
    with contextlib.closing(log_in(share)) as initiator:
        for lba in range(0, share.size_bytes // 512, 512):
            initiator.write(lba, b"\xa5" * 262144)
