"""The pictures of the manual: `python -m tests.system.pictures docs/images [NAME...]` makes them anew.

They show a NAS under load, with a reservation, an erasure under way, and a login that was refused.
"""

import contextlib
import os
import random
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from playwright.sync_api import Browser

from tests.system.browser import Visitor, chromium
from tests.system.cluster import APTPL, KEY_A, KEY_B, REGISTER, RESERVE, WRITE_EXCLUSIVE_RO, reserve_out
from tests.system.initiator import Chap, Initiator
from tests.system.nas import Nas, Share
from tests.system.test_erasure import overwrite
from tests.system.wire import InitiatorError, LoginError

NAMES = ("mail", "vm-store", "backup", "scratch", "db-main", "db-replica", "archive", "media", "ci-cache", "cluster")
LOADS = (("mail", "mail-1", 0.5), ("vm-store", "esx-a", 0.3), ("vm-store", "esx-b", 0.2), ("db-main", "db-1", 0.7))
HERE = "iqn.2026-11.com.example"
BLOCKS = 128
LOAD_S = 75.0
"""Until charts show something."""
Step = Callable[[Visitor], object]


def secret(name: str) -> str:
    """The CHAP secret of a share."""
    return f"{name}-secret".ljust(12, "-")[:16]


def log_in(share: Share, name: str, initiator: str) -> Initiator:
    chap = None if name == "scratch" else Chap(user=name, secret=secret(name))
    return Initiator(share.host, share.port, target=share.iqn, name=initiator, chap=chap, timeout_s=60)


def load(share: Share, name: str, initiator: str, writes: float, stop: threading.Event) -> None:
    """Read and write at random places until told to stop."""
    with (
        contextlib.suppress(OSError, InitiatorError),
        log_in(share, name, f"{HERE}:{initiator}") as it,
    ):
        while not stop.wait(0.004 + random.random() * 0.02):
            place = random.randrange(1 << 18).to_bytes(4) + b"\0" + BLOCKS.to_bytes(2) + b"\0"
            if random.random() < writes:
                it.command(b"\x2a\0" + place, data_out=os.urandom(BLOCKS * 512))
            else:
                it.command(b"\x28\0" + place, data_in=BLOCKS * 512)


@contextlib.contextmanager
def busy_nas(folder: Path) -> Iterator[tuple[Nas, dict[str, Share]]]:
    """A NAS with shares, load, a cluster's reservation, an erasure under way and a login that was refused."""
    nas = Nas(folder / "nas")
    stop = threading.Event()
    nas.start()
    try:
        shares = {}
        for number, name in enumerate(NAMES):
            chap = {"enabled": name != "scratch", "username": name, "password": secret(name)}
            shares[name] = nas.create(name, size=f"{1 + number}G", one_way_chap=chap)
        rules = [
            {"initiators": [f"{HERE}:db-*"]},
            {"initiators": [f"{HERE}:report"], "read_only": True, "luns": [0]},
        ]
        target = f"/api/v1/targets/{shares['db-main'].id}"
        nas.client.patch(target, json={"access": {"rules": rules}, "limits": {"iops": 20000}}).raise_for_status()
        nas.client.post(f"{target}/luns", json={"size_bytes": 4 << 30}).raise_for_status()
        nas.delete(shares["archive"])
        with contextlib.suppress(LoginError), Initiator("127.0.0.1", nas.port, target=shares["mail"].iqn):
            pass
        threads = [threading.Thread(target=load, args=(shares[name], name, *more, stop)) for name, *more in LOADS]
        for thread in threads:
            thread.start()
        nodes = [log_in(shares["cluster"], "cluster", f"iqn.1991-05.com.microsoft:node-{n}") for n in (1, 2)]
        with nodes[0] as one, nodes[1] as two, log_in(shares["scratch"], "scratch", f"{HERE}:pc") as pc:
            for node, key in ((one, KEY_A), (two, KEY_B)):
                reserve_out(node, REGISTER, 0, key, flags=APTPL)
            reserve_out(one, RESERVE, KEY_A, kind=WRITE_EXCLUSIVE_RO)
            overwrite(pc, b"\0\0\0\0", passes=31)
            yield nas, shares
        stop.set()
        for thread in threads:
            thread.join()
    finally:
        stop.set()
        nas.destroy()
        nas.client.close()


def press(name: str) -> Step:
    """Press a button, and wait until the dialog is there."""

    def step(visitor: Visitor) -> None:
        visitor.page.get_by_role("button", name=name, exact=True).first.click()
        visitor.page.get_by_role("dialog").wait_for()
        visitor.page.wait_for_timeout(700)  # it fades in

    return step


def new_share(visitor: Visitor) -> None:
    """The dialog of a new share with a name in it."""
    press("New share")(visitor)
    visitor.fill("Name", "photos")


def take(browser: Browser, nas: Nas, shares: dict[str, Share], folder: Path) -> None:
    """Every picture: name, path, title, width, height, dark, and what is done before."""
    share, cluster = f"/shares/{shares['db-main'].id}", f"/shares/{shares['cluster'].id}"
    pictures: tuple[tuple[str, str, str, int, int, bool, Step | None], ...] = (
        ("overview", "/", "Overview", 1440, 1020, False, None),
        ("overview-dark", "/", "Overview", 820, 1180, True, None),
        ("overview-phone", "/", "Overview", 390, 844, True, None),
        ("shares", "/shares", "Shares", 1440, 900, False, None),
        ("shares-phone", "/shares", "Shares", 390, 844, False, None),
        ("share", share, "db-main", 1440, 1240, False, None),
        ("share-dark", cluster, "cluster", 1440, 1240, True, None),
        ("create-phone", "/shares", "Shares", 390, 844, False, new_share),
        ("connect", share, "db-main", 1440, 900, True, press("Connect to it")),
        ("access", share, "db-main", 820, 1180, False, press("Change access")),
        ("service", "/service", "Service", 820, 620, False, None),
    )
    for name, path, title, width, height, dark, step in pictures:
        if sys.argv[2:] and name not in sys.argv[2:]:
            continue
        visitor = Visitor(browser, nas, width=width, height=height, dark=dark)
        visitor.log_in()
        visitor.see("Overview")
        if name == "overview":
            time.sleep(LOAD_S)
        visitor.open(path, title)
        if step is not None:
            step(visitor)
        visitor.page.wait_for_timeout(400)
        visitor.page.screenshot(path=folder / f"{name}.png")
        visitor.check()


def main() -> None:
    """Make them."""
    folder = Path(sys.argv[1])
    with tempfile.TemporaryDirectory() as place, busy_nas(Path(place)) as (nas, shares), chromium() as browser:
        take(browser, nas, shares, folder)


if __name__ == "__main__":
    main()
