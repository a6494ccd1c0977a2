"""The database, the clock, the network, and callers who mean harm."""

import contextlib
import socket
import threading
import time
from collections import Counter
from pathlib import Path

import httpx

from tests.faults.stage import Result, Stage
from tests.system.initiator import Chap, Initiator
from tests.system.nas import Nas, Share, resident_bytes
from tests.system.network import in_own_network, ip
from tests.system.peers import missing
from tests.system.wire import ClosedError, LoginError

GUESSER = "127.0.0.9"
FAKETIME = Path("/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1")


def jumping_clock(stage: Stage) -> Result:
    """The wall clock jumps by a day, forth and back."""
    if not FAKETIME.exists():
        missing("faketime is not installed")
    setting = stage.folder / "clock"
    setting.write_text("+0\n")
    nas = stage.start(
        LD_PRELOAD=str(FAKETIME),
        FAKETIME_TIMESTAMP_FILE=str(setting),
        FAKETIME_CACHE_DURATION="1",
        FAKETIME_DONT_FAKE_MONOTONIC="1",
    )
    share = nas.create("clock", size="16M")
    writer = stage.writer(share)
    running = stage.fio()
    writer.wait_for(20)
    trashed = nas.create("trashed", size="1M")
    nas.delete(trashed)
    for jump in ("+1d", "-1d", "+0"):
        setting.write_text(f"{jump}\n")
        time.sleep(10 if stage.thorough else 2)
        at = nas.client.get("/api/v1/me").headers["date"]
        writer.wait_for(20)
        stage.wait_until_served(share)
        assert nas.healthy(), at
        assert nas.trash(), "a jump of a day empties no trash"
    ios = running.finish()
    writer.stop()
    assert writer.record.refused == {}
    return Result(
        tried="+1 day, -1 day, and back",
        saw=f"nothing: {writer.record.count} synchronized writes and {ios}, none failed, new logins worked;"
        f" longest pause {writer.record.longest_gap_s:.1f} s",
        told="nothing; times in logs and events follow the clock, and the trash stays",
        kept=f"{writer.verify()} blocks right, fio's too",
    )


def vanished_address(stage: Stage) -> Result:
    """The portal's address goes away and comes back, in a network of its own."""
    return in_own_network(lambda: _vanished_address(stage))


def _vanished_address(stage: Stage) -> Result:
    address = "fd00::77"
    ip("address", "add", f"{address}/128", "dev", "lo", "nodad")
    stage.nas = Nas(stage.folder / "vanished", hosts=("127.0.0.1", address))
    nas = stage.start()
    made = nas.create("away", size="16M")
    share = Share(id=made.id, iqn=made.iqn, size_bytes=made.size_bytes, host=address, port=made.port)
    writer, other = stage.writer(share), stage.writer(nas.create("stays", size="17M"))
    running = stage.fio()
    writer.wait_for(20)
    ip("address", "del", f"{address}/128", "dev", "lo")
    problem = stage.wait_for_problem("no such address")
    stage.told("portal_failed")
    other.wait_for(20)
    time.sleep(20 if stage.thorough else 1)
    ip("address", "add", f"{address}/128", "dev", "lo", "nodad")
    stage.told("portal_works")
    writer.wait_for(20)
    stage.wait_until_served(share)
    ios = running.finish()
    writer.stop()
    other.stop()
    assert other.record.refused == {}
    result = Result(
        tried="an address taken from its interface and given back",
        saw=f"no answer meanwhile ({writer.seen()} refused); sessions went on or came back by themselves, longest pause"
        f" {writer.record.longest_gap_s:.0f} s; initiators at the other address saw nothing: {other.record.count}"
        f" synchronized writes and {ios}, none failed",
        told=f"problem {problem}; events portal_failed and portal_works",
        kept=f"{writer.verify() + other.verify()} blocks right, fio's too",
    )
    stage.close()
    return result


