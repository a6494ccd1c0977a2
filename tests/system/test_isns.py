"""Registration with iSNS servers: what a real isnsd lists is what the NAS serves, whoever of the two dies."""

import contextlib
import os
import signal
import socket
import sqlite3
import struct
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from lunaport.isns.transport import CONNECT_TIMEOUT_S
from tests.system.conftest import StartNas
from tests.system.isns_server import EMPTY, IsnsServer, Listing
from tests.system.nas import Nas, Share, free_port, wait_until
from tests.system.peers import output_of
from tests.system.test_portals import loopback
from tests.system.test_watch import Listening

pytestmark = pytest.mark.peer

SOON_S = 5
CHECKED_S = 30
"""A server that lost us is found at the next look, 20 s later at most."""
WILDCARD = "0.0.0.0"  # noqa: S104 - it is what the test is about
StartServer = Callable[..., IsnsServer]


@pytest.fixture
def start_server(tmp_path: Path) -> Iterator[StartServer]:
    """Starts isnsd; it ends with the test."""
    started: list[IsnsServer] = []

    def start(**options: Any) -> IsnsServer:
        server = IsnsServer(tmp_path / f"isnsd{len(started)}", **options)
        started.append(server)
        server.start()
        return server

    yield start
    for server in started:
        server.stop()


def switch_on(nas: Nas, *servers: str) -> None:
    """Have the NAS register there."""
    response = nas.edit_service(isns=True, isns_address=",".join(servers))
    assert response.status_code == 200, response.text


def states(nas: Nas) -> list[dict[str, Any]]:
    """How the NAS says it stands with each server."""
    servers: list[dict[str, Any]] = nas.answer("GET", path="/api/v1/service")["isns"]["servers"]
    return servers


def served(nas: Nas, *names: str, portals: tuple[str, ...] = ()) -> Listing:
    """What shall be listed."""
    portals = portals or (f"127.0.0.1:{nas.port}",)
    return Listing(
        names=sorted(names),
        portals=sorted(portals),
        groups=sorted((name, portal, 1) for name in names for portal in portals),
        entities=[entity_of(nas)] if names else [],
    )


def entity_of(nas: Nas) -> str:
    """The name of our entity, as the store has it."""
    with contextlib.closing(sqlite3.connect(f"file:{nas.data_dir / 'lunaport.db'}?mode=ro", uri=True)) as database:
        (uuid,) = database.execute("SELECT uuid FROM identity").fetchone()
    return f"lunaport-{uuid}"


def wait_listed(server: IsnsServer, listing: Listing, *, timeout_s: float = SOON_S) -> None:
    """Wait until the server lists exactly this."""
    end = time.monotonic() + timeout_s
    while (found := server.listing()) != listing:
        assert time.monotonic() < end, f"isnsd lists {found} instead of {listing}"
        time.sleep(0.1)


def test_what_isnsd_lists_is_what_is_served_after_each_change(start_nas: StartNas, start_server: StartServer) -> None:
    server = start_server()
    nas = start_nas()
    first = nas.create("first")
    assert server.listing() == EMPTY
    switch_on(nas, server.address)
    wait_listed(server, served(nas, first.iqn))
    (state,) = states(nas)
    assert (state["address"], state["state"], state["targets"], state["portals"]) == (
        server.address,
        "registered",
        1,
        1,
    )
    assert state["registered_since"] is not None
    assert state["error"] == state["last_error"] == ""
    second = nas.create("second")
    wait_listed(server, served(nas, first.iqn, second.iqn))
    renamed = nas.edit(first, target="renamed")["target"]
    wait_listed(server, served(nas, renamed, second.iqn))
    nas.delete(second)
    wait_listed(server, served(nas, renamed))
    only = nas.edit(first, target="only")["target"]
    wait_listed(server, served(nas, only))
    moved = free_port()
    assert nas.edit_service(port=str(moved)).status_code == 200
    wait_listed(server, served(nas, only, portals=(f"127.0.0.1:{moved}",)))
    assert nas.edit_service(enabled=False).status_code == 200
    wait_listed(server, EMPTY)
    (state,) = states(nas)
    assert (state["state"], state["targets"]) == ("idle", 0)
    assert nas.edit_service(enabled=True, port="").status_code == 200
    wait_listed(server, served(nas, only))
    assert nas.edit_service(isns=False).status_code == 200
    wait_listed(server, EMPTY)
    assert states(nas) == []
    assert nas.edit_service(isns=True).status_code == 200
    wait_listed(server, served(nas, only))
    nas.delete(first)
    wait_listed(server, EMPTY)
    third = nas.create("third")
    wait_listed(server, served(nas, third.iqn))
    nas.stop()
    assert server.listing() == EMPTY
    nas.start()
    wait_listed(server, served(nas, third.iqn))


