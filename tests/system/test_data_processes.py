"""Several data processes: targets are spread over them, and all of it is one NAS to initiators and administrators."""

import contextlib
import os
import signal
import subprocess
import threading
from collections.abc import Iterator
from functools import partial
from itertools import count
from pathlib import Path

import pytest

from tests.system.conftest import StartNas
from tests.system.initiator import Chap, Initiator
from tests.system.nas import Nas, Share, wait_until
from tests.system.peers import fio, output_of
from tests.system.test_crash import is_another, logs_in
from tests.system.test_footprint import time_of
from tests.system.test_load import errors
from tests.system.test_third_party_copy import NOT_REACHABLE, TOKEN_UNKNOWN, designator, populate, use, xcopy
from tests.system.wire import InitiatorError, LoginError

TWO = {"data_processes": 2}
SIZES = count(17)
"""Of shares in MiB: their files are told apart by that."""
SECRET = "alice-secret-1"


@pytest.fixture(scope="module")
def shared_pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nas]:
    """A NAS with two data processes, for the tests that leave all as it was."""
    nas = Nas(tmp_path_factory.mktemp("pair") / "data", settings={"LUNAPORT_DATA_PROCESSES": "2"})
    try:
        nas.start()
        yield nas
        nas.stop()
    finally:
        nas.destroy()
        nas.client.close()


@pytest.fixture
def pair(shared_pair: Nas) -> Iterator[Nas]:
    """That NAS, with no share before the test and none after it."""
    yield shared_pair
    for row in shared_pair.shares():
        shared_pair.delete(shared_pair.share(row))


def two_shares(nas: Nas, **fields: object) -> tuple[Share, Share]:
    """One in each data process."""
    first = nas.create(f"of-the-first-{next(SIZES)}", size=f"{next(SIZES)}M")
    second = nas.create(f"of-the-second-{next(SIZES)}", size=f"{next(SIZES)}M", **fields)
    assert (nas.data_pid(first), nas.data_pid(second)) == (nas.pid("data"), nas.pid("data-1"))
    return first, second


def holds(pid: int, port: int) -> bool:
    """Whether a process has the NAS's end of the connection that an initiator has from this port of its own."""
    inode = next(
        fields[9]
        for fields in map(str.split, Path("/proc/net/tcp").read_text().splitlines()[1:])
        if fields[2].endswith(f":{port:04X}") and fields[3] == "01"
    )
    links = []
    for entry in Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(OSError):
            links.append(str(entry.readlink()))
    return f"socket:[{inode}]" in links


def session(share: Share) -> Initiator:
    """A session with a share, for `with`."""
    return Initiator(share.host, share.port, target=share.iqn)


def writing(share: Share, *, seconds: int = 0, seed: int = 1) -> "subprocess.Popen[str]":
    """fio that writes at random and verifies; for some seconds, or 32 MiB of it."""
    how_long = ["--time_based", f"--runtime={seconds}"] if seconds else ["--io_size=32m"]
    command = fio(
        share.url(),
        "--rw=randwrite", "--bs=4k", "--iodepth=8", "--size=16m", *how_long, f"--randseed={seed}",
        "--verify=crc32c", "--verify_fatal=1", "--output-format=json",
    )  # fmt: skip
    return subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )


def check(running: "subprocess.Popen[str]") -> None:
    printed, _ = running.communicate(timeout=120)
    assert running.returncode == 0, printed
    assert errors(printed) == 0


@pytest.mark.peer
def test_two_targets_are_worked_for_by_two_processes(pair: Nas) -> None:
    shares = two_shares(pair)
    pids = [pair.data_pid(share) for share in shares]
    with session(shares[0]) as first, session(shares[1]) as second:
        ports = [each.sock.getsockname()[1] for each in (first, second)]
        assert [[holds(pid, port) for port in ports] for pid in pids] == [[True, False], [False, True]]
    before = [time_of(pid) for pid in pids]
    for running in [writing(share, seed=number) for number, share in enumerate(shares)]:
        check(running)
    used = [time_of(pid) - earlier for pid, earlier in zip(pids, before, strict=True)]
    # 8,000 commands each, and what they are checked with: none is done in less than some microseconds.
    assert min(used) >= 0.05, used


