"""Persistent reservations between two initiators of a real NAS: fencing, and what survives SIGKILL of everything."""

import contextlib
import secrets
import threading
import time
from itertools import count
from pathlib import Path

from tests.system.cluster import (
    APTPL,
    CLEAR,
    EXCLUSIVE_ACCESS_RO,
    INFORMATION_LOST,
    KEY_A,
    KEY_B,
    PREEMPT_AND_ABORT,
    REGISTER,
    REGISTRATIONS_PREEMPTED,
    REPLACE_LOST,
    RESERVATION_CONFLICT,
    RESERVE,
    WRITE_EXCLUSIVE_RO,
    code_of,
    connect,
    keys,
    read,
    reserve_out,
    write,
)
from tests.system.conftest import StartNas
from tests.system.initiator import Initiator
from tests.system.nas import Nas, Share
from tests.system.wire import GOOD, InitiatorError


def test_a_node_is_fenced_as_fence_scsi_does_it(nas: Nas) -> None:
    share = nas.create("fenced")
    with connect(share, 1) as good, connect(share, 2) as bad:
        for node, key in ((good, KEY_A), (bad, KEY_B)):
            assert reserve_out(node, REGISTER, 0, key, flags=APTPL).status == GOOD
        assert reserve_out(good, RESERVE, KEY_A, kind=WRITE_EXCLUSIVE_RO).status == GOOD
        assert write(good).status == write(bad).status == GOOD
        assert reserve_out(good, PREEMPT_AND_ABORT, KEY_A, KEY_B, WRITE_EXCLUSIVE_RO).status == GOOD
        assert code_of(write(bad)) == REGISTRATIONS_PREEMPTED
        assert write(bad).status == RESERVATION_CONFLICT
        assert read(bad).status == GOOD
        assert write(good).status == GOOD
        assert reserve_out(bad, RESERVE, KEY_B, kind=WRITE_EXCLUSIVE_RO).status == RESERVATION_CONFLICT
        # The way back in goes through a new registration, which a cluster does at boot.
        assert reserve_out(bad, REGISTER, 0, KEY_B).status == GOOD
        assert write(bad).status == GOOD
        assert keys(good) == [KEY_A, KEY_B]
        assert reserve_out(good, CLEAR, KEY_A).status == GOOD


def test_registrations_belong_to_the_port_and_outlive_its_session(nas: Nas) -> None:
    share = nas.create("ports")
    with connect(share, 1) as first:
        assert reserve_out(first, REGISTER, 0, KEY_A).status == GOOD
        assert reserve_out(first, RESERVE, KEY_A, kind=EXCLUSIVE_ACCESS_RO).status == GOOD
    another = Initiator(share.host, share.port, target=share.iqn, name="iqn.2026-11.test:node1")
    with connect(share, 1) as first, another:
        assert write(first).status == GOOD
        assert read(another).status == RESERVATION_CONFLICT
        assert reserve_out(first, CLEAR, KEY_A).status == GOOD


def crash(nas: Nas) -> None:
    """SIGKILL of every process, and a start."""
    nas.destroy()
    nas.start()


def sidecars(nas: Nas) -> list[Path]:
    return sorted(nas.data_dir.glob("**/luns/*.reservations"))


def fence(share: Share, flags: int) -> None:
    """Node 1 reserves for registrants; node 2 is none."""
    with connect(share, 1) as node:
        assert reserve_out(node, REGISTER, 0, KEY_A, flags=flags).status == GOOD
        assert reserve_out(node, RESERVE, KEY_A, kind=EXCLUSIVE_ACCESS_RO).status == GOOD