def test_another_client_finds_a_target_and_its_portals(start_nas: StartNas, start_server: StartServer) -> None:
    server = start_server()
    nas = start_nas(hosts=("127.0.0.1", "::1"))
    share = nas.create("queried")
    switch_on(nas, server.address)
    portals = (f"127.0.0.1:{nas.port}", f"[::1]:{nas.port}")
    wait_listed(server, served(nas, share.iqn, portals=portals))
    answer = output_of("isnsadm", "-c", server.directory / "isnsadm.conf", "--query", f"iscsi-name={share.iqn}")
    assert 'iSCSI alias = "queried"' in answer
    assert "iSCSI node type = Target" in answer


def test_a_wildcard_portal_is_registered_as_the_real_addresses(start_nas: StartNas, start_server: StartServer) -> None:
    server = start_server()
    nas = start_nas(hosts=(WILDCARD,))
    share = nas.create("everywhere")
    switch_on(nas, server.address)
    wait_until(lambda: server.listing().names == [share.iqn], timeout_s=SOON_S, what="registration")
    hosts = [portal.rpartition(":")[0] for portal in server.listing().portals]
    assert hosts
    assert WILDCARD not in hosts
    for host in hosts:
        socket.create_connection((host, nas.port), timeout=5).close()


def test_the_server_restarts_and_has_forgotten_everything(start_nas: StartNas, start_server: StartServer) -> None:
    server = start_server()
    nas = start_nas()
    share = nas.create("remembered")
    switch_on(nas, server.address)
    wait_listed(server, served(nas, share.iqn))
    server.stop()
    other = nas.create("made-meanwhile")
    wait_until(lambda: states(nas)[0]["state"] == "failing", timeout_s=SOON_S, what="failing")
    (state,) = states(nas)
    assert state["error"] == "no connection: Connection refused"
    assert state["registered_since"] is None
    server.start()
    wait_listed(server, served(nas, share.iqn, other.iqn), timeout_s=CHECKED_S)
    wait_until(lambda: states(nas)[0]["state"] == "registered", timeout_s=SOON_S, what="registered again")
    (state,) = states(nas)
    assert (state["error"], state["last_error"]) == ("", "no connection: Connection refused")
    server.stop()
    server.start()
    wait_listed(server, served(nas, share.iqn, other.iqn), timeout_s=CHECKED_S)


def test_the_death_of_the_data_process_changes_nothing(start_nas: StartNas, start_server: StartServer) -> None:
    server = start_server()
    nas = start_nas()
    share = nas.create("steady")
    switch_on(nas, server.address)
    wait_listed(server, served(nas, share.iqn))
    (before,) = states(nas)
    nas.kill("data")
    nas.wait_healthy(timeout_s=20)
    for _ in range(12):
        assert server.listing() == served(nas, share.iqn)
        time.sleep(1)
    (after,) = states(nas)
    assert after["registered_since"] == before["registered_since"]


@pytest.mark.parametrize("role", ["control", "supervisor"])
def test_nothing_is_listed_twice_after_sigkill(start_nas: StartNas, start_server: StartServer, role: str) -> None:
    server = start_server()
    nas = start_nas()
    kept, gone = nas.create("kept"), nas.create("gone")
    switch_on(nas, server.address)
    wait_listed(server, served(nas, kept.iqn, gone.iqn))
    if role == "control":
        nas.kill("control")
        nas.wait_healthy(timeout_s=20)
        nas.delete(gone)
    else:
        nas.destroy()
        assert server.listing() == served(nas, kept.iqn, gone.iqn)
        nas.start()
        nas.delete(gone)
    wait_listed(server, served(nas, kept.iqn))


def test_a_server_that_is_away_at_the_start_is_found_later(start_nas: StartNas, tmp_path: Path) -> None:
    server = IsnsServer(tmp_path / "late")
    nas = start_nas()
    share = nas.create("patient")
    started = time.monotonic()
    switch_on(nas, server.address)
    assert time.monotonic() - started < CONNECT_TIMEOUT_S - 1
    wait_until(lambda: states(nas)[0]["state"] == "failing", timeout_s=SOON_S, what="failing")
    nas.stop()
    nas.start()
    try:
        server.start()
        wait_listed(server, served(nas, share.iqn), timeout_s=CHECKED_S)
    finally:
        server.stop()