@pytest.mark.peer
@pytest.mark.parametrize(("dying", "staying"), [("data-1", "data"), ("data", "data-1")])
def test_one_dies_and_the_other_goes_on(start_nas: StartNas, dying: str, staying: str) -> None:
    nas = start_nas(settings=TWO)
    by_role = dict(zip(("data", "data-1"), two_shares(nas), strict=True))
    pattern = os.urandom(8192)
    running = writing(by_role[staying], seconds=4)
    wait_until(
        lambda: any(row["bytes_written"] for row in nas.sessions(by_role[staying])),
        timeout_s=60,
        what="its first write",
    )
    with session(by_role[dying]) as lost, session(by_role[staying]) as kept:
        lost.write(0, pattern)
        lost.synchronize()
        for _ in range(2):
            other, control = nas.pid(staying), nas.pid("control")
            dead = nas.kill(dying)
            wait_until(partial(logs_in, by_role[dying]), timeout_s=20, what=f"a login after {dying} died")
            assert nas.pid(dying) != dead
            assert (nas.pid(staying), nas.pid("control")) == (other, control), "they were left alone"
            assert nas.data_pid(by_role[dying]) == nas.pid(dying), "it has its target again"
            assert kept.ready().status == 0
            wait_until(partial(logs_in, by_role[staying]), timeout_s=20, what="a login to the other")
        with pytest.raises((InitiatorError, OSError)):
            lost.ready()
    check(running)
    with session(by_role[dying]) as again:
        assert again.read(0, 16) == pattern
    nas.wait_healthy(timeout_s=20)
    after = nas.create("made-afterwards", size=f"{next(SIZES)}M")
    assert logs_in(after)


def test_control_dies_and_every_target_stays_where_it_is(start_nas: StartNas) -> None:
    nas = start_nas(settings=TWO)
    shares = [
        *two_shares(nas),
        nas.create("third", size=f"{next(SIZES)}M"),
        nas.create("fourth", size=f"{next(SIZES)}M"),
    ]
    nas.delete(shares.pop(0))
    pids = [nas.data_pid(share) for share in shares]
    with contextlib.ExitStack() as stack:
        initiators = [stack.enter_context(session(share)) for share in shares]
        for _ in range(2):
            dead = nas.kill("control")
            wait_until(partial(is_another, nas, "control", dead), timeout_s=10, what="another control")
            nas.wait_healthy(timeout_s=20)
            for initiator in initiators:
                assert initiator.ready().status == 0
        assert [nas.data_pid(share) for share in shares] == pids
        assert len(nas.answer("GET", path="/api/v1/sessions")["items"]) == 3
        new = nas.create("fifth", size=f"{next(SIZES)}M")
        assert nas.data_pid(new) == nas.pid("data"), "the one with fewer"
    nas.stop()
    nas.start()
    for share in (*shares, new):
        assert logs_in(share)


def test_who_is_refused_is_told_why_by_the_process_that_knows(pair: Nas) -> None:
    chap = {"enabled": True, "username": "alice", "password": SECRET}
    first, second = two_shares(pair, one_way_chap=chap)

    def initiator_of(target: str, chap: Chap | None) -> Initiator:
        return Initiator(second.host, second.port, target=target, chap=chap)

    with initiator_of(second.iqn, Chap(user="alice", secret=SECRET)) as initiator:
        assert initiator.capacity_bytes() == second.size_bytes
        assert pair.sessions(second)[0]["chap_user"] == "alice"
    for wrong, status, reason in (
        (initiator_of(second.iqn, Chap(user="alice", secret="wrong-secret-12")), 0x0201, "wrong_secret"),
        (initiator_of(second.iqn, Chap(user="bob", secret=SECRET)), 0x0201, "unknown_user"),
        (initiator_of(second.iqn, None), 0x0201, "no_authentication"),
        (initiator_of(first.iqn + "x", None), 0x0203, "unknown_target"),
    ):
        with pytest.raises(LoginError) as refused, wrong:
            pass
        assert refused.value.status == status
        assert pair.answer("GET", path="/api/v1/login-failures")["items"][0]["reason"] == reason
    metrics = pair.client.get("/metrics").text
    for name in ("data", "data-1"):
        assert f'lunaport_process_cpu_seconds_total{{process="{name}"}}' in metrics
    assert f'lunaport_target_logins_total{{target="{second.iqn}"}} 1.0' in metrics