def crowd(stage: Stage) -> Result:
    """Thousands of connections are opened and left."""
    nas, count = stage.start(), 10_000 if stage.thorough else 3_000
    share = nas.create("crowded", size="16M")
    writer = stage.writer(share)
    running = stage.fio()
    writer.wait_for(20)
    data = nas.pid("data")
    before = resident_bytes(data)
    with contextlib.ExitStack() as stack:
        for number in range(count):
            source = f"127.0.{1 + number % 16}.1"
            sock = stack.enter_context(
                socket.create_connection((share.host, share.port), timeout=30, source_address=(source, 0))
            )
            sock.setblocking(False)
            if number % 500 == 0:
                stage.wait_until_served(share)
        writer.wait_for(20)
        grown = resident_bytes(data) - before
    stage.wait_until_served(share)
    writer.wait_for(20)
    ios = running.finish()
    writer.stop()
    assert writer.record.refused == {}
    assert grown < 64 << 20, f"{grown >> 20} MiB"
    return Result(
        tried=f"{count} connections from 16 addresses, opened and left",
        saw=f"those who work: nothing, {writer.record.count} synchronized writes and {ios}, longest pause"
        f" {writer.record.longest_gap_s:.1f} s, and new logins worked; those who left: the oldest are closed",
        told=f"the log names the addresses and counts; memory of the data process grew by {grown / (1 << 20):.0f} MiB",
        kept=f"{writer.verify()} blocks right, fio's too",
    )


def wrong_secrets(stage: Stage) -> Result:
    """Logins at full speed with wrong secrets."""
    nas, length_s = stage.start(), 60.0 if stage.thorough else 3.0
    chap = {"enabled": True, "username": "alice", "password": "alice-secret-1"}
    guarded = nas.create("guarded", size="15M", one_way_chap=chap)
    writer = stage.writer(nas.create("worked-on", size="16M"))
    running = stage.fio()
    writer.wait_for(20)
    enough = threading.Event()
    tries: list[int] = []
    let_in: list[int] = []

    def guess(number: int) -> None:
        count = 0
        while not enough.is_set():
            chap = Chap(user="alice", secret=f"wrong-secret-{number}"[:16])
            try:
                with Initiator(guarded.host, guarded.port, guarded.iqn, chap=chap):
                    let_in.append(number)
            except (LoginError, ClosedError, ConnectionError):
                count += 1
        tries.append(count)

    statuses: Counter[int] = Counter()

    def guess_password() -> None:
        transport = httpx.HTTPTransport(local_address=GUESSER)
        with httpx.Client(base_url=nas.client.base_url, transport=transport, timeout=30) as client:
            while not enough.is_set():
                answer = client.get("/api/v1/me", auth=("operator", f"wrong-{sum(statuses.values())}"))
                statuses[answer.status_code] += 1

    threads = [threading.Thread(target=guess, args=(number,)) for number in range(4)]
    threads.append(threading.Thread(target=guess_password))
    for thread in threads:
        thread.start()
    log_before, before, began = nas.log.stat().st_size, writer.record.count, time.monotonic()
    time.sleep(length_s)
    during, lasted = writer.record.count - before, time.monotonic() - began
    slowest = time.monotonic()
    right = Chap(user="alice", secret="alice-secret-1")
    with Initiator(guarded.host, guarded.port, guarded.iqn, chap=right) as initiator:
        assert initiator.capacity_bytes() == guarded.size_bytes
    slowest = time.monotonic() - slowest
    enough.set()
    for thread in threads:
        thread.join()
    assert let_in == [], "a wrong secret let somebody in"
    assert statuses.keys() <= {401, 429, 503}, statuses
    assert statuses[429], "nobody was made to wait"
    stage.told("login_refused")
    reasons = {each["reason"] for each in nas.answer("GET", path="/api/v1/login-failures")["items"]}
    assert reasons == {"wrong_secret"}
    log_bytes = nas.log.stat().st_size - log_before
    assert log_bytes < 200_000, f"{log_bytes} bytes of log in {lasted:.0f} s"
    ios = running.finish()
    writer.stop()
    assert writer.record.refused == {}
    return Result(
        tried=f"{sum(tries)} iSCSI logins with wrong secrets and {sum(statuses.values())} HTTP requests with wrong"
        f" passwords in {lasted:.0f} s",
        saw=f"the guessers: status 0201h, and 429 to all HTTP requests but {statuses[401]}; who works: nothing,"
        f" {during / lasted:.0f} synchronized writes a second meanwhile and {ios} in all; the right secret: a login"
        f" after {slowest:.2f} s",
        told=f"events login_refused, `lunaport login failures` (wrong_secret), {log_bytes / 1000:.0f} kB of log",
        kept=f"{writer.verify()} blocks right, fio's too",
    )