def test_several_servers_each_with_its_own_state(start_nas: StartNas, start_server: StartServer) -> None:
    first, second = start_server(), start_server()
    nas = start_nas()
    share = nas.create("shared")
    away = f"127.0.0.1:{free_port()}"
    by_name = f"localhost:{second.port}"
    switch_on(nas, first.address, away, by_name)
    for server in (first, second):
        wait_listed(server, served(nas, share.iqn))
    wait_until(
        lambda: [each["state"] for each in states(nas)] == ["registered", "failing", "registered"],
        timeout_s=SOON_S,
        what="states",
    )
    switch_on(nas, by_name)
    wait_listed(first, EMPTY)
    assert second.listing() == served(nas, share.iqn)
    assert [each["address"] for each in states(nas)] == [by_name]


def test_the_registration_outlives_its_period(start_nas: StartNas, start_server: StartServer) -> None:
    server = start_server(period="6s")
    nas = start_nas()
    share = nas.create("alive")
    switch_on(nas, server.address)
    wait_listed(server, served(nas, share.iqn))
    (before,) = states(nas)
    for _ in range(16):
        assert server.listing() == served(nas, share.iqn)
        time.sleep(1)
    (after,) = states(nas)
    assert after["registered_since"] == before["registered_since"]
    assert after["confirmed_at"] > before["confirmed_at"]


def test_status_inquiries_are_answered(start_nas: StartNas, start_server: StartServer) -> None:
    """The server asks every second, and would take the portal away after two that are not answered."""
    server = start_server(esi_interval="1s")
    nas = start_nas()
    share = nas.create("inquired")
    switch_on(nas, server.address)
    wait_listed(server, served(nas, share.iqn))
    (before,) = states(nas)
    for _ in range(12):
        assert server.listing() == served(nas, share.iqn)
        time.sleep(1)
    assert "ESI port" in server.ask("portals")
    (after,) = states(nas)
    assert after["registered_since"] == before["registered_since"]


def test_what_somebody_removes_at_the_server_comes_back(start_nas: StartNas, start_server: StartServer) -> None:
    """One of several is missed as soon as the server tells us, all of them at the next look."""
    server = start_server()
    nas = start_nas()
    shares = [nas.create(name) for name in ("stays", "removed")]
    whole = served(nas, *(share.iqn for share in shares))
    switch_on(nas, server.address)
    wait_listed(server, whole)
    configuration = server.directory / "isnsadm.conf"
    time.sleep(1)
    output_of("isnsadm", "-c", configuration, "--deregister", f"iscsi-name={shares[1].iqn}")
    wait_listed(server, whole, timeout_s=8)
    for share in shares:
        output_of("isnsadm", "-c", configuration, "--deregister", f"iscsi-name={share.iqn}")
    wait_listed(server, whole, timeout_s=CHECKED_S)


def test_a_target_that_somebody_else_has_is_named_and_the_others_are_registered(
    start_nas: StartNas, start_server: StartServer
) -> None:
    server = start_server()
    nas = start_nas()
    ours, contested = nas.create("ours"), nas.create("contested")
    words = ("isnsadm", "-c", server.directory / "isnsadm.conf")
    output_of(*words, "--register", f"target={contested.iqn}")
    switch_on(nas, server.address)
    wait_until(lambda: states(nas)[0]["state"] == "failing", timeout_s=SOON_S, what="failing")
    assert states(nas)[0]["error"].endswith(f"may have their names: {contested.iqn}")
    assert states(nas)[0]["targets"] == 1
    assert [group[0] for group in server.listing().groups] == [ours.iqn]
    output_of(*words, "--deregister", f"iscsi-name={contested.iqn}")
    wait_listed(server, served(nas, ours.iqn, contested.iqn), timeout_s=CHECKED_S)


def test_many_targets(start_nas: StartNas, start_server: StartServer) -> None:
    server = start_server()
    nas = start_nas()
    switch_on(nas, server.address)
    names = [nas.create(f"target-number-{number:03}", size="1M").iqn for number in range(150)]
    wait_listed(server, served(nas, *names), timeout_s=10)
    assert states(nas)[0]["targets"] == 150


class Hostile:
    """A server that answers each connection with what it is told, or never."""

    def __init__(self, answer: Callable[[bytes], bytes]) -> None:
        self.answer = answer
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self.socket.getsockname()[1]}"
        self.connections = 0
        self.kept: list[socket.socket] = []
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self) -> None:
        while True:
            try:
                connected, _ = self.socket.accept()
            except OSError:
                return
            self.connections += 1
            self.kept.append(connected)
            try:
                connected.sendall(self.answer(connected.recv(65536)))
            except OSError:
                continue

    def close(self) -> None:
        """End it."""
        self.socket.close()
        for each in self.kept:
            each.close()


