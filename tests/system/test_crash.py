"""SIGKILL of each process at awkward moments: what was confirmed is kept, and the NAS comes back by itself."""

import secrets
import subprocess
import threading
import time
from functools import partial

import httpx
import pytest

from tests.system.conftest import StartNas
from tests.system.initiator import Initiator
from tests.system.nas import SHARES, Nas, Share, session_pids, wait_until
from tests.system.peers import fio
from tests.system.test_load import errors
from tests.system.wire import InitiatorError

PATTERN = secrets.token_bytes(8192)


def logs_in(share: Share) -> bool:
    """Whether a login to the share succeeds now."""
    try:
        with Initiator(share.host, share.port, target=share.iqn) as initiator:
            return initiator.capacity_bytes() == share.size_bytes
    except (InitiatorError, OSError):
        return False


def is_another(nas: Nas, role: str, pid: int) -> bool:
    """Whether a process other than `pid` has the role now."""
    return nas.pid(role) != pid


@pytest.mark.peer
def test_control_dies_and_no_io_is_disturbed(start_nas: StartNas) -> None:
    nas = start_nas()
    share = nas.create("undisturbed", size="64M")
    command = fio(
        share.url(),
        "--rw=randwrite", "--bs=4k", "--iodepth=8", "--size=64m", "--time_based", "--runtime=4",
        "--verify=crc32c", "--verify_fatal=1", "--output-format=json",
    )  # fmt: skip
    running = subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    data = nas.pid("data")
    for _ in range(2):
        time.sleep(0.7)
        dead = nas.kill("control")
        wait_until(partial(is_another, nas, "control", dead), timeout_s=5, what="a new control process")
        nas.wait_healthy(timeout_s=10)
    printed, _ = running.communicate(timeout=60)
    assert running.returncode == 0, printed
    assert errors(printed) == 0
    assert nas.pid("data") == data, "it was left alone"
    assert [row["target"] for row in nas.shares()] == [share.iqn]
    after = nas.create("after-control-died")
    assert logs_in(after)


@pytest.mark.alone
def test_data_dies_and_what_was_synchronized_is_there(start_nas: StartNas) -> None:
    nas = start_nas()
    share = nas.create("synchronized", size="16M")
    with Initiator(share.host, share.port, target=share.iqn) as initiator:
        initiator.write(0, PATTERN)
        initiator.synchronize()
        initiator.write(4096, PATTERN, fua=True)
        control, dead, killed = nas.pid("control"), nas.kill("data"), time.monotonic()
        initiator.wait_for_close()
    wait_until(lambda: logs_in(share), timeout_s=10, what="a login after the data process died")
    away_s = time.monotonic() - killed
    assert nas.pid("data") != dead
    assert nas.pid("control") == control
    with Initiator(share.host, share.port, target=share.iqn) as initiator:
        assert initiator.read(0, 16) == PATTERN
        assert initiator.read(4096, 16) == PATTERN
    assert away_s < 3, f"it took {away_s:.1f} s"


def test_the_nas_answers_again_after_data_died(start_nas: StartNas) -> None:
    nas = start_nas()
    first = nas.create("first")
    nas.kill("data")
    second: list[Share] = []

    def made() -> bool:
        response = nas.call("POST", {"target": "second", "size": "1M"})
        assert response.status_code in (200, 409, 500, 503), response.text
        if response.status_code == 200:
            second.append(nas.share(response.json()))
        return bool(second)

    wait_until(made, timeout_s=10, what="a share made after the data process died")
    assert logs_in(second[0])
    assert logs_in(first)


def test_no_process_outlives_the_supervisor(start_nas: StartNas) -> None:
    nas = start_nas()
    share = nas.create("orphaned")
    assert nas.process is not None
    session = nas.process.pid
    nas.kill("supervisor")
    wait_until(lambda: session_pids(session) == [], timeout_s=10, what="the end of its children")
    nas.destroy()
    nas.start()
    assert logs_in(share)


class Creator(threading.Thread):
    """Creates share after share, and remembers which the NAS confirmed."""

    def __init__(self, nas: Nas) -> None:
        super().__init__(daemon=True)
        self.nas = nas
        self.asked: set[str] = set()
        self.confirmed: set[str] = set()
        self.enough = threading.Event()

    def run(self) -> None:
        """Work until told to stop; a NAS that is away is asked again."""
        with httpx.Client(
            base_url=self.nas.client.base_url, auth=self.nas.client.auth, timeout=10, trust_env=False
        ) as client:
            while not self.enough.is_set():
                name = f"crash-{len(self.asked)}"
                self.asked.add(name)
                try:
                    response = client.post(SHARES, json={"target": name, "size": "1M"})
                except httpx.TransportError:
                    time.sleep(0.05)
                    continue
                if response.status_code == 200:
                    self.confirmed.add(name)


@pytest.mark.parametrize("role", ["control", "data", "supervisor"])
def test_killed_while_shares_are_made(start_nas: StartNas, role: str) -> None:
    nas = start_nas()
    creator = Creator(nas)
    creator.start()
    try:
        for _ in range(5):
            time.sleep(0.2 + secrets.randbelow(300) / 1000)
            nas.kill(role)
            if role == "supervisor":
                nas.destroy()
                nas.start()
            else:
                nas.wait_healthy(timeout_s=15)
    finally:
        creator.enough.set()
        creator.join()
    nas.stop()
    nas.start()
    rows = {row["target"].rpartition(":")[2]: row for row in nas.shares()}
    assert creator.confirmed, "nothing was made: the test proves nothing"
    assert creator.confirmed <= set(rows), "a confirmed share is lost"
    assert set(rows) <= creator.asked
    assert len(nas.files()) == len(rows), "a file without a share, or a share without a file"
    for row in rows.values():
        assert logs_in(nas.share(row))
    again = nas.create("crash-after-all")
    assert logs_in(again)