@pytest.mark.peer
def test_libiscsi_finds_and_reaches_both(pair: Nas) -> None:
    shares = two_shares(pair)
    listed = output_of("iscsi-ls", f"iscsi://{pair.hosts[0]}:{pair.port}")
    for share in shares:
        assert f"Target:{share.iqn} " in listed
        assert "LUNAPORT" in output_of("iscsi-inq", share.url())


def test_logins_that_lead_nowhere_keep_nobody_out(pair: Nas) -> None:
    """Half of them say nothing; the others have been handed over, and say nothing more."""
    chap = {"enabled": True, "username": "alice", "password": SECRET}
    first, second = two_shares(pair, one_way_chap=chap)
    with contextlib.ExitStack() as stack:
        for number in range(400):
            initiator = Initiator(second.host, second.port, target=second.iqn)
            initiator.connect()
            stack.callback(initiator.close)
            if number % 2:
                keys = {"InitiatorName": f"iqn.2026-11.test:{number}", "TargetName": second.iqn, "AuthMethod": "CHAP"}
                initiator.exchange(1, keys, stage=0, next_stage=None)
        assert logs_in(first)
        with Initiator(
            second.host, second.port, target=second.iqn, chap=Chap(user="alice", secret=SECRET)
        ) as initiator:
            assert initiator.ready().status == 0


def test_a_process_that_hangs_keeps_nobody_from_the_others(pair: Nas) -> None:
    first, second = two_shares(pair)
    hanging = pair.pid("data-1")
    os.kill(hanging, signal.SIGSTOP)
    late: list[bool] = []
    waiting = threading.Thread(target=lambda: late.append(logs_in(second)))
    try:
        waiting.start()
        for _ in range(20):
            assert logs_in(first)
        assert not late, "it waits for its process"
    finally:
        os.kill(hanging, signal.SIGCONT)
    waiting.join()
    assert late == [True] or logs_in(second)


def test_a_copy_from_one_process_to_another_is_left_to_the_initiator(pair: Nas) -> None:
    with contextlib.ExitStack() as stack:
        here, there = (stack.enter_context(session(share)) for share in two_shares(pair))
        here.write(0, b"s" * 4096)
        there.write(0, b"d" * 4096)
        units = [designator(here), designator(there)]
        for initiator in (here, there):
            assert xcopy(initiator, units, [(0, 1, 8, 0, 0)]) == (2, NOT_REACHABLE)
        token = populate(here, 0, 8)
        assert use(there, token, 0, 8) == TOKEN_UNKNOWN
        assert there.read(0, 8) == b"d" * 4096
        assert xcopy(here, units[:1], [(0, 0, 4, 0, 4)]) == (0, None), "within a target it goes on"


def test_the_service_is_that_of_all(start_nas: StartNas) -> None:
    nas = start_nas(settings=TWO)
    with contextlib.ExitStack() as stack:
        shares = two_shares(nas)
        initiators = [stack.enter_context(session(share)) for share in shares]
        assert nas.edit_service(enabled=False).status_code == 200
        for initiator in initiators:
            initiator.wait_for_close()
        assert nas.edit_service(enabled=True).status_code == 200
        for share in shares:
            wait_until(partial(logs_in, share), timeout_s=20, what="a login after the service is on again")
        blocked = nas.client.put("/api/v1/blocks/iqn.2026-11.test.lunaport:raw", json={"note": ""})
        assert blocked.is_success, blocked.text
        assert not any(logs_in(share) for share in shares)