def test_what_shall_survive_survives_sigkill_of_everything(start_nas: StartNas) -> None:
    nas = start_nas()
    kept, gone = nas.create("kept", size="1M"), nas.create("gone", size="2M")
    fence(kept, APTPL)
    fence(gone, 0)
    for _ in range(2):
        crash(nas)
        with connect(kept, 1) as inside, connect(kept, 2) as outside:
            assert keys(inside) == [KEY_A]
            assert write(inside).status == GOOD
            assert (read(outside).status, write(outside).status) == (RESERVATION_CONFLICT, RESERVATION_CONFLICT)
        with connect(gone, 2) as outside:
            assert keys(outside) == []
            assert write(outside).status == GOOD
    with connect(kept, 1) as inside:
        assert reserve_out(inside, CLEAR, KEY_A).status == GOOD
    assert sidecars(nas) == []
    crash(nas)
    with connect(kept, 2) as outside:
        assert write(outside).status == GOOD


def register_until_it_dies(share: Share, first: int, acknowledged: list[int]) -> None:
    """One key after the other, each of them to be kept, until the connection breaks."""
    with connect(share, 1) as node, contextlib.suppress(InitiatorError, OSError):
        for key in count(first):
            result = reserve_out(node, REGISTER, acknowledged[-1], key, flags=APTPL)
            assert result.status == GOOD
            acknowledged.append(key)


def test_killed_in_the_middle_the_last_answer_holds(start_nas: StartNas) -> None:
    nas = start_nas()
    share = nas.create("killed")
    acknowledged = [0]
    for number in range(4):
        writer = threading.Thread(target=register_until_it_dies, args=(share, 1000 * (number + 1), acknowledged))
        writer.start()
        time.sleep(0.3 + secrets.randbelow(300) / 1000)
        crash(nas)
        writer.join(20)
        assert not writer.is_alive()
        assert acknowledged[-1] >= 1000 * (number + 1), "nothing was registered: the test proves nothing"
        with connect(share, 1) as node:
            # The key after the last one that was answered may be there too: its answer was lost, not its effect.
            (kept,) = keys(node)
            assert kept in (acknowledged[-1], acknowledged[-1] + 1)
            acknowledged.append(kept)


def test_reservations_go_to_the_trash_with_their_share(start_nas: StartNas) -> None:
    nas = start_nas()
    share = nas.create("moved")
    fence(share, APTPL)
    assert len(sidecars(nas)) == 1
    nas.delete(share)
    assert sidecars(nas) == []
    assert len([path for path in nas.trash() if path.name.endswith(".reservations")]) == 1


def test_reservations_that_cannot_be_read_let_nobody_in_until_they_are_replaced(start_nas: StartNas) -> None:
    nas = start_nas()
    share = nas.create("damaged")
    fence(share, APTPL)
    (sidecar,) = sidecars(nas)
    nas.destroy()
    content = bytearray(sidecar.read_bytes())
    content[-1] ^= 1
    sidecar.write_bytes(content)
    for _ in range(2):
        crash(nas)
        with connect(share, 1) as inside, connect(share, 2) as outside:
            for node in (inside, outside):
                assert code_of(read(node)) == code_of(write(node)) == INFORMATION_LOST
    assert "reservations are lost" in nas.log.read_text()
    health = nas.client.get("/api/v1/health").json()
    assert (health["status"], health["problems"]) == ("degraded", 1)
    (problem,) = nas.client.get("/api/v1/problems").json()["items"]
    assert (problem["kind"], problem["subject"]) == ("reservations", f"{share.iqn} LUN 0")
    with connect(share, 1) as inside, connect(share, 2) as outside:
        replacing = reserve_out(inside, REPLACE_LOST, 0, KEY_A, EXCLUSIVE_ACCESS_RO, APTPL)
        assert replacing.status == GOOD
        assert (write(inside).status, write(outside).status) == (GOOD, RESERVATION_CONFLICT)
    crash(nas)
    with connect(share, 1) as inside, connect(share, 2) as outside:
        assert (write(inside).status, write(outside).status) == (GOOD, RESERVATION_CONFLICT)
    assert sidecar.with_name(sidecar.name + ".damaged").read_bytes() == content
