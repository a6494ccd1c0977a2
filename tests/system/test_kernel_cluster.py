"""What clusters and careful administrators do with the Linux kernel's initiator: fencing, and several paths."""

from pathlib import Path

import pytest

from tests.system.cluster import (
    APTPL,
    KEY_A,
    KEY_B,
    PREEMPT_AND_ABORT,
    REGISTER,
    REGISTRATIONS_PREEMPTED,
    RESERVATION_CONFLICT,
    RESERVATIONS_PREEMPTED,
    WRITE_EXCLUSIVE_RO,
    code_of,
    connect,
    keys,
    read,
    reserve_out,
    write,
)
from tests.system.conftest import StartNas
from tests.system.nas import wait_until
from tests.system.wire import GOOD
from tests.vm.machine import HOST, SCRIPTS, Guest, parse_runs

pytestmark = pytest.mark.peer
SECOND = "127.9.0.2"


def test_each_node_fences_the_other(start_nas: StartNas, tmp_path: Path) -> None:
    """The guest has key A; this test is the other node, with key B. Who is fenced can read, and writes no more."""
    nas = start_nas(hosts=(HOST,))
    share = nas.create("kernel-fenced")
    given = {"PORTAL": f"{HOST}:{nas.port}", "TARGET": share.iqn}
    with Guest(SCRIPTS / "guest-fenced.sh", given, tmp_path) as guest, connect(share, 2) as other:
        guest.wait_for_step("reserved")
        assert write(other).status == RESERVATION_CONFLICT, "it has not registered"
        assert reserve_out(other, REGISTER, 0, KEY_B, flags=APTPL).status == GOOD
        assert write(other).status == GOOD
        guest.answer()

        guest.wait_for_step("fenced")
        assert code_of(write(other)) == REGISTRATIONS_PREEMPTED
        assert write(other).status == RESERVATION_CONFLICT
        assert read(other).status == GOOD
        assert reserve_out(other, REGISTER, 0, KEY_B, flags=APTPL).status == GOOD
        guest.answer()

        guest.wait_for_step("writing")
        assert reserve_out(other, PREEMPT_AND_ABORT, KEY_B, KEY_A, WRITE_EXCLUSIVE_RO).status == GOOD
        assert keys(other) == [KEY_B]
        assert write(other).status == GOOD
        runs = parse_runs(guest.finish())
        assert code_of(write(other)) == RESERVATIONS_PREEMPTED, "the guest has cleared it"
        assert write(other).status == GOOD
    failed = {name: run.code for name, run in runs.items() if run.code}
    assert failed == {"shut-out": 1, "reserve-shut-out": 24}, {name: runs[name] for name in failed}
    assert "reservation conflict" in runs["messages"].text.lower()
    assert "2 registered reservation keys" in runs["keys"].text
    assert "1 registered reservation key " in runs["keys-after"].text
    assert runs["read"].text.strip() == "4096"
    assert "2 registered reservation keys" in runs["keys-back"].text


def test_paths_go_and_come_back_while_files_are_written(start_nas: StartNas, tmp_path: Path) -> None:
    nas = start_nas(hosts=(HOST, SECOND))
    share = nas.create("kernel-paths", size="100M", header_digest=True, data_digest=True)
    given = {"PORTAL": f"{HOST}:{nas.port}", "PORTAL_2": f"{SECOND}:{nas.port}", "TARGET": share.iqn}
    with Guest(SCRIPTS / "guest-multipath.sh", given, tmp_path) as guest:
        guest.wait_for_step("cut", timeout_s=120)
        guest.answer()
        guest.wait_for_step("back", timeout_s=120)
        sessions = {row["portal"]: row["id"] for row in nas.sessions(share)}
        assert set(sessions) == {given["PORTAL"], given["PORTAL_2"]}
        assert nas.client.delete(f"/api/v1/sessions/{sessions[given['PORTAL']]}").status_code == 204
        guest.answer()
        runs = parse_runs(guest.finish(timeout_s=120))
    assert {name: run.code for name, run in runs.items() if run.code} == {}
    for portal in (given["PORTAL"], given["PORTAL_2"]):
        assert f"{portal},1 {share.iqn}" in runs["discovery"].text
    assert runs["both"].text.count("active ready running") == 2
    assert runs["cut"].text.count("failed") == 1, runs["cut"].text
    wait_until(lambda: nas.sessions(share) == [], timeout_s=5, what="end of the sessions")