def header(
    request: bytes, length: int, *, flags: int = 0x4C00, version: int = 1, transaction: int | None = None
) -> bytes:
    """The header of an answer to a request."""
    function, its_transaction = struct.unpack_from(">2xH4xH", request)
    return struct.pack(
        ">6H", version, function | 0x8000, length, flags, its_transaction if transaction is None else transaction, 0
    )


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (lambda _: os.urandom(4096).replace(b"\0\1", b"\0\2"), "is no iSNS message"),
        (lambda _: b"HTTP/1.1 400 Bad Request\r\n\r\n" * 10, "its version is 18516"),
        (lambda r: header(r, 0), "it has no status"),
        (lambda r: header(r, 4, transaction=0xBEEF) + bytes(4), "something else than was asked"),
        (lambda r: header(r, 12) + struct.pack(">3I", 0, 1, 0xFFFFFFFF), "says it has 4294967295 bytes"),
        (lambda r: header(r, 4) + struct.pack(">I", 8), "source unauthorized (status 8)"),
        (lambda r: header(r, 4) + struct.pack(">I", 4711), "unknown status (status 4711)"),
        (lambda r: header(r, 4, flags=0x6C00) + bytes(4), "authentication block"),
        (lambda r: header(r, 65532, flags=0x4400) + bytes(65532), "does not answer within"),
        (lambda _: b"", "does not answer within"),
    ],
)
def test_a_hostile_server_is_told_of_and_harms_nothing(
    start_nas: StartNas, answer: Callable[[bytes], bytes], error: str
) -> None:
    hostile = Hostile(answer)
    try:
        nas = start_nas()
        share = nas.create("unharmed")
        switch_on(nas, hostile.address)
        wait_until(lambda: states(nas)[0]["state"] == "failing", timeout_s=20, what="failing")
        assert error in states(nas)[0]["error"]
        started = time.monotonic()
        nas.edit(share, size="128M")
        assert time.monotonic() - started < CONNECT_TIMEOUT_S - 1
        assert hostile.connections < 20
        assert nas.healthy()
        nas.stop()
    finally:
        hostile.close()


def test_a_stop_does_not_wait_for_a_server_that_is_silent(start_nas: StartNas, start_server: StartServer) -> None:
    server = start_server()
    nas = start_nas()
    share: Share = nas.create("leaving")
    switch_on(nas, server.address)
    wait_listed(server, served(nas, share.iqn))
    assert server.process is not None
    os.kill(server.process.pid, signal.SIGSTOP)
    started = time.monotonic()
    nas.stop()
    assert time.monotonic() - started < 6
    assert "not deregistered" in nas.log_tail()


def test_portal_groups_and_what_servers_are_not_told(start_nas: StartNas, start_server: StartServer) -> None:
    """Each portal with its group, no group where a target is not served; what becomes of it is told as events."""
    server = start_server()
    nas = start_nas()
    listening = Listening(nas)
    both, second, hidden = (nas.create(name) for name in ("both", "second", "hidden"))
    near, far = f"127.0.0.1:{nas.port}", f"{loopback()}:{nas.port}"

    def change(method: str, path: str, body: object) -> None:
        response = nas.call(method, body, path=f"/api/v1{path}")
        assert response.status_code == 200, response.text

    change("PUT", f"/portals/{far}", {"group": 2})
    change("PATCH", f"/targets/{second.id}", {"portal_groups": [2]})
    change("PATCH", f"/targets/{hidden.id}", {"isns": False})
    switch_on(nas, server.address)

    def wait_groups(*groups: tuple[str, str, int]) -> None:
        names = sorted({name for name, _, _ in groups})
        found = Listing(names=names, portals=sorted((near, far)), groups=sorted(groups), entities=[entity_of(nas)])
        wait_listed(server, found)

    wait_groups((both.iqn, near, 1), (both.iqn, far, 2), (second.iqn, far, 2))
    assert listening.wait_for("isns_registered")["server"] == server.address
    change("PATCH", f"/targets/{second.id}", {"portal_groups": [1]})
    wait_groups((both.iqn, near, 1), (both.iqn, far, 2), (second.iqn, near, 1))
    change("PUT", f"/portals/{far}", {"group": 5})
    wait_groups((both.iqn, near, 1), (both.iqn, far, 5), (second.iqn, near, 1))
    change("PATCH", f"/targets/{second.id}", {"portal_groups": [9]})
    wait_groups((both.iqn, near, 1), (both.iqn, far, 5))
    change("PATCH", f"/targets/{hidden.id}", {"isns": True})
    change("PUT", f"/targets/{hidden.id}/drain", {"draining": True})
    wait_groups((both.iqn, near, 1), (both.iqn, far, 5), (hidden.iqn, near, 1), (hidden.iqn, far, 5))
    server.stop()
    nas.delete(both)
    assert listening.wait_for("isns_failing")["reason"] == "no connection: Connection refused"
    assert nas.edit_service(enabled=False).status_code == 200
    listening.close()
