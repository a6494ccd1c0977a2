"""The Linux kernel's initiator, in a virtual machine."""

from pathlib import Path

import pytest

from tests.system.conftest import StartNas
from tests.system.isns_server import IsnsServer
from tests.system.nas import Nas, Share, wait_until
from tests.vm.machine import HOST, SCRIPTS, Guest, parse_runs

ALICE = {"enabled": True, "username": "alice", "password": "alice-secret-1"}
THE_NAS = {"enabled": True, "username": "nas", "password": "nas-secret-123"}


def variables(nas: Nas, share: Share) -> dict[str, str]:
    """What both guest scripts are given."""
    return {"PORTAL": f"{HOST}:{nas.port}", "TARGET": share.iqn}


@pytest.mark.peer
def test_a_disk_from_discovery_to_logout(start_nas: StartNas, tmp_path: Path) -> None:
    nas = start_nas(hosts=(HOST,))
    share = nas.create(
        "kernel", size="100M", header_digest=True, data_digest=True, one_way_chap=ALICE, mutual_chap=THE_NAS
    )
    file = nas.file_of(share)
    chap = {"USER_NAME": "alice", "USER_SECRET": "alice-secret-1", "NAS_NAME": "nas", "NAS_SECRET": "nas-secret-123"}
    with Guest(SCRIPTS / "guest-disk.sh", variables(nas, share) | chap, tmp_path) as guest:
        guest.wait_for_step("logged-in")
        (session,) = nas.sessions(share)
        assert session["initiator"] == "iqn.2026-11.test.lunaport:guest"
        assert session["chap_user"] == "alice"
        assert session["negotiated"]["HeaderDigest"] == session["negotiated"]["DataDigest"] == "CRC32C"
        guest.answer()
        guest.wait_for_step("written")
        nas.edit(share, size="200M")
        guest.answer()
        guest.wait_for_step("trimmed")
        wait_until(lambda: file.stat().st_blocks * 512 < 36 << 20, timeout_s=5, what="space given back by fstrim")
        guest.answer()
        console = guest.finish()
    assert f"DISK sda {100 << 11} LUNAPORT" in console
    assert "write back" in console
    assert f"GROWN {100 << 11} {200 << 11}" in console
    wait_until(lambda: nas.sessions(share) == [], timeout_s=5, what="end of session")


@pytest.mark.peer
def test_xfs_and_the_space_that_it_gives_back(start_nas: StartNas, tmp_path: Path) -> None:
    nas = start_nas(hosts=(HOST,))
    share = nas.create("kernel-xfs", size="320M")
    file = nas.file_of(share)

    def used() -> int:
        return file.stat().st_blocks * 512

    with Guest(SCRIPTS / "guest-xfs.sh", variables(nas, share), tmp_path) as guest:
        guest.wait_for_step("written", timeout_s=120)
        written = used()
        assert written > 48_000_000
        guest.answer()
        guest.wait_for_step("trimmed")
        wait_until(lambda: used() < written - 39_000_000, timeout_s=5, what="space given back by fstrim")
        guest.answer()
        guest.wait_for_step("discarded")
        wait_until(lambda: used() < 1 << 20, timeout_s=5, what="space given back by blkdiscard")
        guest.answer()
        runs = parse_runs(guest.finish())
    assert (runs["fstrim"].code, runs["blkdiscard"].code) == (0, 0)
    assert runs["zeros"].text.strip() == "0"


@pytest.mark.peer
def test_the_data_process_dies_while_the_kernel_writes(start_nas: StartNas, tmp_path: Path) -> None:
    nas = start_nas(hosts=(HOST,))
    share = nas.create("kernel-crash", size="100M")
    with Guest(SCRIPTS / "guest-crash.sh", variables(nas, share), tmp_path) as guest:
        for number in (2, 5):
            guest.wait_for_step(f"written {number}", timeout_s=120)
            nas.kill("data")
            nas.wait_healthy(timeout_s=10)
        guest.wait_for_step("survived", timeout_s=120)
        guest.answer()
        console = guest.finish(timeout_s=120)
    assert console.count(": OK") == 16


@pytest.mark.peer
def test_a_target_found_through_an_isns_server(start_nas: StartNas, tmp_path: Path) -> None:
    nas = start_nas(hosts=(HOST,))
    share = nas.create("kernel-isns", size="100M")
    portal = f"{HOST}:{nas.port}"
    server = IsnsServer(tmp_path / "isnsd", host=HOST)
    server.start()
    try:
        assert nas.edit_service(isns=True, isns_address=server.address).status_code == 200
        wait_until(lambda: server.listing().names == [share.iqn], timeout_s=5, what="registration")
        given = variables(nas, share) | {"ISNS": server.address}
        with Guest(SCRIPTS / "guest-isns.sh", given, tmp_path) as guest:
            guest.wait_for_step("logged-in")
            (session,) = nas.sessions(share)
            assert session["initiator"] == "iqn.2026-11.test.lunaport:guest"
            guest.answer()
            guest.wait_for_step("logged-out")
            renamed = nas.edit(share, target="kernel-isns-2")["target"]
            wait_until(lambda: server.listing().names == [renamed], timeout_s=5, what="the new name")
            guest.answer()
            console = guest.finish()
    finally:
        server.stop()
    assert f"FOUND {portal},1 {share.iqn} \n" in console
    assert f"DISK sda {100 << 11}" in console
    assert f"FOUND-THEN {portal},1 {renamed} \n" in console
